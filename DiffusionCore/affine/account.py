"""The account of a registration: every transform on its way becomes a numbered and measured Step."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

from DiffusionCore.affine.pair import WorkingPair
from DiffusionCore.affine.similarity import joint_histogram, mutual_information
from DiffusionCore.affine.steps import Step
from DiffusionCore.transforms.affine import Affine
from DiffusionCore.transforms.base import Transform

_POINTS = 3000  # of the fixed foreground; the same ones for all steps, so that their numbers can be compared
_LEVEL = 1


class StepAccount:
    """Makes the steps of one registration of ``pair``, which has two levels at least, numbered on from ``after``."""

    def __init__(self, pair: WorkingPair, *, generator: torch.Generator, after: Step | None = None) -> None:
        self.pair = pair
        self._samples = pair.samples(_LEVEL, _POINTS, generator=generator)
        self._numbers = itertools.count(0 if after is None else after.index + 1)

    def step(self, phase: str, transform: Transform, time: float = 0.0, **metrics: float) -> Step:
        """Return the next step, with its mutual information (nat) and overlap (share of the fixed foreground).

        ``metrics`` are what else is known about it.
        """
        reading = self.pair.levels[_LEVEL].moving.read(*self._where(transform))
        information = mutual_information(joint_histogram(self._samples.bins, reading.positions, reading.inside))
        known = {"mutual_information": float(information), "overlap": float(reading.inside.mean())}
        return Step(next(self._numbers), phase, time, transform, {**known, **metrics})

    def _where(self, transform: Transform) -> tuple[Tensor, Tensor]:
        """Return matrices (1, 4, 4) and points (N, 3) that together are the images of the samples, RAS mm."""
        if isinstance(transform, Affine):
            return self.pair.onto([transform]), self._samples.points
        points = transform.map(self._samples.points.double() + torch.from_numpy(self.pair.fixed.center))
        return torch.eye(4)[None], points.float()
