"""Where a displacement field turns inside out, between its voxels too."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

from DiffusionCore.transforms.base import SLAB_VOXELS, k_slabs
from DiffusionCore.transforms.displacement import Displacement, voxel_vectors


def folded_cells(field: Displacement) -> Tensor:
    """Return which cells between the voxel centers of ``field`` fold at one corner or more: (K-1, J-1, I-1), bool.

    At a corner of its cell a trilinear map has the Jacobian determinant of the three edges that meet there. Central
    differences, which average two cells, miss a fold that is one cell wide.
    """
    k, j, i = field.grid.shape
    shift = voxel_vectors(field.vectors, field.grid)
    folded = torch.zeros((k - 1, j - 1, i - 1), dtype=torch.bool, device=shift.device)
    for slab in k_slabs(field.grid, SLAB_VOXELS):
        cells = folded[slab]
        part = shift[:, slab.start : slab.start + len(cells) + 1]
        edges = [torch.diff(part, dim=3 - axis) for axis in range(3)]  # along i, j, k
        for axis, edge in enumerate(edges):
            edge[axis] += 1
        for c, b, a in itertools.product((0, 1), repeat=3):
            along_i = edges[0][:, c : c + len(cells), b : b + j - 1]
            along_j = edges[1][:, c : c + len(cells), :, a : a + i - 1]
            along_k = edges[2][:, :, b : b + j - 1, a : a + i - 1]
            cells |= (along_i * torch.linalg.cross(along_j, along_k, dim=0)).sum(0) <= 0
    return folded


def folded_share(field: Displacement) -> float:
    """Return the share, 0..1, of the cells of ``field`` that fold; 0 where an axis has one voxel only."""
    cells = folded_cells(field)
    return float(cells.float().mean()) if cells.numel() else 0.0
