"""A pool of synthetic objects, heads or other shapes, as shares of tissues: without contrast, kept as bytes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from DiffusionCore.kernels import kernel_for
from DiffusionCore.space import Grid
from DiffusionCore.training.anatomy import CENTER

POINTS = 400  # per object and mask; enough for a center of mass within a millimeter


@dataclass(frozen=True, eq=False)
class TissuePool:
    """Synthetic objects in ICBM space.

    Attributes:
        shares: (objects, tissues, K, J, I) uint8, 255 = the whole voxel.
        grid: the grid of the maps, RAS mm.
        brain_points: (objects, points, 3) RAS mm, uniform in the brain; of a shape that is no head, in all of it.
        head_points: (objects, points, 3) RAS mm, uniform in the whole object, with skull and scalp.
    """

    shares: Tensor
    grid: Grid
    brain_points: Tensor
    head_points: Tensor

    def joined(self, other: TissuePool) -> TissuePool:
        """Return the pool of both, on the same grid."""
        fields = ("shares", "brain_points", "head_points")
        shares, brains, heads = (torch.cat([getattr(self, name), getattr(other, name)]) for name in fields)
        return TissuePool(shares, self.grid, brains, heads)


def painted(shares: Tensor, chosen: Tensor, table: Tensor) -> Tensor:
    """Return images (B, C, K, J, I) of the ``chosen`` (B,) of ``shares`` (objects, tissues, K, J, I), 255 = 1.

    ``table`` (B, C, tissues) are the intensities of the tissues.
    """
    weights = table / 255
    images = weights.new_empty(*table.shape[:2], *shares.shape[2:])
    if kernel := kernel_for("painted", weights, images):
        return kernel(shares, chosen, weights, images)
    torch.bmm(weights, shares[chosen].flatten(2).float(), out=images.flatten(2))
    return images


def pool_grid(spacing: float) -> Grid:
    """Return the grid of a pool, in ICBM RAS mm: at 4 mm it holds a head and its deformations."""
    return Grid((48, 56, 52), (spacing, spacing, spacing)).with_center((CENTER[0], CENTER[1], CENTER[2] - 6))


def draw_points(density: Tensor, points: Tensor, generator: torch.Generator) -> Tensor:
    """Return points (N, 3) of the object: where ``density`` (K, J, I) at ``points`` (K, J, I, 3) is above a half."""
    chosen = torch.multinomial((density > 0.5).float().flatten(), POINTS, replacement=True, generator=generator)
    return points.flatten(0, 2)[chosen]
