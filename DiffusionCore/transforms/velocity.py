"""Velocity: the flow of a stationary velocity field for one unit of time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from DiffusionCore.interpolation import pull_at
from DiffusionCore.kernels import kernel_for
from DiffusionCore.space import Grid
from DiffusionCore.transforms.base import Transform
from DiffusionCore.transforms.displacement import Displacement, field_tensor, ras_vectors, voxel_vectors

_LARGEST_STEP = 0.5  # voxels; a larger first step would no longer be near the identity


@dataclass(frozen=True, eq=False)
class Velocity(Transform):
    """x -> exp(v)(x): ``vectors`` (3, K, J, I) are v at the voxels of ``grid``, RAS mm per unit of time, float32.

    The map interpolates the exponential, computed once on ``grid`` when it is first needed; beyond half a voxel
    outside the grid it is the identity. The inverse is exp(-v), right up to discretization.

    Raises:
        GeometryError: a vector is not finite.
        ValueError: the shape of ``vectors`` is not that of the grid.
    """

    vectors: Tensor
    grid: Grid

    def __post_init__(self) -> None:
        object.__setattr__(self, "vectors", field_tensor(self.vectors, self.grid))

    @classmethod
    def of(cls, transform: Transform, grid: Grid, *, tolerance: float = 0.02, iterations: int = 30) -> Velocity:
        """Return the velocity on ``grid`` whose exponential comes nearest to ``transform``: its logarithm.

        v <- v + (T - exp(v)), from v = T - id, until no voxel is off by more than ``tolerance`` voxels or the mean
        error no longer falls (our own; to first order the iteration of Bossa et al., MICCAI 2007, but it inverts the
        exponential as it is discretized here). Far from the identity, or where the transform folds, there need not be a
        logarithm; what came nearest is returned.
        """
        target = voxel_vectors(transform.displacement_on(grid), grid)[None]
        velocity, best, least = target, target, math.inf
        for _ in range(iterations):
            error = target - flow(velocity)
            lengths = error.square().sum(1).sqrt()
            if not float(lengths.mean()) < least:
                break
            best, least = velocity, float(lengths.mean())
            if float(lengths.max()) <= tolerance:
                break
            velocity = velocity + error
        return cls(ras_vectors(best[0], grid), grid)

    @cached_property
    def displacement(self) -> Displacement:
        """The exponential as a displacement on ``grid``."""
        return Displacement(exponential(self.vectors, self.grid), self.grid)

    def map(self, points: Tensor) -> Tensor:
        """Return exp(v)(x) for ``points`` (..., 3), RAS mm."""
        return self.displacement.map(points)

    def map_voxels(self, grid: Grid, slices: slice = slice(None)) -> Tensor:
        """Return exp(v)(x) at the voxel centers of the k-``slices`` of ``grid``."""
        return self.displacement.map_voxels(grid, slices)

    def displacement_on(self, grid: Grid) -> Tensor:
        """Return exp(v)(x) - x at the voxel centers of ``grid``: (3, K, J, I), float32, RAS mm."""
        return self.displacement.displacement_on(grid)

    def inverse(self) -> Velocity:
        """Return exp(-v), on the same grid."""
        return Velocity(-self.vectors, self.grid)


def exponential(vectors: Tensor, grid: Grid) -> Tensor:
    """Return the displacement (3, K, J, I), RAS mm, of the flow of ``vectors`` (3, K, J, I), mm per unit of time.

    As ``flow``, of which it is the form in mm.
    """
    return ras_vectors(flow(voxel_vectors(vectors, grid)[None])[0], grid)


def flow(shifts: Tensor) -> Tensor:
    """Return the displacements (B, 3, K, J, I) of the flows of ``shifts``, both voxels along (i, j, k).

    Scaling and squaring (Arsigny et al., MICCAI 2006): v / 2^n moves by at most half a voxel and is composed with
    itself n times. Its first step is the midpoint rule (our own: one interpolation more halves the error, which five
    more squarings do not). Outside the grid the fields continue by their border values. Differentiable.
    """
    longest = float(shifts.detach().square().sum(1).max().sqrt())
    squarings = max(0, math.ceil(math.log2(longest / _LARGEST_STEP))) if longest > 0 else 0
    shifts = shifts / 2**squarings
    if follow := kernel_for("flow", shifts):
        return follow(shifts, squarings)
    shifts = pull_at(shifts, shifts / 2)
    for _ in range(squarings):
        shifts = shifts + pull_at(shifts, shifts)
    return shifts
