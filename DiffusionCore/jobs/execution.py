"""Carry out a job: the events of a registration, in the process that asks for them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import torch

from DiffusionCore.affine.steps import Step
from DiffusionCore.build import choose_device
from DiffusionCore.cautions import cautions
from DiffusionCore.checks import ConfigError
from DiffusionCore.config import from_dict
from DiffusionCore.interpolation import Interpolation
from DiffusionCore.jobs.events import REPEATS, RESAMPLING, Event, Failed, Finished, Log, Progress, Started, StepMade
from DiffusionCore.jobs.failures import STOPPED_EARLY, failed
from DiffusionCore.jobs.label_files import complete_settings
from DiffusionCore.jobs.measures import measures, spread_kind, step_metrics, uncertainty_measures
from DiffusionCore.jobs.specification import PIPELINE, RegistrationJob, ResumePoint
from DiffusionCore.kernels import kernels_used
from DiffusionCore.registration import METHODS, Pipeline
from DiffusionCore.transforms.affine import Affine
from DiffusionCore.transforms.base import Transform
from DiffusionCore.transforms.plain import from_plain, to_plain
from DiffusionCore.transforms.resample import resample
from DiffusionCore.uncertainty import spread, spread_grid


def execute(job: RegistrationJob, should_stop: Callable[[], bool] = lambda: False) -> Iterator[Event]:
    """Yield the events of ``job``: ``Started`` first, and last one ``Finished`` or ``Failed``, whatever happens.

    ``should_stop`` is asked after every step. More than one sample: the result, and every ``StepMade``, is that of the
    first seed, whose way the user watched; runs with the seeds after it follow, and only their spread is kept. A mean
    of the runs would be a transform that no step shows.
    """
    run = _Run(job, should_stop)
    try:
        yield from run.events()
    except (Exception, SystemExit) as error:
        yield failed(error, run.last.index if run.last else None)


class _Run:
    def __init__(self, job: RegistrationJob, should_stop: Callable[[], bool]) -> None:
        self.job, self.should_stop = job, should_stop
        self.last: Step | None = None
        self.stopped = False
        self.seconds: dict[str, float] = {}

    def events(self) -> Iterator[Event]:
        job = self.job
        device = str(choose_device(job.device))
        yield Started(device)
        yield Progress("Loading the model...")
        yield Log(kernels_used(device))
        with complete_settings(job) as plain:
            yield from self._carried_out(_settings(job, plain), device)

    def _carried_out(self, settings: Any, device: str) -> Iterator[Event]:
        job, after = self.job, _step(self.job.resume)
        pipeline = _factory(job.factory)(settings, device)
        expected = settings.expected_steps(after) if hasattr(settings, "expected_steps") else None
        if not self.should_stop():
            for step in self._steps(pipeline, job.seed, after):
                yield _made(step, expected, job)
        if self.last is None:
            yield Failed(STOPPED_EARLY)
            return
        result = self.last.transform
        others: list[Transform] = []
        for number in range(1, job.samples):
            if self.stopped:
                break
            yield Progress(f"Repeating with another seed ({number} of {job.samples - 1})...")
            found = self._repeated(pipeline, job.seed + number, after)
            others += [found] if found is not None else []
        yield Progress(RESAMPLING)
        yield self._finished(settings, result, others)

    def _steps(self, pipeline: Pipeline, seed: int, after: Step | None) -> Iterator[Step]:
        """Yield the steps of the run that counts, and note what it took."""
        job, since = self.job, time.perf_counter()
        for step in _started(pipeline, job, seed, after):
            self.seconds[step.phase] = self.seconds.get(step.phase, 0.0) + time.perf_counter() - since
            self.last = step
            yield step
            if self.should_stop():
                self.stopped = True
                return
            since = time.perf_counter()

    def _repeated(self, pipeline: Pipeline, seed: int, after: Step | None) -> Transform | None:
        """Return the result of another seed; None if that was stopped on its way."""
        since, found = time.perf_counter(), None
        for step in _started(pipeline, self.job, seed, after):
            found = step.transform
            if self.should_stop():
                self.stopped = True
                return None
        self.seconds["repetitions"] = self.seconds.get("repetitions", 0.0) + time.perf_counter() - since
        return found

    def _finished(self, settings: Any, result: Transform, others: list[Transform]) -> Finished:
        job, grid = self.job, self.job.fixed.grid
        known = None if self.last is None else self.last.spread
        said = cautions(settings, self.seconds, result, grid, known)
        since = time.perf_counter()
        moved = labels = None
        if job.want_moved:
            # outside the moving image is what its background is: air in a CT is not 0
            moved = resample(job.moving, grid, result, fill=float(job.moving.values.min())).values
        if job.moving_labels is not None:
            labels = resample(job.moving_labels, grid, result, interpolation=Interpolation.NEAREST).values
        self.seconds["resample"] = time.perf_counter() - since
        before = _affine(job.initial) or Affine.identity()
        spread_map, kind = (None, "") if known is None else (known.values, spread_kind(known))
        if others:
            spread_map, kind = spread([result, *others], spread_grid(grid)), REPEATS
        found = measures(job, before, result)
        if spread_map is not None:
            found += uncertainty_measures(job.fixed, spread_map)
        return Finished(self.stopped, self.seconds, found, moved, labels, spread_map, kind, said)


def _started(pipeline: Pipeline, job: RegistrationJob, seed: int, after: Step | None) -> Iterator[Step]:
    generator = torch.Generator().manual_seed(seed)
    return pipeline.steps(job.fixed, job.moving, initial=_affine(job.initial), generator=generator, after=after)


def _settings(job: RegistrationJob, plain: dict[str, Any]) -> Any:
    """Return the settings of the method, or the bare numbers for a method that only its own factory knows."""
    if job.method in METHODS:
        return from_dict(METHODS[job.method], plain)
    if job.factory == PIPELINE:
        raise ConfigError(f"There is no method '{job.method}'. There are: {', '.join(METHODS)}.")
    return plain


def _factory(name: str) -> Callable[[Any, str], Pipeline]:
    module, _, function = name.partition(":")
    return getattr(import_module(module), function)


def _made(step: Step, of: int | None, job: RegistrationJob) -> StepMade:
    made_at = time.time()
    transform, metrics = to_plain(step.transform, job.fixed.grid), step_metrics(step.metrics)
    return StepMade(step.index, of, step.phase, float(step.time), transform, metrics, made_at)


def _step(point: ResumePoint | None) -> Step | None:
    return None if point is None else Step(point.index, point.phase, point.time, from_plain(point.transform))


def _affine(matrix: Any) -> Affine | None:
    return None if matrix is None else Affine(torch.tensor(matrix.values))
