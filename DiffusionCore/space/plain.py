"""Plain transforms: numbers alone, in the three forms in which a transform travels between processes and into Slicer.

Both map points of the fixed space to points of the moving space, RAS mm. No torch: a process that only shows results
does not load it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from DiffusionCore.checks import check_shape
from DiffusionCore.space.grid import Grid


@dataclass(frozen=True, eq=False)
class Matrix:
    """An affine map: ``values`` (4, 4) float64.

    Raises:
        ValueError: another shape, or values that are not finite.
    """

    values: NDArray[np.float64]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", np.asarray(self.values, dtype=np.float64))
        check_shape(self.values, "4 4", name="values")
        if not np.isfinite(self.values).all():
            raise ValueError(f"'values' must be finite, got {self.values.tolist()}")


@dataclass(frozen=True, eq=False)
class Field:
    """Displacements: ``vectors`` (K, J, I, 3) float32, RAS mm, at the voxel centers of ``grid``; zero outside of it.

    Raises:
        ValueError: the shape of ``vectors`` is not that of the grid.
    """

    vectors: NDArray[np.float32]
    grid: Grid

    def __post_init__(self) -> None:
        object.__setattr__(self, "vectors", np.asarray(self.vectors, dtype=np.float32))
        check_shape(self.vectors, " ".join(map(str, (*self.grid.shape, 3))), name="vectors")


@dataclass(frozen=True, eq=False)
class Composite:
    """x -> matrix(x + u(x)): the displacements u of ``field`` act first. Outside of the field it is the ``matrix``."""

    matrix: Matrix
    field: Field


PlainTransform = Matrix | Field | Composite
