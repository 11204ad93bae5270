"""The account of a registration: every transform on its way becomes a numbered and measured Step."""

from __future__ import annotations

import itertools

import torch

from DiffusionCore.affine.pair import WorkingPair
from DiffusionCore.affine.similarity import joint_histogram, mutual_information
from DiffusionCore.affine.steps import Step
from DiffusionCore.transforms.affine import Affine

_POINTS = 3000  # of the fixed foreground; the same ones for all steps, so that their numbers can be compared
_LEVEL = 1


class StepAccount:
    """Makes the steps of one registration of ``pair``, which has two levels at least, numbered on from ``after``."""

    def __init__(self, pair: WorkingPair, *, generator: torch.Generator, after: Step | None = None) -> None:
        self._pair = pair
        self._samples = pair.samples(_LEVEL, _POINTS, generator=generator)
        self._numbers = itertools.count(0 if after is None else after.index + 1)

    def step(self, phase: str, transform: Affine, time: float = 0.0) -> Step:
        """Return the next step, with its mutual information (nat) and overlap (share of the fixed foreground)."""
        reading = self._pair.levels[_LEVEL].moving.read(self._pair.onto([transform]), self._samples.points)
        information = mutual_information(joint_histogram(self._samples.bins, reading.positions, reading.inside))
        metrics = {"mutual_information": float(information), "overlap": float(reading.inside.mean())}
        return Step(next(self._numbers), phase, time, transform, metrics)
