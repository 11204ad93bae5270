"""What is measured about a pair before and after its registration, under names for people."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from DiffusionCore import metrics
from DiffusionCore.affine.foreground import foreground_mask
from DiffusionCore.affine.steps import Spread
from DiffusionCore.interpolation import Interpolation
from DiffusionCore.jobs.events import (
    FOLDING,
    OVERLAP,
    SAMPLES,
    SIMILARITY,
    SIZE,
    STATED,
    UNCERTAINTY,
    UNCERTAINTY_95,
    Measure,
)
from DiffusionCore.jobs.specification import RegistrationJob
from DiffusionCore.space import Frame, Grid, Volume
from DiffusionCore.transforms.affine import Affine
from DiffusionCore.transforms.base import Transform
from DiffusionCore.transforms.resample import resample
from DiffusionCore.uncertainty import median_and_most

_MEASURED = 2**21  # voxels that a similarity is taken from
_INFORMATION = "mutual_information"  # what a step calls it
_LABELED = 2**24  # voxels that an overlap is taken from


def measures(job: RegistrationJob, before: Transform, after: Transform) -> tuple[Measure, ...]:
    """Return the measures of the pair of ``job`` under two transforms from fixed to moving points.

    Similarity is the information coefficient of correlation on the fixed foreground (Linfoot, Information and Control
    1, 1957): sqrt(1 - exp(-2 I)) of the mutual information I (nat), from 0 (one image says nothing about the other) to
    1, and the correlation itself where images are related linearly. Overlap is Dice, of each label and their mean.
    Folding is the share of the voxels at which ``after`` turns inside out.
    """
    found = [Measure(SIMILARITY, "", *(_similarity(job, transform) for transform in (before, after)))]
    if job.fixed_labels is not None and job.moving_labels is not None:
        scores = [_overlap(job.fixed_labels, job.moving_labels, transform) for transform in (before, after)]
        means = [metrics.mean_dice(each) if each else None for each in scores]
        found.append(Measure(OVERLAP, "", *means))
        labels = sorted(scores[0].keys() | scores[1].keys())
        found += [Measure(f"{OVERLAP} of label {n}", "", *(each.get(n, 0.0) for each in scores)) for n in labels]
    folding = 0.0 if isinstance(after, Affine) else _folding(after, job.fixed.grid)
    found.append(Measure(FOLDING, "%", None, folding))
    return tuple(found)


def uncertainty_measures(fixed: Volume, spread: Volume) -> tuple[Measure, ...]:
    """Return the median and the 95th percentile of ``spread`` (mm) where it lies on the foreground of ``fixed``."""
    found = median_and_most(thinned(fixed, _MEASURED), spread)
    if found is None:
        return ()
    median, most = found
    return Measure(UNCERTAINTY, "mm", None, median), Measure(UNCERTAINTY_95, "mm", None, most)


def spread_kind(spread: Spread) -> str:
    """Return what ``spread`` is: SAMPLES, STATED or SIZE."""
    return (STATED if spread.localizes else SIZE) if spread.stated else SAMPLES


def step_metrics(found: Mapping[str, float]) -> dict[str, float]:
    """Return the metrics of a step under the names that people are shown: the similarity as in ``measures``."""
    told = {name: float(value) for name, value in found.items()}
    if _INFORMATION in told:
        told = {"similarity": _correlation(told.pop(_INFORMATION)), **told}
    return told


def _correlation(information: float) -> float:
    """Return the information coefficient of correlation, 0..1, of a mutual ``information`` in nat."""
    return math.sqrt(max(0.0, 1 - math.exp(-2 * information)))


def _similarity(job: RegistrationJob, transform: Transform) -> float | None:
    fixed = thinned(job.fixed, _MEASURED)
    moving = resample(job.moving, fixed.grid, transform, fill=float(job.moving.values.min())).values
    inside = foreground_mask(fixed)
    if not inside.any():
        return None
    information = metrics.mutual_information(fixed.values, moving, inside)
    return _correlation(information)


def _overlap(fixed: Volume, moving: Volume, transform: Transform) -> dict[int, float]:
    fixed = thinned(fixed, _LABELED)
    carried = resample(moving, fixed.grid, transform, interpolation=Interpolation.NEAREST)
    return metrics.dice(fixed.values, carried.values)


def _folding(transform: Transform, grid: Grid) -> float:
    return metrics.jacobian_statistics(transform, getattr(transform, "grid", grid)).percent_folded


def thinned(volume: Volume, most: int) -> Volume:
    """Return every n-th voxel of ``volume`` along each axis, so that about ``most`` voxels are left at most."""
    step = max(1, int(np.ceil((volume.values.size / most) ** (1 / 3))))
    if step == 1:
        return volume
    values = volume.values[::step, ::step, ::step]
    matrix = volume.grid.matrix(Frame.VOXEL, Frame.RAS)
    matrix[:3, :3] *= step
    k, j, i = values.shape
    return Volume(values, Grid.from_matrix(matrix, (i, j, k)))
