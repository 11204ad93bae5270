"""Where repeated registrations of one pair differ, in mm."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from DiffusionCore.space import Grid, Volume
from DiffusionCore.transforms.base import SLAB_VOXELS, Transform, k_slabs

_SPACING = 4.0  # mm; what differs between runs is smooth


def spread_grid(grid: Grid, spacing: float = _SPACING) -> Grid:
    """Return a grid over ``grid`` with voxels of at least ``spacing`` mm."""
    x, y, z = (max(spacing, s) for s in grid.spacing)
    return grid.with_spacing((x, y, z))


def spread(transforms: Sequence[Transform], grid: Grid) -> Volume:
    """Return the standard deviation, mm, of where ``transforms`` take the voxel centers of ``grid``: float32.

    It is the root of the sum of the unbiased variances along the three axes. Of displacements, not of velocities: what
    is asked is how far a point may lie from where the result shows it.

    Raises:
        ValueError: there are fewer than two transforms.
    """
    if len(transforms) < 2:
        raise ValueError(f"A spread needs at least two transforms, got {len(transforms)}")
    values = torch.empty(grid.shape)
    for slab in k_slabs(grid, SLAB_VOXELS // len(transforms)):
        mapped = torch.stack([transform.map_voxels(grid, slab) for transform in transforms])
        values[slab] = mapped.var(0).sum(-1).sqrt()
    return Volume(values.numpy(), grid)
