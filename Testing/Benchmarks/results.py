"""What a run of the benchmarks has found so far, and the machine that it ran on."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib import metadata
from pathlib import Path

import torch

from DiffusionCore.kernels import kernels_used
from DiffusionCore.report import versions
from Testing.Benchmarks.options import Options
from Testing.Benchmarks.race import Row

_PEERS = ("numba", "triton", "monai")  # with versions of their own on the page, beside those of a report


@dataclass(frozen=True)
class Check:
    """Whether an operation gives on the device what it should: its name, what came, and if that is right."""

    name: str
    found: str
    right: bool


@dataclass
class Results:
    """What a run found.

    Attributes:
        options: what was asked for.
        rows: suite -> what its contestants needed.
        missing: peer that was not found -> how to get it.
        failures: what failed, in sentences.
        checks: of the operations on the device.
        figures: suite -> file name -> title of what was drawn.
        stopped: not all was done.
        begun, load: when, and how many processes ran then.
    """

    options: Options
    rows: dict[str, list[Row]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    figures: dict[str, dict[str, str]] = field(default_factory=dict)
    stopped: bool = False
    begun: datetime = field(default_factory=datetime.now)
    load: float = field(default_factory=lambda: _load())

    def facts(self) -> list[str]:
        """Return sentences about the machine, the versions and the run."""
        options, ended = self.options, datetime.now()
        found = versions() | {name: metadata.version(name) for name in _PEERS if _installed(name)}
        timed = "CPU seconds with one thread, else those by the clock on the wall"
        device = "cpu" if options.device == "cpu" else f"{options.device}, {torch.cuda.get_device_name(options.device)}"
        return [
            f"{_processor()}, {os.cpu_count()} cores, {platform.platform()}; device {device}",
            ", ".join(f"{name} {version}" for name, version in found.items()),
            f"{self.begun:%Y-%m-%d %H:%M} to {ended:%H:%M}; {self.load:.1f} processes ran in the minute before that,"
            f" {_load():.1f} in the last one",
            f"threads: {', '.join(map(str, options.threads))}; {options.rounds} rounds if nothing else is said; times"
            f" are {timed if options.device == 'cpu' else 'those by the clock when the device is done'}",
            kernels_used("cuda:0" if options.device == "cuda" else options.device),
        ]


def races_of(rows: Sequence[Row]) -> list[list[Row]]:
    """Return the rows of each race, one contest with one number of threads; ours are the first ones."""
    races: dict[tuple[str, str, float, int], list[Row]] = {}
    for row in rows:
        races.setdefault((row.benchmark, row.size, row.at, row.threads), []).append(row)
    return list(races.values())


def _installed(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def _load() -> float:
    """Return how many processes ran or wanted to, on average over a minute; NaN where nobody counts them."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")


def _processor() -> str:
    """Return the name of the processor."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
