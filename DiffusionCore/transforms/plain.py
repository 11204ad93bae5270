"""Between transforms and the plain forms in which they travel: to other processes, and into Slicer."""

from __future__ import annotations

import itertools
from functools import reduce
from operator import matmul

import numpy as np
import torch

from DiffusionCore.space import Frame, Grid
from DiffusionCore.space.plain import Field, Matrix, PlainTransform
from DiffusionCore.transforms.affine import Affine
from DiffusionCore.transforms.base import Chain, Transform
from DiffusionCore.transforms.displacement import Displacement
from DiffusionCore.transforms.velocity import Velocity

_NEAR = 1e-4  # voxels that rounding may move a point


def to_plain(transform: Transform, grid: Grid) -> PlainTransform:
    """Return ``transform`` as numbers; a field may share its memory with the transform, which is not to change.

    An affine map, or a chain of such, is a matrix. A displacement or velocity field gives the displacement on its own
    grid, where nothing is interpolated. So does a field that affine maps follow, if all of ``grid`` lies between its
    voxel centers: there these are linear. Whatever else gives the displacement on ``grid``.
    """
    parts = transform.parts if isinstance(transform, Chain) else (transform,)
    if all(isinstance(part, Affine) for part in parts):
        transform = reduce(matmul, parts, Affine.identity())
    if isinstance(transform, Affine):
        return Matrix(transform.matrix.numpy().copy())
    *after, first = parts
    if isinstance(first, Displacement | Velocity) and (not after or _linear_over(grid, after, first.grid)):
        grid = first.grid
    return Field(transform.displacement_on(grid).movedim(0, -1).numpy(), grid)


def from_plain(plain: PlainTransform) -> Affine | Displacement:
    """Return the transform that ``plain`` stands for; it shares no memory with it.

    Raises:
        GeometryError: the matrix is singular, or a vector is not finite.
    """
    if isinstance(plain, Matrix):
        return Affine(torch.tensor(plain.values))
    return Displacement(torch.from_numpy(np.moveaxis(plain.vectors, -1, 0).copy()), plain.grid)


def _linear_over(grid: Grid, after: list[Transform], own: Grid) -> bool:
    """Return whether all of ``after`` are affine, and the voxel centers of ``grid`` lie between those of ``own``."""
    ends = [(0, n - 1) for n in grid.size]
    corners = grid.map(list(itertools.product(*ends)), Frame.VOXEL, Frame.RAS)
    voxels = own.map(corners, Frame.RAS, Frame.VOXEL)
    between = (voxels >= -_NEAR).all() and (voxels <= np.array(own.size) - 1 + _NEAR).all()
    return bool(between) and all(isinstance(part, Affine) for part in after)
