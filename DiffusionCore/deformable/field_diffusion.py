"""The diffusion of displacement fields: its numbers, and the way from noise to the field between two images.

Fields are (B, 3, K, J, I), components (i, j, k) in voxels of the images. What is noised is the field in deviations from
its mean over the training pairs, component by component.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from DiffusionCore.diffusion.denoising import ANCESTRAL, Sampler, denoise
from DiffusionCore.diffusion.gaussian import TARGETS, NoiseSource, Target, noised
from DiffusionCore.diffusion.schedules import LinearBetas
from DiffusionCore.networks.diffusereg import DiffuseReg
from DiffusionCore.networks.precision import Precision, choose_precision, computing

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class FieldStatistics:
    """Of the fields of a training, over all voxels: ``mean`` and ``deviation`` of the components (i, j, k), voxels.

    Raises:
        ValueError: a number is not finite, or a deviation not positive.
    """

    mean: Triple
    deviation: Triple

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (*self.mean, *self.deviation))) or min(self.deviation) <= 0:
            raise ValueError(f"Expected finite means and positive deviations, got {self.mean} and {self.deviation}")

    @classmethod
    def of(cls, fields: Tensor) -> FieldStatistics:
        """Return those of ``fields`` (B, 3, K, J, I)."""
        values = fields.double().movedim(1, 0).flatten(1)
        mean, deviation = (tuple(numbers.tolist()) for numbers in (values.mean(1), values.std(1)))
        return cls(mean, deviation)  # type: ignore[arg-type]

    def standardized(self, fields: Tensor) -> Tensor:
        """Return ``fields`` (B, 3, K, J, I), in voxels, in deviations from the mean."""
        return (fields - _column(self.mean, fields)) / _column(self.deviation, fields)

    def restored(self, standardized: Tensor) -> Tensor:
        """Return the fields in voxels: the inverse of ``standardized``."""
        return standardized * _column(self.deviation, standardized) + _column(self.mean, standardized)


@dataclass(frozen=True)
class FieldDiffusionConfig:
    """The noise that a network learned to undo; the defaults are those of DiffuseReg.

    Attributes:
        schedule: the variances of the noise.
        target: what the network estimates: the "noise", the "clean" field, or the "velocity" between them.
        statistics: of the fields; None until they are measured, which a training does at its start.
    """

    schedule: LinearBetas = field(default_factory=LinearBetas)
    target: Literal["noise", "clean", "velocity"] = "noise"
    statistics: FieldStatistics | None = None

    @property
    def measured(self) -> FieldStatistics:
        """The statistics.

        Raises:
            ValueError: they are not known yet.
        """
        if self.statistics is None:
            raise ValueError("'statistics' of the fields are needed, got None")
        return self.statistics

    def build_target(self) -> Target:
        """Return what the network estimates."""
        return TARGETS[self.target]


class FieldEstimate(NamedTuple):
    """After one step: its ``index`` in the list of times, the ``time`` reached, and what is known of the field.

    ``field`` (B, 3, K, J, I) is the estimate of the clean field, voxels; ``share`` of its variance, alpha_bar, is in
    the noised state. With the first estimates, made of noise alone, the share is near 0.
    """

    index: int
    time: int
    field: Tensor
    share: float


class FieldSampler:
    """Samples fields between images, given as (B, 2, K, J, I), channels (fixed, moving).

    Args:
        network: a DiffuseReg.
        config: the noise that it was trained with.
        times: falling times of the schedule at which it is asked.
        sampler: how a state is made of an estimate.
        precision: of the network; fields are always float32.

    The images are encoded once for all steps.
    """

    def __init__(
        self,
        network: DiffuseReg,
        config: FieldDiffusionConfig,
        times: Sequence[int],
        *,
        sampler: Sampler = ANCESTRAL,
        precision: Precision = Precision.FLOAT32,
    ) -> None:
        self.precision = precision
        self.network, self.config, self.times, self.sampler = network.eval(), config, tuple(times), sampler

    @torch.inference_mode()
    def fields(
        self,
        images: Tensor,
        *,
        noise: NoiseSource,
        start: Tensor | None = None,
        first: int = 0,
        steer: Callable[[Tensor], Tensor] | None = None,
    ) -> Iterator[FieldEstimate]:
        """Yield the estimates from pure noise on, or from ``start``, a clean field noised up to ``times[first]``.

        ``noise`` has a seed for each sample: as many for each pair, those of one pair after the other. To go on after
        step k, give its fields as ``start``, and ``first`` = k + 1. The noise of that time is then new, so the run is
        one that might have been, not the same one. ``steer`` is given the clean fields of each step, in voxels, and
        what it returns takes their place.
        """
        statistics, schedule = self.config.measured, self.config.schedule
        dtype = choose_precision(self.precision, images.device)
        with computing(dtype, images.device):
            condition = self.network.encode(images)
        if (samples := len(noise.seeds) // len(images)) > 1:
            condition = condition.repeated(samples)
        time = self.times[first]
        state = noise.at(time, (3, *images.shape[2:])).to(images)
        if start is not None:
            state = noised(statistics.standardized(start.to(images)), state, schedule.alpha_bar(torch.tensor(time)))

        def estimate(state: Tensor, time: int) -> Tensor:
            times = torch.full((len(state),), time, device=state.device)
            with computing(dtype, state.device):
                return self.network.denoise(condition, state, times).float()

        target = self.config.build_target()

        def steered(clean: Tensor) -> Tensor:
            return clean if steer is None else statistics.standardized(steer(statistics.restored(clean)))

        more = {"noise": noise, "sampler": self.sampler, "first": first, "correct": steered}
        for step in denoise(estimate, state, self.times, schedule, target, **more):
            share = schedule.alpha_bar(torch.tensor(step.time)).item()
            yield FieldEstimate(step.index, step.time, statistics.restored(step.clean), share)


def _column(numbers: Triple, like: Tensor) -> Tensor:
    return torch.tensor(numbers).to(like).view(3, 1, 1, 1)
