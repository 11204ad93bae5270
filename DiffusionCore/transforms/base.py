"""The contract of every transform, and the chain of several.

**A transform maps points of the fixed space to points of the moving space, in RAS mm**::

    warped(x) = moving(T(x))          (A @ B)(x) = A(B(x))
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from DiffusionCore.space import Frame, Grid

SLAB_VOXELS = 2**18  # points treated at once: 6 MB of float64 coordinates, whatever the size of the volume


class Transform(ABC):
    """A map of RAS mm points; concrete transforms are final."""

    @abstractmethod
    def map(self, points: Tensor) -> Tensor:
        """Return the images of ``points`` (..., 3), RAS mm, in the dtype and on the device of ``points``."""

    @abstractmethod
    def inverse(self) -> Transform:
        """Return the transform S with S(T(x)) = x."""

    def __matmul__(self, inner: Transform) -> Transform:
        """Return the composition that applies ``inner`` first."""
        return Chain.of(self, inner)

    def displacement_on(self, grid: Grid) -> Tensor:
        """Return T(x) - x at the voxel centers of ``grid``: (3, K, J, I), float32, RAS mm, channels (x, y, z)."""
        vectors = torch.empty((3, *grid.shape))
        for slab in k_slabs(grid, SLAB_VOXELS):
            vectors[:, slab] = (self.map_voxels(grid, slab) - voxel_centers(grid, slab)).movedim(-1, 0)
        return vectors

    def displacement_after(self, vectors: Tensor, grid: Grid) -> Tensor:
        """Return T(x + u(x)) - x at the voxel centers of ``grid``: as ``displacement_on``; u are ``vectors`` there."""
        result = torch.empty_like(vectors)
        for slab in k_slabs(grid, SLAB_VOXELS):
            points = voxel_centers(grid, slab)
            result[:, slab] = (self.map(points + vectors[:, slab].movedim(0, -1)) - points).movedim(-1, 0)
        return result

    def map_voxels(self, grid: Grid, slices: slice = slice(None)) -> Tensor:
        """Return T(x) at the voxel centers of the k-``slices`` of ``grid``: (K', J, I, 3), float64, RAS mm, CPU."""
        return self.map(voxel_centers(grid, slices))


@dataclass(frozen=True)
class Chain(Transform):
    """The composition of ``parts``; the last part acts first."""

    parts: tuple[Transform, ...]

    @classmethod
    def of(cls, *transforms: Transform) -> Chain:
        """Return the chain of ``transforms`` with nested chains opened."""
        return cls(tuple(p for t in transforms for p in (t.parts if isinstance(t, Chain) else (t,))))

    def map(self, points: Tensor) -> Tensor:
        """Return ``points`` (..., 3), RAS mm, after the last part, then the one before, up to the first."""
        for part in reversed(self.parts):
            points = part.map(points)
        return points

    def map_voxels(self, grid: Grid, slices: slice = slice(None)) -> Tensor:
        """Return T(x) at the voxel centers of the k-``slices`` of ``grid``; the last part may know them by heart."""
        if not self.parts:
            return super().map_voxels(grid, slices)
        return Chain(self.parts[:-1]).map(self.parts[-1].map_voxels(grid, slices))

    def displacement_on(self, grid: Grid) -> Tensor:
        """Return T(x) - x at the voxel centers of ``grid``: (3, K, J, I), float32, RAS mm; part after part."""
        if not self.parts:
            return torch.zeros((3, *grid.shape))
        *outer, first = self.parts
        vectors = first.displacement_on(grid)
        for part in reversed(outer):
            vectors = part.displacement_after(vectors, grid)
        return vectors

    def inverse(self) -> Chain:
        """Return the inverses of the parts in reverse order."""
        return Chain(tuple(part.inverse() for part in reversed(self.parts)))


def k_slabs(grid: Grid, voxels: int) -> Iterator[slice]:
    """Yield slices that cover the k axis of ``grid``, each of at most ``voxels`` voxels (but of one plane at least)."""
    i, j, k = grid.size
    planes = max(1, voxels // (i * j))
    for start in range(0, k, planes):
        yield slice(start, min(start + planes, k))


def voxel_centers(grid: Grid, slices: slice = slice(None), *, dtype: torch.dtype = torch.float64) -> Tensor:
    """Return the RAS mm of the voxel centers of the k-``slices`` of ``grid``: (K', J, I, 3)."""
    return lattice(grid.matrix(Frame.VOXEL, Frame.RAS), grid.size, slices, dtype)


def lattice(matrix: NDArray, size: tuple[int, int, int], slices: slice, dtype: torch.dtype) -> Tensor:
    """Return the points to which ``matrix`` (4, 4) takes the voxels (i, j, k) of the k-``slices``: (K', J, I, 3)."""
    columns = torch.from_numpy(np.asarray(matrix, dtype=np.float64)[:3])
    axes = [torch.arange(n, dtype=torch.float64) for n in size]
    axes[2] = axes[2][slices]
    i, j, k = (axis[:, None] * columns[:, column] for column, axis in enumerate(axes))
    return ((k + columns[:, 3])[:, None, None] + j[:, None] + i).to(dtype)
