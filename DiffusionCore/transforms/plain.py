"""Between transforms and the plain forms in which they travel: to other processes, and into Slicer."""

from __future__ import annotations

from functools import reduce
from operator import matmul

import numpy as np
import torch

from DiffusionCore.space import Grid
from DiffusionCore.space.plain import Composite, Field, Matrix, PlainTransform
from DiffusionCore.transforms.affine import Affine
from DiffusionCore.transforms.base import Chain, Transform
from DiffusionCore.transforms.displacement import Displacement
from DiffusionCore.transforms.velocity import Velocity


def to_plain(transform: Transform, grid: Grid) -> PlainTransform:
    """Return ``transform`` as numbers; a field may share its memory with the transform, which is not to change.

    An affine map, or a chain of such, is a matrix. A displacement or velocity field gives the displacement on its own
    grid, where nothing is interpolated; with affine maps after it, it makes a composite. Whatever else gives the
    displacement on ``grid``.
    """
    *after, first = transform.parts if isinstance(transform, Chain) and transform.parts else (transform,)
    if not all(isinstance(part, Affine) for part in after):
        return _field(transform, grid)
    matrix = reduce(matmul, after, Affine.identity())
    match first:
        case Affine():
            return _matrix(matrix @ first)
        case Displacement() | Velocity():
            field = _field(first, first.grid)
            return Composite(_matrix(matrix), field) if after else field
        case Chain(parts=()):
            return _matrix(matrix)
    return _field(transform, grid)


def from_plain(plain: PlainTransform) -> Affine | Displacement | Chain:
    """Return the transform that ``plain`` stands for; it shares no memory with it.

    Raises:
        GeometryError: the matrix is singular, or a vector is not finite.
    """
    match plain:
        case Matrix():
            return Affine(torch.tensor(plain.values))
        case Field():
            return Displacement(torch.from_numpy(np.moveaxis(plain.vectors, -1, 0).copy()), plain.grid)
        case Composite():
            return Chain.of(from_plain(plain.matrix), from_plain(plain.field))


def _matrix(affine: Transform) -> Matrix:
    assert isinstance(affine, Affine)  # the product of affine maps
    return Matrix(affine.matrix.numpy().copy())


def _field(transform: Transform, grid: Grid) -> Field:
    return Field(transform.displacement_on(grid).movedim(0, -1).numpy(), grid)
