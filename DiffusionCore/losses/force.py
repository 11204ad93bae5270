"""Which way an image that is being warped must move to become more like a reference."""

from __future__ import annotations

import torch
from torch import Tensor

from DiffusionCore.interpolation import pull
from DiffusionCore.losses.local_correlation import LocalCorrelation


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


def force(correlation: LocalCorrelation, image: Tensor, coordinates: Tensor) -> tuple[Tensor, Tensor]:
    """Return how like the reference the warped image is, (B,), and the derivative by the displacement of each voxel.

    The derivative (B, 3, K, J, I), per mm along the axes (i, j, k), is the slope of the local correlation times the
    *warped gradient of the image*: both are pulled together, which costs little more than the image alone. (The
    derivative of the trilinear interpolant, which autograd takes, is rougher and serves no better.)

    Args:
        correlation: with the reference, on the grid of the result.
        image: ``with_gradient`` of the image that moves (B, 4, K', J', I').
        coordinates: where it is read (B, K, J, I, 3), its VOXEL points; beyond its border it continues.
    """
    warped = pull(image, coordinates, fill=None)
    value, slope = correlation.value_and_slope(warped[:, :1])
    return value, slope * warped[:, 1:]
