"""Polish: from a rough transform to a fine one, and briefly from many rough ones to a ranking."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from DiffusionCore.affine.climb import Batch, Pace, Standing, climb
from DiffusionCore.affine.local_correlation import fixed_patches, local_correlation_slope, matched
from DiffusionCore.affine.pair import WorkingPair
from DiffusionCore.affine.sampling import Reading
from DiffusionCore.affine.similarity import mutual_information_slope
from DiffusionCore.transforms.affine import Affine, Group

_CONTRAST_POINTS = 12000  # from which the contrast of the moving image is learned


@dataclass(frozen=True)
class InformationStage:
    """Climb the mutual information of ``points`` of the fixed image at a ``level`` of the working pair."""

    level: int
    pace: Pace
    points: int = 12000

    def batches(self, pair: WorkingPair, start: Tensor, *, generator: torch.Generator) -> Iterator[Batch]:
        """Return the same batch for ever; it does not depend on ``start``."""
        samples = pair.samples(self.level, self.points, generator=generator)

        def similarity(reading: Reading) -> tuple[Tensor, Tensor]:
            return mutual_information_slope(samples.bins, reading.positions, reading.inside)

        return itertools.repeat(Batch(samples.points, similarity))


@dataclass(frozen=True)
class CorrelationStage:
    """Climb the local correlation of patches at a ``level``, ``at_once`` of ``patches`` in each step.

    A patch has ``width`` points a side, ``apart`` voxels from each other. The contrast is matched at the start.
    """

    level: int
    pace: Pace
    patches: int = 1500
    at_once: int = 150
    width: int = 5
    apart: float = 2.0

    def batches(self, pair: WorkingPair, start: Tensor, *, generator: torch.Generator) -> Iterator[Batch]:
        """Return the patches in turns, in the contrast that the first of the matrices ``start`` (C, 4, 4) shows."""
        samples = pair.samples(self.level, _CONTRAST_POINTS, generator=generator)
        patches = fixed_patches(pair, self.level, self.patches, self.width, self.apart, generator=generator)
        patches = matched(pair, self.level, patches, start[0], samples)
        parts = zip(patches.points.split(self.at_once), patches.positions.split(self.at_once), strict=True)
        return itertools.cycle(
            [Batch(points.flatten(0, 1), partial(local_correlation_slope, fixed)) for points, fixed in parts]
        )


Stage = InformationStage | CorrelationStage


@dataclass(frozen=True)
class PolishSettings:
    """What a polish does.

    Attributes:
        group: which transforms are allowed; the start is not projected on it.
        stages: climbed one after the other.
        brief: what is done with each of many candidates.
    """

    group: Group = Group.AFFINE
    stages: tuple[Stage, ...] = (
        InformationStage(1, Pace(50, 0.3, 0.05)),
        InformationStage(2, Pace(40, 0.3, 0.02)),
        CorrelationStage(2, Pace(60, 0.3, 0.02)),
    )
    brief: InformationStage = InformationStage(1, Pace(40, 0.6, 0.15), points=3000)


@dataclass(frozen=True)
class Polished:
    """A ``transform``, the ``similarity`` of its stage (nat, or squared correlation) and the ``overlap`` (0..1)."""

    transform: Affine
    similarity: float
    overlap: float


def polish(
    pair: WorkingPair, start: Affine, settings: PolishSettings, *, generator: torch.Generator
) -> Iterator[Standing]:
    """Yield where the climb stands before every step of every stage, and in the end; see ``WorkingPair.transforms``."""
    matrices = pair.onto([start])
    for stage in settings.stages:
        for standing in _run(pair, matrices, stage, settings.group, generator):
            yield standing
        matrices = standing.matrices


def polish_briefly(
    pair: WorkingPair, candidates: list[Affine], settings: PolishSettings, *, generator: torch.Generator
) -> list[Polished]:
    """Return all ``candidates`` after a brief polish, the best mutual information times overlap first."""
    *_, last = _run(pair, pair.onto(candidates), settings.brief, settings.group, generator)
    return sorted(_polished(pair, last), key=lambda one: one.similarity * one.overlap, reverse=True)


def _run(
    pair: WorkingPair, matrices: Tensor, stage: Stage, group: Group, generator: torch.Generator
) -> Iterator[Standing]:
    level = pair.levels[stage.level]
    batches = stage.batches(pair, matrices, generator=generator)
    return climb(matrices, batches, level.moving, pair.radius, level.spacing, group, stage.pace)


def _polished(pair: WorkingPair, standing: Standing) -> list[Polished]:
    numbers = zip(standing.similarity.tolist(), standing.overlap.tolist(), strict=True)
    return [Polished(t, *each) for t, each in zip(pair.transforms(standing.matrices), numbers, strict=True)]
