"""SynthesisRun: a worker that makes variants, or writes those that were kept, followed by a panel."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Generator
from typing import Any

from DiffusionCore.checks import DiffusionCoreError
from DiffusionCore.jobs.events import Event, Failed, Finished, Started, VariantMade
from DiffusionCore.jobs.failures import STOPPED_EARLY
from DiffusionCore.jobs.job_files import Job
from DiffusionCore.jobs.runner import Runner
from DiffusionCore.mrml.run_account import RunAccount
from DiffusionCore.mrml.run_state import RunState
from DiffusionCore.mrml.worker_command import process_runner

_PATIENCE = 0.01  # seconds that one poll may work on what can be cut in parts


class SynthesisRun(RunAccount):
    """One job, from the press of the button to its end. Nothing waits: call ``poll`` 10-20 times a second.

    Attributes:
        state: changes only within ``poll``, ``stop``, ``force_stop`` and ``close``.
        records: of what is finished, in the order in which it came.
        message: after a failure, one or two sentences for the user.
        details: after a failure, for the log.
        cautions: after the end, why variants are missing.
    """

    def __init__(
        self,
        preparing: Generator[None, None, Job],
        count: int,
        runner_of: Callable[[Job], Runner] | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Follow the job that ``preparing`` returns, which yields after each part of its work.

        Args:
            preparing: as above.
            count: how many records are expected.
            runner_of: makes the runner of a job; None makes a worker process.
            clock: seconds.
        """
        super().__init__(clock)
        self.of = count
        self.state = RunState.STARTING
        self.records: list[dict[str, Any]] = []
        self.message = self.details = ""
        self.cautions: tuple[str, ...] = ()
        self._preparing: Generator[None, None, Job] | None = preparing
        self._runner_of = runner_of or process_runner
        self._runner: Runner | None = None

    def poll(self) -> bool:
        """Take in what the worker has reported, within a few milliseconds; return whether anything has changed."""
        if self.state.ended:
            return False
        before = self.state, len(self.records), self.activity, len(self.log)
        try:
            self._advance()
        except DiffusionCoreError as error:
            self._fail(str(error))
        except Exception:  # whatever it is, the worker must not outlive it, and the user must hear of it
            self._fail("The variants could not be made because of an error in the program. The log has the details.")
            self.details = traceback.format_exc()
        return before != (self.state, len(self.records), self.activity, len(self.log))

    def stop(self) -> None:
        """Ask for the end after what is being made; what is finished is kept."""
        if self.state in (RunState.STARTING, RunState.RUNNING):
            self.state = RunState.STOPPING
            if self._runner is None:
                self._conclude(RunState.STOPPED)
            else:
                self._runner.stop()

    def force_stop(self) -> None:
        """End it now; what is finished is kept."""
        if not self.state.ended:
            self.state = RunState.STOPPING
            if self._runner is not None:
                self._runner.kill()

    def close(self) -> None:
        """End it now, leaving no process. May be called twice."""
        if not self.state.ended:
            self._conclude(RunState.STOPPED)

    def _advance(self) -> None:
        if self._preparing is not None:
            self._prepare(self._preparing)
        if self._runner is not None:
            for event in self._runner.poll():
                self._apply(event)
                if self.state.ended:
                    return

    def _prepare(self, preparing: Generator[None, None, Job]) -> None:
        until = time.perf_counter() + _PATIENCE
        while time.perf_counter() < until:
            try:
                next(preparing)
            except StopIteration as end:
                self._preparing = None
                self._runner = self._runner_of(end.value)
                return

    def _apply(self, event: Event) -> None:
        self._note(event)
        match event:
            case Started() if self.state is RunState.STARTING:
                self.state = RunState.RUNNING
            case VariantMade(record):
                self.records.append(record)
                self._made_at.append(time.time())
                self.step, self.activity = len(self.records) - 1, ""
            case Finished():
                self.cautions = event.cautions
                self._conclude(RunState.STOPPED if event.stopped else RunState.FINISHED)
            case Failed():
                asked = self.state is RunState.STOPPING and event.message == STOPPED_EARLY
                if asked:
                    self._conclude(RunState.STOPPED)
                else:
                    self.details = event.details
                    self._fail(event.message)

    def _fail(self, message: str) -> None:
        self.message = message
        self._conclude(RunState.FAILED)

    def _conclude(self, state: RunState) -> None:
        self.state = state
        self._close_account()
        self._preparing = None
        if self._runner is not None:
            self._runner.close()
            self._runner = None
