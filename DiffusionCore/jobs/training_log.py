"""The log of a training, followed while it is written."""

from __future__ import annotations

import itertools
import json
import math
import os
import statistics
from pathlib import Path
from typing import Any

_RECENT = 10  # rows that the speed is measured over


class TrainingLog:
    """The rows of the log of JSON lines at ``path``; ``update`` reads what is new.

    A line that is not complete yet is read when it is. When a training goes on from an older state, its log is cut and
    the file replaced: then it is read anew.

    Attributes:
        rows: one per line, in the order of the steps.
    """

    def __init__(self, path: Path) -> None:
        self.rows: list[dict[str, Any]] = []
        self._path = path
        self._read = 0  # bytes
        self._file: tuple[int, int] | None = None  # which file they were read from

    def update(self) -> bool:
        """Read what is new, and return whether the rows changed."""
        try:
            with self._path.open("rb") as log:
                status = os.fstat(log.fileno())
                known = len(self.rows)
                if (status.st_dev, status.st_ino) != self._file or status.st_size < self._read:
                    self.rows, self._read, self._file = [], 0, (status.st_dev, status.st_ino)
                log.seek(self._read)
                complete, end, _ = log.read().rpartition(b"\n")
        except OSError:
            changed, self.rows, self._read, self._file = bool(self.rows), [], 0, None
            return changed
        self._read += len(complete) + len(end)
        self.rows += [row for line in complete.splitlines() if (row := _row(line)) is not None]
        return bool(end) or len(self.rows) != known

    def values(self, name: str) -> list[tuple[int, float]]:
        """Return (step, value) of all rows that have a finite number ``name``."""
        pairs = [(row["step"], row[name]) for row in self.rows if isinstance(row.get(name), int | float)]
        return [(step, float(value)) for step, value in pairs if math.isfinite(value)]

    def speed(self) -> float | None:
        """Return the recent steps per second; None before two rows tell it.

        It is a median: a validation, or the synthetic heads that are drawn at first, do not count.
        """
        times = self.values("seconds")[-_RECENT - 1 :]
        pairs = itertools.pairwise(times)
        rates = [(b[0] - a[0]) / (b[1] - a[1]) for a, b in pairs if b[1] > a[1] and b[0] > a[0]]
        return statistics.median(rates) if rates else None


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and isinstance(row.get("step"), int) else None
