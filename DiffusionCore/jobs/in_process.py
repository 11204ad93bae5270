"""Run a job in this process, one step for each poll: for platforms without a worker."""

from __future__ import annotations

from collections.abc import Callable, Generator

from DiffusionCore.jobs.events import Event, Failed, Finished, StepMade
from DiffusionCore.jobs.failures import STOPPED_EARLY, failed
from DiffusionCore.jobs.specification import RegistrationJob


class InProcessRunner:
    """A registration that computes while it is polled; see ``Runner``. A poll takes as long as a step does.

    Here ``stop`` ends it after the next step, and nothing can end it within one.
    """

    pid = None

    def __init__(self, job: RegistrationJob) -> None:
        self._events: Generator[Event, None, None] = _execute(job, self._is_asked)
        self._asked, self._any_step = False, False
        self._ended_by: Event | None = None
        self.running = True

    def poll(self) -> list[Event]:
        """Compute up to the next step, and return what was reported on the way."""
        events: list[Event] = []
        while self.running:
            event = self._ended_by or next(self._events)
            events.append(event)
            if isinstance(event, Finished | Failed):
                self.close()
            if isinstance(event, StepMade):
                self._any_step = True
                break
        return events

    def stop(self) -> None:
        """Ask for the end after the next step."""
        self._asked = True

    def kill(self) -> None:
        """End it now, without a result; the steps so far are kept."""
        self._ended_by = Finished(stopped=True) if self._any_step else Failed(STOPPED_EARLY)

    def close(self) -> None:
        """Compute no further and let all memory go."""
        self.running = False
        self._events.close()

    def _is_asked(self) -> bool:
        return self._asked


def _execute(job: RegistrationJob, is_asked: Callable[[], bool]) -> Generator[Event, None, None]:
    try:
        from DiffusionCore.jobs.execution import execute
    except ImportError as error:
        yield failed(error)
        return
    yield from execute(job, is_asked)
