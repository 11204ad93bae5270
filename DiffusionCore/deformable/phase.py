"""The phase "refine" of a registration: its steps, and what is accepted in the end."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from DiffusionCore.affine.account import StepAccount
from DiffusionCore.affine.steps import Step
from DiffusionCore.deformable.levels import Level, make_levels
from DiffusionCore.deformable.refinement import refine
from DiffusionCore.deformable.settings import RefinementSettings
from DiffusionCore.deformable.start import split
from DiffusionCore.deformable.unfolding import unfolded
from DiffusionCore.space import Volume
from DiffusionCore.transforms.affine import Affine
from DiffusionCore.transforms.base import Transform
from DiffusionCore.transforms.folding import folded_share

REFINE = "refine"
_MEASURED = 1  # level that all steps are measured on, counted from the coarsest


def refine_steps(
    fixed: Volume,
    moving: Volume,
    start: Transform,
    settings: RefinementSettings,
    account: StepAccount,
    time: float,
    device: torch.device,
) -> Iterator[Step]:
    """Yield the steps of a refinement from ``start``, which a refinement has left at ``time`` (1: at its beginning).

    The transform of each is ``affine @ velocity``; of the last one it is ``start`` where nothing was gained. Beside the
    metrics of the ``account`` they have the "local_correlation" (0..1, mean of both ways) and "folding" (%
    of the cells of the velocity).
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
    )

    first, done = settings.position(time)
    begun = levels[first].enter(velocity)
    vectors = begun
    for state in refine(levels, begun, settings, first=(first, done)):
        level, vectors = levels[state.level], state.velocity
        if level is levels[-1] and state.last:
            break
        if state.last or settings.shows(state.level, state.iteration):
            reached = settings.iterations[state.level] if state.last else state.iteration
            flow = affine @ level.leave(vectors)
            yield _measured(levels, account, flow, settings.time(state.level, reached))
    yield _measured(levels, account, _accepted(levels[-1], vectors, affine, start), 0.0)


def _measured(levels: list[Level], account: StepAccount, transform: Transform, time: float) -> Step:
    level, (_, velocity) = levels[min(_MEASURED, len(levels) - 1)], split(transform, levels[0].grid)
    folding = 0.0 if velocity is None else 100 * folded_share(velocity.displacement)
    correlation = level.similarity(level.enter(velocity))
    return account.step(REFINE, transform, time, local_correlation=correlation, folding=folding)


def _accepted(level: Level, vectors: Tensor, affine: Affine, start: Transform) -> Transform:
    """Return ``affine`` after ``vectors`` of ``level``, which then do not fold; ``start`` if that is as much alike."""
    found = level.leave(unfolded(level, vectors))
    better = level.similarity_under(found) > level.similarity_under(affine.inverse() @ start)
    return affine @ found if better else start
