"""Volumes and parts of labels, and whether a deformation kept them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_TABLE = 1 << 16  # label values below are counted in a table, larger ones are sorted
_SMALL, _LARGE = 10, 20  # voxels: below the first a part is a crumb of rounding, above the second it is none


@dataclass(frozen=True)
class LabelStatistics:
    """Of every label but 0 its ``volumes`` in voxels, and its connected ``parts`` (26 neighbors), in voxels, falling.

    ``parts`` are those of the labels of at least a number of voxels only.
    """

    volumes: dict[int, int]
    parts: dict[int, tuple[int, ...]]

    @classmethod
    def of(cls, labels: NDArray, counted: int) -> LabelStatistics:
        """Return the statistics of ``labels`` (K, J, I), integers of at least 0; parts from ``counted`` voxels on."""
        from scipy.ndimage import find_objects, label

        volumes, parts = label_volumes(labels), {}
        values = [0, *volumes]
        codes, numbers = labels, values
        if values[-1] >= _TABLE:
            codes, numbers = np.searchsorted(values, labels), range(len(values))
        boxes = find_objects(codes)
        for value, number in zip(values[1:], numbers[1:], strict=True):
            if volumes[value] >= counted:
                box = boxes[number - 1]
                numbered = np.asarray(label(codes[box] == number, np.ones((3, 3, 3)))[0])  # pyright: ignore
                found = np.bincount(numbered.ravel())[1:]
                parts[value] = tuple(sorted((int(n) for n in found if n >= _SMALL), reverse=True))
        return cls(volumes, parts)

    def changes(self, other: LabelStatistics, counted: int) -> dict[int, float]:
        """Return by which factor each label of at least ``counted`` voxels is larger in ``other``; 0 if lost."""
        return {value: other.volumes.get(value, 0) / count for value, count in self.volumes.items() if count >= counted}

    def lost(self, other: LabelStatistics) -> list[int]:
        """Return the labels that ``other`` has no more."""
        return [value for value in self.volumes if value not in other.volumes]

    def broken(self, other: LabelStatistics) -> list[int]:
        """Return the labels whose number of parts is not that of ``other``.

        A part of 10 to 20 voxels may count or not: as many as lie between are forgiven.
        """
        wrong = []
        for value, own in self.parts.items():
            theirs = other.parts.get(value, ())
            if _many(own, _LARGE) > len(theirs) or _many(theirs, _LARGE) > len(own):
                wrong.append(value)
        return wrong


def label_volumes(labels: NDArray) -> dict[int, int]:
    """Return the number of voxels of every value but 0 in ``labels``, integers of at least 0, by rising value."""
    if labels.max() < _TABLE:
        counts = np.bincount(labels.ravel())
        values = np.flatnonzero(counts)
        sizes = counts[values]
    else:
        values, sizes = np.unique(labels, return_counts=True)
    return {value: size for value, size in zip(values.tolist(), sizes.tolist(), strict=True) if value}


def _many(parts: tuple[int, ...], least: int) -> int:
    return sum(size >= least for size in parts)


def largest_factor(changes: dict[int, float]) -> float:
    """Return the largest factor by which a label grew or shrank, at least 1; infinite if one was lost."""
    return max((math.exp(abs(math.log(c))) if c > 0 else math.inf for c in changes.values()), default=1.0)
