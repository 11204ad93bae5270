"""Shifts of the voxels of a grid, in voxels along (i, j, k): where they lead, and what an image shows there."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from DiffusionCore.interpolation.pull import pull
from DiffusionCore.kernels import kernel_for


def pull_at(fields: Tensor, shifts: Tensor) -> Tensor:
    """Return ``fields`` (B, C, K, J, I) at the voxels moved by ``shifts`` (B, 3, K, J, I), voxels; borders continue."""
    if kernel := kernel_for("pull_at", fields, shifts):
        return kernel(fields, shifts)
    return pull(fields, moved_voxels(shifts, shifts.shape[2:]), fill=None)


def enlarged(fields: Tensor, shape: Sequence[int]) -> Tensor:
    """Return ``fields`` (B, C, K', J', I') between their voxels: on a grid of ``shape`` (K, J, I) with their borders.

    Trilinear; beyond the outer voxels they continue.
    """
    learns = torch.is_grad_enabled() and fields.requires_grad
    if not learns and (kernel := kernel_for("enlarged", fields)):
        return kernel(fields, shape)
    return interpolate(fields, size=tuple(shape), mode="trilinear")


def moved_voxels(shifts: Tensor, shape: Sequence[int]) -> Tensor:
    """Return where ``shifts`` (B, 3, K', J', I') take the voxels of a grid of ``shape`` (K, J, I): (B, K, J, I, 3).

    The shifts are in voxels of their own grid, which has the same borders; between its voxels they are trilinear. The
    points are VOXEL points (i, j, k) of the grid of ``shape``.
    """
    if shifts.shape[2:] == torch.Size(shape):
        fine = shifts
    elif not (torch.is_grad_enabled() and shifts.requires_grad) and (kernel := kernel_for("moved_voxels", shifts)):
        return kernel(shifts, shape)
    else:
        ratio = [fine / coarse for fine, coarse in zip(shape[::-1], shifts.shape[:1:-1], strict=True)]
        fine = enlarged(shifts, shape)
        fine = fine * torch.tensor(ratio).to(fine)[:, None, None, None]
    k, j, i = torch.meshgrid(*(torch.arange(n, dtype=fine.dtype, device=fine.device) for n in shape), indexing="ij")
    return (fine + torch.stack([i, j, k])).movedim(1, -1)
