"""What of an image is not background, and small working copies of an image.

Everything here uses a *relative* threshold: resampling, smoothing and Rician noise leave faint non-zero tails around an
object, so ``> 0`` would take the whole box for foreground (our own rule, measured on resampled brains).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from DiffusionCore.space import Frame, Grid, Volume
from DiffusionCore.space.intensities import intensity_levels
from DiffusionCore.space.volume import remembered

_COUNTED = 2_000_000  # voxels that a center is taken from
_SLAB = 2**24  # voxels that are converted to float32 at a time


@dataclass(frozen=True)
class Extent:
    """Where the object is.

    Attributes:
        center: of the foreground as a solid (3,), RAS mm.
        radius: of the ball with the same second moment as the foreground, mm.
        intensity_center: center of mass of the intensities above the background (3,), RAS mm.
    """

    center: NDArray[np.float64]
    radius: float
    intensity_center: NDArray[np.float64]


def foreground_mask(volume: Volume) -> NDArray[np.bool_]:
    """Return the mask (K, J, I) of what lies above 5 % of the way from the background to the bright end."""
    return volume.values > _levels(volume)[1]


@remembered
def extent(volume: Volume) -> Extent:
    """Return where the object is; the whole grid where there is no foreground.

    Center and radius do not depend on the intensities in the foreground, so they survive another contrast.
    """
    step = max(1, round((volume.values.size / _COUNTED) ** (1 / 3)))
    dark, threshold, _ = _levels(volume)
    values = volume.values[::step, ::step, ::step]
    mask = values > threshold
    total = mask.sum()
    if not total:
        return Extent(volume.grid.center, float(np.linalg.norm(volume.grid.extent) / 2), volume.grid.center)
    profiles = _profiles(mask)
    mean = _means(profiles)
    variance = np.array([(p * (np.arange(len(p)) - m) ** 2).sum() / total for p, m in zip(profiles, mean, strict=True)])
    # the grid is orthogonal, so the trace of the covariance in mm needs the variances along its axes only
    square = float((variance * (step * np.array(volume.grid.spacing)) ** 2).sum())
    radius = max(float(np.sqrt(5 / 3 * square)), min(volume.grid.spacing))  # a single voxel has a size too
    above = values.astype(np.float32)
    above -= dark
    bright = _means(_profiles(np.maximum(above, 0, out=above)))
    center, intensity_center = volume.grid.map(step * np.stack([mean, bright]), Frame.VOXEL, Frame.RAS)
    return Extent(center, radius, intensity_center)


def center_of_mass(volume: Volume) -> NDArray[np.float64]:
    """Return the center of the foreground (3,), RAS mm."""
    return extent(volume).center


def working_volume(volume: Volume, spacing: float, width: float = 0.0) -> Volume:
    """Return a float32 copy at ``spacing`` mm: background 0, mean of the foreground 1.

    An axis that is coarser already keeps its spacing. Each output voxel is a triangle-weighted mean as wide as the
    change of spacing, which is linear interpolation where nothing is lost and suppresses aliasing where something is;
    or one over ``width`` mm to each side, where that is wider.
    """
    x, y, z = (max(spacing, s) for s in volume.grid.spacing)
    coarse = volume.grid.with_spacing((x, y, z))
    dark, threshold, _ = _levels(volume)
    rows = [_triangle_weights(volume.grid, coarse, axis, width) for axis in range(3)]
    step = max(1, _SLAB // max(1, volume.grid.size[0] * volume.grid.size[1]))
    slabs = [
        rows[1] @ (torch.from_numpy(volume.values[k : k + step].astype(np.float32)) @ rows[0].T)
        for k in range(0, volume.grid.size[2], step)
    ]
    values = torch.einsum("ck,kji->cji", rows[2], torch.cat(slabs)).contiguous()
    values = torch.where(values > threshold, values - dark, 0.0)
    foreground = values[values > 0]
    return Volume((values / foreground.mean() if len(foreground) else values).numpy(), coarse)


@remembered
def _levels(volume: Volume) -> tuple[float, float, float]:
    return intensity_levels(volume.values)


def _profiles(values: NDArray) -> list[NDArray]:
    """Return the sums of ``values`` (K, J, I) across i, j and k."""
    columns, rows = values.sum(0, dtype=np.float64), values.sum(2, dtype=np.float64)
    return [columns.sum(0), columns.sum(1), rows.sum(1)]


def _means(profiles: list[NDArray]) -> NDArray[np.float64]:
    """Return the mean positions (i, j, k) of ``profiles``."""
    return np.array([(p * np.arange(len(p))).sum() / p.sum() for p in profiles])


def _triangle_weights(grid: Grid, coarse: Grid, axis: int, width: float) -> torch.Tensor:
    """Return the (n_coarse, n) resampling matrix along ``axis`` of two grids with one direction."""
    ratio = coarse.spacing[axis] / grid.spacing[axis]
    first = grid.map(coarse.origin, Frame.RAS, Frame.VOXEL)[axis]
    positions = first + ratio * np.arange(coarse.size[axis])
    reach = max(1.0, ratio, width / grid.spacing[axis])
    positions = np.clip(positions, 0, grid.size[axis] - 1)  # the coarse grid may reach half a voxel further
    weights = np.maximum(0, 1 - abs(positions[:, None] - np.arange(grid.size[axis])) / reach)
    return torch.from_numpy((weights / weights.sum(1, keepdims=True)).astype(np.float32))
