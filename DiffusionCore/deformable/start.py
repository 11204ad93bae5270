"""Where a refinement starts: an affine transform, and the velocity that acts before it."""

from __future__ import annotations

from functools import reduce
from operator import matmul

import torch

from DiffusionCore.space import Grid
from DiffusionCore.transforms.affine import Affine
from DiffusionCore.transforms.base import Chain, Transform, voxel_centers
from DiffusionCore.transforms.displacement import Displacement
from DiffusionCore.transforms.velocity import Velocity

START = "start"  # the phase of the step before a deformation, where no affine registration is made
_POINTS = 64  # along an axis


def split(transform: Transform, grid: Grid) -> tuple[Affine, Velocity | None]:
    """Return A and v with A @ exp(v) = ``transform`` over the fixed ``grid``; None where nothing deforms.

    What a refinement made comes apart as it was put together; of a displacement after which affine maps act, v is the
    logarithm on its own grid. Of another transform, A is the affine map that comes nearest to it, and v the logarithm
    of the rest, on the own grid of a displacement or at no more than about 64 points along an axis.
    """
    parts = transform.parts if isinstance(transform, Chain) else (transform,)
    *after, first = parts or (Affine.identity(),)
    if all(isinstance(part, Affine) for part in after):
        affine = reduce(matmul, after, Affine.identity())
        if isinstance(first, Affine):
            return affine @ first, None  # pyright: ignore[reportReturnType]
        if isinstance(first, Velocity):
            return affine, first  # pyright: ignore[reportReturnType]
        if after and isinstance(first, Displacement):
            return affine, Velocity.of(first, first.grid)  # pyright: ignore[reportReturnType]
    x, y, z = (max(s, e / _POINTS) for s, e in zip(grid.spacing, grid.extent, strict=True))
    grid = transform.grid if isinstance(transform, Displacement) else grid.with_spacing((x, y, z))
    affine = nearest_affine(transform, grid)
    return affine, Velocity.of(affine.inverse() @ transform, grid)


def nearest_affine(transform: Transform, grid: Grid) -> Affine:
    """Return the affine map that is nearest to ``transform`` in the mean square over the voxel centers of ``grid``."""
    points = voxel_centers(grid).view(-1, 3)
    known = torch.cat([points, torch.ones_like(points[:, :1])], 1)
    solved = torch.linalg.lstsq(known, transform.map(points)).solution
    matrix = torch.eye(4, dtype=torch.float64)
    matrix[:3] = solved.T
    return Affine(matrix)
