"""Where a displacement field turns inside out, between its voxels too."""

from __future__ import annotations

import itertools
from dataclasses import replace

import torch
from torch import Tensor

from DiffusionCore.transforms.base import SLAB_VOXELS, k_slabs
from DiffusionCore.transforms.displacement import Displacement, voxel_vectors


def folded_cells(field: Displacement) -> Tensor:
    """Return which cells between the voxel centers of ``field`` fold at one corner or more: (K-1, J-1, I-1), bool.

    At a corner of its cell a trilinear map has the Jacobian determinant of the three edges that meet there. Central
    differences, which average two cells, miss a fold that is one cell wide. An axis of one voxel is taken for two that
    move alike, so the cells of a single slice are (1, J-1, I-1), for example.
    """
    shift = voxel_vectors(field.vectors, field.grid)
    shift = shift.expand(3, *(max(n, 2) for n in field.grid.shape))
    k, j, i = shift.shape[1:]
    folded = torch.zeros((k - 1, j - 1, i - 1), dtype=torch.bool, device=shift.device)
    for slab in k_slabs(replace(field.grid, size=(i, j, k)), SLAB_VOXELS):
        cells = folded[slab]
        if not cells.numel():
            continue
        part = shift[:, slab.start : slab.start + len(cells) + 1]
        edges = [torch.diff(part, dim=3 - axis) for axis in range(3)]  # along i, j, k
        k, j, i = (_bent(edges) >= 1).nonzero().unbind(1)
        for axis, edge in enumerate(edges):
            edge[axis] += 1
        for c, b, a in itertools.product((0, 1), repeat=3):
            along_i, along_j = edges[0][:, k + c, j + b, i], edges[1][:, k + c, j, i + a]
            along_k = edges[2][:, k, j + b, i + a]
            cells[k, j, i] |= (along_i * torch.linalg.cross(along_j, along_k, dim=0)).sum(0) <= 0
    return folded


def _bent(edges: list[Tensor]) -> Tensor:
    """Return for each cell a bound of |J - I|^2 (Frobenius norm) at its corners; where it is below 1 nothing folds.

    ``edges`` (3, K, J, I) are the differences of the displacement along i, j, k.
    """
    total = torch.zeros(())
    for axis, edge in enumerate(edges):
        longest = edge.square().sum(0)
        for dim in {0, 1, 2} - {2 - axis}:
            count = longest.shape[dim] - 1
            longest = torch.maximum(longest.narrow(dim, 0, count), longest.narrow(dim, 1, count))
        total = total.to(longest) + longest
    return total


def folded_share(field: Displacement) -> float:
    """Return the share, 0..1, of the cells of ``field`` that fold."""
    return float(folded_cells(field).float().mean())
