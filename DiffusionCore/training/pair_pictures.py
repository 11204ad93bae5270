"""What the pictures of a registration show: both images, the moving one as it is warped, and what is left."""

from __future__ import annotations

import torch
from torch import Tensor

from DiffusionCore.affine.pose import PoseFrame, windows
from DiffusionCore.training.image_batches import displaced, foreground

_APART = 8  # voxels between the lines of a grid


def pair_pictures(fixed: Tensor, moving: Tensor, warped: Tensor) -> dict[str, Tensor]:
    """Return pictures (B, 1, K, J, I) of a registration of images (B, 1, K, J, I) of one range."""
    return {"fixed": fixed, "moving": moving, "warped": warped, "difference": difference(fixed, warped)}


def difference(fixed: Tensor, warped: Tensor) -> Tensor:
    """Return |fixed - (a warped + b)| where ``fixed`` (B, 1, K, J, I) shows something, else 0.

    The line a, b that fits best is each image's own: an image of inverted contrast that lies right differs by nothing.
    """
    mask = foreground(fixed).float()
    count = mask.sum((1, 2, 3, 4), keepdim=True).clamp(min=1)

    def mean(values: Tensor) -> Tensor:
        return (mask * values).sum((1, 2, 3, 4), keepdim=True) / count

    one, other = fixed - mean(fixed), warped - mean(warped)
    slope = mean(one * other) / mean(other.square()).clamp(min=1e-6)
    return mask * (one - slope * other).abs()


def moved(images: Tensor, matrices: Tensor, frame: PoseFrame) -> Tensor:
    """Return windows (B, 1, n, n, n) of ``images`` in ``frame``, read where ``matrices`` (B, 4, 4) take their points.

    The matrices take mm from the middle of the window to such mm. All on the CPU.
    """
    to_voxel = torch.eye(4) / frame.spacing
    to_voxel[:3, 3], to_voxel[3, 3] = (frame.size - 1) / 2, 1.0
    return windows(images, to_voxel @ matrices.float(), frame)


def warped_grid(offsets: Tensor, brightness: float) -> Tensor:
    """Return a lattice of lines (B, 1, K, J, I) as ``offsets`` (B, 3, K, J, I), voxels, warp it.

    Its planes keep off those through the middle, so that a cut there shows the lines across it.
    """
    lines = torch.zeros(1, 1, *offsets.shape[2:], device=offsets.device)
    for axis in (2, 3, 4):
        size = lines.shape[axis]
        away = (torch.arange(size, device=offsets.device) - size // 2) % _APART == _APART // 2
        lines.index_fill_(axis, away.nonzero().flatten(), brightness)
    return displaced(lines.expand(len(offsets), -1, -1, -1, -1), offsets)
