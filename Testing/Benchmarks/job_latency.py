"""How fast a step of the worker reaches the process that shows it, and how long that one is held up for it.

    python Testing/Benchmarks/job_latency.py

Prints a table: from a field that has been computed in the worker to ``poll`` returning it, and the longest poll, for
fields of several sizes; the same while large images are handed over; the time to start and to stop.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from DiffusionCore.jobs.events import Failed, Finished, Started, StepMade
from DiffusionCore.jobs.process import ProcessRunner
from DiffusionCore.jobs.specification import RegistrationJob
from DiffusionCore.space import Grid, Volume

CORE = str(Path(__file__).resolve().parents[1] / "Core")
INTERVAL = 0.005  # seconds between two polls; the timer of a panel has 0.03 to 0.1


def image(size: tuple[int, int, int]) -> Volume:
    """Return an image of noise, int16."""
    grid = Grid(size)
    return Volume(np.random.default_rng(0).integers(0, 1000, grid.shape, dtype=np.int16), grid)


def say(line: str) -> None:
    """Print ``line``."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class Watched:
    """A run that is polled to its end, with the time of every poll."""

    def __init__(self, job: RegistrationJob, pause: Callable[[], object] = lambda: time.sleep(INTERVAL)) -> None:
        self.pause = pause
        environment = {**os.environ, "PYTHONPATH": CORE}
        self.began = time.time()
        start, busy = time.perf_counter(), time.thread_time()
        self.runner = ProcessRunner(job, environment=environment)
        self.polls = [time.perf_counter() - start]
        self.busy = [time.thread_time() - busy]
        self.events: list[tuple[float, object]] = []
        self.seen = 0

    def until(self, kind: type | tuple[type, ...]) -> float:
        """Poll until an event of ``kind`` has come; return when, in seconds since the start."""
        while True:
            for now, event in self.events[self.seen :]:
                self.seen += 1
                if isinstance(event, kind):
                    return now - self.began
                if isinstance(event, Failed):
                    raise SystemExit(f"{event.message}\n{event.details}")
            start, busy = time.perf_counter(), time.thread_time()
            events = self.runner.poll()
            self.polls.append(time.perf_counter() - start)
            self.busy.append(time.thread_time() - busy)
            now = time.time()
            # a field is dropped, as by a view that has copied it into its node
            self.events += [(now, replace(e, transform=None) if isinstance(e, StepMade) else e) for e in events]
            self.pause()

    def longest(self) -> str:
        """Return the time of the longest poll, and of the longest without what other processes took of it."""
        return f"longest of {len(self.polls)} polls {1e3 * max(self.polls):.1f} ms ({1e3 * max(self.busy):.1f} of CPU)"

    def seconds(self) -> str:
        """Return what took the worker how long."""
        (end,) = (event for _, event in self.events if isinstance(event, Finished))
        return ", ".join(f"{phase} {seconds:.2f} s" for phase, seconds in end.seconds.items())

    def latencies(self) -> list[float]:
        """Return the seconds from each step made to the poll that returned it."""
        return [now - event.made_at for now, event in self.events if isinstance(event, StepMade)]


def fields(side: int, count: int) -> None:
    """Print the latency of fields of ``side`` cubed."""
    settings = {"side": side, "count": count, "pause": 0.3}
    job = RegistrationJob(
        image((16, 16, 16)), image((16, 16, 16)), method="fields", settings=settings, factory="job_pipelines:fields"
    )
    run = Watched(job)
    run.until(Finished)
    run.runner.close()
    alone = run.latencies()
    line = f"median {1e3 * statistics.median(alone):6.1f} ms, largest {1e3 * max(alone):6.1f} ms"
    say(f"field of {side}^3: {line}; {run.longest()}")


def greedy_loop(tick: float) -> None:
    """Print the latency where the loop keeps the interpreter to itself between polls, as Slicer's does."""
    system = ctypes.PyDLL(None)  # its functions keep the interpreter
    settings = {"side": 96, "count": 20, "pause": 0.3}
    small = image((16, 16, 16))
    job = RegistrationJob(small, small, method="fields", settings=settings, factory="job_pipelines:fields")
    run = Watched(job, lambda: system.usleep(int(1e6 * tick)))
    run.until(Finished)
    run.runner.close()
    some = run.latencies()
    line = f"median {1e3 * statistics.median(some):6.1f} ms, largest {1e3 * max(some):6.1f} ms"
    say(f"field of 96^3, polled each {1e3 * tick:.0f} ms by a loop that keeps the interpreter: {line}")


def large_images() -> None:
    """Print how long two images of 512 x 512 x 300 hold up the poll."""
    job = RegistrationJob(
        image((512, 512, 300)), image((512, 512, 300)), want_moved=True, factory="job_pipelines:shifts", method="shifts"
    )
    run = Watched(job)
    started = run.until(Started)
    ended = run.until(Finished)
    run.runner.close()
    say(
        f"512x512x300 twice: started after {started:.2f} s, moved image back after {ended:.2f} s, "
        f"{run.longest()}; the run: {run.seconds()}"
    )


def start_and_stop() -> None:
    """Print how long it takes to start, and to stop before and after that."""
    job = RegistrationJob(image((32, 32, 32)), image((32, 32, 32)), factory="job_pipelines:hanging", method="hanging")
    early = Watched(job)
    asked = time.time()
    early.runner.stop()
    early.until((Finished, Failed))
    say(f"stopped at once: ended {1e3 * (time.time() - asked):.0f} ms later")
    late = Watched(job)
    started = late.until(Started)
    first = late.until(StepMade)
    late.until(StepMade)
    asked = time.time()
    late.runner.stop()
    late.until(Finished)
    say(f"started after {started:.2f} s, first step after {first:.2f} s")
    say(f"stopped in a step that hangs: ended {1e3 * (time.time() - asked):.0f} ms later")
    for run in (early, late):
        run.runner.close()


def main() -> None:
    """Print all of it."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    for side, count in ((64, 20), (96, 20), (160, 8), (256, 4)):
        fields(side, count)
    if sys.platform != "win32":
        greedy_loop(0.03)
    large_images()
    start_and_stop()


if __name__ == "__main__":
    main()
