"""Local correlation of patches after the contrast of the fixed image has been matched to the moving one.

Mutual information finds an alignment in any contrast, but it looks at the whole image at once, and between two people
it is ruled by the large boundaries. Once the images nearly agree, the joint histogram says what every fixed intensity
looks like in the moving image: its conditional mean. Replacing the fixed intensities by it leaves two images of one
contrast, whose small patches can be correlated (our own; the conditional mean is that of the correlation ratio, Roche
et al., MICCAI 1998).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from DiffusionCore.affine.pair import WorkingPair
from DiffusionCore.affine.sampling import Reading, Samples, foreground_points
from DiffusionCore.affine.similarity import BINS, joint_histogram

_FLAT = 0.05  # variance (bins squared) that counts as noise, so that an even patch does not correlate


@dataclass(frozen=True)
class Patches:
    """Cubic patches: ``points`` (K, P, 3) mm about the fixed center, and their bin ``positions`` (K, P)."""

    points: Tensor
    positions: Tensor


def fixed_patches(
    pair: WorkingPair, level: int, count: int, width: int, apart: float, *, generator: torch.Generator
) -> Patches:
    """Return ``count`` patches of ``width`` points a side, ``apart`` voxels of the level from each other, shuffled."""
    volume = pair.levels[level].fixed
    centers = foreground_points(volume, pair.fixed.center, count, generator=generator)
    centers = centers[torch.randperm(len(centers), generator=generator)]
    axis = (torch.arange(width) - (width - 1) / 2) * apart
    offsets = torch.cartesian_prod(axis, axis, axis) * torch.tensor(volume.grid.spacing)
    points = centers[:, None] + offsets @ torch.tensor(volume.grid.direction).T
    return Patches(points, pair.fixed_positions(level, points.flatten(0, 1)).view(points.shape[:2]))


def matched(pair: WorkingPair, level: int, patches: Patches, matrix: Tensor, samples: Samples) -> Patches:
    """Return ``patches`` in the contrast of the moving image, standardized; ``matrix`` (4, 4) aligns the images.

    ``matrix`` takes points about the fixed center to moving RAS; the contrast is learned from ``samples``.
    """
    table = contrast_map(samples.bins, pair.levels[level].moving.read(matrix[None], samples.points))
    low = patches.positions.floor().long().clamp(0, len(table) - 2)
    return Patches(patches.points, standardized(torch.lerp(table[low], table[low + 1], patches.positions - low)))


def contrast_map(bins: Tensor, reading: Reading) -> Tensor:
    """Return for each fixed bin (BINS,) the mean bin position of the moving samples ``reading``."""
    joint = joint_histogram(bins, reading.positions, reading.inside).sum(0)
    joint = joint + 1e-3 * joint.sum(0)  # a bin that never occurs gets the mean of all
    return joint @ torch.arange(BINS, dtype=joint.dtype) / joint.sum(1).clamp_min(1e-12)


def standardized(positions: Tensor) -> Tensor:
    """Return patches (..., P) with mean 0 and norm 1; even ones shorter."""
    centered = positions - positions.mean(-1, keepdim=True)
    return centered / _norm(centered)


def local_correlation_slope(fixed: Tensor, reading: Reading) -> tuple[Tensor, Tensor]:
    """Return the mean squared correlation (C,) of patches and its derivative (C, K P) for each moving sample.

    ``fixed`` (K, P) is standardized. A patch that leaves the moving image does not count.
    """
    moving = reading.positions.view(-1, *fixed.shape)
    centered = moving - moving.mean(-1, keepdim=True)
    norm = _norm(centered)
    unit = centered / norm
    correlation = (unit * fixed).sum(-1, keepdim=True)
    counted = reading.inside.view(moving.shape).amin(-1, keepdim=True)
    counted = counted / counted.sum(-2, keepdim=True).clamp_min(1)
    value = (counted * correlation**2).sum((-1, -2))
    slope = 2 * counted * correlation / norm * (fixed - correlation * unit)
    return value, slope.flatten(1)


def _norm(centered: Tensor) -> Tensor:
    return (centered.square().sum(-1, keepdim=True) + _FLAT * centered.shape[-1]).sqrt()
