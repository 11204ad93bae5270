"""Run tests over the host in a process of their own, with a Python of the application of one's choice.

    python Testing/Host/conformance.py PYTHON_FOLDER REPORT PYTEST_ARGUMENT...

``PYTHON_FOLDER`` completes the package ``slicer``: our own ``slicer_python``, or Base/Python/slicer of a source tree of
Slicer, whose module SampleData is then taken as well. What became of each test is written to ``REPORT`` as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

HOST = Path(__file__).resolve().parent
OWN_PYTHON = HOST / "slicer_python"
SLICER_SOURCE = "SLICER_SOURCE_DIR"  # the variable that names a source tree of Slicer
NOT_BUILT = ("qMRMLSubjectHierarchyComboBox", "qMRMLSubjectHierarchyTreeView")  # imported, though, by Slicer's tests
DEADLINE = 1800  # s


def slicer_source() -> Path | None:
    """Return the source tree of Slicer that this machine offers; None if there is none."""
    named = os.environ.get(SLICER_SOURCE)
    return Path(named) if named else None


def outcomes(python_folder: Path, *arguments: str) -> dict[str, str]:
    """Run pytest with ``arguments`` over the host and return "passed", or why not, by the name of each test.

    Raises:
        RuntimeError: the process did not get as far as to report; the text holds what it said.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, os.fspath(HOST / "conformance.py"), os.fspath(python_folder), os.fspath(report)]
        environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            [*command, *arguments], env=environment, cwd=HOST.parent.parent, capture_output=True, text=True,
            timeout=DEADLINE, check=False,
        )  # fmt: skip
        if not report.is_file():
            raise RuntimeError(
                f"the process ended with {done.returncode}:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
            )
        return json.loads(report.read_text(encoding="utf-8"))


class Recorder:
    """A plugin of pytest that remembers what became of each test."""

    def __init__(self) -> None:
        self.outcomes: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: Any) -> None:
        if hasattr(report, "wasxfail") and report.outcome == "skipped":
            self.outcomes[report.nodeid] = "passed"  # as expected, it failed
        elif report.outcome != "passed":
            self.outcomes[report.nodeid] = report.longreprtext or report.outcome
        elif report.when == "call":
            self.outcomes.setdefault(report.nodeid, "passed")

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self.outcomes[report.nodeid] = report.longreprtext


class NotBuilt:
    """A widget that the host does not have."""

    def __init__(self, *_: Any) -> None:
        raise NotImplementedError(f"the host has no {type(self).__name__}")


def main(python_folder: str, report: str, *arguments: str) -> None:
    sys.path.insert(0, os.fspath(HOST))
    import slicer
    from slicer_api_host import application, modules

    application.start(python_folder)
    for name in NOT_BUILT:
        if not hasattr(slicer, name):
            setattr(slicer, name, type(name, (NotBuilt,), {}))
    sample_data = Path(python_folder, *[os.pardir] * 3, "Modules", "Scripted", "SampleData", "SampleData.py").resolve()
    if sample_data.is_file():
        modules.unload_module("SampleData")
        modules.load_module(sample_data)
    recorder = Recorder()
    pytest.main([*arguments, "-p", "no:cacheprovider"], plugins=[recorder])
    Path(report).write_text(json.dumps(recorder.outcomes), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
