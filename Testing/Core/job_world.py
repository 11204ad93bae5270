"""What the tests of jobs share: small jobs, and runners that are polled to their end."""

import os
import sys
import time
from pathlib import Path

import numpy as np

from DiffusionCore.jobs.events import Failed, Finished, Log, StepMade
from DiffusionCore.jobs.process import ProcessRunner
from DiffusionCore.jobs.specification import RegistrationJob
from DiffusionCore.space import Grid, Volume

CORE = Path(__file__).parent
LONG = 120.0  # seconds: a deadline for what must happen, on a machine that is busy


def image(size=(12, 10, 8), seed=0):
    grid = Grid(size, (2.0, 2.5, 3.0), (-10.0, 5.0, 7.0))
    return Volume(np.random.default_rng(seed).integers(0, 1000, grid.shape).astype(np.int16), grid)


def job(manner, settings=None, **options):
    """Return a job for the pipeline ``manner`` of job_pipelines."""
    options = {"fixed": image(), "moving": image(seed=1), "device": "cpu", **options}
    return RegistrationJob(method=manner, settings=settings or {}, factory=f"job_pipelines:{manner}", **options)


def environment(**more):
    return {**os.environ, "PYTHONPATH": str(CORE), "OMP_NUM_THREADS": "1", **more}


def worker(asked, **options):
    """Return the runner of a job in the real worker, which finds the pipelines of the tests."""
    return ProcessRunner(asked, environment=environment(), **options)


def fake(manner, **options):
    """Return the runner of a job in a worker of fake_worker."""
    python = [sys.executable, "-S", str(CORE / "fake_worker.py"), manner]
    return ProcessRunner(job("shifts"), python, environment(), **options)


def wait_until(condition, what="it", seconds=LONG):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.002)


def collect(runner, until=lambda event: False, seconds=LONG):
    """Poll ``runner`` to its end, or to the first event of which ``until`` is true; return the events."""
    events = []

    def has_come():
        news = runner.poll()
        events.extend(news)
        return not runner.running or any(map(until, news))

    wait_until(has_come, "an end", seconds)
    return events


def finish(runner, **options):
    """Return all events of ``runner`` but the log, after checking how they follow each other, and close it."""
    events = [event for event in collect(runner, **options) if not isinstance(event, Log)]
    runner.close()
    assert not runner.running
    assert runner.poll() == []
    ends = [event for event in events if isinstance(event, Finished | Failed)]
    assert ends == events[-1:]
    return events


def steps(events):
    return [event for event in events if isinstance(event, StepMade)]


def is_step(event):
    return isinstance(event, StepMade)


def text_of_log(events):
    return "\n".join(event.text for event in events if isinstance(event, Log))
