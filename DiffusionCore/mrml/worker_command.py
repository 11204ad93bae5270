"""How workers are started from here: by which Python, and in which environment."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from DiffusionCore.jobs.job_files import Job
from DiffusionCore.jobs.process import ProcessRunner

_ROOT = Path(__file__).resolve().parents[2]  # the folder that holds the package


def worker_command() -> tuple[str, dict[str, str]]:
    """Return the program and the environment of a worker process.

    Inside Slicer that is PythonSlicer, as for pip, which completes the environment of Slicer by itself; anywhere else
    it is this Python. The worker finds this package where this process has found it.
    """
    program = shutil.which("PythonSlicer") or sys.executable
    paths = [str(_ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    return program, {**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(filter(None, paths)))}


def process_runner(job: Job) -> ProcessRunner:
    """Start a worker process for ``job``."""
    return ProcessRunner(job, *worker_command())
