"""Refinement of a velocity field by how alike both images are, from coarse to fine."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from DiffusionCore.deformable.levels import Level
from DiffusionCore.deformable.settings import RefinementSettings
from DiffusionCore.deformable.smoothing import diffused, divergence_damped, gaussian

_FINEST = 2 / 3  # of the nominal spacing: an axis that is finer is damped as if it were not, or it would not be stable
_STABLE = 0.45  # of an explicit step of diffusion, in squared voxels over all axes; from 0.5 on it swings up
_SHORTEST = 1 / 8  # of the first updates of a level


class Patience(Protocol):
    """Settings that say when to stop: when ``patience`` iterations gain less than the share ``gain``; None: never."""

    @property
    def patience(self) -> int | None: ...

    @property
    def gain(self) -> float: ...


@dataclass(frozen=True, eq=False)
class Refined:
    """A state: ``velocity`` of ``level`` after ``iteration`` (1, 2, ...); ``last`` of its level if nothing follows."""

    level: int
    iteration: int
    velocity: Tensor
    last: bool


def refine(
    levels: Sequence[Level], velocity: Tensor, settings: RefinementSettings, *, first: tuple[int, int] = (0, 0)
) -> Iterator[Refined]:
    """Yield the states from ``velocity``, which lies on the level ``first``, after as many iterations there.

    Whenever the images have got less alike, the updates of the level get half as long. A level ends when it has not
    gained enough within ``settings.patience`` iterations.
    """
    level_number, done = first
    for number in range(level_number, len(levels)):
        level, most, step = levels[number], settings.iterations[number], settings.step
        velocity = level.take_over(velocity)
        reached: list[float] = []
        for iteration in range(done + 1, most + 1):
            similarity, update = level.force(level.coordinates(level.flows(velocity)))
            if reached and similarity < reached[-1]:
                step = max(step / 2, _SHORTEST * settings.step)
            reached.append(similarity)
            velocity = updated(level, velocity, update, settings, step)
            last = iteration == most or on_plateau(reached, settings)
            yield Refined(number, iteration, velocity, last)
            if last:
                break
        done = 0


def updated(level: Level, velocity: Tensor, update: Tensor, settings: RefinementSettings, step: float) -> Tensor:
    """Return ``velocity`` after one iteration with the ``update`` that the force asks for.

    The update is smoothed (fluid) and scaled, so that its longest vector has ``step`` voxels; the velocity diffuses
    (elastic), and the change of volume is damped apart. Source: our own, from the demons (Vercauteren et al.,
    NeuroImage 45, 2009) with the local correlation of SyN and a linear elastic damping.
    """
    update = gaussian(update, settings.fluid * level.nominal, level.spacing) if settings.fluid else update
    longest = math.sqrt(float(update.square().sum(0).max()))  # a norm along an axis is many times slower
    if longest > 0:
        velocity = velocity + update * (step * level.nominal / longest)
    square = step * level.nominal**2
    i, j, k = (max(s, _FINEST * level.nominal) for s in level.spacing)
    stable = _STABLE / sum(s**-2 for s in (i, j, k))
    velocity = diffused(velocity, min(settings.elastic * square, stable), (i, j, k))
    return divergence_damped(velocity, settings.divergence * square, (i, j, k))


def on_plateau(similarities: Sequence[float], settings: Patience) -> bool:
    """Return whether the last iterations have gained too little to go on."""
    if settings.patience is None or len(similarities) <= settings.patience:
        return False
    now, before = similarities[-1], similarities[-1 - settings.patience]
    return now - before < settings.gain * before
