"""From the nodes of a request to the job that a worker is given, part by part, so that no window has to wait."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from DiffusionCore.checks import DiffusionCoreError
from DiffusionCore.jobs.specification import RegistrationJob, ResumePoint
from DiffusionCore.mrml.checks import overlap
from DiffusionCore.mrml.facts import facts_of
from DiffusionCore.mrml.labels import common_numbers, reading_labels
from DiffusionCore.mrml.request import RegistrationRequest
from DiffusionCore.mrml.sequences import StepSequence
from DiffusionCore.mrml.steering import guidance_of
from DiffusionCore.mrml.step_items import KeptStep
from DiffusionCore.mrml.transforms import plain_from_node, stands_under
from DiffusionCore.mrml.volumes import PART, volume_from_node
from DiffusionCore.space import Grid, Volume
from DiffusionCore.space.plain import Matrix


@dataclass(frozen=True, eq=False)
class Prepared:
    """A job, and the names of its labels: segment name -> label."""

    job: RegistrationJob
    label_names: dict[str, int] = field(default_factory=dict)


def origin(request: RegistrationRequest, number: int | None) -> tuple[ResumePoint | None, list[KeptStep]]:
    """Return where a run goes on from, and the steps up to there: item ``number`` of the active branch.

    Raises:
        DiffusionCoreError: there is no such item.
    """
    if number is None:
        return None, []
    steps = StepSequence.active_of(request.transform) if request.transform is not None else None
    if steps is None or not 0 <= number < len(steps):
        raise DiffusionCoreError("There is no such step to resume from.")
    inherited = [steps.step_of(item) for item in range(number + 1)]
    last = inherited[-1]
    return ResumePoint(last.index, last.phase, last.time, steps.transform_of(number)), inherited


def preparing(request: RegistrationRequest, resume: ResumePoint | None) -> Generator[None, None, Prepared]:
    """Return the job; yields after each part of the reading.

    The moving volume is taken as the output transform receives it: what that node holds is about to be replaced.
    Where another linear transform stands above it and no start is given, the registration starts where that puts it.
    A label map as moving volume goes as labels, too, and comes back as such; segmentations are left out then.

    Raises:
        DiffusionCoreError: a node cannot be read; the text is for the user.
    """
    below = request.transform if stands_under(request.moving, request.transform) else None
    fixed, moving = volume_from_node(request.fixed), volume_from_node(request.moving, below=below)
    initial = _initial(request, fixed.grid, moving.grid, below)
    yield
    fixed = yield from without_invalid(fixed, request.fixed)
    moving = yield from without_invalid(moving, request.moving)
    labels: list[Volume | None] = [None, None]
    numbers: dict[str, int] = {}
    if request.moving_is_labels:
        labels[1] = moving
    elif request.fixed_segmentation is not None and request.moving_segmentation is not None:
        numbers = common_numbers(request.fixed_segmentation, request.moving_segmentation)
        above = request.transform if stands_under(request.moving_segmentation, request.transform) else None
        labels[0] = yield from reading_labels(request.fixed_segmentation, fixed.grid, numbers)
        labels[1] = yield from reading_labels(request.moving_segmentation, moving.grid, numbers, below=above)
    settings = dict(request.settings)
    if (guidance := guidance_of(request.steering, request.transform, numbers)) is not None:
        settings["guidance"] = guidance
    job = RegistrationJob(
        fixed=fixed,
        moving=moving,
        fixed_labels=labels[0],
        moving_labels=labels[1],
        method=request.method,
        settings=settings,
        seed=request.seed,
        device=request.device,
        initial=initial,
        resume=resume,
        samples=request.samples,
        want_moved=request.wants_volume and not request.moving_is_labels,
    )
    return Prepared(job, numbers)


def _initial(request: RegistrationRequest, fixed: Grid, moving: Grid, below: Any) -> Matrix | None:
    if request.initial is not None:
        start = plain_from_node(request.initial)
        assert isinstance(start, Matrix)
        return start
    parent = request.moving.GetParentTransformNode()
    placed = parent is not None and parent is not below and overlap(fixed, moving)
    return Matrix(np.eye(4)) if placed else None


def without_invalid(volume: Volume, node: Any) -> Generator[None, None, Volume]:
    """Return ``volume`` with its lowest value, the background, in place of what is not a number or not finite."""
    facts = facts_of(node.GetImageData())
    yield
    if not facts.invalid:
        return volume
    values = np.empty_like(volume.values)
    step = max(1, PART * values.shape[0] // max(1, values.nbytes))
    for start in range(0, values.shape[0], step):
        part = slice(start, start + step)
        values[part] = np.where(np.isfinite(volume.values[part]), volume.values[part], facts.low)
        yield
    return Volume(values, volume.grid)
