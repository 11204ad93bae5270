"""Volumes and parts of labels, and whether a deformation kept them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_TABLE = 1 << 16  # label values below are counted in a table, larger ones are sorted
PARTS_RULE = "Parts have 26 neighbors and at least 10 voxels; a gap of at most 2 voxels may open or close."
_SMALL, _LARGE = 10, 20  # voxels: below the first a part is a crumb of rounding, above the second it is none


@dataclass(frozen=True)
class LabelStatistics:
    """Of every label but 0 its ``volumes`` in voxels, and what its connected parts are, in voxels, falling.

    A fold-free deformation keeps every part whole. Seen on voxels, though, by nearest neighbor, what is about as thin
    as a voxel comes apart or together. So there are two counts, of the labels of at least a number of voxels only:

    Attributes:
        parts: of 26 neighbors; crumbs of less than 10 voxels do not count.
        groups: of parts that gaps of at most two voxels lie between.
    """

    volumes: dict[int, int]
    parts: dict[int, tuple[int, ...]]
    groups: dict[int, tuple[int, ...]]

    @classmethod
    def of(cls, labels: NDArray, counted: float) -> LabelStatistics:
        """Return the statistics of ``labels`` (K, J, I), integers of at least 0; parts from ``counted`` voxels on."""
        from scipy.ndimage import find_objects

        volumes, parts, groups = label_volumes(labels), {}, {}
        values = [0, *volumes]
        codes, numbers = labels, values
        if values[-1] >= _TABLE:
            codes, numbers = np.searchsorted(values, labels), range(len(values))
        boxes = find_objects(codes)
        for value, number in zip(values[1:], numbers[1:], strict=True):
            if volumes[value] >= counted:
                mask = codes[boxes[number - 1]] == number
                parts[value] = _part_sizes(mask, mask)
                groups[value] = parts[value] if len(parts[value]) == 1 else _part_sizes(_grown(mask), mask)
        return cls(volumes, parts, groups)

    def changes(self, other: LabelStatistics, counted: int) -> dict[int, float]:
        """Return by which factor each label of at least ``counted`` voxels is larger in ``other``; 0 if lost."""
        return {value: other.volumes.get(value, 0) / count for value, count in self.volumes.items() if count >= counted}

    def lost(self, other: LabelStatistics) -> list[int]:
        """Return the labels that ``other`` has no more."""
        return [value for value in self.volumes if value not in other.volumes]

    def recounted(self, other: LabelStatistics) -> dict[int, tuple[int, int]]:
        """Return the labels of another number of parts in ``other``, and both numbers."""
        numbers = {value: (len(own), len(other.parts.get(value, ()))) for value, own in self.parts.items()}
        return {value: (own, theirs) for value, (own, theirs) in numbers.items() if own != theirs}

    def broken(self, other: LabelStatistics) -> list[int]:
        """Return the labels that the voxels cannot hide to have another number of parts in ``other``.

        That number is at least that of the groups of 20 voxels, and at most that of the parts of 10: here and there
        these ranges must meet. The parts of ``other`` must have been counted down to the volumes that it may have.
        """
        wrong = []
        for value, own in self.parts.items():
            theirs = other.parts.get(value, ())
            if _many(self.groups[value]) > len(theirs) or _many(other.groups.get(value, ())) > len(own):
                wrong.append(value)
        return wrong


def _part_sizes(connected: NDArray, mask: NDArray) -> tuple[int, ...]:
    """Return the voxels of ``mask`` in each connected part of ``connected``, falling, crumbs left out."""
    from scipy.ndimage import label

    numbered = np.asarray(label(connected, np.ones((3, 3, 3)))[0])  # pyright: ignore
    sizes = np.bincount(numbered[mask])[1:]
    return tuple(sorted((int(size) for size in sizes if size >= _SMALL), reverse=True))


def _grown(mask: NDArray) -> NDArray:
    """Return ``mask`` with one more voxel on all sides that the array has room for."""
    from scipy.ndimage import maximum_filter

    return maximum_filter(mask.view(np.uint8), 3)


def label_volumes(labels: NDArray) -> dict[int, int]:
    """Return the number of voxels of every value but 0 in ``labels``, integers of at least 0, by rising value."""
    if labels.max() < _TABLE:
        counts = np.bincount(labels.ravel())
        values = np.flatnonzero(counts)
        sizes = counts[values]
    else:
        values, sizes = np.unique(labels, return_counts=True)
    return {value: size for value, size in zip(values.tolist(), sizes.tolist(), strict=True) if value}


def _many(groups: tuple[int, ...]) -> int:
    return sum(size >= _LARGE for size in groups)


def largest_factor(changes: dict[int, float]) -> float:
    """Return the largest factor by which a label grew or shrank, at least 1; infinite if one was lost."""
    return max((math.exp(abs(math.log(c))) if c > 0 else math.inf for c in changes.values()), default=1.0)
