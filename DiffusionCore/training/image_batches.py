"""What the makers of training images share: foreground, smooth noise and displacement of batches (B, 1, K, J, I)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from DiffusionCore.interpolation import enlarged, pull_affine

_FOREGROUND = 0.05  # of the maximum of an image


def foreground(images: Tensor) -> Tensor:
    """Return the mask (B, 1, K, J, I) of what is brighter than 5 % of the maximum of its image."""
    return images > _FOREGROUND * images.amax((1, 2, 3, 4), keepdim=True)


def mean_within(images: Tensor, mask: Tensor) -> Tensor:
    """Return the mean (B, 1, 1, 1, 1) of each image over its ``mask``; at least 0.001, so that one can divide by it."""
    total, count = (images * mask).sum((1, 2, 3, 4), keepdim=True), mask.sum((1, 2, 3, 4), keepdim=True)
    return (total / count.clamp(min=1)).clamp(min=1e-3)


def smooth_noise(
    batch: int,
    size: Sequence[int],
    *,
    nodes: int,
    channels: int = 1,
    most: float = math.inf,
    generator: torch.Generator,
) -> Tensor:
    """Return fields (batch, channels, K, J, I) of ``size`` (K, J, I), linear between ``nodes`` random nodes a side.

    The nodes are N(0, 1), clamped at ``most``.
    """
    shape = (batch, channels, nodes, nodes, nodes)
    control = torch.randn(shape, generator=generator, device=generator.device).clamp(-most, most)
    return enlarged(control, size)


def displaced(images: Tensor, offsets: Tensor) -> Tensor:
    """Return y(p) = x(p + offset): ``offsets`` (B, 3, K, J, I) or (B, 3, 1, 1, 1) in voxels, channels (i, j, k)."""
    identity, shape = torch.eye(3, 4, dtype=images.dtype, device=images.device)[None], images.shape[2:]
    return pull_affine(images, identity, shape, offsets.expand(len(images), 3, *shape))


def voxel_indices(images: Tensor) -> Tensor:
    """Return the VOXEL points of ``images`` as (1, 3, K, J, I), channels (i, j, k)."""
    axes = [torch.arange(n, dtype=torch.float32, device=images.device) for n in images.shape[2:]]
    return torch.stack(torch.meshgrid(axes, indexing="ij")[::-1])[None]


def voxel_counts(images: Tensor) -> Tensor:
    """Return the voxels along (i, j, k), (1, 3, 1, 1, 1)."""
    return torch.tensor(images.shape[:1:-1], dtype=torch.float32, device=images.device).view(1, 3, 1, 1, 1)
