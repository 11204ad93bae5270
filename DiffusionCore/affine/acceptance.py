"""Which transform to believe, and how far.

An alignment is believed if it stands out: the best pose must be clearly better than the best *other* pose that a search
over all rotations has found. Where no pose stands out (small, smooth or unrelated images), rotation and shape are left
alone and the shift is the mean over all shifts, each weighted by how likely it is (our own; measured in mutual
information times the number of independent samples, so weak evidence moves nothing).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from DiffusionCore.affine.local_correlation import local_correlation_slope, matched_patches
from DiffusionCore.affine.pair import WorkingPair
from DiffusionCore.affine.polish import Polished
from DiffusionCore.affine.sampling import Sampler, Samples
from DiffusionCore.affine.similarity import joint_histogram, mutual_information
from DiffusionCore.space import Frame, Volume
from DiffusionCore.transforms.affine import Affine


@dataclass(frozen=True)
class AcceptanceSettings:
    """When a transform is believed.

    Attributes:
        distinct: how many times better than the best other pose the best pose must be (mutual information times local
            correlation). Measured: aligned heads, hearts and lungs 2.4 and more, prostate MR to ultrasound 1.3 and less.
        apart: mean distance between the images of two transforms that makes them different poses, in moving radii.
        rivals: how many other poses are looked at.
        overlap: the least share of the fixed foreground inside the moving image.
        loss: the share of the mutual information that a later stage may give up.
        prior: standard deviation of a shift before anything is known, in fixed radii.
    """

    distinct: float = 1.75
    apart: float = 0.4
    rivals: int = 5
    overlap: float = 0.4
    loss: float = 0.1
    prior: float = 0.3


def information(
    pair: WorkingPair, transforms: list[Affine], *, level: int = 1, points: int = 8000, generator: torch.Generator
) -> list[float]:
    """Return the mutual information (nat) times overlap of each of ``transforms``, all on the same points."""
    samples = pair.samples(level, points, generator=generator)
    reading = pair.levels[level].moving.read(pair.onto(transforms), samples.points)
    joint = joint_histogram(samples.bins, reading.positions, reading.inside)
    return (mutual_information(joint) * reading.inside.mean(-1)).tolist()


def distinctness(
    pair: WorkingPair, ranked: list[Polished], settings: AcceptanceSettings, *, generator: torch.Generator
) -> float:
    """Return how many times better the first of ``ranked`` is than the best other pose among them; inf if there is none.

    ``ranked`` are briefly polished candidates of a search over all rotations, the best first.
    """
    best, *others = ranked
    others = [o for o in others if _distance(pair, best.transform, o.transform) > settings.apart]
    others = others[: settings.rivals]
    if not others:
        return float("inf")
    rival = max(other.similarity * other.overlap for other in others)
    correlation, *rivals = [_correlation(pair, one.transform, generator) for one in (best, *others)]
    ratio = best.similarity * best.overlap / max(rival, 1e-6)
    return ratio * correlation / max(*rivals, 1e-6)


def acceptable(
    pair: WorkingPair, final: Affine, before: Affine, settings: AcceptanceSettings, *, generator: torch.Generator
) -> bool:
    """Return whether ``final`` may replace ``before``: it overlaps enough and has not lost mutual information."""
    inside = pair.levels[1].moving.read(pair.onto([final]), pair.samples(1, 4000, generator=generator).points).inside
    now, then = information(pair, [final, before], generator=generator)
    return float(inside.mean()) >= settings.overlap and now >= (1 - settings.loss) * then


def cautious_shift(pair: WorkingPair, settings: AcceptanceSettings, *, generator: torch.Generator) -> Affine:
    """Return the translation that weak evidence supports: the posterior mean about the centers of intensity.

    Log-likelihood of a shift: the number of independent samples times the mutual information, the mean of two ways to
    treat what lies outside the moving image (left out, and normalized by the joint entropy; or taken for background).
    """
    level = pair.levels[1]
    offsets = _ball(0.5 * pair.radius, 0.1 * pair.radius)
    samples = _all_samples(pair, level.fixed, 3500, generator)
    start = Affine.translation(_intensity_center(level.moving.volume) - _intensity_center(level.fixed)).matrix
    matrices = (start @ pair.onto_fixed()).repeat(len(offsets), 1, 1)
    matrices[:, :3, 3] += offsets
    likelihood = _independent_samples(level.fixed, level.moving.volume) * _shift_information(
        level.moving, matrices, samples
    )
    prior = -offsets.square().sum(-1) / (2 * (settings.prior * pair.radius) ** 2)
    weights = torch.softmax(likelihood + prior, 0)
    return Affine.translation(start[:3, 3] + weights @ offsets)


def _shift_information(moving: Sampler, matrices: Tensor, samples: Samples) -> Tensor:
    """Return the two-fold mutual information (C,) of ``cautious_shift``, float64."""
    inner, share, outer = [], [], []
    for part in matrices.split(64):
        reading = moving.read(part, samples.points)
        joint = joint_histogram(samples.bins, reading.positions, reading.inside)
        p = joint.flatten(1) / joint.sum((1, 2))[:, None].clamp_min(1e-12)
        inner.append(-torch.xlogy(p, p.clamp_min(1e-12)).sum(1))
        share.append(mutual_information(joint) / inner[-1].clamp_min(1e-6))
        positions = torch.where(reading.inside > 0, reading.positions, moving.background)
        outer.append(mutual_information(joint_histogram(samples.bins, positions)))
    return ((torch.cat(share) * torch.cat(inner).mean() + torch.cat(outer)) / 2).double()


def _all_samples(pair: WorkingPair, volume: Volume, count: int, generator: torch.Generator) -> Samples:
    """Return points over the whole fixed image, background included: its shape is evidence too."""
    kji = torch.ones(volume.grid.shape).nonzero()
    chosen = torch.randperm(len(kji), generator=generator)[:count]
    ras = volume.grid.map(kji[chosen].flip(-1).numpy(), Frame.VOXEL, Frame.RAS)
    points = torch.from_numpy(ras - pair.fixed.center).float()
    return Samples(points, Sampler(volume).read(pair.onto_fixed(), points).positions[0].round().long())


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
    return covariance / covariance[0, 0, 0]


def _correlation(pair: WorkingPair, transform: Affine, generator: torch.Generator) -> float:
    matrix = pair.onto([transform])
    level = len(pair.levels) - 1
    patches = matched_patches(pair, level, matrix, 200, 5, 1.5, generator=generator)
    reading = pair.levels[level].moving.read(matrix, patches.points.flatten(0, 1))
    return float(local_correlation_slope(patches.positions, reading)[0])


def _distance(pair: WorkingPair, first: Affine, second: Affine) -> float:
    """Return the root mean square distance of the images of a ball like the fixed foreground, in moving radii."""
    difference = (first.matrix - second.matrix).numpy()
    middle = difference[:3, :3] @ pair.fixed.center + difference[:3, 3]
    square = (middle**2).sum() + pair.radius**2 / 5 * (difference[:3, :3] ** 2).sum()
    return float(np.sqrt(square)) / pair.moving.radius


def _intensity_center(volume: Volume) -> NDArray[np.float64]:
    """Return the center of mass of the intensities (3,), RAS mm."""
    profiles = [volume.values.sum(axes, dtype=np.float64) for axes in ((0, 1), (0, 2), (1, 2))]
    voxel = [(p * np.arange(len(p))).sum() / max(p.sum(), 1e-12) for p in profiles]
    return volume.grid.map(voxel, Frame.VOXEL, Frame.RAS)


def _ball(radius: float, step: float) -> Tensor:
    """Return the points (N, 3) of a lattice inside a ball, float64, mm."""
    axis = torch.arange(-round(radius / step), round(radius / step) + 1, dtype=torch.float64) * step
    points = torch.cartesian_prod(axis, axis, axis)
    return points[points.norm(dim=-1) <= radius * 1.001]
