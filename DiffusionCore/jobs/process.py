"""Run a job in a worker process and poll it. Nothing here waits for the worker, and nothing here loads torch."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from DiffusionCore.jobs.events import RESAMPLING, Event, Failed, Finished, Log, Progress, Started, StepMade
from DiffusionCore.jobs.failures import DISK_FULL, STOPPED_EARLY, ended_unexpectedly, failed
from DiffusionCore.jobs.job_files import Job, needed_bytes, write_job
from DiffusionCore.jobs.messages import MessageError, decode_event, parse, references
from DiffusionCore.jobs.sharing import array_path, empty_like, make_folder, reading, remove_folder
from DiffusionCore.jobs.worker_process import Ended, Printed, Said, WorkerProcess

_WORK = 0.012  # seconds that a poll spends on copying
_TAIL = 60  # lines of the log that explain a sudden end
_SHOWN = 200  # bytes of a line that is no message


class ProcessRunner:
    """A job in a process of its own; see ``Runner``. That it cannot be started is an event, too.

    Args:
        job: what to do. Its arrays must not change before ``Started`` has come: they are copied bit by bit.
        python: the program that runs the worker, or that and its first arguments; by default this Python. Inside Slicer
            it is ``PythonSlicer``.
        environment: of the worker; by default that of this process. Another Python inside Slicer needs
            ``slicer.util.startupEnvironment()``.
        folder: where its files go; by default into shared memory, or among the temporary files.
        grace: seconds to wait for the end of a step when asked to stop, before the process is killed.
        patience: seconds to wait for the result of a run that was stopped.
    """

    def __init__(
        self,
        job: Job,
        python: str | Sequence[str] | None = None,
        environment: Mapping[str, str] | None = None,
        *,
        folder: str | Path | None = None,
        grace: float = 0.7,
        patience: float = 10.0,
    ) -> None:
        self._grace, self._patience = grace, patience
        self._events: list[Event] = []
        self._worker: WorkerProcess | None = None
        self._folder: Path | None = None
        self._inputs: Iterator[None] | None = None
        self._arrival: _Arrival | None = None
        self._running, self._started, self._result_is_due, self._asked = True, False, False, False
        self._kill_at: float | None = None
        self._steps: tuple[int, int] | None = None
        self._tail: deque[str] = deque(maxlen=_TAIL)
        try:
            self._folder = make_folder(needed_bytes(job), folder)
            self._inputs = write_job(job, self._folder)
            next(self._inputs)
            self._worker = WorkerProcess(self._folder, python, environment)
        except Exception as error:
            self._give_up(_not_started(error, self._folder, python))

    @property
    def running(self) -> bool:
        """Whether ``Finished`` or ``Failed`` is still to come out of ``poll``."""
        return self._running or any(isinstance(event, Finished | Failed) for event in self._events)

    @property
    def pid(self) -> int | None:
        """The number of the process; None if there is none."""
        return self._worker.pid if self._worker else None

    def poll(self) -> list[Event]:
        """Return what has been reported since the last call; a field that is large comes when all of it is copied."""
        if self._worker is not None and self._running:
            time.sleep(0)  # a turn for the threads that listen: an event loop in C++ keeps the interpreter until now
            until = time.perf_counter() + _WORK
            self._copy_inputs(self._worker, until)
            while self._running and self._take_one(self._worker) and time.perf_counter() < until:
                pass
            if self._kill_at is not None and time.monotonic() > self._kill_at:
                self._worker.kill()
        events, self._events = self._events, []
        return events

    def stop(self) -> None:
        """Ask for the end after the current step; who does not answer in time is killed. The steps so far are kept."""
        if self._worker is None or self._asked:
            return
        if not self._started:
            self.kill()
            return
        self._asked = True
        self._worker.tell("stop")
        self._kill_at = time.monotonic() + (self._patience if self._result_is_due else self._grace)

    def kill(self) -> None:
        """End the process now; the steps so far are kept."""
        if self._worker is not None:
            self._asked = True
            self._worker.kill()

    def close(self) -> None:
        """End it now and leave nothing behind: no process, no file, no memory. May be called twice."""
        self._running, self._events = False, []
        self._let_go(patience=0.05)

    def _copy_inputs(self, worker: WorkerProcess, until: float) -> None:
        if self._inputs is None:
            return
        try:
            for _ in self._inputs:
                if time.perf_counter() > until:
                    return
        except OSError as error:
            self._give_up(failed(error))
            return
        self._inputs = None
        worker.tell("inputs")

    def _take_one(self, worker: WorkerProcess) -> bool:
        """Do a bit of what there is to do; return whether there may be more."""
        if self._arrival is not None:
            self._continue(worker, self._arrival)
            return True
        match worker.heard():
            case None:
                return False
            case Printed(text):
                self._log(text)
            case Said(line):
                try:
                    self._arrival = _Arrival(parse(line), line, self._folder)
                except MessageError:
                    self._log(line.decode("utf-8", "replace"))
            case Ended(code):
                self._give_up(self._sudden_end(code))
        return True

    def _continue(self, worker: WorkerProcess, arrival: _Arrival) -> None:
        try:
            if not arrival.advance():
                return
            event = arrival.event()
        except (OSError, ValueError, TypeError, LookupError, MemoryError) as error:
            self._log(f"A message could not be read ({error}): {arrival.line[:_SHOWN].decode('utf-8', 'replace')}")
            self._arrival = None
            return
        self._arrival = None
        for slot in arrival.slots:
            worker.tell(f"release {slot}")
        self._note(event)

    def _note(self, event: Event) -> None:
        match event:
            case Started():
                self._started = True
            case StepMade(index=index):
                self._steps = (self._steps[0] if self._steps else index, index)
            case Progress(text) if text == RESAMPLING:
                self._result_is_due = True
                if self._kill_at is not None:
                    self._kill_at = time.monotonic() + self._patience
            case Log(text):
                self._tail.append(text)
            case Finished():
                self._give_up(event)
                return
            case Failed():
                self._give_up(replace(event, last_step=self._steps[1] if self._steps else None))
                return
        self._events.append(event)

    def _log(self, text: str) -> None:
        self._note(Log(text))

    def _sudden_end(self, code: int) -> Event:
        if self._asked:
            return Finished(stopped=True) if self._steps else Failed(STOPPED_EARLY)
        details = "\n".join([*self._tail, f"The process ended with the code {code}."])
        first, last = self._steps or (None, None)
        return ended_unexpectedly(first, last, details, killed=code in (-9, 137))

    def _give_up(self, end: Event) -> None:
        """End the run with ``end``; what was printed before it comes first."""
        while self._worker is not None and isinstance(word := self._worker.heard(), Printed):
            self._log(word.text)
        self._events.append(end)
        self._running = False
        self._let_go()

    def _let_go(self, patience: float = 0.0) -> None:
        self._inputs = self._arrival = None
        if self._worker is not None:
            self._worker.let_go(patience)
        elif self._folder is not None:
            remove_folder(self._folder)


class _Arrival:
    """A message whose arrays are copied slab by slab."""

    def __init__(self, message: Any, line: bytes, folder: Path | None) -> None:
        assert folder is not None  # a worker has one
        self._message, self.line = message, line
        self._arrays: dict[str, NDArray] = {}
        self._copying = self._copies(folder)
        self.slots: list[int] = []

    def advance(self) -> bool:
        """Copy a slab; return whether all arrays are there."""
        return next(self._copying, True) is True

    def event(self) -> Event:
        return decode_event(self._message, lambda reference: self._arrays[reference["file"]])

    def _copies(self, folder: Path) -> Iterator[None]:
        for reference in references(self._message):
            target = self._arrays[reference["file"]] = empty_like(reference)
            yield from reading(array_path(folder, reference["file"]), target)
            if "slot" in reference:
                self.slots.append(reference["slot"])


def _not_started(error: Exception, folder: Path | None, python: str | Sequence[str] | None) -> Failed:
    known = failed(error)
    if not isinstance(error, OSError) or error.errno in DISK_FULL:
        return known
    if folder is None:
        text = f"The folder for temporary files cannot be written: {error}."
    else:
        program = python if isinstance(python, str) else (python or [sys.executable])[0]
        reason = "there is no program" if isinstance(error, FileNotFoundError) else "this does not run:"
        text = f"The registration could not be started: {reason} '{program}'."
    return Failed(text, known.details)
