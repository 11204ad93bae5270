"""Small cohorts in folders, and the command that makes them in a process of its own."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from synthesis_world import write_cases

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = ("--count", 2, "--format", "pairs")


def write_list(path, rows):
    """Write the list of cases ``rows`` to ``path`` (.csv), and return that."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_cohort(folder, count, corrupt=(), held=()):
    """Write a list of ``count`` cases (case_000, ...), those at ``corrupt`` cannot be read; return its path.

    Those at ``held`` wait for their landmarks until their worker is killed; see ``caught`` and ``fill``.
    """
    write_cases(folder)
    whole = (folder / "anna.nii.gz").read_bytes()
    (folder / "torn.nii.gz").write_bytes(whole[: len(whole) // 2])
    rows = []
    for number in range(count):
        image = "torn" if number in corrupt else ("anna", "bert")[number % 2]
        label = f"{('anna', 'bert')[number % 2]}_seg.nii.gz"
        rows.append({"name": f"case_{number:03d}", "image": f"{image}.nii.gz", "label": label, "seed": number})
    for number in held:
        rows[number]["landmarks"] = f"landmarks_{number:03d}.csv"
        os.mkfifo(folder / rows[number]["landmarks"])
    return write_list(folder / "cases.csv", rows)


@contextmanager
def caught(folder, number):
    """Wait until a worker waits for the landmarks of a case that is held, and keep it there for the block."""
    while True:
        try:
            waiting = os.open(folder / f"landmarks_{number:03d}.csv", os.O_WRONLY | os.O_NONBLOCK)
            break
        except OSError:  # nobody reads there yet
            time.sleep(0.02)
    yield
    os.close(waiting)


def fill(folder, number):
    """Put landmarks there for the next worker that has the case."""
    landmarks = folder / f"landmarks_{number:03d}.csv"
    landmarks.unlink()
    landmarks.write_text("x,y,z\n0,0,0\n")


def command(cases, output, *more):
    """Return the arguments of the command that makes ``cases``."""
    return [*map(str, ("cohort", "synthesize", cases, "--output", output, *SETTINGS, *more))]


class Cohort:
    """The command on the list ``cases``, from its start; what it says goes to ``said``."""

    def __init__(self, cases, output, *more):
        self.output = output
        self.said = output.with_suffix(".txt")
        words = [sys.executable, "-m", "DiffusionCore", *command(cases, output, *more)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with self.said.open("w") as file:
            self.process = subprocess.Popen(words, stdout=file, stderr=file, env=environment, start_new_session=True)

    def attempts(self, case):
        """Return the processes that are at the case just now, or were killed over it."""
        return [int(path.name.split("-")[-2]) for path in (self.output / "unfinished" / case).glob("*-*-*")]

    def kill_over(self, case, times):
        """Kill the workers that begin ``case``, one after the other."""
        killed = set()
        while len(killed) < times and self.process.poll() is None:
            for worker in {*self.attempts(case)} - killed:
                killed.add(worker)
                os.kill(worker, signal.SIGKILL)
            time.sleep(0.01)
        return len(killed)

    def wait_for_a_result(self):
        while not self.results() and self.process.poll() is None:
            time.sleep(0.02)

    def interrupt(self):
        """Do as Ctrl-C in a terminal does."""
        os.killpg(self.process.pid, signal.SIGINT)

    def end(self):
        """Wait, and return the exit code and what was said."""
        code = self.process.wait(timeout=300)
        return code, self.said.read_text()

    def results(self):
        return sorted(path.name for path in (self.output / "cases").glob("*"))

    def rows(self):
        with (self.output / "summary.csv").open(newline="", encoding="utf-8") as file:
            return {row["name"]: row for row in csv.DictReader(file)}

    def stamps(self, cases):
        """Return when each file of ``cases`` was written."""
        paths = (path for case in cases for path in (self.output / "cases" / case).rglob("*"))
        return {path: path.stat().st_mtime_ns for path in paths}

    def variants(self):
        """Return the number of variants in each case, by its own account."""
        paths = sorted((self.output / "cases").glob("*/manifest.json"))
        return {path.parent.name: len(json.loads(path.read_text())["samples"]) for path in paths}
