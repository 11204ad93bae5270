"""A training in a process of its own, which may outlive the program that started it; no torch here.

All that is known of it stands in its folder (see ``DiffusionCore.training.folder``), where any program finds it again.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import Any

from DiffusionCore.checks import DiffusionCoreError, StorageError
from DiffusionCore.jobs.process_tree import kill_tree, tree_options
from DiffusionCore.jobs.training_log import TrainingLog
from DiffusionCore.jobs.worker_process import worker_environment
from DiffusionCore.storage.checkpoint import read_description
from DiffusionCore.training.folder import LOG, OUTPUT, STATE, STOP, WEIGHTS, TrainingRecord, is_in_use, read_record

_TAIL = 8000  # bytes of the output that are looked at
_PATIENCE = 5.0  # seconds until a process that was killed is given up
_DEFECT = "unexpected "  # how the shell begins what is a mistake of the program
_started: list[subprocess.Popen] = []  # kept until they end: nobody else asks how, and Python warns of forgotten ones


class TrainingState(Enum):
    """Where a training is; STOPPED ones can go on, FAILED ones from their last checkpoint."""

    RUNNING = "running"
    STOPPED = "stopped"
    FINISHED = "finished"
    FAILED = "failed"


class TrainingRun:
    """The training in ``folder``, as it was at the last ``poll``.

    Attributes:
        folder: its state, weights, log and output.
        state: see TrainingState.
        stopping: it was asked to stop, and runs still.
        message: why it failed, for the user; empty otherwise.
        record: recipe, settings, device and time limit; None where the folder does not tell.
        step: the last one that was logged; 0 before.
        of: steps of the whole training; None before it is known.
        speed: steps per second, lately; None before it is known.
        best: (step, loss) of the best validation; None before there is one.
        resumable: the step of the saved state; None if nothing was saved, or all is done.
    """

    def __init__(self, folder: Path, process: subprocess.Popen | None = None) -> None:
        self.folder = folder
        self.state = TrainingState.RUNNING
        self.stopping = False
        self.message = ""
        self.record: TrainingRecord | None = None
        self.resumable: int | None = None
        self._process = process
        self._log = TrainingLog(folder / LOG)
        self._forced = False
        self._saved: tuple[Any, int | None] = (None, None)
        self.poll()

    @classmethod
    def start(
        cls,
        folder: Path,
        recipe: str,
        settings: Sequence[str] = (),
        *,
        data: Path | None = None,
        device: str = "cpu",
        minutes: float | None = None,
        python: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> TrainingRun:
        """Start ``python -m DiffusionCore train``, or go on with what ``folder`` holds, and return at once.

        Args:
            folder: is made if it is not there.
            recipe: its name in the table of recipes.
            settings: "key=value" each.
            data: the folder of images that it learns from; None where it needs none, or goes on.
            device: "auto", "cpu", "cuda" or "cuda:i".
            minutes: time limit; None for none.
            python: the interpreter; by default this one. Inside Slicer it is ``PythonSlicer``.
            environment: of the process; by default that of this one.

        Raises:
            DiffusionCoreError: a training runs there, or the process cannot be started.
            StorageError: the folder cannot be made or written.
        """
        folder = folder.absolute()
        if is_in_use(folder):
            raise DiffusionCoreError(f"A training is running in '{folder}'. Stop it first, or choose another folder.")
        command = [python or sys.executable, "-m", "DiffusionCore", "train", recipe, "--output", str(folder)]
        command += [] if data is None else ["--data", str(data)]
        command += ["--device", device, *([] if minutes is None else ["--minutes", str(minutes)]), *settings]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / STOP).unlink(missing_ok=True)
            output = (folder / OUTPUT).open("wb")
        except OSError as error:
            raise StorageError(
                f"No training can be kept in '{folder}' ({error.strerror}). Choose a folder that may be written."
            ) from error
        with output:
            process = _spawn(command, folder, output, os.environ if environment is None else environment)
        return cls(folder, process)

    @classmethod
    def find(cls, folder: Path) -> TrainingRun | None:
        """Return the training in ``folder``, running or not; None if there is none."""
        folder = folder.absolute()
        holds = read_record(folder) is not None or any((folder / name).is_file() for name in (STATE, LOG))
        return cls(folder) if holds else None

    def resume(self, *, minutes: float | None = None, **options: Any) -> TrainingRun:
        """Go on as ``record`` says, with another time limit; the ``options`` are those of ``start``.

        Raises:
            DiffusionCoreError: the folder does not tell how the training was started; or as ``start``.
        """
        if self.record is None:
            raise DiffusionCoreError(
                f"'{self.folder}' does not tell which recipe was trained. Start it anew elsewhere."
            )
        options = {"device": self.record.device, **options}
        return type(self).start(self.folder, self.record.recipe, self.record.settings, minutes=minutes, **options)

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.state is TrainingState.RUNNING

    @property
    def step(self) -> int:
        return self._log.rows[-1]["step"] if self._log.rows else 0

    @property
    def of(self) -> int | None:
        logged = self._log.rows[-1].get("of") if self._log.rows else None
        return self.record.of if self.record is not None else logged

    @property
    def speed(self) -> float | None:
        return self._log.speed()

    @property
    def losses(self) -> list[tuple[int, float]]:
        """(step, loss), a mean over the steps since the row before."""
        return self._log.values("loss")

    @property
    def checks(self) -> list[tuple[int, float]]:
        """(step, loss) of the validations."""
        return self._log.values("validation")

    @property
    def best(self) -> tuple[int, float] | None:
        return min(self.checks, key=lambda check: check[1], default=None)

    @property
    def seconds_left(self) -> float | None:
        """Until the last step or the time limit, whatever comes first; None where nothing tells."""
        if not self.running:
            return None
        speed, of, record = self.speed, self.of, self.record
        left = [] if speed is None or of is None else [(of - self.step) / speed]
        if record is not None and record.minutes is not None and not record.outcome:
            left.append(record.started + 60 * record.minutes - time.time())
        return max(0.0, min(left)) if left else None

    @property
    def weights(self) -> Path | None:
        """The weights so far, for use; None before the first checkpoint."""
        path = self.folder / WEIGHTS
        return path if path.is_file() else None

    def poll(self) -> bool:
        """Read what is new; return whether anything changed. Takes a few ms, and waits for nothing."""
        before = (self.state, self.stopping, self.message, self.record, self.resumable)
        alive = self._is_alive()  # before its files are read: what they say then is all that it wrote
        self.record = read_record(self.folder) or self.record
        changed = self._log.update()
        self.state = TrainingState.RUNNING if alive else self._ending()
        self.stopping = alive and (self.folder / STOP).exists()
        self.resumable = self._checkpoint()
        self.message = self._reason() if self.state is TrainingState.FAILED else ""
        return changed or before != (self.state, self.stopping, self.message, self.record, self.resumable)

    def stop(self) -> None:
        """Ask it to save a checkpoint and end after the step that it is at."""
        if self.running:
            (self.folder / STOP).touch()
            self.stopping = True

    def kill(self) -> None:
        """End it now; what it did since the last checkpoint will be done again."""
        self._forced = self.running
        if is_in_use(self.folder) and (record := read_record(self.folder)) is not None:
            _end(record.pid)  # started by somebody else, or below a launcher
        if self._process is not None and self._process.poll() is None:
            kill_tree(self._process)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=_PATIENCE)
        (self.folder / STOP).unlink(missing_ok=True)

    def output(self) -> list[str]:
        """Return the last lines that the process wrote, without its progress bar."""
        try:
            with (self.folder / OUTPUT).open("rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL))
                text = file.read().decode("utf-8", "replace")
        except OSError:
            return []
        return [line for line in text.splitlines() if line.strip() and "step/s" not in line and "s/step" not in line]

    def _is_alive(self) -> bool:
        if self._process is not None and self._process.poll() is None:
            return True
        return is_in_use(self.folder)

    def _ending(self) -> TrainingState:
        if self._forced:
            return TrainingState.STOPPED
        code = self._process.returncode if self._process is not None else 0
        outcome = self.record.outcome if self.record is not None else self._outcome_without_record()
        if code not in (0, 130) or outcome not in ("finished", "stopped"):
            return TrainingState.FAILED
        return TrainingState(outcome)

    def _outcome_without_record(self) -> str:
        """Return how a training ended that an older version started."""
        of = self.of
        return "finished" if of is not None and self.step >= of else "stopped"

    def _reason(self) -> str:
        """Return one or two sentences about a failure."""
        lines = self.output()
        if any("out of memory" in line.lower() for line in lines):
            return "The memory ran out. Choose another device, or close other programs."
        printed = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
        recorded = [self.record.message] if self.record is not None and self.record.message else []
        # the output is that of the last start from here; the folder may have seen a later one from a shell
        said = [*recorded, *printed] if self._process is not None else [*printed, *recorded]
        if said and not said[-1].startswith(_DEFECT):
            return said[-1]
        saved = f" The last checkpoint is step {self.resumable}." if self.resumable is not None else ""
        if said:
            return f"The training failed because of an error in the program; '{OUTPUT}' has the details.{saved}"
        step = f" after step {self.step}" if self.step else ""
        return f"The training ended unexpectedly{step} (memory ran out?).{saved}"

    def _checkpoint(self) -> int | None:
        """Return the step of the saved state if steps are left; its header is read only when the file is new."""
        try:
            status = (self.folder / STATE).stat()
            stamp = (status.st_mtime_ns, status.st_ino, status.st_size)
            if stamp != self._saved[0]:
                self._saved = (stamp, int(read_description(self.folder / STATE)["card"]["step"]))
        except (OSError, StorageError, KeyError, TypeError, ValueError):
            self._saved = (None, None)
        step, of = self._saved[1], self.of
        return None if step is None or (of is not None and step >= of) else step


def _spawn(command: list[str], folder: Path, output: Any, environment: Mapping[str, str]) -> subprocess.Popen:
    _started[:] = [process for process in _started if process.poll() is None]
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=worker_environment(environment),
            **tree_options(),
        )
    except OSError as error:
        raise DiffusionCoreError(f"The training cannot be started: '{command[0]}': {error.strerror}.") from error
    _started.append(process)
    return process


def _end(pid: int) -> None:
    if sys.platform == "win32":
        subprocess.run(["taskkill", "/T", "/F", "/PID", str(pid)], capture_output=True, check=False)
        return
    with suppress(ProcessLookupError):  # it has just ended
        os.kill(pid, signal.SIGKILL)
