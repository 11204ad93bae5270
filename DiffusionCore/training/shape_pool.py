"""A pool of random shapes: objects that are no head, for networks that must serve any organ."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from DiffusionCore.training.anatomy import CENTER, Tissue
from DiffusionCore.training.image_batches import smooth_noise
from DiffusionCore.training.tissue_pool import POINTS, TissuePool, draw_points, pool_grid
from DiffusionCore.transforms.base import voxel_centers


def draw_shape_pool(count: int, *, spacing: float = 4.0, generator: torch.Generator) -> TissuePool:
    """Return ``count`` shapes on the grid of the heads: bumpy ellipsoids that random smooth regions divide.

    A region is where its smooth noise (5 to 9 nodes a side) is the largest. There are as many regions as a head has
    tissues, so both kinds of pools mix. Source: our own.
    """
    grid = pool_grid(spacing)
    points = voxel_centers(grid, dtype=torch.float32)
    shares = torch.empty(count, len(Tissue), *grid.shape, dtype=torch.uint8)
    inside = torch.empty(count, POINTS, 3)
    for shape, chosen in zip(shares, inside, strict=True):
        shape[:] = _draw_shape(points - torch.tensor(CENTER), generator)
        chosen[:] = draw_points(shape.sum(0) / 255.0, points, generator)
    return TissuePool(shares, grid, inside, inside)


def _draw_shape(points: Tensor, generator: torch.Generator) -> Tensor:
    """Return the shares (tissues, K, J, I) uint8 of one shape at ``points`` (K, J, I, 3), mm from the middle."""
    size = points.shape[:3]
    radii = 45 + 35 * torch.rand(3, generator=generator)
    bumps = smooth_noise(1, size, nodes=4, generator=generator)[0, 0]
    inside = (points / radii).square().sum(-1).sqrt() + 0.25 * bumps < 1
    nodes = int(torch.randint(5, 10, (), generator=generator))
    regions = smooth_noise(1, size, nodes=nodes, channels=len(Tissue), generator=generator)[0].argmax(0)
    shares = F.one_hot(regions, len(Tissue)).movedim(-1, 0) * inside
    return (255 * F.avg_pool3d(shares.float()[None], 3, 1, 1)[0]).round().to(torch.uint8)
