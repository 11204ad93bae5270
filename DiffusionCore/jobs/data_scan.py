"""A look at training images in a process of its own, as a panel must not wait for large ones. No torch."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from DiffusionCore.checks import DiffusionCoreError
from DiffusionCore.jobs.process_tree import kill_tree, tree_options
from DiffusionCore.jobs.worker_process import worker_environment

_PATIENCE = 5.0  # seconds until a process that was killed is given up


@dataclass(frozen=True)
class ImageSeen:
    """What was seen of one image.

    Attributes:
        image: its path.
        subject, modality: whose it is, and of what kind; empty if that is not known.
        size, spacing: voxels and mm along (i, j, k); empty where it cannot be used.
        labels: how many values its label map has but 0.
        problem: a sentence about why it cannot be used; empty if it can.
    """

    image: Path
    subject: str
    modality: str
    size: tuple[int, ...]
    spacing: tuple[float, ...]
    labels: int
    problem: str


class DataScan:
    """``python -m DiffusionCore scan PLACE``, followed by ``poll``.

    Attributes:
        seen: the images that were read so far, in the order of the place.
        of: how many there are; None before the first has been read.
        running: whether there are more to come.
        failure: why it has ended without them, for the user; empty if it has not.

    Args:
        place: folder or list of the images.
        python: the interpreter; by default this one. Inside Slicer it is ``PythonSlicer``.
        environment: of the process; by default that of this one.

    Raises:
        DiffusionCoreError: the process cannot be started.
    """

    def __init__(self, place: Path, *, python: str | None = None, environment: Mapping[str, str] | None = None) -> None:
        self.seen: list[ImageSeen] = []
        self.of: int | None = None
        self.running, self.failure = True, ""
        self._folder = Path(tempfile.mkdtemp(prefix="SpatialDiffusion-scan-"))
        self._output, self._errors = self._folder / "lines", self._folder / "errors"
        self._read = 0  # bytes
        command = [python or sys.executable, "-m", "DiffusionCore", "scan", str(place), "--lines"]
        given = os.environ if environment is None else environment
        try:
            with self._output.open("wb") as output, self._errors.open("wb") as errors:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=errors,
                    env=worker_environment(given),
                    **tree_options(),
                )
        except OSError as error:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise DiffusionCoreError(f"The images cannot be checked: '{command[0]}': {error.strerror}.") from error

    def poll(self) -> bool:
        """Read what is new, and return whether anything was; takes a few ms, and waits for nothing."""
        if not self.running:
            return False
        code = self._process.poll()  # before the lines are read: what stands there then is all
        known = len(self.seen)
        self._read_lines()
        if code is not None:
            self.running = False
            if code != 0:
                self.failure = self._reason()
            shutil.rmtree(self._folder, ignore_errors=True)
        return code is not None or len(self.seen) != known

    def close(self) -> None:
        """End it, finished or not; what has been seen stays."""
        if self.running:
            self.running = False
            kill_tree(self._process)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=_PATIENCE)
            shutil.rmtree(self._folder, ignore_errors=True)

    def _read_lines(self) -> None:
        with self._output.open("rb") as file:
            file.seek(self._read)
            complete, end, _ = file.read().rpartition(b"\n")
        self._read += len(complete) + len(end)
        for line in complete.splitlines():
            row = json.loads(line)
            self.of = row["of"]
            self.seen.append(_seen(row))

    def _reason(self) -> str:
        lines = self._errors.read_text(encoding="utf-8", errors="replace").splitlines()
        said = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
        return said[-1] if said else "The check of the images ended unexpectedly."


def _seen(row: Mapping[str, Any]) -> ImageSeen:
    return ImageSeen(
        image=Path(row["image"]),
        subject=row["subject"],
        modality=row["modality"],
        size=tuple(row["size"] or ()),
        spacing=tuple(row["spacing"] or ()),
        labels=len(row["labels"]),
        problem=row["problem"],
    )
