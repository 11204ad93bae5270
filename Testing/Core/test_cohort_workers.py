"""Cohorts by real workers: killed ones, a stop, a scheduler that was there before."""

import subprocess
import sys
import time

import pytest
from cohort_world import ROOT, SETTINGS, Cohort, caught, command, fill, write_cohort

from DiffusionCore.__main__ import main


def test_killed_workers_and_bad_cases_stop_nothing_and_a_restart_makes_nothing_anew(tmp_path, capsys):
    cases = write_cohort(tmp_path / "in", 7, corrupt=(2,), held=(1, 5))
    cases.write_text(cases.read_text() + "case_000,anna.nii.gz,,,\n")
    cohort = Cohort(cases, tmp_path / "out", "--workers", 2)
    with caught(cases.parent, 1):
        fill(cases.parent, 1)
        assert cohort.kill_over("case_001", 1) == 1
    assert cohort.kill_over("case_005", 2) == 2
    code, said = cohort.end()
    whole = [f"case_{number:03d}" for number in (0, 1, 3, 4, 6)]
    assert code == 1
    assert "8 cases: 5 made, 0 were there, 3 failed." in said
    assert "Traceback" not in said
    assert cohort.results() == whole
    assert cohort.variants() == dict.fromkeys(whole, 2)
    rows = cohort.rows()
    assert [name for name, row in rows.items() if row["status"] == "failed"] == ["case_002", "case_005", "row 8"]
    assert "torn.nii.gz" in rows["case_002"]["text"]
    assert "killed 2 times" in rows["case_005"]["text"]
    assert "'case_000' in row 8" in rows["row 8"]["text"]
    assert not (cohort.output / "unfinished").exists()
    page = (cohort.output / "summary.html").read_text()
    assert all(f"cases/{name}/thumbnail.jpg" in page for name in whole)

    fill(cases.parent, 5)
    stamps = cohort.stamps(whole)
    assert main(command(cases, cohort.output, "--workers", 1)) == 1
    assert "8 cases: 1 made, 5 were there, 2 failed." in capsys.readouterr().out
    assert cohort.stamps(whole) == stamps


def test_ctrl_c_ends_cleanly_and_the_same_command_goes_on(tmp_path):
    cases = write_cohort(tmp_path / "in", 40)
    cohort = Cohort(cases, tmp_path / "out", "--workers", 1)
    cohort.wait_for_a_result()
    cohort.interrupt()
    code, said = cohort.end()
    made = len(cohort.results())
    assert code == 130
    assert 1 <= made < 40
    assert "The same command goes on from here." in said
    assert "Traceback" not in said
    assert f"40 cases: {made} made, 0 were there, 0 failed, {40 - made} waiting." in said
    assert sum(row["status"] == "waiting" for row in cohort.rows().values()) == 40 - made


@pytest.fixture
def scheduler(tmp_path):
    """Start a scheduler and a worker, as on a cluster, and give the file that leads to them."""
    place = tmp_path / "scheduler.json"
    dask = [sys.executable, "-m", "dask"]
    common = {"cwd": ROOT, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    first = [*dask, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", place]
    second = [*dask, "worker", "--scheduler-file", place, "--nthreads", "1", "--no-dashboard"]
    running = [subprocess.Popen([*map(str, words)], **common) for words in (first, second)]
    while not place.exists():
        time.sleep(0.05)
    yield place
    for process in reversed(running):
        process.terminate()
    for process in running:
        process.wait(timeout=60)


def test_the_workers_of_a_scheduler_make_what_the_command_makes(tmp_path, scheduler, capsys):
    cases = write_cohort(tmp_path / "in", 2)
    assert main(command(cases, tmp_path / "out", "--scheduler", scheduler)) == 0
    assert "2 cases: 2 made" in capsys.readouterr().out
    bert, labels, alone = tmp_path / "in" / "bert.nii.gz", tmp_path / "in" / "bert_seg.nii.gz", tmp_path / "alone"
    files = ["--image", bert, "--segmentation", labels, "--output", alone]
    assert main([*map(str, ["synthesize", *files, *SETTINGS, "--seed", 1, "--workers", 1])]) == 0
    made = tmp_path / "out" / "cases" / "case_001"
    for number in range(2):
        variant = (made / f"case_001_{number:04d}.nii.gz").read_bytes()
        assert variant == (alone / f"bert_{number:04d}.nii.gz").read_bytes()


def test_a_scheduler_that_does_not_answer_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("DiffusionCore.cohort.scheduling._CONNECTION", 0.5)
    cases = write_cohort(tmp_path / "in", 1)
    assert main(command(cases, tmp_path / "out", "--scheduler", "tcp://127.0.0.1:1")) == 2
    assert "No Dask scheduler answers at 'tcp://127.0.0.1:1'" in capsys.readouterr().err
