"""The diffusion of coarse velocity fields: its numbers, and samples of the velocity between two images.

Velocities are (B, 3, K, J, I), components (i, j, k) in voxels of their own grid, which holds 2 x 2 x 2 voxels of the
images in each. What is noised is the velocity in deviations from zero; the noise is as smooth as velocities are, so
that every state is a plausible deformation.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from DiffusionCore.checks import check_range
from DiffusionCore.deformable.pair_images import pair_images
from DiffusionCore.deformable.smoothing import gaussian
from DiffusionCore.diffusion.denoising import Sampler, denoise
from DiffusionCore.diffusion.gaussian import CleanTarget, NoiseSource, noised
from DiffusionCore.diffusion.schedules import LinearBetas
from DiffusionCore.networks.loop_denoiser import LoopDenoiser
from DiffusionCore.networks.precision import computing

_UNIT = (1.0, 1.0, 1.0)  # voxels

Warp = Callable[[Tensor], Tensor]
"""From velocities (B, 3, k, j, i) to the moving images (B, 1, K, J, I) behind their flows."""


@dataclass(frozen=True)
class VelocityDiffusionConfig:
    """The noise that a network learned to undo.

    Attributes:
        schedule: the variances of the noise.
        form: "diffusion"; or "regression", its control: the same network that never sees a noised state, so that it
            only corrects its own estimates.
        smoothness: sigma of the Gaussian that makes the noise smooth, in voxels of the velocity.
        rough: white noise added to the smoothed one before both get unit variance, so that no part of a velocity is
            left without noise.
        deviation: of the velocities, in voxels of their own grid; None until it is measured.

    Raises:
        ValueError: a number is out of its range.
    """

    schedule: LinearBetas = field(default_factory=lambda: LinearBetas(1000, 1e-4, 2e-2))
    form: Literal["diffusion", "regression"] = "diffusion"
    smoothness: float = 1.5
    rough: float = 0.02
    deviation: float | None = None

    def __post_init__(self) -> None:
        check_range(self, 1e-3, 10, "smoothness")
        check_range(self, 0, 1, "rough")
        if self.deviation is not None:
            check_range(self, 1e-6, math.inf, "deviation")

    @property
    def measured(self) -> float:
        """The deviation.

        Raises:
            ValueError: it is not known yet.
        """
        if self.deviation is None:
            raise ValueError("the 'deviation' of the velocities is needed, got None")
        return self.deviation

    def draw_noise(self, shape: tuple[int, ...], *, generator: torch.Generator) -> Tensor:
        """Return smooth noise of unit variance of ``shape`` (..., K, J, I); zeros for a regression."""
        if self.form == "regression":
            return torch.zeros(shape)
        margin = math.ceil(3 * self.smoothness)  # at the borders, the smoothing repeats what lies there
        white = torch.randn(*shape[:-3], *(n + 2 * margin for n in shape[-3:]), generator=generator)
        inner = slice(margin, -margin)
        return self._filtered(white)[..., inner, inner, inner] / self._gain

    def _filtered(self, white: Tensor) -> Tensor:
        return gaussian(white, self.smoothness, _UNIT) + self.rough * white

    @functools.cached_property
    def _gain(self) -> float:
        """The deviation that the filter gives to white noise: the norm of what it makes of a single voxel."""
        reach = math.ceil(5 * self.smoothness)
        single = torch.zeros(1, 2 * reach + 1, 2 * reach + 1, 2 * reach + 1)
        single[0, reach, reach, reach] = 1
        return float(self._filtered(single).norm())


@dataclass(frozen=True)
class SmoothNoise:
    """The noise of ``config``, with a seed for each item, as ``NoiseSource``."""

    source: NoiseSource
    config: VelocityDiffusionConfig

    def at(self, time: int, shape: tuple[int, ...]) -> Tensor:
        """Return smooth noise (B, *shape) for the step that reaches ``time``."""
        return torch.stack([self.config.draw_noise(shape, generator=one) for one in self.source.generators(time)])


class VelocityEstimate(NamedTuple):
    """After one step: its ``index`` in the list of times, the ``time`` reached, and the clean ``velocities``."""

    index: int
    time: int
    velocities: Tensor


def sample_velocities(
    network: LoopDenoiser,
    config: VelocityDiffusionConfig,
    fixed: Tensor,
    warp: Warp,
    times: Sequence[int],
    *,
    noise: NoiseSource,
    sampler: Sampler,
    passes: int,
    start: Tensor | None = None,
    first: int = 0,
    dtype: torch.dtype = torch.float32,
    steer: Callable[[Tensor], Tensor] | None = None,
) -> Iterator[VelocityEstimate]:
    """Yield what each step makes of the velocities between ``fixed`` (B, 1, K, J, I) and what ``warp`` shows.

    At each time the network makes as many ``passes`` as in its training, from an estimate of zero on, each on the
    moving image behind the estimate before. (Carried along from time to time instead, the estimates drift away from
    what the network has learned to correct: measured.) What the first of them sees is the same at all times, and made
    once. ``noise`` has a seed for each of the B samples, of one pair or of several. To go on after step k give its
    velocities as ``start``, and ``first`` = k + 1: they are noised anew up to the time of that step. The network
    computes in ``dtype``.
    """
    deviation, window = config.measured, network.config.force_window
    k, j, i = (-(-n // network.stride) for n in fixed.shape[2:])
    drawn = SmoothNoise(noise, config)
    state = drawn.at(times[first], (3, k, j, i)).to(fixed)
    if start is not None and config.form == "diffusion":
        state = noised(start.to(fixed) / deviation, state, config.schedule.alpha_bar(torch.tensor(times[first])))

    nothing = torch.zeros_like(state)
    unmoved = pair_images(fixed, warp(nothing), window)

    def estimate(state: Tensor, time: int) -> Tensor:
        seen = state if config.form == "diffusion" else nothing
        when = torch.full((len(state),), time, device=state.device)
        current = nothing
        for number in range(passes):
            images = pair_images(fixed, warp(deviation * current), window) if number else unmoved
            with computing(dtype, state.device):
                current = network(images, seen, current, when).velocity
        return current

    def steered(clean: Tensor) -> Tensor:
        return clean if steer is None else steer(deviation * clean) / deviation

    more = {"noise": drawn, "sampler": sampler, "first": first, "correct": steered}
    for step in denoise(estimate, state, times, config.schedule, CleanTarget(), **more):
        yield VelocityEstimate(step.index, step.time, deviation * step.clean)


def mean_and_spread(velocities: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean (3, K, J, I) of K >= 2 samples (K, 3, K, J, I), and their spread (K, J, I) in the same unit.

    The spread is the root of the sum of the unbiased variances of the three components.

    Raises:
        ValueError: there are fewer than two samples.
    """
    if len(velocities) < 2:
        raise ValueError(f"A spread needs at least two samples, got {len(velocities)}")
    return velocities.mean(0), velocities.var(0).sum(0).sqrt()
