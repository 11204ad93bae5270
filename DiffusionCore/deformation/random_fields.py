"""Random smooth velocity fields with several scales, in mm.

::

    v = sum over scales of  amplitude x cubic B-spline with a random coefficient every ``scale`` mm

Where the published system works on a lattice of 64 cells whatever the image, this works in mm on the grid of any image.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from DiffusionCore.checks import GeometryError, check_range
from DiffusionCore.space import Grid

_THINNEST = 4  # voxels


@dataclass(frozen=True)
class MultiScale:
    """The law of a random velocity field of unit variance.

    Attributes:
        scales: mm between the control points of each part, increasing: from a gyrus to a lobe.
        growth: the amplitude of a part is its scale to this power (published: 1).

    Raises:
        ValueError: no scales, or scales that are not positive and increasing.

    Source: Zheng et al., DRDM (Medical Image Analysis 110, 2026), section 3; in mm and by B-splines our own. The four
    default scales are the published ones on a head: its lattice cell is about 5 mm there, its scales 1 to 8 cells.
    """

    scales: tuple[float, ...] = (8.0, 16.0, 32.0, 64.0)
    growth: float = 1.0

    def __post_init__(self) -> None:
        if not self.scales or not all(a < b < math.inf for a, b in zip((0.0, *self.scales), self.scales, strict=False)):
            raise ValueError(f"'scales' must be positive and increasing lengths in mm, got {self.scales}")
        check_range(self, -4, 4, "growth")

    def scaled(self, factor: float) -> MultiScale:
        """Return the law with all scales times ``factor``: that of a smaller or larger organ."""
        return MultiScale(tuple(factor * scale for scale in self.scales), self.growth)

    def amplitudes(self) -> tuple[float, ...]:
        """Return the deviation of each part; their squares add to 1."""
        sizes = [scale**self.growth for scale in self.scales]
        return tuple(size / math.hypot(*sizes) for size in sizes)

    def grid_for(self, grid: Grid) -> Grid:
        """Return the grid to hold such fields over ``grid``: two voxels for the smallest scale, not finer than its own.

        Over a single slice it is a single slice.

        Raises:
            GeometryError: the grid is so thin that what moves would leave it.
        """
        across = grid.slice_axis
        if min(n for axis, n in enumerate(grid.size) if axis != across) < _THINNEST:
            raise GeometryError(
                f"A deformation needs at least {_THINNEST} voxels along every axis, or one slice, got {grid.size}."
            )
        i, j, k = (
            spacing if axis == across else max(self.scales[0] / 2, spacing) for axis, spacing in enumerate(grid.spacing)
        )
        return grid.with_spacing((i, j, k))

    def draw(self, grid: Grid, *, generator: torch.Generator) -> Tensor:
        """Return a field (3, K, J, I), float32: every component N(0, 1) at every voxel of ``grid``, channels (x, y, z).

        The control points lie at multiples of the scale from the center of the grid, along its axes.
        """
        field = torch.zeros((3, *grid.shape))
        for scale, amplitude in zip(self.scales, self.amplitudes(), strict=True):
            i, j, k = (_spline_weights(n, spacing / scale) for n, spacing in zip(grid.size, grid.spacing, strict=True))
            coefficients = amplitude * torch.randn((3, k.shape[1], j.shape[1], i.shape[1]), generator=generator)
            along_j = j @ (coefficients @ i.T)
            field += (k @ along_j.flatten(2)).view(field.shape)
        return field


def sealed(vectors: Tensor, grid: Grid, margin: float) -> Tensor:
    """Return ``vectors`` (3, K, J, I), RAS mm, without what would cross the outer borders of ``grid``.

    Towards each face the component across it comes to rest over ``margin`` mm (at most a quarter of the side); what
    runs along it stays. So the flow takes the field of view onto itself: nothing is pushed out of it, and nothing
    unknown comes in. In a single slice nothing moves across it. Source: our own.
    """
    axes = torch.tensor(grid.direction, dtype=vectors.dtype, device=vectors.device)
    across = torch.einsum("xa,xkji->akji", axes, vectors)
    for axis, (n, spacing) in enumerate(zip(grid.size, grid.spacing, strict=True)):
        voxel = torch.arange(n, dtype=vectors.dtype, device=vectors.device)
        depth = (torch.minimum(voxel, voxel.flip(0)) + 0.5) * spacing / min(margin, n * spacing / 4)
        shape = [1, 1, 1]
        shape[2 - axis] = n
        across[axis] *= torch.sin(math.pi / 2 * depth.clamp(max=1)).view(shape) if n > 1 else 0.0
    return torch.einsum("xa,akji->xkji", axes, across)


def resting(vectors: Tensor, grid: Grid, margin: float) -> Tensor:
    """Return ``vectors`` (..., K, J, I), which come to rest over ``margin`` mm towards the outer borders of ``grid``.

    A displacement is zero outside of its grid: one that is not at rest there would tear. Source: our own.
    """
    for axis, (n, spacing) in enumerate(zip(grid.size, grid.spacing, strict=True)):
        voxel = torch.arange(n, dtype=vectors.dtype, device=vectors.device)
        depth = (torch.minimum(voxel, voxel.flip(0)) * spacing / margin).clamp(max=1)
        shape = [1, 1, 1]
        shape[2 - axis] = n
        vectors = vectors * torch.sin(math.pi / 2 * depth).square().view(shape)
    return vectors


@functools.lru_cache(maxsize=64)
def _spline_weights(count: int, step: float) -> Tensor:
    """Return the weights (count, controls), float32, of cubic B-splines at ``count`` points ``step`` cells apart.

    Every row has the norm 1, so that coefficients of unit variance give values of unit variance.
    """
    positions = (np.arange(count) - (count - 1) / 2) * step
    first, last = math.floor(positions[0]) - 1, math.floor(positions[-1]) + 2
    distance = np.abs(positions[:, None] - np.arange(first, last + 1))
    near, far = 2 / 3 - distance**2 + distance**3 / 2, np.maximum(2 - distance, 0) ** 3 / 6
    weights = np.where(distance < 1, near, far)
    return torch.from_numpy((weights / np.linalg.norm(weights, axis=1, keepdims=True)).astype(np.float32))
