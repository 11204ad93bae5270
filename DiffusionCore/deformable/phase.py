"""The phase "refine" of a registration, or "guide": its steps, and what is accepted in the end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch

from DiffusionCore.affine.account import StepAccount
from DiffusionCore.affine.pipeline import CAUTION
from DiffusionCore.affine.steps import Step
from DiffusionCore.deformable.energy import descend
from DiffusionCore.deformable.guidance import Guidance
from DiffusionCore.deformable.levels import Level, make_levels
from DiffusionCore.deformable.refinement import refine
from DiffusionCore.deformable.settings import RefinementSettings
from DiffusionCore.deformable.start import split
from DiffusionCore.deformable.unfolding import unfolded
from DiffusionCore.space import Volume
from DiffusionCore.transforms.affine import Affine
from DiffusionCore.transforms.base import Transform
from DiffusionCore.transforms.folding import folded_share
from DiffusionCore.transforms.velocity import Velocity

REFINE = "refine"
GUIDE = "guide"  # a refinement for which the images do not count, as their affine alignment is not believed
_ROUNDING = 1e-5  # of how alike images are
_MEASURED = 1  # level that all steps are measured on, counted from the coarsest


def refine_steps(
    fixed: Volume,
    moving: Volume,
    last: Step,
    settings: RefinementSettings,
    guidance: Guidance | None,
    segments: tuple[Volume, Volume] | None,
    account: StepAccount,
    device: torch.device,
) -> Iterator[Step]:
    """Yield the steps of a refinement after the step ``last``: at its time if a refinement made it, else all.

    The transform of each is ``affine @ velocity``; of the last one it is that of ``last`` where nothing was gained,
    unless there is ``guidance``, which wants other things, too; its target segment stands for the ``segments``. Beside
    the metrics of the ``account`` they have that of the measure (at most 1, mean of both ways) and "folding" (% of the
    cells of the velocity).
    """
    start, phase = last.transform, REFINE
    if doubted(last):
        phase, guidance = GUIDE, replace(guidance or Guidance(), similarity=0.0)
    affine, velocity = split(start, fixed.grid)
    levels = make_levels(
        fixed,
        moving,
        affine,
        spacing=settings.spacing,
        count=len(settings.iterations),
        measure=settings.measure,
        device=device,
        segments=segments,
    )
    first, done = settings.position(time_of(last))
    first, done = (first, done) if first < len(levels) else (len(levels) - 1, 0)
    begun = levels[first].enter(velocity)
    vectors = begun
    if guidance is None:
        states = refine(levels, begun, settings, first=(first, done))
    else:
        states = descend(levels, begun, settings, guidance, affine, fixed.grid, first=(first, done))
    for state in states:
        level, vectors = levels[state.level], state.velocity
        if level is levels[-1] and state.last:
            break
        if state.last or settings.shows(state.level, state.iteration):
            reached = settings.iterations[state.level] if state.last else state.iteration
            flow = affine @ level.leave(vectors)
            yield _measured(levels, account, phase, flow, settings.time(state.level, reached))
    found = levels[-1].leave(unfolded(levels[-1], vectors))
    better = guidance is not None or _more_alike(levels[-1], affine, found, start)
    yield _measured(levels, account, phase, affine @ found if better else start, 0.0)


def time_of(step: Step) -> float:
    """Return where in a refinement ``step`` is, from 1 to 0: at its start, if no refinement made it."""
    return step.time if step.phase in (REFINE, GUIDE) else 1.0


def doubted(step: Step) -> bool:
    """Return whether ``step`` rests on an affine alignment that is not believed."""
    return step.phase in (CAUTION, GUIDE)


def _measured(levels: list[Level], account: StepAccount, phase: str, transform: Transform, time: float) -> Step:
    level, (_, velocity) = levels[min(_MEASURED, len(levels) - 1)], split(transform, levels[0].grid)
    folding = 0.0 if velocity is None else 100 * folded_share(velocity.displacement)
    alike = {level.measure.metric: level.similarity(level.enter(velocity))}
    return account.step(phase, transform, time, **alike, folding=folding)


def _more_alike(level: Level, affine: Affine, found: Velocity, start: Transform) -> bool:
    former = None if isinstance(start, Affine) else affine.inverse() @ start
    return level.similarity_under(found) > level.similarity_under(former) + _ROUNDING
