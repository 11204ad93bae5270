"""A pool of synthetic heads: smoothly deformed copies of the ICBM tissue maps, kept as bytes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from DiffusionCore.interpolation.pull import pull
from DiffusionCore.space import Frame, Grid
from DiffusionCore.training.anatomy import CENTER, Tissue, tissue_maps
from DiffusionCore.transforms.base import voxel_centers

_BRAIN = slice(Tissue.CORTEX, Tissue.RIM)
POINTS = 400  # per head and mask; enough for a center of mass within a millimeter
_VENTRICLES = torch.tensor([0.0, -14.0, 12.0])


@dataclass(frozen=True)
class HeadPool:
    """Synthetic heads in ICBM space.

    Attributes:
        shares: (heads, tissues, K, J, I) uint8, 255 = the whole voxel.
        grid: the grid of the maps, RAS mm.
        brain_points: (heads, points, 3) RAS mm, uniform in the brain.
        head_points: (heads, points, 3) RAS mm, uniform in brain, skull and scalp.
    """

    shares: Tensor
    grid: Grid
    brain_points: Tensor
    head_points: Tensor

    def joined(self, other: HeadPool) -> HeadPool:
        """Return the pool of both, on the same grid."""
        fields = ("shares", "brain_points", "head_points")
        shares, brains, heads = (torch.cat([getattr(self, name), getattr(other, name)]) for name in fields)
        return HeadPool(shares, self.grid, brains, heads)


def draw_head_pool(count: int, *, spacing: float = 4.0, generator: torch.Generator) -> HeadPool:
    """Return ``count`` deformed heads at ``spacing`` mm.

    Each deformation sums random control grids of 3, 5 and 9 nodes (up to 9, 5 and 2.5 mm), scales of the axes by 5 %
    and an enlargement of the ventricles. Source: our own.
    """
    maps, source = tissue_maps()
    image = torch.from_numpy(maps)[None]
    grid = pool_grid(spacing)
    points = voxel_centers(grid, dtype=torch.float32)
    to_voxel = torch.from_numpy(source.matrix(Frame.RAS, Frame.VOXEL)).float()
    shares, brains, heads = [], [], []
    for _ in range(count):
        moved = points + _draw_deformation(points, generator)
        voxels = moved @ to_voxel[:3, :3].T + to_voxel[:3, 3]
        warped = pull(image, voxels[None])[0].clamp(0, 1)
        shares.append((255 * warped).round().to(torch.uint8))
        brains.append(draw_points(warped[_BRAIN].sum(0), points, generator))
        heads.append(draw_points(warped.sum(0), points, generator))
    return HeadPool(torch.stack(shares), grid, torch.stack(brains), torch.stack(heads))


def pool_grid(spacing: float) -> Grid:
    """Return the grid of a pool, in ICBM RAS mm: at 4 mm it holds a head and its deformations."""
    return Grid((48, 56, 52), (spacing,) * 3).with_center((CENTER[0], CENTER[1], CENTER[2] - 6))


def _draw_deformation(points: Tensor, generator: torch.Generator) -> Tensor:
    """Return a smooth displacement in mm at ``points`` (K, J, I, 3)."""
    displacement = torch.zeros_like(points)
    for nodes, most in ((3, 9.0), (5, 5.0), (9, 2.5)):
        amplitude = most * torch.rand((), generator=generator)
        control = amplitude * torch.randn(1, 3, nodes, nodes, nodes, generator=generator)
        field = F.interpolate(control, points.shape[:3], mode="trilinear")[0]
        displacement += field.movedim(0, -1)
    center = torch.tensor(CENTER)
    displacement += (points - center) * 0.05 * torch.randn(3, generator=generator)
    enlargement = 0.5 * torch.rand((), generator=generator)
    from_ventricles = points - _VENTRICLES
    weight = torch.exp(-from_ventricles.square().sum(-1, keepdim=True) / (2 * 25.0**2))
    return displacement - enlargement * weight * from_ventricles


def draw_points(density: Tensor, points: Tensor, generator: torch.Generator) -> Tensor:
    """Return points (N, 3) of the object: where ``density`` (K, J, I) at ``points`` (K, J, I, 3) is above a half."""
    chosen = torch.multinomial((density > 0.5).float().flatten(), POINTS, replacement=True, generator=generator)
    return points.flatten(0, 2)[chosen]
