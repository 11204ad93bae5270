"""The log of a training: rows of JSON, and the same curves for TensorBoard where that is installed."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

from DiffusionCore.storage.files import replacing
from DiffusionCore.training.folder import BOARD, LOG

Row = dict[str, float]


class Window:
    """The steps since the last row of the log: means of what they gave, their speed, and how long they waited."""

    def __init__(self) -> None:
        self._values: list[dict[str, float]] = []
        self._steps, self._waited, self._since = 0, 0.0, time.monotonic()

    def add(self, values: dict[str, float], waited: float, *, made: bool) -> None:
        """Count a step with its ``values`` (left out unless it was ``made``) that ``waited`` for its batches, s."""
        self._steps += 1
        self._waited += waited
        if made:
            self._values.append(values)

    def row(self, samples: int) -> Row:
        """Return the means, the samples per second (``samples`` a step), and the share of the time spent waiting."""
        seconds = time.monotonic() - self._since
        names = self._values[0] if self._values else {}
        means = {name: sum(values[name] for values in self._values) / len(self._values) for name in names}
        return {**means, "samples_per_second": self._steps * samples / seconds, "waiting": self._waited / seconds}


class RunLog:
    """The log in the folder of a run that goes on after ``step``: rows of later steps are dropped.

    A run that is killed leaves rows of steps that its last state does not know, and that will be written again.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self._path = folder / LOG
        _cut(self._path, step)
        self._board = _board(folder / BOARD, step)

    def write(self, row: Row) -> None:
        """Append ``row``; what is not finite is left out, as JSON has no word for it."""
        rounded = {name: round(value, 5) for name, value in row.items() if math.isfinite(value)}
        with self._path.open("a", encoding="utf-8") as log:
            log.write(json.dumps(rounded) + "\n")
        if self._board is not None:
            for name, value in rounded.items():
                self._board.add_scalar(name, value, int(row["step"]))
            self._board.flush()

    def close(self) -> None:
        """Close the files."""
        if self._board is not None:
            self._board.close()


def _board(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=step + 1)


def _cut(path: Path, step: int) -> None:
    if not path.exists():
        return
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        try:
            if json.loads(line)["step"] > step:
                break
        except ValueError:  # the row that was being written
            break
        rows.append(line)
    with replacing(path) as unfinished:
        unfinished.write_text("".join(rows), encoding="utf-8")
