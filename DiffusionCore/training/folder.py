"""The folder of a training: what lies in it, who trains in it now, and how that ended; no torch.

The process that trains keeps ``run.json`` locked while it lives. The operating system gives the lock back however the
process ends, so a run that was killed is known as such, even where another program has its number by now.
A file ``stop`` in the folder asks it to stop, on any system and from anywhere that sees the folder.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from types import TracebackType
from typing import Literal

from DiffusionCore.checks import DiffusionCoreError, StorageError
from DiffusionCore.storage.locks import lock, lock_soon

STATE, WEIGHTS, LOG = "state.safetensors", "weights.safetensors", "log.jsonl"
BEST, CONFIG = "best.safetensors", "config.json"
CHECKS, BOARD = "checks", "tensorboard"  # folders
RECORD, STOP, OUTPUT = "run.json", "stop", "output.txt"
BEST_CHECK = "best check"  # what the card of the weights calls the best validation so far


@dataclass(frozen=True)
class TrainingRecord:
    """Who trains in a folder, or did last.

    Attributes:
        recipe: its name in the table of recipes.
        settings: the changes of its settings, "key=value".
        device: as the user asked for it.
        minutes: the time limit; None for none.
        of: steps of the whole training.
        pid: the process.
        started: seconds since the epoch.
        gpus: those of the machine that it computes on, "cuda:0" and on.
        spare_gpus: those that it leaves alone.
        outcome: "finished", "stopped" (it can go on), "failed", or empty: it runs, or was killed.
        message: of a failure, for the user.
    """

    recipe: str
    settings: tuple[str, ...]
    device: str
    minutes: float | None
    of: int
    pid: int = 0
    started: float = 0.0
    gpus: tuple[str, ...] = ()
    spare_gpus: tuple[str, ...] = ()
    outcome: Literal["", "finished", "stopped", "failed"] = ""
    message: str = ""


def read_record(folder: Path) -> TrainingRecord | None:
    """Return what ``folder`` says of its training; None if nothing, or if it is being written just now."""
    known = {field.name for field in fields(TrainingRecord)}
    try:
        values = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        given = {name: value for name, value in values.items() if name in known}
        lists = {name: tuple(value) for name, value in given.items() if isinstance(value, list)}
        return TrainingRecord(**{**given, "settings": tuple(given["settings"]), **lists})
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def pictures_in(folder: Path) -> list[tuple[int, Path]]:
    """Return (step, file) of the pictures that the training in ``folder`` drew at its checks, in order."""
    found = [path for path in (folder / CHECKS).glob("*.png") if path.stem.isdigit()]
    return sorted((int(path.stem), path) for path in found)


def is_in_use(folder: Path) -> bool:
    """Return whether a process trains in ``folder`` now."""
    try:
        with (folder / RECORD).open("rb") as file:
            return not lock(file, shared=True)
    except OSError:
        return False


def delete_training(folder: Path) -> None:
    """Delete the files of the training in ``folder``, and the folder if nothing else lies in it.

    Raises:
        DiffusionCoreError: a process trains there.
        StorageError: a file cannot be deleted.
    """
    if is_in_use(folder):
        raise DiffusionCoreError(f"A training is running in '{folder}'. Stop it first.")
    try:
        named = [folder / name for name in (STATE, WEIGHTS, BEST, CONFIG, LOG, STOP, OUTPUT, RECORD)]
        for path in (*named, *folder.glob("weights-*.safetensors"), *folder.glob("bad-batch-*.safetensors")):
            path.unlink(missing_ok=True)
        for name in (CHECKS, BOARD):
            shutil.rmtree(folder / name, ignore_errors=True)
        if not any(folder.iterdir()):
            folder.rmdir()
    except OSError as error:
        raise StorageError(f"The training in '{folder}' cannot be deleted ({error.strerror}).") from error


class TrainingPlace:
    """``folder`` while this process trains in it, as ``record`` says; no other training can start there meanwhile.

    Attributes:
        unfinished: set this if the training ended early on purpose.

    Raises:
        DiffusionCoreError: (on entering) another process trains there.
        StorageError: (on entering) the folder cannot be made or written.
    """

    def __init__(self, folder: Path, record: TrainingRecord) -> None:
        self.unfinished = False
        self._stop = folder / STOP
        self._folder = folder
        self._record = replace(record, pid=os.getpid(), started=time.time())

    def stop_asked(self) -> bool:
        """Return whether somebody put the file ``stop`` there."""
        return self._stop.exists()

    def __enter__(self) -> TrainingPlace:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._file = os.fdopen(os.open(self._folder / RECORD, os.O_RDWR | os.O_CREAT), "r+", encoding="utf-8")
        except OSError as error:
            raise StorageError(
                f"No training can be kept in '{self._folder}' ({error.strerror}). Choose a folder that may be written."
            ) from error
        if not lock_soon(self._file):
            self._file.close()
            raise DiffusionCoreError(
                f"Another process is training in '{self._folder}'. Stop it first, or choose another folder."
            )
        self._write(self._record)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with suppress(OSError), self._file:  # a full disk must not hide why it ended
            self._stop.unlink(missing_ok=True)
            self._write(replace(self._record, outcome=self._outcome(error), message=_message(error)))

    def _outcome(self, error: BaseException | None) -> Literal["finished", "stopped", "failed"]:
        if isinstance(error, KeyboardInterrupt):
            return "stopped"
        if error is not None:
            return "failed"
        return "stopped" if self.unfinished else "finished"

    def _write(self, record: TrainingRecord) -> None:
        """Write in place: a file that took the place of this one would not be locked."""
        self._file.seek(0)
        self._file.write(json.dumps(asdict(record)) + "\n")
        self._file.truncate()
        self._file.flush()


def _message(error: BaseException | None) -> str:
    return str(error) if isinstance(error, DiffusionCoreError) else ""
