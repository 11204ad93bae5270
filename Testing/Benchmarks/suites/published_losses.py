"""Losses as their sources describe them, in what torch offers and with its own derivatives, for timing.

Images are (B, 1, K, J, I); fields are in voxels, channels along (i, j, k).
"""

from __future__ import annotations

from itertools import combinations

import torch
import torch.nn.functional as F
from torch import Tensor

_WINDOW = 9


def warped(images: Tensor, field: Tensor, padding: str = "zeros", mode: str = "bilinear") -> Tensor:
    """Return ``images`` (B, C, K, J, I) at their voxels moved by ``field`` (B, 3, K, J, I)."""
    k, j, i = field.shape[2:]
    axes = torch.meshgrid(*(torch.arange(n).to(field) for n in (k, j, i)), indexing="ij")
    points = torch.stack(axes[::-1]) + field
    unit = 2 * points / (torch.tensor([i, j, k]).to(field).view(3, 1, 1, 1) - 1) - 1
    return F.grid_sample(images, unit.movedim(1, -1), mode, padding, align_corners=True)


def roughness(field: Tensor) -> Tensor:
    """Return the mean of the squared differences of neighbors, along each axis, and of these."""
    return torch.stack([field.diff(dim=axis).square().mean() for axis in (2, 3, 4)]).mean()


def gradient_penalty(field: Tensor, spacing: tuple[float, float, float]) -> Tensor:
    """Return the mean over the voxels of the squared derivatives of ``field``, summed over axes and components, in mm.

    VoxelMorph (Balakrishnan et al., IEEE TMI 2019), eq. 7; ``spacing`` is along (i, j, k).
    """
    slopes = (field.diff(dim=axis) / step for axis, step in zip((4, 3, 2), spacing, strict=True))
    return torch.stack([slope.square().sum(1).mean() for slope in slopes]).sum()


def bending_energy(field: Tensor, spacing: tuple[float, float, float]) -> Tensor:
    """Return the mean over the voxels of the squared second derivatives of ``field``, all of them, in mm.

    Rueckert et al., IEEE TMI 18 (1999), eq. 3; ``spacing`` is along (i, j, k).
    """
    slopes = [field.diff(dim=axis) / step for axis, step in zip((4, 3, 2), spacing, strict=True)]
    total = field.new_zeros(())
    for number, (slope, axis, step) in enumerate(zip(slopes, (4, 3, 2), spacing, strict=True)):
        total = total + (slope.diff(dim=axis) / step).square().sum(1).mean()
        for other, across in list(zip((4, 3, 2), spacing, strict=True))[number + 1 :]:
            total = total + 2 * (slope.diff(dim=other) / across).square().sum(1).mean()
    return total


def correlation(fixed: Tensor, moved: Tensor) -> Tensor:
    """Return minus the mean squared local correlation: sums over cubes of 9 voxels by convolution with ones."""
    ones, count = fixed.new_ones(1, 1, _WINDOW, _WINDOW, _WINDOW), _WINDOW**3

    def summed(image: Tensor) -> Tensor:
        return F.conv3d(image, ones, padding=_WINDOW // 2)

    one, other = summed(fixed), summed(moved)
    cross = summed(fixed * moved) - one * other / count
    spread = (summed(fixed * fixed) - one * one / count) * (summed(moved * moved) - other * other / count)
    return -(cross * cross / (spread + 1e-5)).mean()


def similarity(one: Tensor, other: Tensor) -> Tensor:
    """Return the structural similarity under a Gaussian window of 9 voxels, by convolution with the whole of it."""
    line = torch.exp(-((torch.arange(_WINDOW, device=one.device) - _WINDOW // 2) ** 2) / (2 * 1.5**2))
    line = line / line.sum()
    window = (line[:, None, None] * line[:, None] * line)[None, None]

    def mean(image: Tensor) -> Tensor:
        return F.conv3d(F.pad(image, (_WINDOW // 2,) * 6, mode="reflect"), window)

    a, b = mean(one), mean(other)
    spreads, both = (mean(one * one) - a * a) + (mean(other * other) - b * b), mean(one * other) - a * b
    return ((2 * a * b + 1e-4) * (2 * both + 9e-4) / ((a * a + b * b + 1e-4) * (spreads + 9e-4))).mean()


def self_similarity(image: Tensor, *, patch: int = 3, floor: float = 1e-2) -> Tensor:
    """Return the self-similarity context (B, 12, K, J, I) of ``image``.

    MIND-SSC (Heinrich et al., MICCAI 2013): the mean square difference D of the patches about each two of the six
    neighbors of a voxel that lie along different axes, and exp(-D / V) by their mean V, which ``floor`` is added to.
    """
    padded, (k, j, i) = F.pad(image, (1,) * 6, mode="replicate"), image.shape[2:]
    neighbors = {
        (axis, side): padded[:, :, dk : dk + k, dj : dj + j, di : di + i]
        for axis, side, (dk, dj, di) in (
            (0, 0, (0, 1, 1)),
            (0, 1, (2, 1, 1)),
            (1, 0, (1, 0, 1)),
            (1, 1, (1, 2, 1)),
            (2, 0, (1, 1, 0)),
            (2, 1, (1, 1, 2)),
        )
    }
    pairs = [(a, b) for a, b in combinations(neighbors, 2) if a[0] != b[0]]
    squares = torch.cat([(neighbors[a] - neighbors[b]).square() for a, b in pairs], 1)
    distances = F.avg_pool3d(F.pad(squares, (patch // 2,) * 6, mode="replicate"), patch, stride=1)
    return torch.exp(-distances / (distances.mean(1, keepdim=True) + floor))
