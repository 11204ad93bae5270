"""Displacement: a transform given by a vector at each voxel of a grid."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from DiffusionCore.checks import GeometryError, check_shape
from DiffusionCore.interpolation import pull, pull_affine
from DiffusionCore.kernels import kernel_for
from DiffusionCore.space import Frame, Grid
from DiffusionCore.transforms.affine import Affine
from DiffusionCore.transforms.base import SLAB_VOXELS, Transform, k_slabs, voxel_centers
from DiffusionCore.transforms.inversion import invert

_PLANES = 8  # of a slab that takes one plane to each side for differences, at least

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Displacement(Transform):
    """x -> x + u(x): ``vectors`` (3, K, J, I) are u at the voxels of ``grid``, RAS mm (x, y, z), float32.

    Between voxels u is trilinear; it keeps its border value for half a voxel and is zero beyond (ITK's rule).

    Raises:
        GeometryError: a vector is not finite.
        ValueError: the shape of ``vectors`` is not that of the grid.
    """

    vectors: Tensor
    grid: Grid

    def __post_init__(self) -> None:
        object.__setattr__(self, "vectors", field_tensor(self.vectors, self.grid))

    @classmethod
    def of(cls, transform: Transform, grid: Grid) -> Displacement:
        """Return ``transform`` baked into one displacement field on ``grid``."""
        return cls(transform.displacement_on(grid), grid)

    def map(self, points: Tensor) -> Tensor:
        """Return x + u(x) for ``points`` (..., 3), RAS mm."""
        return points + sample_field(self.vectors, self.grid, points)

    def map_voxels(self, grid: Grid, slices: slice = slice(None)) -> Tensor:
        """Return x + u(x) at the voxel centers of the k-``slices``; on its own grid nothing is interpolated."""
        if grid != self.grid:
            return super().map_voxels(grid, slices)
        return voxel_centers(grid, slices).add_(self.vectors[:, slices].movedim(0, -1).cpu())

    def displacement_on(self, grid: Grid) -> Tensor:
        """Return u at the voxel centers of ``grid``: (3, K, J, I), float32, RAS mm; its own vectors on its own grid."""
        if grid == self.grid:
            return self.vectors.cpu()
        return torch.cat([self.slab_on(grid, slab) for slab in k_slabs(grid, SLAB_VOXELS)], 1)

    def slab_on(self, grid: Grid, slab: slice) -> Tensor:
        """Return u at the voxel centers of a k-``slab`` of ``grid``: (3, K', J, I), float32, RAS mm, CPU."""
        if grid == self.grid:
            return self.vectors[:, slab].cpu()
        matrix = self.grid.matrix(Frame.RAS, Frame.VOXEL) @ grid.matrix(Frame.VOXEL, Frame.RAS)
        shape = slab.stop - slab.start, *grid.shape[1:]
        return pull_affine(self.vectors.cpu()[None], torch.from_numpy(matrix[None, :3]), shape, first=slab.start)[0]

    def with_zero_ring(self) -> Displacement:
        """Return the field with one more voxel of zero vectors all around.

        VTK continues the border vector for ever where ITK has zero; with the ring both show the same transform.
        """
        return Displacement(pad(self.vectors, (1,) * 6), self.grid.padded(1))

    def inverse(self, *, tolerance: float = 0.01, iterations: int = 50) -> Displacement:
        """Return the inverse as a displacement on the same grid, right within ``tolerance`` voxels at its voxels.

        Beyond its grid the field is continued by its border values for this. Where it folds there is no inverse: what
        comes nearest is returned and the log has a warning.
        """
        shift, worst = invert(voxel_vectors(self.vectors, self.grid), tolerance=tolerance, iterations=iterations)
        if worst > tolerance:
            _logger.warning("The displacement field folds: its inverse is off by up to %.2g voxels.", worst)
        return Displacement(ras_vectors(shift, self.grid), self.grid)


def field_tensor(vectors: Tensor, grid: Grid) -> Tensor:
    """Return ``vectors`` as a detached float32 tensor after checking that they are finite and lie on ``grid``."""
    field = torch.as_tensor(vectors).detach().float()
    check_shape(field, f"3 {' '.join(map(str, grid.shape))}", name="vectors")
    if not torch.isfinite(field.sum()) and not torch.isfinite(field).all():  # the sum alone takes a twentieth
        raise GeometryError("A field of vectors must be finite, got NaN or infinite values in 'vectors'.")
    return field


def sample_field(vectors: Tensor, grid: Grid, points: Tensor) -> Tensor:
    """Return ``vectors`` (3, K, J, I) of ``grid`` at RAS mm ``points`` (..., 3), in their dtype and on their device."""
    check_shape(points, "... 3", name="points")
    matrix = torch.as_tensor(grid.matrix(Frame.RAS, Frame.VOXEL)).to(points)
    coordinates = torch.addmm(matrix[:3, 3], points.reshape(-1, 3), matrix[:3, :3].T)
    values = pull(vectors.to(points.device)[None], coordinates[None, :, None, None])
    return values.flatten(2)[0].T.reshape(points.shape).to(points.dtype)


def voxel_vectors(vectors: Tensor, grid: Grid) -> Tensor:
    """Return RAS mm ``vectors`` (3, K, J, I) of ``grid`` in voxels, components (i, j, k)."""
    return _matrix_times(grid.matrix(Frame.RAS, Frame.VOXEL)[:3, :3], vectors)


def ras_vectors(vectors: Tensor, grid: Grid) -> Tensor:
    """Return ``vectors`` (3, K, J, I) of ``grid`` in voxels (i, j, k) as RAS mm (x, y, z)."""
    return _matrix_times(_voxel_to_ras(grid), vectors)


def jacobian_determinant(transform: Transform, grid: Grid) -> Tensor:
    """Return det(dT/dx) at the voxels of ``grid``: (K, J, I), float32, without unit.

    Central differences of the mapped voxel centers in RAS mm (one-sided at the borders, none along an axis of one
    voxel), divided by the determinant of the grid's own matrix, so that spacing and direction drop out with their
    sign: the identity has 1 on a left-handed grid too. An affine transform has its exact constant.
    """
    if isinstance(transform, Affine):
        return torch.full(grid.shape, float(torch.linalg.det(transform.matrix[:3, :3])))
    vectors, matrix = transform.displacement_on(grid), torch.from_numpy(_voxel_to_ras(grid))
    if determinants := kernel_for("determinants", vectors):
        return determinants(vectors, matrix)
    result = torch.empty(grid.shape)
    for slab, columns in _columns(vectors, grid):
        result[slab] = (columns[0] * torch.linalg.cross(columns[1], columns[2], dim=0)).sum(0)
    return result / float(torch.linalg.det(matrix))


def mapped_edges(transform: Transform, grid: Grid) -> Iterator[tuple[slice, list[Tensor]]]:
    """Yield k-slices of ``grid``, and dT/di, dT/dj and dT/dk at their voxels: (3, K', J, I) each, float32, RAS mm.

    By the differences of ``jacobian_determinant``.
    """
    yield from _columns(transform.displacement_on(grid), grid)


def _columns(vectors: Tensor, grid: Grid) -> Iterator[tuple[slice, list[Tensor]]]:
    """Yield k-slices of ``grid``, and dT/di, dT/dj, dT/dk of x + ``vectors`` at their voxels: (3, K', J, I) each."""
    own = torch.as_tensor(_voxel_to_ras(grid), dtype=torch.float32)
    i, j, _ = grid.size
    for slab in k_slabs(grid, max(SLAB_VOXELS, _PLANES * i * j)):
        low, high = max(slab.start - 1, 0), min(slab.stop + 1, grid.shape[0])
        keep = slice(slab.start - low, slab.stop - low)
        yield (
            slab,
            [
                _difference(vectors[:, low:high], 3 - axis)[:, keep] + own[:, axis, None, None, None]
                for axis in range(3)
            ],
        )


def _difference(field: Tensor, axis: int) -> Tensor:
    if field.shape[axis] == 1:
        return torch.zeros_like(field)
    return torch.gradient(field, dim=axis)[0]


def _voxel_to_ras(grid: Grid) -> np.ndarray:
    return grid.matrix(Frame.VOXEL, Frame.RAS)[:3, :3]


def _matrix_times(matrix: np.ndarray, field: Tensor) -> Tensor:
    columns = torch.as_tensor(matrix).to(field)
    if not (matrix - np.diag(np.diag(matrix))).any():  # along the axes of the body; less than half of the time
        return field * columns.diagonal()[:, None, None, None]
    return torch.einsum("ab,bkji->akji", columns, field)
