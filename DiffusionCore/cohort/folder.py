"""The folder of a cohort: what it was made by, and the cases that are finished; no torch.

::

    cohort.json       the command and its settings; a restart with others is refused
    cases/NAME/       a finished case: the results of its command, a picture, and case.json, which says where from
    unfinished/NAME/  attempts at a case, HOST-PROCESS-...: at work just now, or left by a worker that was killed
    summary.csv, summary.html

A case is written below ``unfinished`` and takes its place by a single move, which fails if another attempt was there
before: however often a case is tried, and by however many workers at a time, there is one result of it.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from DiffusionCore.checks import DiffusionCoreError, StorageError
from DiffusionCore.storage.files import replacing
from DiffusionCore.storage.locks import lock_soon

COHORT, CASE = "cohort.json", "case.json"
CASES, UNFINISHED = "cases", "unfinished"


@dataclass(frozen=True)
class Record:
    """What ``case.json`` says of a finished case.

    Attributes:
        name: of the case and of its folder.
        inputs: the cells of its row in the list.
        measures: numbers by their titles.
        cautions: sentences to heed.
        seconds: that the attempt took.
        host: the machine that made it.
    """

    name: str
    inputs: dict[str, str]
    measures: dict[str, float]
    cautions: tuple[str, ...]
    seconds: float
    host: str


class CohortFolder:
    """``path`` while this process has a cohort made in it, as ``made`` says; no other cohort can begin there meanwhile.

    Raises:
        DiffusionCoreError: (on entering) another process works there.
        StorageError: (on entering) it cannot be written, or holds a cohort that was made otherwise.
    """

    def __init__(self, path: Path, made: dict[str, Any]) -> None:
        self.path = path
        self._made = json.loads(json.dumps(made))

    def __enter__(self) -> CohortFolder:
        try:
            for folder in (CASES, UNFINISHED):
                (self.path / folder).mkdir(parents=True, exist_ok=True)
            self._file = os.fdopen(os.open(self.path / COHORT, os.O_RDWR | os.O_CREAT), "r+", encoding="utf-8")
        except OSError as error:
            raise StorageError(
                f"No cohort can be kept in '{self.path}' ({error.strerror}). Choose a folder that may be written."
            ) from error
        try:
            self._begin()
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        shutil.rmtree(self.path / UNFINISHED, ignore_errors=True)
        self._file.close()

    def _begin(self) -> None:
        if not lock_soon(self._file):
            raise DiffusionCoreError(
                f"Another process has a cohort made in '{self.path}'. Wait for it, stop it, or choose another folder."
            )
        text = self._file.read()
        try:
            before = json.loads(text) if text else self._made
        except ValueError as error:
            raise StorageError(f"'{self.path / COHORT}' is damaged. Choose another folder.") from error
        if names := sorted(key for key in {*before, *self._made} if before.get(key) != self._made.get(key)):
            raise StorageError(
                f"'{self.path}' holds a cohort that was made otherwise ({', '.join(names)}). Choose another folder, or "
                "ask for the same again to go on with it."
            )
        if not text:
            self._file.write(json.dumps(self._made, indent=1) + "\n")
            self._file.flush()
        for left in (self.path / UNFINISHED).iterdir():  # by a run that was killed
            shutil.rmtree(left, ignore_errors=True)


def read_record(cohort: Path, name: str) -> Record | None:
    """Return the record of the finished case ``name`` in the folder ``cohort``, or None if it is not finished.

    Raises:
        StorageError: its folder is there without a record that can be read.
    """
    folder = cohort / CASES / name
    try:
        content = json.loads((folder / CASE).read_text(encoding="utf-8"))
        return Record(**{**content, "cautions": tuple(content["cautions"])})
    except (OSError, ValueError, TypeError, KeyError) as error:
        if not folder.exists():
            return None
        raise StorageError(
            f"'{folder}' holds no finished case ({CASE} is missing or damaged). Move it away."
        ) from error


def attempts(cohort: Path, name: str) -> int:
    """Return how many attempts at the case ``name`` are unfinished: at work just now, or killed."""
    folder = cohort / UNFINISHED / name
    return sum(1 for _ in folder.iterdir()) if folder.is_dir() else 0


@contextmanager
def attempt(cohort: Path, name: str) -> Iterator[tuple[Path, Callable[[Record], Record]]]:
    """Yield a folder to make the case ``name`` in, and the function that publishes it with its record.

    That returns the record that is there in the end: this one, or that of another attempt, which was faster.

    Raises:
        StorageError: the folder of the cohort is not there, or cannot be written to.
    """
    if not (cohort / COHORT).is_file():
        raise StorageError(
            f"'{cohort}' is no folder of a cohort on the machine '{socket.gethostname()}'. Workers must see the same "
            "paths as the command that was given."
        )
    folder = cohort / UNFINISHED / name / f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    folder.mkdir(parents=True)

    def publish(record: Record) -> Record:
        with replacing(folder / CASE) as unfinished:
            unfinished.write_text(json.dumps(asdict(record), indent=1) + "\n", encoding="utf-8")
        with suppress(OSError):  # somebody was faster, and then his record is there
            os.rename(folder, cohort / CASES / name)
        published = read_record(cohort, name)
        if published is None:
            raise StorageError(f"The case cannot be moved to '{cohort / CASES / name}'.")
        return published

    try:
        yield folder, publish
    finally:
        shutil.rmtree(folder, ignore_errors=True)
