"""Synthetic heads, as tensors and as a folder of images, for the suite of trainings."""

from __future__ import annotations

import torch
from torch import Tensor

from DiffusionCore.images.frame import ImageFrame, Intensities
from DiffusionCore.training.head_pool import draw_head_pool
from DiffusionCore.training.image_folder import ImageFolder
from DiffusionCore.training.single_volumes import SyntheticVolumes


def heads(shape: tuple[int, int, int]) -> Tensor:
    """Return synthetic heads (8, 1, K, J, I) in [0, 1] of ``shape`` (K, J, I)."""
    generator = torch.Generator().manual_seed(0)
    pool = SyntheticVolumes(draw_head_pool(4, generator=generator))
    return torch.nn.functional.interpolate(pool.draw(8, generator=generator).images, shape, mode="trilinear")


def folder(size: tuple[int, int, int], spacing: float) -> ImageFolder:
    """Return ``heads`` of ``size`` (i, j, k) as a folder of images without labels."""
    images, frame = heads(size[::-1]), ImageFrame(size, spacing, Intensities(0.3, 0.5, 1.0))
    labels, classes = torch.zeros(len(images), *images.shape[2:]), torch.zeros(len(images), dtype=torch.int64)
    return ImageFolder(frame, tuple("abcdefgh"), images.half(), labels.short(), classes)
