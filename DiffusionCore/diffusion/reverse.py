"""Reverse: from noise back to the transform, as an iterator of steps.

Let C be the transform found so far and R what remains, so that C R is the one that is looked for. At each time t of a
falling list a denoiser looks at the fixed image and at the original moving image seen through C, and estimates R as a
whole; a fraction of the estimate is taken, C <- C R^a, until time 0 is reached::

    t   65 -> 57 -> 49 -> ... -> 9 -> 1 -> 0                    any falling list; resumed from any of its entries
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from DiffusionCore.checks import GeometryError
from DiffusionCore.diffusion.schedules import Schedule
from DiffusionCore.transforms.affine import Affine, logarithm

GRADED = (0.3, 0.35, 0.4, 0.5, 0.6, 0.8, 1.0, 1.0)  # measured: captures turns above 60 degrees that full steps lose

Denoiser = Callable[[Affine, int], Affine]
"""From the current transform and its time to the estimate of the whole remaining transform, RAS mm."""


class Fractions(NamedTuple):
    """The shares of an estimate that a step takes: of the linear part, and of the translation."""

    linear: float
    shift: float


class Weights(ABC):
    """How much of its estimate each step of the reverse process takes."""

    @abstractmethod
    def fractions(self, times: Sequence[int]) -> list[Fractions]:
        """Return the fractions of the steps that start at ``times`` (falling; after the last comes 0)."""


@dataclass(frozen=True)
class VarianceRatio(Weights):
    """The share of the variance: (S_t^2 - S_s^2) / S_t^2 for a step from t to s, S being the total deviation.

    For independent normal increments this is the expectation of the last one given their sum. With a perfect denoiser
    it leaves the noise level that belongs to s, so the state is always as noisy as the denoiser is told.
    """

    linear: Schedule
    shift: Schedule

    def fractions(self, times: Sequence[int]) -> list[Fractions]:
        return [
            Fractions(*pair)
            for pair in zip(_variance_shares(self.linear, times), _variance_shares(self.shift, times), strict=True)
        ]


@dataclass(frozen=True)
class StdRatio(VarianceRatio):
    """The share of the deviation, s_t / S_t: the square root of the variance ratio, so the state is cleaner than told.

    Source: published spatial diffusion system, here for lists of times with gaps, too.
    """

    def fractions(self, times: Sequence[int]) -> list[Fractions]:
        return [Fractions(linear**0.5, shift**0.5) for linear, shift in super().fractions(times)]


@dataclass(frozen=True)
class Graded(Weights):
    """A fixed list of fractions, one for each step. A list of times that is shorter gets the last of them.

    Source: our own, measured.
    """

    values: tuple[float, ...] = GRADED

    @classmethod
    def spread(cls, count: int) -> Graded:
        """Return ``count`` fractions along the curve of the default ones; the last is 1."""
        places = np.linspace(len(GRADED) - 1, 0, count)[::-1]
        return cls(tuple(np.interp(places, range(len(GRADED)), GRADED).tolist()))

    def fractions(self, times: Sequence[int]) -> list[Fractions]:
        if len(times) > len(self.values):
            raise ValueError(f"{len(times)} steps need as many fractions, got {len(self.values)}")
        return [Fractions(value, value) for value in self.values[len(self.values) - len(times) :]]


class Update(ABC):
    """What a fraction of a remaining transform is."""

    @abstractmethod
    def partial(self, remaining: Affine, fractions: Fractions) -> Affine:
        """Return the share ``fractions`` of ``remaining``."""


@dataclass(frozen=True)
class StraightUpdate(Update):
    """(1 - a) I + a M, and a' times the translation, about ``center`` (RAS mm). Source: published system."""

    center: tuple[float, float, float]

    def partial(self, remaining: Affine, fractions: Fractions) -> Affine:
        matrix = _about(remaining, self.center)
        identity = torch.eye(4, dtype=torch.float64)
        return Affine(_scaled(matrix - identity, fractions) + identity).about(self.center)


