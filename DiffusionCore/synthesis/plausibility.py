"""Do the volumes of a variant's labels look like those of real cases?

Two numbers that need no training and tell random deformations from real brains (Documentation/synthesis.md): how unlike
both sides are, and how unusual the shares of the structures are. Source: our own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


class Scores(NamedTuple):
    """Root mean square z-scores; of a real case about 1. NaN where there is nothing to compare."""

    asymmetry: float
    volume: float


@dataclass(frozen=True)
class VolumeReference:
    """How the volumes of labels vary among ``count`` real cases.

    Attributes:
        labels: those compared; the others do not count.
        shares: mean of ln(volume / volume of these labels together) of each.
        share_deviations: its deviations.
        pairs: labels of the left and of the right side.
        ratios: mean of ln(left / right) of each pair.
        ratio_deviations: its deviations.
        count: cases.
    """

    labels: tuple[int, ...]
    shares: tuple[float, ...]
    share_deviations: tuple[float, ...]
    pairs: tuple[tuple[int, int], ...]
    ratios: tuple[float, ...]
    ratio_deviations: tuple[float, ...]
    count: int

    @classmethod
    def of(cls, cases: Sequence[Mapping[int, int]], pairs: Sequence[tuple[int, int]]) -> VolumeReference:
        """Return the reference of at least 3 ``cases``, the volumes of their labels.

        A label or pair that a case lacks is left out.

        Raises:
            ValueError: fewer than 3 cases, or nothing that they share.
        """
        if len(cases) < 3:
            raise ValueError(f"A reference needs at least 3 cases, got {len(cases)}")
        labels = tuple(sorted(set.intersection(*(set(case) for case in cases))))
        kept = tuple((a, b) for a, b in pairs if a in labels and b in labels)
        if not labels:
            raise ValueError("The cases of a reference have no label in common")
        shares = np.array([_shares(case, labels) for case in cases])
        ratios = np.array([_ratios(case, kept) for case in cases]).reshape(len(cases), len(kept))
        return cls(
            labels,
            tuple(shares.mean(0).tolist()),
            tuple(shares.std(0, ddof=1).tolist()),
            kept,
            tuple(ratios.mean(0).tolist()),
            tuple(ratios.std(0, ddof=1).tolist()),
            len(cases),
        )

    def scores(self, volumes: Mapping[int, int]) -> Scores:
        """Return how unusual ``volumes`` are; infinite where a label is missing."""
        if any(volumes.get(label, 0) <= 0 for label in self.labels):
            return Scores(math.inf, math.inf)
        return Scores(
            _rms_z(_ratios(volumes, self.pairs), self.ratios, self.ratio_deviations),
            _rms_z(_shares(volumes, self.labels), self.shares, self.share_deviations),
        )


def _shares(volumes: Mapping[int, int], labels: Sequence[int]) -> list[float]:
    total = sum(volumes[label] for label in labels)
    return [math.log(volumes[label] / total) for label in labels]


def _ratios(volumes: Mapping[int, int], pairs: Sequence[tuple[int, int]]) -> list[float]:
    return [math.log(volumes[left] / volumes[right]) for left, right in pairs]


def _rms_z(values: Sequence[float], means: Sequence[float], deviations: Sequence[float]) -> float:
    if not values:
        return math.nan
    z = (np.array(values) - means) / np.maximum(deviations, 1e-6)
    return float(np.sqrt(np.mean(z**2)))
