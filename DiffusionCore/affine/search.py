"""Search over all rotations: mutual information of coarse images, for when nothing is known about the pose."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from DiffusionCore.affine.pair import WorkingPair
from DiffusionCore.affine.sampling import Sampler, Samples
from DiffusionCore.affine.similarity import BINS, mutual_information, smooth_fixed
from DiffusionCore.transforms.affine import Affine

_BATCH = 2**19  # readings at a time, so that they stay in the cache


@dataclass(frozen=True)
class SearchSettings:
    """How the poses are searched.

    Attributes:
        rotations: how many rotations are tried about the centers; 1000 leave none farther than about 20 degrees.
        candidates: how many transforms are returned.
        apart: degrees that two returned rotations differ by at least.
        shift: translations tried from the best rotations, as a share of the radius of the foreground; 0 is none.
        shifted: how many rotations are tried with translations.
        points: of the fixed foreground.
    """

    rotations: int = 1000
    candidates: int = 12
    apart: float = 20.0
    shift: float = 0.25
    shifted: int = 60
    points: int = 3000


def rotation_set(count: int) -> Tensor:
    """Return ``count`` rotation matrices (count, 3, 3), float64, nearly uniform; the first is the identity.

    Super-Fibonacci spirals (Alexa, CVPR 2022, algorithm 1), turned so that one of them is the identity.
    """
    phi, psi = math.sqrt(2.0), 1.533751168755204288118041
    s = torch.arange(count, dtype=torch.float64) + 0.5
    r, rest = (s / count).sqrt(), (1 - s / count).sqrt()
    a, b = 2 * math.pi * s / phi, 2 * math.pi * s / psi
    matrices = _from_quaternions(torch.stack([r * a.sin(), r * a.cos(), rest * b.sin(), rest * b.cos()], -1))
    matrices = matrices @ matrices[0].T
    matrices[0] = torch.eye(3)
    return matrices


def search(pair: WorkingPair, start: Affine, settings: SearchSettings, *, generator: torch.Generator) -> list[Affine]:
    """Return the best transforms, best first: rotations of the fixed image about its center followed by ``start``.

    Score, on the coarsest level: mutual information, with background beyond the moving image, times the share of points
    inside it. Without the share a truncated image draws the fixed one out of the field of view.
    """
    samples, moving = pair.samples(0, settings.points, generator=generator), pair.levels[0].moving
    onto = pair.onto([start])[0]
    poses = torch.eye(4, dtype=torch.float64).repeat(settings.rotations, 1, 1)
    poses[:, :3, :3] = rotation_set(settings.rotations)
    scores = coarse_scores(onto @ poses, samples, moving)
    if settings.shift and settings.shifted:
        best = scores.topk(min(settings.shifted, len(scores))).indices
        moves = torch.eye(4, dtype=torch.float64).repeat(6, 1, 1)
        moves[:, :3, 3] = torch.cat([torch.eye(3), -torch.eye(3)]) * settings.shift * pair.radius
        moved = (moves @ poses[best, None]).flatten(0, 1)
        poses, scores = torch.cat([poses, moved]), torch.cat([scores, coarse_scores(onto @ moved, samples, moving)])
    chosen = _diverse(poses, scores, settings)
    return pair.transforms(onto @ poses[chosen])


def coarse_scores(matrices: Tensor, samples: Samples, moving: Sampler) -> Tensor:
    """Return the scores (C,) of ``matrices`` (C, 4, 4) from centered fixed points to moving RAS."""
    scores = []
    count = len(samples.points)
    for part in matrices.split(max(1, _BATCH // max(1, count))):
        bins, inside = moving.read_nearest(part, samples.points)
        cells = (torch.arange(len(part))[:, None] * BINS + samples.bins) * BINS + bins
        joint = torch.bincount(cells.flatten(), minlength=len(part) * BINS**2).view(-1, BINS, BINS).float()
        joint = smooth_fixed(smooth_fixed(joint).mT)
        scores.append(mutual_information(joint) * inside.float().mean(-1))
    return torch.cat(scores)


def _diverse(poses: Tensor, scores: Tensor, settings: SearchSettings) -> list[int]:
    """Return the best poses of which no two rotations are closer than ``settings.apart`` degrees."""
    limit = 1 + 2 * math.cos(math.radians(settings.apart))  # the trace of the rotation between two
    chosen: list[int] = []
    rotations = poses[:, :3, :3].flatten(1)
    free = torch.ones(len(poses), dtype=torch.bool)
    for index in scores.argsort(descending=True).tolist():
        if free[index]:
            chosen.append(index)
            free &= rotations @ rotations[index] < limit
        if len(chosen) == settings.candidates:
            break
    return chosen


def _from_quaternions(q: Tensor) -> Tensor:
    x, y, z, w = q.unbind(-1)
    rows = [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)]
    rows += [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)]
    rows += [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)]
    return torch.stack(rows, -1).unflatten(-1, (3, 3))
