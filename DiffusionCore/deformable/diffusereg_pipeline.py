"""Registration by the published DiffuseReg: an affine one, then the diffusion of the field that is left."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from DiffusionCore.affine.foreground import working_volume
from DiffusionCore.affine.pipeline import CAUTION, AffineSettings
from DiffusionCore.affine.resuming import times_done
from DiffusionCore.affine.steps import Step
from DiffusionCore.build import build_network, choose_device
from DiffusionCore.checks import ConfigError, check_range
from DiffusionCore.config import from_dict
from DiffusionCore.deformable.alignment import Alignment, shared_account
from DiffusionCore.deformable.field_diffusion import FieldDiffusionConfig, FieldSampler
from DiffusionCore.deformable.guidance import Guidance
from DiffusionCore.deformable.learned import likeness, seen, seen_grid, seen_spacing
from DiffusionCore.deformable.refinement import on_plateau
from DiffusionCore.deformable.segments import read_segments
from DiffusionCore.deformable.start import nearest_affine
from DiffusionCore.deformable.steering import DisplacementLevel, Wishes, steering
from DiffusionCore.diffusion.denoising import Sampler
from DiffusionCore.diffusion.gaussian import NoiseSource
from DiffusionCore.diffusion.reverse import spaced_times
from DiffusionCore.models import find_model
from DiffusionCore.networks.diffusereg import DiffuseReg
from DiffusionCore.networks.precision import Precision
from DiffusionCore.space import Frame, Grid, Volume
from DiffusionCore.storage.checkpoint import load_checkpoint, read_description
from DiffusionCore.transforms.affine import Affine
from DiffusionCore.transforms.base import Chain
from DiffusionCore.transforms.displacement import Displacement, ras_vectors, voxel_vectors

KIND = "published-diffusereg"
_PHASE = "diffusion"
_SETTLED = 0.5  # share of a field that is shown; below, it is guessed from noise, and its likeness says nothing


@dataclass(frozen=True)
class PublishedDiffuseRegSettings:
    """How the published DiffuseReg registers.

    Attributes:
        model: name or path of a model of the kind "published-diffusereg".
        count: how many of the times of its diffusion are visited, evenly spaced; None for all.
        eta: 1 for ancestral steps (published), 0 for steps without chance (DDIM), which few steps need.
        shown: the most steps of the diffusion that are shown.
        precision: of the network; fields and images are always float32.
        patience: shown steps within which the likeness of the images must gain ``gain``, or the sampling ends; None
            samples to the end. They count where more than half of a field is shown.
        gain: the least relative gain of the local correlation.
        guidance: what the field is to reach beside alike images: it steers the sampling.
        affine: the affine phases before; None starts from the initial transform, or from the images as they lie.

    Raises:
        ValueError: a number is out of its range.
    """

    model: str
    count: int | None = None
    eta: float = 1.0
    shown: int = 100
    precision: Precision = Precision.FASTEST
    patience: int | None = None
    gain: float = 0.01
    guidance: Guidance | None = None
    affine: AffineSettings | None = field(default_factory=AffineSettings)

    def __post_init__(self) -> None:
        check_range(self, 0, 1, "eta", "gain")
        check_range(self, 1, math.inf, "shown")
        if self.patience is not None:
            check_range(self, 1, math.inf, "patience")

    def expected_steps(self, after: Step | None = None) -> int:
        """Return how many steps a registration has that does not end early; those up to ``after`` count, too.

        Raises:
            CheckpointError: a model is not to be found, damaged or of another kind.
            ConfigError: the model has fewer times than ``count``; ``after`` deforms by another method.
        """
        config, _ = _diffusion(read_description(find_model(self.model), KIND)["config"])
        times = self.times(config)
        done = 0 if after is None else after.index + 1
        if after is not None and _deforms(after):
            return done + max(1, len(self.indices(times, times_done(times, config.schedule.steps, after))))
        ahead = self.affine.expected_steps(after) if self.affine else done + 1
        return ahead + len(self.indices(times, 0))

    def times(self, config: FieldDiffusionConfig) -> tuple[int, ...]:
        """Return the times of a model with this diffusion that are visited.

        Raises:
            ConfigError: it has fewer.
        """
        steps = config.schedule.steps
        count = steps if self.count is None else self.count
        if not 1 <= count <= steps:
            raise ConfigError(
                f"The model '{self.model}' was trained for {steps} steps, so 1 to {steps} can be taken, not {count}. "
                "Ask for fewer, or leave the number out for all."
            )
        return spaced_times(steps, count)

    def indices(self, times: tuple[int, ...], first: int) -> range:
        """Return which of the steps from ``first`` on are shown: the last one, and others evenly before it."""
        every = math.ceil(len(times) / self.shown)
        return range(first + (len(times) - 1 - first) % every, len(times), every)


class DiffuseRegPipeline:
    """Registers pairs as ``settings`` say; the networks are loaded once.

    Raises:
        CheckpointError: a model is not to be found, damaged or of another kind.
        ConfigError: the model has fewer times than ``settings.count``, or no diffusion in its configuration.
    """

    def __init__(self, settings: PublishedDiffuseRegSettings, *, device: str = "auto") -> None:
        checkpoint = load_checkpoint(find_model(settings.model), KIND)
        config, self._spacing = _diffusion(checkpoint.config)
        self.settings, self._device = settings, choose_device(device)
        network = cast(DiffuseReg, build_network(checkpoint)).to(self._device)
        self._sampler = FieldSampler(
            network, config, settings.times(config), sampler=Sampler(settings.eta), precision=settings.precision
        )
        self._alignment = Alignment(settings.affine, device=device)

    @torch.inference_mode()
    def steps(
        self,
        fixed: Volume,
        moving: Volume,
        *,
        initial: Affine | None = None,
        generator: torch.Generator,
        after: Step | None = None,
    ) -> Iterator[Step]:
        """Yield the steps of the affine registration, and those of the diffusion after its result.

        Where the affine registration does not believe its own result ("caution"), nothing is deformed. A step of the
        diffusion shows alpha_bar times the estimated field, with the alpha_bar of the time that was reached: what is
        guessed from noise alone moves nothing, and at the end the whole field is shown. Without guidance, the last step
        is the affine transform again where the images are no more alike, by their local correlation, than under that.

        With ``after``, an affine step, the affine registration goes on from it. With a step of the diffusion, its
        field is noised up to the time of that step, and denoised from there; where no time is left, it is given once
        more.

        Raises:
            ConfigError: ``after`` was made by another method that deforms.
            StorageError, VolumeError: the labels of a target segment cannot be read, or lack the target.
        """
        last, segments = after, read_segments(self.settings.guidance)
        if after is None or not _deforms(after):
            for step in self._alignment.steps(fixed, moving, initial, generator, after):
                yield (last := step)
        if last is not None and last.phase != CAUTION:
            yield from self._diffused(fixed, moving, generator, last, segments)

    def _diffused(
        self,
        fixed: Volume,
        moving: Volume,
        generator: torch.Generator,
        last: Step,
        segments: tuple[Volume, Volume] | None,
    ) -> Iterator[Step]:
        account = shared_account(fixed, moving, generator, last)
        times, schedule = self._sampler.times, self._sampler.config.schedule
        grid, fixed_seen, moving_seen = self._views(fixed, moving)
        affine, start, first = self._start(last, grid)
        if first == len(times):
            yield account.step(_PHASE, last.transform)
            return
        reference, unmoved = seen(fixed_seen, grid, Affine.identity()), seen(moving_seen, grid, affine)
        images = torch.cat([reference, unmoved], 1)
        before, reached = likeness(reference, unmoved), []
        settings, guidance, steer = self.settings, self.settings.guidance, None
        if guidance is not None:
            steer = steering(Wishes(guidance, segments), images, affine, grid, grid, kind=DisplacementLevel)
        shown = settings.indices(times, first)
        noise = NoiseSource((generator.initial_seed() % 2**32,))
        run = self._sampler.fields(images.to(self._device), noise=noise, start=start, first=first, steer=steer)
        for estimate in run:
            if estimate.index not in shown:
                continue
            field = estimate.field[0].cpu()
            alike = likeness(reference, seen(moving_seen, grid, Chain.of(affine, _over(fixed.grid, field, grid))))
            reached += [alike] if estimate.share > _SETTLED else []
            ended = estimate.time == 0 or on_plateau(reached, settings)
            share, time = (1.0, 0.0) if ended else (estimate.share, estimate.time / schedule.steps)
            found = Chain.of(affine, _over(fixed.grid, share * field, grid))
            kept = not ended or guidance is not None or alike > before
            yield account.step(_PHASE, found if kept else affine, time)
            if ended:
                return

    def _views(self, fixed: Volume, moving: Volume) -> tuple[Grid, Volume, Volume]:
        """Return the grid that the network sees, and both images, smoothed for it."""
        spacing = seen_spacing(fixed, self._spacing)
        return seen_grid(fixed, spacing), working_volume(fixed, spacing), working_volume(moving, spacing)

    def _start(self, last: Step, grid: Grid) -> tuple[Affine, Tensor | None, int]:
        """Return the alignment, the field (1, 3, K, J, I) known on ``grid`` after it, and the number of steps done."""
        if isinstance(last.transform, Affine):
            return last.transform, None, 0
        config, parts = self._sampler.config, getattr(last.transform, "parts", ())
        affine = parts[0] if parts and isinstance(parts[0], Affine) else nearest_affine(last.transform, grid)
        done = times_done(self._sampler.times, config.schedule.steps, last)
        share = config.schedule.alpha_bar(torch.tensor(round(last.time * config.schedule.steps))).item()
        rest = (affine.inverse() @ last.transform).displacement_on(grid)
        return affine, voxel_vectors(rest, grid)[None] / share, done


def _deforms(step: Step) -> bool:
    """Return whether ``step`` holds a field.

    Raises:
        ConfigError: it does, and the diffusion did not make it.
    """
    if isinstance(step.transform, Affine):
        return False
    if step.phase != _PHASE:
        raise ConfigError(
            f"Step {step.index + 1} holds the field of another method, from which the diffusion cannot go on. Go on "
            "from an affine step, or choose a method that refines."
        )
    return True


def _diffusion(values: dict[str, Any]) -> tuple[FieldDiffusionConfig, float]:
    """Return the noise of a model with the configuration ``values``, and the spacing of its images, mm.

    Raises:
        ConfigError: it has none.
    """
    config = from_dict(FieldDiffusionConfig, values.get("diffusion"))
    if config.statistics is None or "spacing" not in values.get("pairs", {}):
        raise ConfigError(
            "The model lacks the spacing or the statistics of its fields. Train it again with "
            "`python -m DiffusionCore train published-diffusereg`."
        )
    return config, float(values["pairs"]["spacing"])


def _over(fixed: Grid, vectors: Tensor, grid: Grid) -> Displacement:
    """Return ``vectors`` (3, K, J, I), in voxels of ``grid``, as a displacement that is known all over ``fixed``."""
    corners = grid.map(fixed.corners(), Frame.RAS, Frame.VOXEL)
    beyond = max(0.0, -corners.min(), (corners - np.array(grid.size)).max() + 1)
    margin = math.ceil(beyond) + 1
    return Displacement(pad(ras_vectors(vectors, grid), (margin,) * 6), grid.padded(margin))
