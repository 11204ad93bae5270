"""What a registration costs: time and memory of this process and its children."""

from __future__ import annotations

import os
import time
from pathlib import Path

try:
    import resource
except ImportError:  # Windows
    resource = None


class Cost:
    """Adds up what happens in its ``with`` blocks: wall and CPU seconds; children count once they have ended.

    Attributes:
        wall, cpu: seconds.
    """

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0

    def __enter__(self) -> Cost:
        self._began = time.perf_counter(), _cpu_seconds()
        return self

    def __exit__(self, *exception: object) -> None:
        self.wall += time.perf_counter() - self._began[0]
        self.cpu += _cpu_seconds() - self._began[1]


def peak_memory() -> float | None:
    """Return the largest memory that this process has held so far, MB; None where the system does not tell.

    Linux counts what its parent held at the start into ``ru_maxrss``, so there the high-water mark is read.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 2**10
    except OSError:
        return None if resource is None else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def held_memory() -> float | None:
    """Return the memory that this process holds now, MB; None where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _cpu_seconds() -> float:
    children = os.times()
    return time.process_time() + children.children_user + children.children_system
