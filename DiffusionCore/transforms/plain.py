"""Between transforms and the plain forms in which they travel: to other processes, and into Slicer."""

from __future__ import annotations

from functools import reduce
from operator import matmul

import numpy as np
import torch

from DiffusionCore.space import Grid
from DiffusionCore.space.plain import Field, Matrix, PlainTransform
from DiffusionCore.transforms.affine import Affine
from DiffusionCore.transforms.base import Chain, Transform
from DiffusionCore.transforms.displacement import Displacement
from DiffusionCore.transforms.velocity import Velocity


def to_plain(transform: Transform, grid: Grid) -> PlainTransform:
    """Return ``transform`` as numbers; a field may share its memory with the transform, which is not to change.

    An affine map, or a chain of such, is a matrix. A displacement or velocity field gives the displacement on its own
    grid, where nothing is interpolated; and so does a field that affine maps follow, as these are linear between its
    voxel centers. Whatever else gives the displacement on ``grid``.
    """
    parts = transform.parts if isinstance(transform, Chain) else (transform,)
    if all(isinstance(part, Affine) for part in parts):
        transform = reduce(matmul, parts, Affine.identity())
    if isinstance(transform, Affine):
        return Matrix(transform.matrix.numpy().copy())
    *after, first = parts
    if isinstance(first, Displacement | Velocity) and all(isinstance(part, Affine) for part in after):
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
