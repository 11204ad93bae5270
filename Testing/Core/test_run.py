"""The two commands of a fresh machine, without making an environment."""

from __future__ import annotations

import ctypes
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Testing"))
import run  # noqa: E402


@pytest.fixture
def calls(monkeypatch, tmp_path):
    """Give the commands that would be run, in an environment that does not exist yet."""
    monkeypatch.setattr(run, "ENVIRONMENT", tmp_path / "environment")
    made = []

    def pretend(command, **options):
        made.append(([str(part) for part in command], options))
        if "venv" in command:
            run.python_of_environment().parent.mkdir(parents=True)
            run.python_of_environment().touch()
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(run.subprocess, "run", pretend)
    return made


def test_it_needs_only_the_standard_library():
    code = f"import sys; sys.path.insert(0, {str(ROOT / 'Testing')!r}); import run"
    subprocess.run([sys.executable, "-S", "-I", "-c", code], check=True)


def test_the_first_run_makes_the_environment_and_the_next_uses_it(calls):
    assert run.main(["tests", "-k", "frames"]) == 0
    assert "venv" in calls[0][0]
    assert {"-c", str(run.CONSTRAINTS), f"{ROOT}[test]"} <= set(calls[1][0])
    assert calls[-1][0][1:] == [*run.COMMANDS["tests"], "-k", "frames"]
    calls.clear()
    run.main(["tests"])
    assert [command[1:3] for command, _ in calls] == [["-c", "import vtk, slicer, PySide6.QtWidgets"], ["-m", "pytest"]]


def test_changed_pins_are_installed_again(calls, monkeypatch, tmp_path):
    run.main(["sample"])
    pins = tmp_path / "constraints.txt"
    pins.write_text("numpy==2.0.0\n", encoding="utf-8")
    monkeypatch.setattr(run, "CONSTRAINTS", pins)
    calls.clear()
    run.main(["sample"])
    assert "pip" in calls[0][0]


def test_the_sample_writes_where_the_user_stands(calls, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    run.main(["sample", "--output", "here"])
    command, options = calls[-1]
    assert command[1:] == ["-m", "DiffusionCore", "sample", "--output", "here"]
    assert options["cwd"] == tmp_path


def test_a_machine_without_ensurepip_is_told_the_one_line(calls, monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ensurepip" else find_spec(name))
    with pytest.raises(SystemExit, match=r"apt-get install -y python3\.\d+-venv"):
        run.main(["tests"])
    assert calls == []


def test_a_missing_library_is_named_by_the_package_that_brings_it(monkeypatch, tmp_path):
    def refuse(name):
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", refuse)
    monkeypatch.setattr(run, "FONTS", (tmp_path,))
    assert run.missing_packages("sample") == ["libstdc++6", "zlib1g"]
    assert {"libegl1", "libxkbcommon0", "fonts-dejavu-core"} <= set(run.missing_packages("tests"))
    assert set(run.missing_packages("tests")) < set(run.missing_packages("panel"))


def test_an_unknown_command_shows_the_usage():
    with pytest.raises(SystemExit, match="sample"):
        run.main(["smaple"])


def test_a_failed_installation_does_not_count_as_done(calls, monkeypatch):
    pretend = run.subprocess.run

    def fail_pip(command, **options):
        pretend(command, **options)
        return subprocess.CompletedProcess(command, int("pip" in command), "", "")

    monkeypatch.setattr(run.subprocess, "run", fail_pip)
    with pytest.raises(SystemExit, match="could not be installed"):
        run.main(["sample"])
    assert not list(run.ENVIRONMENT.glob("installed-*"))


def test_the_exit_code_of_the_tests_is_passed_on(calls, monkeypatch):
    pretend = run.subprocess.run

    def fail_pytest(command, **options):
        done = pretend(command, **options)
        return subprocess.CompletedProcess(command, 5 if "pytest" in command else 0, done.stdout, done.stderr)

    monkeypatch.setattr(run.subprocess, "run", fail_pytest)
    assert run.main(["tests"]) == 5
