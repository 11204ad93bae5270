"""The phase "refine" of a registration: its steps, and what is accepted in the end."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from DiffusionCore.affine.account import StepAccount
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
_ROUNDING = 1e-5  # of a local correlation
_MEASURED = 1  # level that all steps are measured on, counted from the coarsest


def refine_steps(
    fixed: Volume,
    moving: Volume,
    start: Transform,
    settings: RefinementSettings,
    guidance: Guidance | None,
    segments: tuple[Volume, Volume] | None,
    account: StepAccount,
    time: float,
    device: torch.device,
) -> Iterator[Step]:
    """Yield the steps of a refinement from ``start``, which a refinement has left at ``time`` (1: at its beginning).

    The transform of each is ``affine @ velocity``; of the last one it is ``start`` where nothing was gained, unless
    there is ``guidance``, which wants other things, too; its target segment stands for the ``segments``. Beside the
    metrics of the ``account`` they have the "local_correlation" (0..1, mean of both ways) and "folding" (% of the cells
    of the velocity).
    """
    affine, velocity = split(start, fixed.grid)
    levels = make_levels(
        fixed,
        moving,
        affine,
        spacing=settings.spacing,
        count=len(settings.iterations),
        window=settings.window,
        device=device,
        segments=segments,
    )
    first, done = settings.position(time)
    begun = levels[first].enter(velocity)
    vectors = begun
    if guidance is None:
        states = refine(levels, begun, settings, first=(first, done))
    else:
        states = descend(levels, begun, settings, guidance, affine, first=(first, done))
    for state in states:
        level, vectors = levels[state.level], state.velocity
        if level is levels[-1] and state.last:
            break
        if state.last or settings.shows(state.level, state.iteration):
            reached = settings.iterations[state.level] if state.last else state.iteration
            flow = affine @ level.leave(vectors)
            yield _measured(levels, account, flow, settings.time(state.level, reached))
    found = levels[-1].leave(unfolded(levels[-1], vectors))
    better = guidance is not None or _more_alike(levels[-1], affine, found, start)
    yield _measured(levels, account, affine @ found if better else start, 0.0)


def _measured(levels: list[Level], account: StepAccount, transform: Transform, time: float) -> Step:
    level, (_, velocity) = levels[min(_MEASURED, len(levels) - 1)], split(transform, levels[0].grid)
    folding = 0.0 if velocity is None else 100 * folded_share(velocity.displacement)
    correlation = level.similarity(level.enter(velocity))
    return account.step(REFINE, transform, time, local_correlation=correlation, folding=folding)


def _more_alike(level: Level, affine: Affine, found: Velocity, start: Transform) -> bool:
    former = None if isinstance(start, Affine) else affine.inverse() @ start
    return level.similarity_under(found) > level.similarity_under(former) + _ROUNDING
