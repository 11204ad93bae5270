"""A pool of synthetic heads: smoothly deformed copies of the ICBM tissue maps."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from DiffusionCore.interpolation.pull import pull
from DiffusionCore.space import Frame
from DiffusionCore.training.anatomy import CENTER, Tissue, tissue_maps
from DiffusionCore.training.tissue_pool import TissuePool, draw_points, pool_grid
from DiffusionCore.transforms.affine import map_points
from DiffusionCore.transforms.base import voxel_centers

_BRAIN = slice(Tissue.CORTEX, Tissue.RIM)
_VENTRICLES = torch.tensor([0.0, -14.0, 12.0])  # ICBM RAS mm, their middle


def draw_head_pool(count: int, *, spacing: float = 4.0, generator: torch.Generator) -> TissuePool:
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
        voxels = map_points(to_voxel, points + _draw_deformation(points, generator))
        warped = pull(image, voxels[None])[0].clamp(0, 1)
        shares.append((255 * warped).round().to(torch.uint8))
        brains.append(draw_points(warped[_BRAIN].sum(0), points, generator))
        heads.append(draw_points(warped.sum(0), points, generator))
    return TissuePool(torch.stack(shares), grid, torch.stack(brains), torch.stack(heads))


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
