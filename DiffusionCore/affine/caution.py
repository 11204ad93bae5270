"""The shift that weak evidence supports.

Where no pose stands out, rotation and shape are left alone, and the shift is the mean over all shifts, each weighted by
how likely it is: the mutual information times the number of independent samples, and a prior about the centers of
intensity. So no evidence moves nothing, and two equally good shifts are not gambled on (our own).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from DiffusionCore.affine.pair import WorkingPair
from DiffusionCore.affine.sampling import Sampler, Samples
from DiffusionCore.affine.similarity import joint_histogram, mutual_information
from DiffusionCore.space import Frame, Volume
from DiffusionCore.transforms.affine import Affine

_PRIOR = 0.3  # fixed radii: standard deviation of a shift before anything is known
_TEMPER = 0.5  # the number of independent samples is an estimate, and an optimistic one
_POINTS = 10000  # of a sequence without holes or clusters: others move the result by a hundredth of a radius
_ROOT = 1.2207440846057596  # of x^4 = x + 1


def cautious_shift(pair: WorkingPair) -> Affine:
    """Return the translation that weak evidence supports: the posterior mean about the centers of intensity.

    Log-likelihood of a shift: the number of independent samples times the mutual information, the mean of two ways to
    treat what lies outside the moving image (left out, and normalized by the joint entropy; or taken for background).
    Nothing here is random.
    """
    level = pair.levels[1]
    offsets = _ball(0.5 * pair.radius, 0.14 * pair.radius)
    samples = _all_samples(pair, _POINTS)
    start = pair.moving.intensity_center - pair.fixed.intensity_center
    matrices = pair.onto([Affine.translation(start)]).repeat(len(offsets), 1, 1)
    matrices[:, :3, 3] += offsets
    count = _TEMPER * _independent_samples(level.fixed, level.moving.volume)
    likelihood = count * _shift_information(level.moving, matrices, samples)
    prior = -offsets.square().sum(-1) / (2 * (_PRIOR * pair.radius) ** 2)
    weights = torch.softmax(likelihood + prior, 0)
    return Affine.translation(start + (weights @ offsets).numpy())


def _shift_information(moving: Sampler, matrices: Tensor, samples: Samples) -> Tensor:
    """Return the two-fold mutual information (C,) of ``cautious_shift``, float64."""
    inner, share, outer = [], [], []
    for part in matrices.split(32):
        reading = moving.read(part, samples.points)
        joint = joint_histogram(samples.bins, reading.positions, reading.inside)
        p = joint.flatten(1) / joint.sum((1, 2))[:, None].clamp_min(1e-12)
        inner.append(-torch.xlogy(p, p.clamp_min(1e-12)).sum(1))
        share.append(mutual_information(joint) / inner[-1].clamp_min(1e-6))
        positions = torch.where(reading.inside > 0, reading.positions, moving.background)
        outer.append(mutual_information(joint_histogram(samples.bins, positions)))
    return ((torch.cat(share) * torch.cat(inner).mean() + torch.cat(outer)) / 2).double()


def _all_samples(pair: WorkingPair, count: int) -> Samples:
    """Return points all over the fixed image, background included: its shape is evidence too."""
    grid = pair.levels[1].fixed.grid
    voxel = _even_points(count) * (np.array(grid.size) - 1)
    points = torch.from_numpy(grid.map(voxel, Frame.VOXEL, Frame.RAS) - pair.fixed.center).float()
    return Samples(points, pair.fixed_positions(1, points).round().long())


def _independent_samples(fixed: Volume, moving: Volume) -> float:
    """Return how many independent samples the correlation of two smooth images rests on.

    Clifford, Richardson and Hemon, Biometrics 45, 1989: the volume over the integral of the product of both
    autocorrelations.
    """
    first, second = _autocorrelation(fixed), _autocorrelation(moving)
    half = [min(a, b) // 2 for a, b in zip(fixed.grid.shape, moving.grid.shape, strict=True)]
    for axis, n in enumerate(half):
        lags = torch.cat([torch.arange(n), torch.arange(1 - n, 0)])
        first, second = (c.index_select(axis, lags % c.shape[axis]) for c in (first, second))
    return fixed.values.size / float((first * second).sum().clamp_min(1))


def _autocorrelation(volume: Volume) -> Tensor:
    values = torch.from_numpy(np.ascontiguousarray(volume.values, dtype=np.float32))
    size = [2 * n for n in values.shape]

    def lagged(image: Tensor) -> Tensor:
        return torch.fft.irfftn(torch.fft.rfftn(image, size).abs() ** 2, size)

    covariance = lagged(values - values.mean()) / lagged(torch.ones_like(values)).clamp_min(1)
    return covariance / covariance[0, 0, 0].clamp_min(1e-12)  # an object too small for the spacing leaves nothing


def _even_points(count: int) -> NDArray[np.float64]:
    """Return ``count`` points (count, 3) evenly spread over the unit cube, and on no lattice.

    The additive recurrence with the powers of the root of x^4 = x + 1 (Roberts, *The Unreasonable Effectiveness of
    Quasirandom Sequences*, 2018).
    """
    return (0.5 + np.arange(1, count + 1)[:, None] * _ROOT ** -np.arange(1.0, 4.0)) % 1


def _ball(radius: float, step: float) -> Tensor:
    """Return the points (N, 3) of a lattice inside a ball, float64, mm."""
    axis = torch.arange(-round(radius / step), round(radius / step) + 1, dtype=torch.float64) * step
    points = torch.cartesian_prod(axis, axis, axis)
    return points[points.norm(dim=-1) <= radius * 1.001]
