"""What became of the cases of a cohort so far: shown in the shell, and kept in the summary."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tqdm import tqdm

from DiffusionCore.cohort.cases import Failure
from DiffusionCore.cohort.folder import Record
from DiffusionCore.cohort.summary import write_summary

_INTERVAL = 60.0  # seconds after which the summary is written anew, to be looked at meanwhile


class Account:
    """An account of the cases ``names`` in the folder ``cohort``; its summary is there when the block has ended.

    In a terminal a bar follows the cases, elsewhere a line each; a failure gets a line in any case.
    """

    def __init__(
        self, cohort: Path, names: Sequence[str], title: str, doubt: Callable[[dict[str, float]], float]
    ) -> None:
        self.before = self.made = self.failed = 0
        self._cohort, self._names, self._title, self._doubt = cohort, names, title, doubt
        self._found: dict[str, Record | Failure] = {}
        self._written = time.monotonic()

    @property
    def waiting(self) -> int:
        """How many cases have no result yet."""
        return len(self._names) - len(self._found)

    def __contains__(self, name: str) -> bool:
        return name in self._found

    def take_over(self, there: Record | Failure) -> None:
        """Take in a case that was there before."""
        if isinstance(there, Failure):
            self.add(there)
            return
        self.before += 1
        self._take(there, "")

    def add(self, result: Record | Failure) -> None:
        """Take in what has just become of a case."""
        if isinstance(result, Failure):
            self.failed += 1
            self._take(result, f"error: {result.name}: {result.text}")
            return
        self.made += 1
        line = f"{result.name}: {result.seconds:.1f} s ({len(self._found) + 1} of {len(self._names)})"
        self._take(result, line if self._bar.disable else "")

    def __enter__(self) -> Account:
        self._bar = tqdm(total=len(self._names), unit="case", file=sys.stderr, disable=None)
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.close()
        self._summarize()

    def _take(self, result: Record | Failure, line: str) -> None:
        self._found[result.name] = result
        if line:
            self._bar.write(line, file=sys.stderr)
        self._bar.update()
        if time.monotonic() > self._written + _INTERVAL:
            self._summarize()

    def _summarize(self) -> None:
        write_summary(self._cohort, self._names, self._found, title=self._title, doubt=self._doubt)
        self._written = time.monotonic()
