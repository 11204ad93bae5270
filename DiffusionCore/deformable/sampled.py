"""The field between two images by diffusion: several samples at once, their mean as the estimate, and their spread."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from DiffusionCore.affine.foreground import working_volume
from DiffusionCore.build import build_network, choose_device
from DiffusionCore.checks import ConfigError, check_range
from DiffusionCore.config import from_dict
from DiffusionCore.deformable.learned import Estimate, likeness, seen, seen_grid, seen_spacing, velocity_grid
from DiffusionCore.deformable.refinement import on_plateau
from DiffusionCore.deformable.steering import Steer, Wishes, steering
from DiffusionCore.deformable.velocity_diffusion import VelocityDiffusionConfig, mean_and_spread, sample_velocities
from DiffusionCore.diffusion.denoising import Sampler
from DiffusionCore.diffusion.gaussian import NoiseSource
from DiffusionCore.diffusion.reverse import spaced_times
from DiffusionCore.models import find_model
from DiffusionCore.networks.loop_denoiser import LoopDenoiser
from DiffusionCore.networks.precision import Precision, choose_precision
from DiffusionCore.space import Grid, Volume
from DiffusionCore.storage.checkpoint import load_checkpoint
from DiffusionCore.transforms.affine import Affine
from DiffusionCore.transforms.base import voxel_centers
from DiffusionCore.transforms.displacement import ras_vectors, sample_field, voxel_vectors
from DiffusionCore.transforms.velocity import Velocity

KIND = "diffusereg"
_ROUNDING = 1e-9  # of a time


@dataclass(frozen=True)
class SampledSettings:
    """How a field is sampled.

    Attributes:
        model: name or path of a model of the kind "diffusereg".
        passes: times of its diffusion that are visited, evenly spaced.
        samples: how many are drawn at once; more than one have a spread.
        eta: 0 for steps without chance (DDIM), so that samples differ by their first noise only; 1 for ancestral ones.
        precision: of the network; fields and images are always float32.
        patience: times within which the likeness of the images must gain ``gain``, or the sampling ends; None samples
            to the end, without which the spread is too small.
        gain: the least relative gain of the local correlation.

    Raises:
        ValueError: a number is out of its range.
    """

    model: str = "diffusereg"
    passes: int = 15
    samples: int = 4
    eta: float = 0.0
    precision: Precision = Precision.FASTEST
    patience: int | None = None
    gain: float = 0.01

    def __post_init__(self) -> None:
        check_range(self, 1, 1000, "passes")
        check_range(self, 1, 64, "samples")
        check_range(self, 0, 1, "eta", "gain")
        if self.patience is not None:
            check_range(self, 1, math.inf, "patience")

    def done(self, time: float) -> int:
        """Return how many of the passes lie behind the ``time`` of a step."""
        return math.floor((1 - min(max(time, 0.0), 1.0)) * self.passes + _ROUNDING)


@dataclass(frozen=True, eq=False)
class SampledField:
    """Samples velocities with a network; used as a ``LearnedField``, and seen by the network like its images.

    Attributes:
        network: the denoiser.
        config: the noise that it was trained with.
        spacing: of the images that it was trained on, mm.
        corrections: passes of the network at each time, as in its training.
        settings: how it samples.
        seed: of the noise of the first sample; the others have those that follow.
        wishes: what steers the samples; None leaves them to the network.
        known: the velocity of a step of an earlier run, from which it goes on at the ``time`` of that step.
    """

    network: LoopDenoiser
    config: VelocityDiffusionConfig
    spacing: float
    corrections: int
    settings: SampledSettings
    seed: int = 0
    wishes: Wishes | None = None
    known: Velocity | None = None
    time: float = 1.0

    @property
    def passes(self) -> int:
        """How many estimates there will be."""
        return self.settings.passes

    @property
    def settles(self) -> bool:
        """False: before the last step the samples still hold noise."""
        return False

    @property
    def guided(self) -> bool:
        """Whether anything steers."""
        return self.wishes is not None

    @torch.inference_mode()
    def estimates(self, fixed: Volume, moving: Volume, start: Affine) -> Iterator[Estimate]:
        """Yield the estimate before the first step, a velocity of zero, and the mean of the samples after each step.

        In every pass each sample sees the moving image through ``start @ v`` by its own v, resampled from its own
        voxels. The spread of the samples is in mm, on the grid of the velocity. Of a ``known`` velocity the samples
        are that velocity with their own noise of its time.
        """
        spacing = seen_spacing(fixed, self.spacing)
        fixed, moving = working_volume(fixed, spacing), working_volume(moving, spacing)
        grid = seen_grid(fixed, spacing)
        coarse = velocity_grid(grid, self.network.stride)
        reference, unmoved = seen(fixed, grid, Affine.identity()), seen(moving, grid, start)
        yield Estimate(_velocity(torch.zeros(3, *coarse.shape), coarse), likeness(reference, unmoved))

        def warp(velocities: Tensor) -> Tensor:
            made = (_velocity(one, coarse) for one in velocities)
            return torch.cat([seen(moving, grid, start @ velocity) for velocity in made]).to(velocities.device)

        steer, first, reached = None, self.settings.done(self.time), []
        if self.wishes is not None:
            steer = steering(self.wishes, torch.cat([reference, unmoved], 1), start, grid, coarse)
        for number, velocities in enumerate(self._sampled(reference, warp, steer, coarse, first), first + 1):
            mean, spread = velocities[0], None
            if len(velocities) > 1:
                mean, deviation = mean_and_spread(velocities)
                spread = Volume((coarse.spacing[0] * deviation).numpy(), coarse)
            velocity = _velocity(mean, coarse)
            reached.append(likeness(reference, seen(moving, grid, start @ velocity)))
            ended = number == self.passes or on_plateau(reached, self.settings)
            yield Estimate(velocity, reached[-1], 0.0 if ended else 1 - number / self.passes, spread)
            if ended:
                return

    def _sampled(
        self, reference: Tensor, warp: Callable[[Tensor], Tensor], steer: Steer | None, coarse: Grid, first: int
    ) -> Iterator[Tensor]:
        """Yield the velocities (samples, 3, K, J, I), on the CPU, after each step from the number ``first`` on."""
        device = next(self.network.parameters(), torch.zeros(())).device
        known = None
        if self.known is not None:
            vectors = sample_field(self.known.vectors, self.known.grid, voxel_centers(coarse)).movedim(-1, 0)
            known = voxel_vectors(vectors.float(), coarse).expand(self.settings.samples, -1, -1, -1, -1)
        run = sample_velocities(
            self.network,
            self.config,
            reference.to(device).expand(self.settings.samples, -1, -1, -1, -1),
            warp,
            spaced_times(self.config.schedule.steps, self.passes),
            noise=NoiseSource(tuple((self.seed + number) % 2**32 for number in range(self.settings.samples))),
            sampler=Sampler(self.settings.eta),
            passes=self.corrections,
            start=known,
            first=first,
            dtype=choose_precision(self.settings.precision, device),
            steer=steer,
        )
        for step in run:
            yield step.velocities.float().cpu()


def load_sampled(settings: SampledSettings, device: str = "auto") -> SampledField:
    """Return the sampler of ``settings`` with its network loaded.

    Raises:
        CheckpointError: the model is not to be found, damaged or of another kind.
        ConfigError: it has fewer times than ``settings.passes``, or its configuration no diffusion, or it is a
            regression.
    """
    checkpoint = load_checkpoint(find_model(settings.model), KIND)
    config = from_dict(VelocityDiffusionConfig, checkpoint.config.get("diffusion"))
    if not settings.passes <= config.schedule.steps:
        raise ConfigError(
            f"The model '{settings.model}' was trained for {config.schedule.steps} steps, so no more can be taken, "
            f"but {settings.passes} were asked for."
        )
    if config.form == "regression":
        raise ConfigError(
            f"The model '{settings.model}' is a regression, which cannot be sampled. Ask for 0 samples: one estimate."
        )
    network = cast(LoopDenoiser, build_network(checkpoint)).to(choose_device(device))
    spacing, corrections = float(checkpoint.config["pairs"]["spacing"]), int(checkpoint.config["passes"])
    return SampledField(network, config, spacing, corrections, settings)


def _velocity(vectors: Tensor, grid: Grid) -> Velocity:
    """Return ``vectors`` (3, K, J, I), in voxels of ``grid``, as a transform."""
    return Velocity(ras_vectors(vectors.float().cpu(), grid), grid)
