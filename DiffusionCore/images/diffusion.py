"""The diffusion of images: its numbers, the conditions that guide it, and new images as an iterator of steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from DiffusionCore.checks import check_range
from DiffusionCore.diffusion.denoising import DenoisedStep, Sampler, denoise
from DiffusionCore.diffusion.gaussian import TARGETS, NoiseSource, Target, derived_seed
from DiffusionCore.diffusion.schedules import CosineBetas, LinearBetas
from DiffusionCore.images.frame import ImageFrame
from DiffusionCore.networks.precision import computing

KIND = "image"
PUBLISHED_BETAS = LinearBetas(1000, 1e-4, 2e-2)

Estimator = Callable[..., Tensor]
"""A network, as ``ImageDenoiser``: from state, position, labels, classes and times to the estimate of the target."""


@dataclass(frozen=True)
class ImageDiffusion:
    """The noise that a network learned to undo, and what it estimates.

    Attributes:
        schedule: the variances of the noise; published: linear, ``PUBLISHED_BETAS``.
        target: what the network estimates; published: the noise.
    """

    schedule: CosineBetas | LinearBetas = field(default_factory=CosineBetas)
    target: Literal["velocity", "noise", "clean"] = "velocity"

    @property
    def estimated(self) -> Target:
        """The target."""
        return TARGETS[self.target]


class Conditions(NamedTuple):
    """What a network is told of the images: of B whole ones, or of patches of them.

    Attributes:
        position: where each voxel lies in the frame, UNIT (B, 3, K, J, I).
        labels: numbers of labels (B, K, J, I), ``ImageFrame.unknown_label`` where none is known.
        classes: numbers of classes (B,), from 1; 0 where none is known.
    """

    position: Tensor
    labels: Tensor
    classes: Tensor

    @classmethod
    def none(cls, frame: ImageFrame, batch: int = 1) -> Conditions:
        """Return the conditions of whole images of which nothing is known."""
        position = frame.positions().expand(batch, -1, -1, -1, -1)
        labels = torch.full((batch, *frame.grid.shape), frame.unknown_label)
        return cls(position, labels, torch.zeros(batch, dtype=torch.int64))

    def forgotten(self, unknown_label: int) -> Conditions:
        """Return the conditions without labels and classes."""
        return Conditions(self.position, torch.full_like(self.labels, unknown_label), torch.zeros_like(self.classes))

    def to(self, device: torch.device) -> Conditions:
        """Return the conditions on ``device``."""
        return Conditions(*(part.to(device) for part in self))


@dataclass(frozen=True)
class Guidance:
    """How much more than the network believes it, an image is to follow its conditions.

    The estimate is u + ``scale`` (c - u) of the estimates c with and u without the conditions, made in one batch. 1
    takes c alone, 0 takes u.

    Raises:
        ValueError: ``scale`` is below 0.

    Source: Ho and Salimans, Classifier-free diffusion guidance (2022), eq. 6, with scale = 1 + w.
    """

    scale: float = 1.0

    def __post_init__(self) -> None:
        check_range(self, 0, math.inf, "scale")

    def estimate(
        self, network: Estimator, state: Tensor, known: Conditions, unknown_label: int, times: Tensor
    ) -> Tensor:
        """Return the guided estimate (B, 1, K, J, I) of ``state`` at ``times`` (B,)."""
        if self.scale == 1:
            return network(state, *known, times)
        nothing = known.forgotten(unknown_label)
        pairs = [torch.cat([one, other]) for one, other in zip(known, nothing, strict=True)]
        both = network(torch.cat([state, state]), *pairs, torch.cat([times, times]))
        given, without = both.chunk(2)
        return without + self.scale * (given - without)


def sample_images(
    network: Estimator,
    diffusion: ImageDiffusion,
    frame: ImageFrame,
    conditions: Conditions,
    times: Sequence[int],
    *,
    noise: NoiseSource,
    guidance: Guidance,
    sampler: Sampler,
    state: Tensor | None = None,
    first: int = 0,
    dtype: torch.dtype = torch.float32,
) -> Iterator[DenoisedStep]:
    """Yield what each step makes of new standardized images (B, 1, K, J, I), one for each seed of ``noise``.

    Every estimate of the clean images is cut to the intensities of the frame, or errors would grow from step to step.
    An image depends on its own seed alone. To go on after step k give its ``state``, and ``first`` = k + 1. The
    ``network`` computes in ``dtype`` on the device of the ``conditions``.
    """
    low, high = frame.intensities.limits
    device = conditions.position.device
    shape = (1, *conditions.labels.shape[1:])
    if state is None:
        state = noise.at(times[first], shape).to(device)

    def estimate(state: Tensor, time: int) -> Tensor:
        when = torch.full((len(state),), time, device=device)
        with torch.no_grad(), computing(dtype, device):
            return guidance.estimate(network, state, conditions, frame.unknown_label, when).float()

    yield from denoise(
        estimate,
        state,
        times,
        diffusion.schedule,
        diffusion.estimated,
        noise=noise,
        sampler=sampler,
        first=first,
        correct=lambda clean: clean.clamp(low, high),
    )


def sample_source(seed: int, *numbers: int) -> NoiseSource:
    """Return the noise of the samples ``numbers``, 0.., of ``seed``: for ever the same, alone or with others."""
    return NoiseSource(tuple(derived_seed(seed, number) for number in numbers))