@dataclass(frozen=True)
class GroupUpdate(Update):
    """exp(a log R) about ``center`` (RAS mm), the velocity weighted apart: a share of a rotation is a rotation.

    An estimate that has no real logarithm is taken along the straight line.
    """

    center: tuple[float, float, float]

    def partial(self, remaining: Affine, fractions: Fractions) -> Affine:
        try:
            element = logarithm(_about(remaining, self.center))
        except GeometryError:
            return StraightUpdate(self.center).partial(remaining, fractions)
        return Affine(torch.linalg.matrix_exp(_scaled(element, fractions))).about(self.center)


class ReverseStep(NamedTuple):
    """The state after one step: ``index`` 0.. in the list of times, the ``time`` reached, the ``transform`` so far."""

    index: int
    time: int
    transform: Affine


def spaced_times(steps: int, count: int) -> tuple[int, ...]:
    """Return ``count`` falling times from ``steps``, evenly spaced; the step after the last one reaches 0."""
    if not 1 <= count <= steps:
        raise ValueError(f"'count' must lie in 1..{steps}, got {count}")
    return tuple(steps - (index * steps) // count for index in range(count))


def reverse(
    predict: Denoiser,
    times: Sequence[int],
    weights: Weights,
    update: Update,
    *,
    initial: Affine | None = None,
    first: int = 0,
) -> Iterator[ReverseStep]:
    """Yield the state after each step of the reverse process.

    To resume after step k give the same ``times``, ``initial`` = the transform of that step and ``first`` = k + 1.

    Raises:
        ValueError: ``times`` do not fall, or go beyond the schedule of the weights.
    """
    if any(late <= early for late, early in zip(times, [*times[1:], 0], strict=True)):
        raise ValueError(f"'times' must fall and stay above 0, got {tuple(times)}")
    current = initial or Affine.identity()
    fractions = weights.fractions(times)
    for index in range(first, len(times)):
        remaining = predict(current, times[index])
        current = _compose(current, update.partial(remaining, fractions[index]))
        yield ReverseStep(index, times[index + 1] if index + 1 < len(times) else 0, current)


def corrected(forward: Affine, swapped: Affine) -> Affine:
    """Return ``forward`` corrected by a second pass with the roles of the images swapped.

    ``swapped`` maps the moving image as ``forward`` shows it to the fixed image. Source: published system.
    """
    return _compose(forward, swapped.inverse())


def mean(transforms: Sequence[Affine], *, iterations: int = 20) -> Affine:
    """Return the mean M of affine transforms in their group: the logarithms of M^-1 T_i add up to zero.

    The mean of inverses is the inverse of the mean, and the choice of an origin does not matter. Of a transform both
    ways, T and S^-1, it is the bidirectional estimate.

    Raises:
        GeometryError: the transforms are half a turn or more apart.

    Source: Pennec and Arsigny, in Matrix Information Geometry (Springer 2013), the bi-invariant mean.
    """
    matrices = torch.stack([transform.matrix for transform in transforms])
    center = matrices[0]
    for _ in range(iterations):
        element = logarithm(torch.linalg.solve(center, matrices)).mean(0)
        center = center @ torch.linalg.matrix_exp(element)
        if element.abs().amax() < 1e-12:
            break
    return Affine(center)


def _variance_shares(schedule: Schedule, times: Sequence[int]) -> list[float]:
    if max(times, default=0) > schedule.steps:
        raise ValueError(f"The schedule ends at time {schedule.steps}, got the time {max(times)}")
    variance = torch.cat([torch.zeros(1, dtype=torch.float64), schedule.total_std().square()])
    now, after = variance[list(times)], variance[[*times[1:], 0]]
    return ((now - after) / now).tolist()


def _about(transform: Affine, center: tuple[float, float, float]) -> torch.Tensor:
    """Return the matrix of ``transform`` in axes with their origin at ``center``."""
    return transform.about([-c for c in center]).matrix


def _scaled(element: torch.Tensor, fractions: Fractions) -> torch.Tensor:
    return torch.cat([fractions.linear * element[:, :3], fractions.shift * element[:, 3:]], 1)


def _compose(outer: Affine, inner: Affine) -> Affine:
    return Affine(outer.matrix @ inner.matrix)
