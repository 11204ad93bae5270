"""A case of a cohort, and what a worker does with it."""

from __future__ import annotations

import argparse
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from DiffusionCore.checks import DeviceError, DiffusionCoreError, StorageError
from DiffusionCore.cohort.folder import Record, attempt, read_record
from DiffusionCore.storage.tables import Listed


@dataclass(frozen=True)
class Failure:
    """Why there is no result of the case ``name``: a sentence for the user."""

    name: str
    text: str


@dataclass(frozen=True)
class Case:
    """A case to be made.

    Attributes:
        command: a name in ``KINDS``.
        listed: its row in the list.
        options: of the command, but for its files.
    """

    command: str
    listed: Listed
    options: argparse.Namespace

    @property
    def name(self) -> str:
        return self.listed.name

    @property
    def inputs(self) -> dict[str, str]:
        """What the row says it is made from."""
        return {column: cell for column, cell in self.listed.cells.items() if column != "name"}


def finished(cohort: Path, case: Case) -> Record | Failure | None:
    """Return the result of ``case`` that is there already, or a failure if it is one of other files; else None."""
    try:
        record = read_record(cohort, case.name)
    except StorageError as error:
        return Failure(case.name, str(error))
    if record is None or record.inputs == case.inputs:
        return record
    changed = ", ".join(sorted(k for k in {*record.inputs, *case.inputs} if record.inputs.get(k) != case.inputs.get(k)))
    return Failure(case.name, f"There is a result of this name made from other inputs ({changed}). Rename one of both.")


def make(cohort: Path, case: Case) -> Record | Failure:
    """Make ``case`` in the folder of its cohort, in whatever process this is.

    Only what another try may mend is raised: what the operating system or the device reports. All else would fail
    again.

    Raises:
        OSError, DeviceError, MemoryError, DiffusionCoreError: of the world.
        ImportError: this worker lacks a package.
    """
    from DiffusionCore.cohort.kinds import KINDS

    there = finished(cohort, case)
    if there is not None:
        return there
    began = time.perf_counter()
    try:
        with attempt(cohort, case.name) as (folder, publish):
            options = argparse.Namespace(**{**vars(case.options), "output": folder})
            found = KINDS[case.command].work(case.listed, options)
            seconds = round(time.perf_counter() - began, 2)
            record = Record(case.name, case.inputs, found.measures, found.cautions, seconds, socket.gethostname())
            return publish(record)
    except ImportError:
        raise
    except Exception as error:
        if _may_pass(error):
            raise
        return Failure(case.name, describe(error))


def describe(error: BaseException) -> str:
    """Return what to tell the user of ``error``."""
    if isinstance(error, MemoryError):
        return "Out of memory. Use fewer --workers, or smaller images."
    if isinstance(error, (DiffusionCoreError, OSError)):
        return " ".join(str(error).split())
    return " ".join(f"Unexpected {type(error).__name__}: {error}. This is a defect.".split())


def _may_pass(error: BaseException | None) -> bool:
    """Return whether the system or the device reported ``error`` or what led to it; files that are damaged do not."""
    while error is not None:
        if isinstance(error, (MemoryError, DeviceError)) or (isinstance(error, OSError) and error.errno is not None):
            return True
        error = error.__cause__
    return False
