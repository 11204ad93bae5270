"""How wrong a registration may be: where repeated ones of the pair differ, in mm, and what it comes to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from DiffusionCore.affine.foreground import foreground_mask
from DiffusionCore.interpolation import Interpolation
from DiffusionCore.space import Grid, Volume
from DiffusionCore.transforms.affine import Affine
from DiffusionCore.transforms.base import SLAB_VOXELS, Transform, k_slabs
from DiffusionCore.transforms.resample import resample

_SPACING = 4.0  # mm; what differs between runs is smooth


def spread_grid(grid: Grid, spacing: float = _SPACING) -> Grid:
    """Return a grid over ``grid`` with voxels of at least ``spacing`` mm."""
    x, y, z = (max(spacing, s) for s in grid.spacing)
    return grid.with_spacing((x, y, z))


def median_and_most(fixed: Volume, spread: Volume) -> tuple[float, float] | None:
    """Return the median and the 95th percentile of ``spread``, mm, over the foreground of ``fixed``; None beside it."""
    inside = seen_mask(fixed, spread.grid)
    if not inside.any():
        return None
    median, most = np.percentile(spread.values[inside], (50, 95))
    return float(median), float(most)


def seen_mask(fixed: Volume, grid: Grid) -> NDArray[np.bool_]:
    """Return where ``grid`` lies on the foreground of ``fixed`` (K, J, I)."""
    mask = Volume(foreground_mask(fixed).astype(np.uint8), fixed.grid)
    return resample(mask, grid, Affine.identity(), interpolation=Interpolation.NEAREST).values > 0


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
