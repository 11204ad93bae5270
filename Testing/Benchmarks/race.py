"""Races: who computes the same thing in what time, everybody in turn, in one run.

In each round all contestants have their turn, one after the other, so that a machine that slows down slows all of them;
what takes less than a moment is repeated until one is over.
A ratio is the median over the rounds of a contestant's time to ours in the same round; its spread is the distance of
the quartiles.
"""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import torch

Call = Callable[[], object]
Clock = Callable[[], float]

_MOMENT = 0.02  # seconds; a clock tells less only roughly


@dataclass(frozen=True)
class Point:
    """Where a contest stands on a scaling curve: ``at`` so many of ``along`` ("voxels", "channels", "steps", ...)."""

    along: str
    at: float


@dataclass(frozen=True)
class Contest:
    """Who computes ``benchmark`` at ``size``.

    Attributes:
        benchmark: what is computed.
        size: of what it is computed, in words ("160x192x224", "4 samples of 15 steps").
        calls: contestant -> call. The first one is ours, that to which all are held.
        point: on a scaling curve; the points of a curve share ``benchmark``.
        rounds: at most so many, for calls that take long.
        notes: contestant -> what is said beside its time, such as the Dice that it reaches, once the race is over.
        missing: who would have taken part, but cannot -> why, or how to get it ("pip install monai").
    """

    benchmark: str
    size: str
    calls: Mapping[str, Call]
    point: Point | None = None
    rounds: int | None = None
    notes: Mapping[str, Callable[[], str]] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """What one contestant, ``peer``, needs: ``ratio`` times our time in the same round."""

    benchmark: str
    size: str
    threads: int
    device: str
    peer: str
    ratio: float
    spread: float
    milliseconds: float
    along: str = ""
    at: float = 0.0
    note: str = ""


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and of those that it started and that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def device_seconds() -> float:
    """Return the time by the clock on the wall when the device has done all that it was told."""
    torch.cuda.synchronize()
    return time.perf_counter()


def clock_for(threads: int, device: str) -> Clock:
    """Return CPU seconds for one thread, as a busy machine changes them least; else those by the clock on the wall."""
    if device != "cpu":
        return device_seconds
    return cpu_seconds if threads == 1 else time.perf_counter


@dataclass(frozen=True)
class Spent:
    """What a call returns if not all of its time counts: the seconds of what does, in a process that it starts, say."""

    cpu: float
    wall: float


def seconds_of(call: Call, clock: Clock) -> float:
    """Return what one ``call`` takes: what it says itself, or the mean of as many as fill a moment.

    Between two looks at the clock, for which a device has to finish, lie twice as many as before.
    """
    begun, count, more = clock(), 0, 1
    while True:
        for _ in range(more):
            made = call()
            if isinstance(made, Spent):
                return made.cpu if clock is cpu_seconds else made.wall
        count += more
        taken = clock() - begun
        if taken >= _MOMENT:
            return taken / count
        more *= 2


def able(contest: Contest) -> tuple[Contest, list[str]]:
    """Let each contestant compute once, which compiles; return the contest of those that can, and why others cannot.

    What keeps ours from computing is raised.
    """
    calls, failures = {}, []
    for number, (name, call) in enumerate(contest.calls.items()):
        try:
            call()
        except Exception as error:  # a peer fails in many ways
            if number == 0:
                raise
            failures.append(f"{name}: {in_short(error)}")
        else:
            calls[name] = call
    return replace(contest, calls=calls), failures


def in_short(error: Exception) -> str:
    """Return what kind of ``error`` it is, and the first line of what it says."""
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"


def race(contest: Contest, rounds: int, threads: int, device: str = "cpu") -> Iterator[Row]:
    """Yield the row of each contestant, ours first. All should have computed once before: what compiles takes long.

    Raises:
        ValueError: ``rounds`` are less than two, of which no spread could be told.
    """
    rounds = min(rounds, contest.rounds or rounds)
    if rounds < 2:
        raise ValueError(f"a race needs two rounds or more, got {rounds}")
    clock = clock_for(threads, device)
    times: dict[str, list[float]] = {name: [] for name in contest.calls}
    for _ in range(rounds):
        for name, call in contest.calls.items():
            times[name].append(seconds_of(call, clock))
    ours = next(iter(times.values()))
    point = contest.point or Point("", 0.0)
    for name, taken in times.items():
        ratios = [each / own for each, own in zip(taken, ours, strict=True)]
        low, _, high = statistics.quantiles(ratios, n=4)
        yield Row(
            contest.benchmark,
            contest.size,
            threads,
            device,
            name,
            ratio=round(statistics.median(ratios), 3),
            spread=round(high - low, 3),
            milliseconds=round(1000 * statistics.median(taken), 3),
            along=point.along,
            at=point.at,
            note=contest.notes[name]() if name in contest.notes else "",
        )
