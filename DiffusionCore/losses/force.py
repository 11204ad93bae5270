"""Which way an image that is being warped must move to become more like a reference."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from DiffusionCore.interpolation import pull


class Comparison(Protocol):
    """Compares images (B, 1, K, J, I) with one reference: the more alike, the higher."""

    def value(self, image: Tensor) -> Tensor:
        """Return how alike ``image`` is, (B,), at most 1."""
        ...

    def value_and_slope(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``value``, and its derivative (B, 1, K, J, I) with respect to each voxel of ``image``."""
        ...


def with_gradient(image: Tensor, spacing: tuple[float, float, float]) -> Tensor:
    """Return ``image`` (B, 1, K, J, I) and its central differences per mm along (i, j, k): (B, 4, K, J, I).

    ``spacing`` is that of the voxels along (i, j, k), mm; an axis of one voxel has no slope.
    """
    axes = zip((4, 3, 2), spacing, strict=True)
    slopes = [
        torch.gradient(image, spacing=s, dim=axis)[0] if image.shape[axis] > 1 else torch.zeros_like(image)
        for axis, s in axes
    ]
    return torch.cat([image, *slopes], 1)


def force(comparison: Comparison, image: Tensor, coordinates: Tensor) -> tuple[Tensor, Tensor]:
    """Return how like the reference the warped image is, (B,), and the derivative by the displacement of each voxel.

    The derivative (B, 3, K, J, I), per mm along the axes (i, j, k), is the slope of the comparison times the
    *warped gradient of the image*: both are pulled together, which costs little more than the image alone. (The
    derivative of the trilinear interpolant, which autograd takes, is rougher and serves no better.)

    Args:
        comparison: with the reference, on the grid of the result.
        image: ``with_gradient`` of the image that moves (B, 4, K', J', I').
        coordinates: where it is read (B, K, J, I, 3), its VOXEL points; beyond its border it continues.
    """
    warped = pull(image, coordinates, fill=None)
    value, slope = comparison.value_and_slope(warped[:, :1])
    return value, slope * warped[:, 1:]
