"""A runner that plays a script: what the scene does with a registration is tested without waiting for one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nodes import made

from DiffusionCore.interpolation import Interpolation
from DiffusionCore.jobs.events import Event, Failed, Finished, Measure, Started, StepMade
from DiffusionCore.jobs.failures import STOPPED_EARLY
from DiffusionCore.jobs.specification import RegistrationJob
from DiffusionCore.transforms.plain import from_plain
from DiffusionCore.transforms.resample import resample


class ScriptedRunner:
    """Keeps the promises of ``Runner``: one end, at once after ``stop``, and nothing after ``close``.

    Attributes:
        job: what it was made for.
        calls: the names of the requests that it was given.
    """

    def __init__(self, job: RegistrationJob, script: Sequence[Event], *, per_poll: int = 1) -> None:
        self.job, self.calls = job, []
        self._script, self._per_poll = [Started("cpu"), *script], per_poll
        self._last: StepMade | None = None
        self._ended = self._closed = False

    @property
    def running(self) -> bool:
        return not self._ended and not self._closed

    def poll(self) -> list[Event]:
        if not self.running:
            return []
        given, self._script = self._script[: self._per_poll], self._script[self._per_poll :]
        for event in given:
            self._last = event if isinstance(event, StepMade) else self._last
        if not self._script and not (given and isinstance(given[-1], Finished | Failed)):
            given.append(self._end(stopped="stop" in self.calls or "kill" in self.calls))
        self._ended = bool(given) and isinstance(given[-1], Finished | Failed)
        return given

    def stop(self) -> None:
        self.calls.append("stop")
        self._script = []

    def kill(self) -> None:
        self.calls.append("kill")
        self._script = []

    def close(self) -> None:
        self.calls.append("close")
        self._closed = True

    def _end(self, *, stopped: bool) -> Event:
        if self._last is None:
            return Failed(STOPPED_EARLY)
        job, grid, transform = self.job, self.job.fixed.grid, from_plain(self._last.transform)
        moved = labels = None
        if job.want_moved:
            moved = resample(job.moving, grid, transform, fill=float(job.moving.values.min())).values
        if job.moving_labels is not None:
            labels = resample(job.moving_labels, grid, transform, interpolation=Interpolation.NEAREST).values
        return Finished(stopped, {"search": 1.0}, (Measure("Similarity", "", 0.52, 0.83),), moved, labels)


def walk(transforms: Sequence, metrics=None) -> list[StepMade]:
    """Return the steps of a run that goes through ``transforms``."""
    last = max(len(transforms) - 1, 1)
    return [
        made(index, transform, "search", 1 - index / last, metrics or {"overlap": 0.5 + index / 100}, len(transforms))
        for index, transform in enumerate(transforms)
    ]


def playing(script: Sequence[Event], *, per_poll: int = 1) -> Callable[[RegistrationJob], ScriptedRunner]:
    """Return what makes a runner of ``script``; its attribute ``runners`` lists those that it has made."""

    def runner_of(job: RegistrationJob) -> ScriptedRunner:
        runner_of.runners.append(ScriptedRunner(job, script, per_poll=per_poll))
        return runner_of.runners[-1]

    runner_of.runners = []
    return runner_of
