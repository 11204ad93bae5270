"""Volume: the values of an image and the grid that they lie on."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from DiffusionCore.checks import VolumeError, check_shape
from DiffusionCore.space.grid import Grid

_Fact = TypeVar("_Fact")
_SMALLEST, _LARGEST, _DIGITS = 1e-30, 1e30, 1e-7  # of numbers of single precision, with room to compute


@dataclass(frozen=True, eq=False)
class Volume:
    """A scalar image: ``values`` (K, J, I) of any numeric type on ``grid``. Two volumes are equal if they are one.

    What has once been asked about a volume may be ``remembered``: its values are never changed in place.

    Raises:
        ValueError: the shape of ``values`` is not that of the grid.
    """

    values: NDArray
    grid: Grid

    def __post_init__(self) -> None:
        check_shape(self.values, " ".join(map(str, self.grid.shape)), name="values")

    def require_registrable(self, name: str, *, slice_too: bool = False) -> None:
        """Raise VolumeError if the image holds nothing that could be aligned; ``name`` is what the user calls it.

        With ``slice_too``, a single slice will do.
        """
        flat = slice_too and self.grid.slice_axis is not None
        if sorted(self.grid.size)[int(flat)] < 4:
            raise VolumeError(
                f"The {name} image has the size {self.grid.size}; a 3D image of at least 4 voxels a side is needed."
            )
        if not np.isfinite(self.values).all():
            raise VolumeError(f"The {name} image contains NaN or infinite values. Replace them, for example by 0.")
        low, high = self.values.min(), self.values.max()
        if low == high:
            raise VolumeError(f"The {name} image is constant ({self.values.flat[0]}); there is nothing to align.")
        low, high = float(low), float(high)
        largest = max(-low, high)
        if largest > _LARGEST or high - low < max(_SMALLEST, _DIGITS * largest):
            raise VolumeError(
                f"The values of the {name} image reach from {low:g} to {high:g}, which numbers of single precision do "
                "not tell apart. Subtract an offset from them or scale them first."
            )


def remembered(fact: Callable[[Volume], _Fact]) -> Callable[[Volume], _Fact]:
    """Return ``fact``, computed only once of each volume and kept as long as that volume is there."""
    known: WeakKeyDictionary[Volume, _Fact] = WeakKeyDictionary()

    @functools.wraps(fact)
    def recalled(volume: Volume) -> _Fact:
        if volume not in known:
            known[volume] = fact(volume)
        return known[volume]

    return recalled
