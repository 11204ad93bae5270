"""How strong a deformation is: the mean displacement of what it moves, in mm or as a share of the organ's extent."""

from __future__ import annotations

import math
from enum import Enum

import torch
from torch import Tensor

from DiffusionCore.deformation.random_fields import MultiScale, sealed
from DiffusionCore.deformation.symmetry import MidPlane
from DiffusionCore.space import Grid
from DiffusionCore.transforms.displacement import sample_field
from DiffusionCore.transforms.velocity import Velocity

HEAD = 170.0  # mm, the largest extent of a brain: what the scales of a law in mm are meant for
STRONGEST = 0.03  # mean displacement as a share of the largest extent at strength 1: 5 mm in a brain
SYMMETRIC = 0.9  # share of the variance that is alike on both sides of a mid-plane (Documentation/synthesis.md)
SEAL = 2.0  # smallest scales over which the motion across a border comes to rest
_CLOSE = 0.01  # of the mean displacement: the correction ends


class Strength(float, Enum):
    """Named strengths; on a brain their mean displacements are 1.5, 3 and 5 mm."""

    SUBTLE = 0.3
    NATURAL = 0.6
    STRONG = 1.0


def mean_displacement(strength: float, extent: float) -> float:
    """Return the mean displacement, mm, of ``strength`` 0..1 in an organ whose largest extent is ``extent`` mm."""
    return strength * STRONGEST * extent


def law_for(extent: float) -> MultiScale:
    """Return the law whose scales are to an organ of ``extent`` mm what the default ones are to a brain."""
    return MultiScale().scaled(extent / HEAD)


def random_velocity(
    grid: Grid,
    strength: float,
    *,
    law: MultiScale | None = None,
    plane: MidPlane | None = None,
    region: Tensor | None = None,
    generator: torch.Generator,
) -> Velocity:
    """Return a random stationary velocity field over ``grid`` whose flow moves it by ``strength`` mm in the mean.

    Of its flow there is an exact inverse, it does not fold, and it takes the grid onto itself.

    Args:
        grid: the grid of what is to be deformed.
        strength: mean displacement, mm.
        law: of the field (default: ``MultiScale()``).
        plane: with it, 90 % of the variance is alike on both sides.
        region: RAS mm points (N, 3) whose displacements are meant; by default those of all the grid.
        generator: of what is random.

    Raises:
        GeometryError: the grid is so thin that what moves would leave it.
        ValueError: ``strength`` is negative or not finite.
    """
    law = law or MultiScale()
    field_grid = law.grid_for(grid)
    return with_mean_displacement(draw_unit(field_grid, law, plane, generator=generator), field_grid, strength, region)


def draw_unit(grid: Grid, law: MultiScale, plane: MidPlane | None, *, generator: torch.Generator) -> Tensor:
    """Return a field (3, K, J, I) of ``law`` on ``grid``, mm: unit variance, both sides alike, at rest at the borders.

    The first holds away from the borders, the second where there is a ``plane``.
    """
    vectors = law.draw(grid, generator=generator)
    if plane is not None:
        vectors = plane.symmetrized(vectors, grid, SYMMETRIC)
    return sealed(vectors, grid, SEAL * law.scales[0])


def with_mean_displacement(vectors: Tensor, grid: Grid, wanted: float, region: Tensor | None = None) -> Velocity:
    """Return the multiple of the velocity ``vectors`` (3, K, J, I) whose flow moves ``region`` by ``wanted`` mm.

    That is the mean over the points (N, 3), RAS mm, or over the grid. The flow is nearly proportional to the velocity,
    so a few corrections meet it.

    Raises:
        ValueError: ``wanted`` is negative or not finite.
    """
    if not (math.isfinite(wanted) and wanted >= 0):
        raise ValueError(f"'strength' must be a displacement of at least 0 mm, got {wanted}")
    factor = wanted  # of a field of unit variance
    velocity = Velocity(factor * vectors, grid)
    for _ in range(6):
        mean = mean_length(velocity.displacement.vectors, grid, region)
        if mean <= 0 or abs(mean - wanted) <= _CLOSE * wanted:
            break
        factor *= wanted / mean
        velocity = Velocity(factor * vectors, grid)
    return velocity


def mean_length(vectors: Tensor, grid: Grid, region: Tensor | None = None) -> float:
    """Return the mean length of ``vectors`` (3, K, J, I) of ``grid`` at the points ``region`` (N, 3), or everywhere."""
    if region is None:
        return float(vectors.norm(dim=0).mean())
    sampled = sample_field(vectors, grid, region.float())
    return float(sampled.square().sum(-1).sqrt().mean())  # in that order of axes ``norm`` takes 25 times as long
