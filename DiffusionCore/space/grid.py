"""Grid: a regular lattice of voxel centers in patient space."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from DiffusionCore.checks import GeometryError
from DiffusionCore.space.frames import Frame

Triple = tuple[float, float, float]
_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_ORTHOGONALITY = 1e-3  # header rounding (float32 quaternions, 6-digit text) stays below this; shears stay above


@dataclass(frozen=True)
class Grid:
    """A regular grid of voxel centers placed in RAS space: plain numbers, hashable, no tensor and no device.

    Attributes:
        size: voxels along (i, j, k); the shape of a tensor is the reverse, (K, J, I).
        spacing: mm between voxel centers along (i, j, k).
        origin: RAS mm of the center of voxel (0, 0, 0).
        direction: rows of a 3x3 orthogonal matrix whose *columns* are the unit vectors of i, j, k in RAS.

    Raises:
        GeometryError: a size below 1, a spacing not positive and finite, a direction that is singular or sheared.

    >>> Grid(size=(4, 3, 2), spacing=(1, 1, 2.5)).matrix(Frame.VOXEL, Frame.RAS)[2, 2]
    np.float64(2.5)
    """

    size: tuple[int, int, int]
    spacing: Triple = (1.0, 1.0, 1.0)
    origin: Triple = (0.0, 0.0, 0.0)
    direction: tuple[Triple, Triple, Triple] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", tuple(int(n) for n in self.size))
        for name in ("spacing", "origin"):
            object.__setattr__(self, name, tuple(float(x) for x in getattr(self, name)))
        object.__setattr__(self, "direction", tuple(tuple(float(x) for x in row) for row in self.direction))
        if len(self.size) != 3 or min(self.size) < 1:
            raise GeometryError(f"A grid needs three sizes of at least 1 voxel, got {self.size}.")
        if len(self.spacing) != 3 or not all(math.isfinite(s) and s > 0 for s in self.spacing):
            raise GeometryError(f"A grid needs three positive spacings in mm, got {self.spacing}.")
        if len(self.origin) != 3 or not np.isfinite(self.origin).all():
            raise GeometryError(f"A grid needs a finite origin in mm, got {self.origin}.")
        axes = np.array(self.direction)
        if axes.shape != (3, 3) or not np.isfinite(axes).all() or abs(axes.T @ axes - np.eye(3)).max() > _ORTHOGONALITY:
            raise GeometryError(
                f"The axes of a grid must be orthogonal unit vectors, got the columns of {self.direction}. "
                "Resample the image to an orthogonal grid first (a CT with gantry tilt needs this)."
            )

    @classmethod
    def from_matrix(cls, voxel_to_ras: ArrayLike, size: tuple[int, int, int]) -> Grid:
        """Return the grid of ``size`` (i, j, k) whose voxel indices ``voxel_to_ras`` (4, 4) takes to RAS mm."""
        matrix = np.asarray(voxel_to_ras, dtype=np.float64)
        spacing = np.linalg.norm(matrix[:3, :3], axis=0)
        if not np.isfinite(matrix).all() or spacing.min() <= 0:
            raise GeometryError(f"The voxel-to-RAS matrix is singular: its columns are {spacing.tolist()} mm long.")
        first, second, third = matrix[:3, :3] / spacing
        direction = (_triple(first), _triple(second), _triple(third))
        return cls(size, _triple(spacing), _triple(matrix[:3, 3]), direction)

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape (K, J, I) of an array on this grid."""
        i, j, k = self.size
        return k, j, i

    @property
    def slice_axis(self) -> int | None:
        """The axis (0, 1, 2 for i, j, k) across the grid if it is a single slice: of one voxel along it alone."""
        return self.size.index(1) if self.size.count(1) == 1 else None

    @property
    def extent(self) -> Triple:
        """The lengths in mm along (i, j, k), from outer border to outer border."""
        return _triple(n * s for n, s in zip(self.size, self.spacing, strict=True))

    @property
    def center(self) -> NDArray[np.float64]:
        """The RAS mm of the middle of the grid, shape (3,)."""
        return self.map((np.array(self.size) - 1) / 2, Frame.VOXEL, Frame.RAS)

    def matrix(self, source: Frame, target: Frame) -> NDArray[np.float64]:
        """Return the (4, 4) float64 matrix that takes points of this grid from ``source`` to ``target``."""
        return _matrix(self, source, target).copy()  # the caller may write to it

    def map(self, points: ArrayLike, source: Frame, target: Frame) -> NDArray[np.float64]:
        """Return ``points`` (..., 3) of frame ``source`` in frame ``target``."""
        matrix = self.matrix(source, target)
        return np.asarray(points, dtype=np.float64) @ matrix[:3, :3].T + matrix[:3, 3]

    def corners(self) -> NDArray[np.float64]:
        """Return the RAS mm of the eight outer corners, shape (8, 3)."""
        return self.map(list(itertools.product((-1, 1), repeat=3)), Frame.UNIT, Frame.RAS)

    def resized(self, size: tuple[int, int, int]) -> Grid:
        """Return the grid of ``size`` voxels with the same outer borders."""
        spacing = _triple(e / n for e, n in zip(self.extent, size, strict=True))
        return self._placed(size, spacing, self.map((-1, -1, -1), Frame.UNIT, Frame.RAS))

    def with_spacing(self, spacing: float | Triple) -> Grid:
        """Return the grid of ``spacing`` mm with the same center that covers at least this grid."""
        wanted = (spacing, spacing, spacing) if isinstance(spacing, int | float) else spacing
        i, j, k = (max(1, math.ceil(e / s - 1e-6)) for e, s in zip(self.extent, wanted, strict=True))
        half = np.array((i, j, k)) * wanted / 2
        return self._placed((i, j, k), wanted, self.center - np.array(self.direction) @ half)

    def with_center(self, center: Triple) -> Grid:
        """Return the grid moved so that its middle is at ``center``, RAS mm."""
        origin = np.array(self.origin) + np.array(center) - self.center
        return Grid(self.size, self.spacing, _triple(origin), self.direction)

    def padded(self, voxels: int | tuple[int, int, int]) -> Grid:
        """Return the grid with ``voxels`` more on each of its six sides, or on both sides along each of (i, j, k)."""
        a, b, c = (voxels, voxels, voxels) if isinstance(voxels, int) else voxels
        i, j, k = self.size
        origin = self.map((-a, -b, -c), Frame.VOXEL, Frame.RAS)
        return Grid((i + 2 * a, j + 2 * b, k + 2 * c), self.spacing, _triple(origin), self.direction)

    def is_close(self, other: Grid, *, tolerance: float = 1e-3) -> bool:
        """Return whether both grids have the same size and all their corners agree within ``tolerance`` mm."""
        return self.size == other.size and bool(abs(self.corners() - other.corners()).max() <= tolerance)

    def _placed(self, size: tuple[int, int, int], spacing: Triple, corner: NDArray[np.float64]) -> Grid:
        origin = corner + np.array(self.direction) @ (np.array(spacing) / 2)
        return Grid(size, spacing, _triple(origin), self.direction)

    def _from_voxel(self, target: Frame) -> NDArray[np.float64]:
        """Return the (4, 4) matrix from VOXEL to ``target``: the hub through which all frames are reached."""
        matrix = np.eye(4)
        if target is Frame.UNIT:
            matrix[:3, :3] = np.diag(2 / np.array(self.size))
            matrix[:3, 3] = 1 / np.array(self.size) - 1
        elif target is not Frame.VOXEL:
            matrix[:3, :3] = np.array(self.direction) * self.spacing
            matrix[:3, 3] = self.origin
        return _RAS_TO_LPS @ matrix if target is Frame.LPS else matrix


@functools.lru_cache(maxsize=1024)
def _matrix(grid: Grid, source: Frame, target: Frame) -> NDArray[np.float64]:
    """As ``Grid.matrix``; a few grids are asked for theirs again and again."""
    return grid._from_voxel(target) @ np.linalg.inv(grid._from_voxel(source))


def _triple(values: Iterable[float]) -> Triple:
    x, y, z = map(float, values)
    return x, y, z
