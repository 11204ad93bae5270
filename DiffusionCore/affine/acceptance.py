"""Which transform to believe, and how far.

An alignment is believed if it stands out: the best pose must be clearly better than the best *other* pose that a search
over all rotations has found (our own). Small, smooth or unrelated images have many poses that are equally good, and
unlike objects look alike only where one of them is stretched out of shape.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from DiffusionCore.affine.local_correlation import fixed_patches, local_correlation_slope, matched
from DiffusionCore.affine.pair import WorkingPair
from DiffusionCore.affine.polish import Polished
from DiffusionCore.affine.similarity import joint_histogram, mutual_information
from DiffusionCore.transforms.affine import Affine


@dataclass(frozen=True)
class AcceptanceSettings:
    """When a transform is believed.

    Attributes:
        distinct: how many times better than the best other pose the best pose must be (mutual information times local
            correlation). Measured: aligned heads, hearts and lungs 2.2 and more, prostate MR to ultrasound at most 1.5.
        correlation: the local correlation that is believed by itself, as that of objects which are alike when turned.
            Measured: the same object .8 and more, prostate MR to ultrasound at most .5.
        apart: mean distance between the images of two transforms that makes them different poses, in radii of the
            smaller object.
        rivals: how many other poses are looked at.
        stretch: how many times more one direction may be stretched than another, beyond what the start does.
            Measured: heads 1.1, two people's lungs 1.3, five slices of a head 1.5; of unlike images those that nothing
            else gave away 1.9 (brain to lung) and 2.5 (ramps).
        overlap: the least share of the fixed foreground inside the moving image.
        loss: the share of the mutual information that a later stage may give up.
    """

    distinct: float = 1.75
    correlation: float = 0.6
    apart: float = 0.4
    rivals: int = 5
    stretch: float = 1.8
    overlap: float = 0.4
    loss: float = 0.1


@dataclass(frozen=True)
class Evidence:
    """What speaks for a pose: how many times better than any other pose it is, its squared local correlation, and how
    many times more it stretches one direction than another."""

    distinctness: float
    correlation: float
    stretch: float

    def convinces(self, settings: AcceptanceSettings) -> bool:
        """Return whether a pose with this evidence is to be believed."""
        stands_out = self.distinctness >= settings.distinct or self.correlation >= settings.correlation
        return stands_out and self.stretch <= settings.stretch


def information(
    pair: WorkingPair, transforms: list[Affine], *, level: int = 1, points: int = 8000, generator: torch.Generator
) -> list[float]:
    """Return the mutual information (nat) times overlap of each of ``transforms``, all on the same points."""
    samples = pair.samples(level, points, generator=generator)
    reading = pair.levels[level].moving.read(pair.onto(transforms), samples.points)
    joint = joint_histogram(samples.bins, reading.positions, reading.inside)
    return (mutual_information(joint) * reading.inside.mean(-1)).tolist()


def credit(pair: WorkingPair, transforms: list[Affine], *, generator: torch.Generator) -> list[float]:
    """Return what each of ``transforms`` is weighed by: mutual information x overlap x local correlation."""
    known = information(pair, transforms, generator=generator)
    correlations = _correlations(pair, transforms, generator)
    return [one * other for one, other in zip(known, correlations, strict=True)]


def weigh(
    pair: WorkingPair,
    ranked: list[Polished],
    start: Affine,
    settings: AcceptanceSettings,
    *,
    generator: torch.Generator,
) -> Evidence:
    """Return the evidence for the first of ``ranked``: candidates of a search over all rotations, best first.

    Where there is no other pose among them, it stands out from nothing: its distinctness is 0. ``start`` is what the
    search started from.
    """
    best, *others = ranked
    others = [o for o in others if _distance(pair, best.transform, o.transform) > settings.apart]
    others = others[: settings.rivals]
    stretch = _stretch(best.transform, start)
    correlation, *rivals = _correlations(pair, [one.transform for one in (best, *others)], generator)
    if not others:
        return Evidence(0.0, correlation, stretch)
    rival = max(other.similarity * other.overlap for other in others)
    ratio = best.similarity * best.overlap / max(rival, 1e-6)
    return Evidence(ratio * correlation / max(*rivals, 1e-6), correlation, stretch)


def acceptable(
    pair: WorkingPair, final: Affine, before: Affine, settings: AcceptanceSettings, *, generator: torch.Generator
) -> bool:
    """Return whether ``final`` may replace ``before``: it overlaps enough, has kept its shape and its information."""
    inside = pair.levels[1].moving.read(pair.onto([final]), pair.samples(1, 4000, generator=generator).points).inside
    now, then = information(pair, [final, before], generator=generator)
    in_shape = _stretch(final, before) <= settings.stretch
    return in_shape and float(inside.mean()) >= settings.overlap and now >= (1 - settings.loss) * then


def _correlations(pair: WorkingPair, transforms: list[Affine], generator: torch.Generator) -> list[float]:
    """Return the local correlation of each transform on the finest level, the contrast matched for each."""
    level = len(pair.levels) - 1
    samples = pair.samples(level, 6000, generator=generator)
    patches = fixed_patches(pair, level, 200, 5, 2.0, generator=generator)
    values = []
    for matrix in pair.onto(transforms):
        fixed = matched(pair, level, patches, matrix, samples).positions
        reading = pair.levels[level].moving.read(matrix[None], patches.points.flatten(0, 1))
        values.append(float(local_correlation_slope(fixed, reading)[0]))
    return values


def _distance(pair: WorkingPair, first: Affine, second: Affine) -> float:
    """Return the root mean square distance of the images of a ball like the fixed foreground, in smaller radii."""
    difference = (first.matrix - second.matrix).numpy()
    middle = difference[:3, :3] @ pair.fixed.center + difference[:3, 3]
    square = (middle**2).sum() + pair.radius**2 / 5 * (difference[:3, :3] ** 2).sum()
    return float(np.sqrt(square)) / min(pair.radius, pair.moving.radius)


def _stretch(transform: Affine, start: Affine) -> float:
    """Return the ratio of the most to the least that ``transform`` stretches a direction after ``start``."""
    values = torch.linalg.svdvals((transform.matrix @ torch.linalg.inv(start.matrix))[:3, :3])
    return float(values[0] / values[-1])
