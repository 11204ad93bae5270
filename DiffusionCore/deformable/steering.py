"""Steering of a sampling: at each time, the estimated clean field goes a little down the energy of a guidance.

The energy is that of the refinement (``energy.Energy``), with the same terms and strengths, on the grids of the network
and with the images that it sees, plus a distance from the estimate of the network, which is the prior. A few steps go
down; what they found is in the noised state of the next time, and so in the next estimate. Source: our own; guidance of
the clean estimate is that of Chung et al., Diffusion posterior sampling (ICLR 2023), without the derivative of the
network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from DiffusionCore.affine.foreground import working_volume
from DiffusionCore.deformable.contrast import relation
from DiffusionCore.deformable.energy import Energy
from DiffusionCore.deformable.guidance import Guidance
from DiffusionCore.deformable.landmarks import LandmarkPull
from DiffusionCore.deformable.learned import seen
from DiffusionCore.deformable.levels import Level, segment_mask
from DiffusionCore.deformable.measures import AutomaticMeasure
from DiffusionCore.losses import with_gradient
from DiffusionCore.space import Grid, Volume
from DiffusionCore.transforms.affine import Affine
from DiffusionCore.transforms.inversion import invert

Steer = Callable[[Tensor], Tensor]
"""From the estimates of clean fields (B, 3, K, J, I), in voxels of their grid, to the steered ones."""

_TRUST = 0.25  # in the estimate of the network: weight of half the squared distance from it, voxels
_ITERATIONS, _MOMENTUM = 8, 0.5  # down the energy, at each time
_LONGEST = 0.5  # voxels of the field that an iteration moves at most


@dataclass(frozen=True)
class Wishes:
    """What is to steer: the ``guidance``, and the fixed and moving ``segments`` that its target stands for."""

    guidance: Guidance
    segments: tuple[Volume, Volume] | None = None


@dataclass(frozen=True, eq=False)
class DisplacementLevel(Level):
    """A level whose fields are displacements, not velocities."""

    def flows(self, velocity: Tensor) -> Tensor:
        """Return the displacement and its inverse on ``flow_grid``, in its voxels: (2, 3, K, J, I)."""
        forward = self.shift(velocity)[0]
        return torch.stack([forward, invert(forward, tolerance=0.05, iterations=5)[0]])

    def shift(self, velocity: Tensor) -> Tensor:
        """Return the displacement in voxels of ``flow_grid``: (1, 3, K, J, I)."""
        return (velocity / self._voxel(velocity))[None]


def steering(
    wishes: Wishes,
    images: Tensor,
    affine: Affine,
    grid: Grid,
    field_grid: Grid,
    *,
    kind: type[Level] = Level,
) -> Steer:
    """Return what steers fields on ``field_grid``, after which ``affine`` acts.

    Args:
        wishes: what is to be reached.
        images: (1, 2, K, J, I) on ``grid``: the fixed one, and the moving one through ``affine``.
        affine: from what the field gives to the moving points.
        grid: of the images, along the axes of the body.
        field_grid: of the fields, with the same borders.
        kind: ``Level`` for velocities, ``DisplacementLevel`` for displacements.
    """
    pair = images.cpu().transpose(0, 1).flip(0)  # moving, fixed
    masks = None if wishes.segments is None else _masks(wishes.segments, affine, grid)
    measure = AutomaticMeasure().chosen(relation(pair))
    level = kind(
        grid,
        field_grid,
        max(field_grid.spacing),
        with_gradient(pair, grid.spacing),
        measure,
        measure.comparison(pair.flip(0), torch.ones_like(pair[:1])),
        None if masks is None else with_gradient(masks, grid.spacing),
    )
    energy, landmarks = Energy(level, wishes.guidance), wishes.guidance.landmarks
    pull = None if landmarks is None else LandmarkPull(level, landmarks, affine, grid)
    rate, voxel = 1 / (energy.curvature + _TRUST), torch.tensor(field_grid.spacing)[:, None, None, None]

    def steered(estimate: Tensor) -> Tensor:
        field, speed = estimate, torch.zeros_like(estimate)
        for _ in range(_ITERATIONS):
            slope = energy.slope(field * voxel)[1] + _TRUST * (field - estimate)
            speed = _MOMENTUM * speed - rate * slope
            field = field + speed * min(1.0, _LONGEST / max(float(speed.norm(dim=0).max()), 1e-12))
            field = field if pull is None else pull.drawn(field * voxel) / voxel
        return field

    return lambda fields: torch.stack([steered(field) for field in fields.float().cpu()]).to(fields)


def _masks(segments: tuple[Volume, Volume], affine: Affine, grid: Grid) -> Tensor:
    """Return the moving segment through ``affine`` and the fixed one on ``grid``: (2, 1, K, J, I)."""
    fixed, moving = (working_volume(segment_mask(segment), min(grid.spacing)) for segment in segments)
    return torch.cat([seen(moving, grid, affine), seen(fixed, grid, Affine.identity())])
