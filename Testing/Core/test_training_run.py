"""Trainings in processes of their own: started, followed, stopped, resumed, found again, and killed."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from line_trainer import OFTEN, PausedConfig, PausedRecipe

from DiffusionCore.checks import DiffusionCoreError, StorageError
from DiffusionCore.jobs.training import TrainingRun, TrainingState
from DiffusionCore.storage.checkpoint import load_checkpoint
from DiffusionCore.training.folder import (
    CHECKS,
    LOG,
    OUTPUT,
    RECORD,
    STATE,
    STOP,
    WEIGHTS,
    TrainingPlace,
    TrainingRecord,
    delete_training,
)
from DiffusionCore.training.loop import train

TRAINER = Path(__file__).with_name("line_trainer.py")
LIMIT = 60  # seconds; far more than anything here takes
ENDLESS = ("pause=0.03", "steps=100000")  # runs until it is ended, however slow the machine is


@pytest.fixture
def python(tmp_path):
    """Return an interpreter that knows the recipe "line"; like Slicer's, it starts another process for the work."""
    launcher = tmp_path / "python"
    launcher.write_text(f'#!/bin/sh\n"{sys.executable}" "{TRAINER}" "$@"\nexit $?\n')
    launcher.chmod(launcher.stat().st_mode | stat.S_IXUSR)
    return str(launcher)


@pytest.fixture
def start(tmp_path, python, monkeypatch):
    """Return ``TrainingRun.start`` of the recipe "line" in the folder "run"; nothing survives the test."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    runs = []

    def start(*settings, **options):
        runs.append(TrainingRun.start(tmp_path / "run", "line", settings, **{"python": python, **options}))
        return runs[-1]

    yield start
    for run in runs:
        run.kill()


def wait_until(condition, run):
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, (run.state, run.message, run.output())
        time.sleep(0.01)
        run.poll()


def follow(run):
    """Wait for the end of ``run`` and return it."""
    wait_until(lambda: not run.running, run)
    return run


def after_step(step, run):
    wait_until(lambda: run.step >= step or not run.running, run)
    assert run.running
    return run


def assert_weights_of_a_run_that_went_through(folder, other):
    """``other`` is trained in this process, without a break."""
    train(PausedRecipe(PausedConfig(pause=0)), other, OFTEN)
    for name in (STATE, WEIGHTS):
        whole, parts = (load_checkpoint(run / name).weights for run in (other, folder))
        assert whole.keys() == parts.keys()
        assert all(torch.equal(whole[key], parts[key]) for key in whole)


def test_a_training_is_followed_to_its_end(start):
    run = start()
    assert (run.state, run.step, run.weights) == (TrainingState.RUNNING, 0, None)
    follow(run)
    assert (run.state, run.step, run.of, run.message) == (TrainingState.FINISHED, 60, 60, "")
    assert [step for step, _ in run.losses] == list(range(1, 61))
    assert [step for step, _ in run.checks] == [20, 40, 60]
    assert run.best == min(run.checks, key=lambda check: check[1])
    assert run.speed > 0
    assert (run.resumable, run.seconds_left) == (None, None)
    assert run.weights.is_file()


def test_a_running_training_tells_its_speed_and_the_time_left(start):
    run = after_step(4, start("pause=0.1", "steps=100000"))
    assert 0 < run.speed <= 11  # a batch waits for a tenth of a second
    assert run.seconds_left == pytest.approx((100000 - run.step) / run.speed)


def test_the_time_limit_is_the_time_left_where_it_comes_first(start):
    run = after_step(4, start(*ENDLESS, minutes=1))
    assert run.seconds_left < 60 < (run.of - run.step) / run.speed


def test_the_time_limit_ends_the_run_with_a_checkpoint(start):
    run = follow(start(*ENDLESS, minutes=0.02))
    assert run.state is TrainingState.STOPPED
    assert run.resumable == run.step > 0


def test_a_training_that_a_cluster_ends_saves_first(start):
    run = after_step(3, start(*ENDLESS))
    os.kill(run.record.pid, signal.SIGTERM)
    follow(run)
    assert (run.state, run.message) == (TrainingState.STOPPED, "")
    assert run.resumable == run.step >= 3


def test_stopping_and_going_on_ends_with_the_weights_of_a_run_that_went_through(start, python, tmp_path):
    parts = after_step(7, start("pause=0.1"))
    parts.stop()
    assert parts.stopping
    follow(parts)
    assert (parts.state, parts.stopping, parts.message) == (TrainingState.STOPPED, False, "")
    assert parts.resumable == parts.step < 60
    assert not (parts.folder / STOP).exists()
    again = parts.resume(python=python)
    assert again.record.settings == ("pause=0.1",)
    follow(again)
    assert again.state is TrainingState.FINISHED
    assert [step for step, _ in again.losses] == list(range(1, 61))
    assert_weights_of_a_run_that_went_through(again.folder, tmp_path / "whole")


def test_a_training_that_was_killed_says_so_and_goes_on_from_its_last_checkpoint(start, python, tmp_path):
    killed = after_step(12, start("pause=0.1"))
    os.kill(killed.record.pid, signal.SIGKILL)
    follow(killed)
    assert killed.state is TrainingState.FAILED
    assert killed.resumable in (10, 15)
    assert f"unexpectedly after step {killed.step} " in killed.message
    assert f"The last checkpoint is step {killed.resumable}." in killed.message
    again = follow(killed.resume(python=python))
    assert_weights_of_a_run_that_went_through(again.folder, tmp_path / "whole")
    assert [step for step, _ in again.losses] == list(range(1, 61))


def test_the_log_is_read_anew_where_going_on_cuts_it(start, python):
    run = after_step(12, start(*ENDLESS))
    run.kill()
    follow(run)
    last = run.step
    again = run.resume(python=python)
    wait_until(lambda: again.step > last, again)
    run.poll()
    assert [step for step, _ in run.losses] == list(range(1, run.step + 1))


def test_a_training_is_found_again_followed_and_stopped_by_who_did_not_start_it(start, tmp_path):
    started = after_step(3, start(*ENDLESS))
    found = TrainingRun.find(tmp_path / "run")
    assert (found.state, found.record.recipe, found.of) == (TrainingState.RUNNING, "line", 100000)
    after_step(started.step + 2, found)
    found.stop()
    started.poll()
    assert started.stopping
    follow(found)
    assert (found.state, follow(started).state) == (TrainingState.STOPPED, TrainingState.STOPPED)
    assert TrainingRun.find(tmp_path / "run").state is TrainingState.STOPPED


def test_a_training_that_was_found_again_can_be_ended_by_force(start, tmp_path):
    after_step(6, start(*ENDLESS))
    found = TrainingRun.find(tmp_path / "run")
    pid = found.record.pid
    found.kill()
    follow(found)
    assert (found.state, found.resumable) == (TrainingState.STOPPED, 5)
    wait_until(lambda: not _exists(pid), found)


def test_what_a_launcher_has_started_ends_with_it_even_before_the_training_begins(tmp_path):
    launcher, noted = tmp_path / "python", tmp_path / "pid"
    launcher.write_text(f'#!/bin/sh\nsleep 1000 &\necho $! > "{noted}.new"\nmv "{noted}.new" "{noted}"\nwait\n')
    launcher.chmod(launcher.stat().st_mode | stat.S_IXUSR)
    run = TrainingRun.start(tmp_path / "run", "line", python=str(launcher))
    wait_until(noted.exists, run)
    run.kill()
    wait_until(lambda: not _exists(int(noted.read_text())), run)
    assert (follow(run).state, run.resumable) == (TrainingState.STOPPED, None)


def _exists(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_training_outlives_the_program_that_started_it(tmp_path, python):
    code = (
        "import sys; from pathlib import Path; from DiffusionCore.jobs.training import TrainingRun; "
        "TrainingRun.start(Path(sys.argv[1]), 'line', ['pause=0.03', 'steps=100000'], python=sys.argv[2]); "
        "assert 'torch' not in sys.modules"
    )
    folder, root = tmp_path / "run", Path(__file__).parents[2]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", code, folder, python], cwd=root, env=environment, check=True)
    run = TrainingRun.find(folder)
    deadline = time.monotonic() + LIMIT
    while run is None or run.step < 3:
        assert time.monotonic() < deadline
        time.sleep(0.05)
        run = TrainingRun.find(folder)
    run.stop()
    assert follow(run).state is TrainingState.STOPPED


def test_two_trainings_do_not_share_a_folder(start, python, tmp_path):
    run = after_step(1, start(*ENDLESS))
    with pytest.raises(DiffusionCoreError, match="A training is running in"):
        run.resume(python=python)
    # one that begins before the first has taken the folder is refused by the folder itself
    command = [python, "-m", "DiffusionCore", "train", "line", "--output", str(run.folder)]
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(TRAINER.parents[2])}, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "Another process is training in" in done.stderr
    after_step(run.step + 2, run)


@pytest.mark.parametrize(
    ("recipe", "settings", "text"),
    [
        ("lines", [], "There is no recipe 'lines'"),
        ("line", ["slop=3"], "'slop=3' changes nothing"),
        ("line", ["slope=1e30"], "Resume with a lower learning_rate"),
    ],
)
def test_what_the_training_refuses_is_its_message(tmp_path, python, recipe, settings, text):
    run = follow(TrainingRun.start(tmp_path / "run", recipe, settings, python=python))
    assert run.state is TrainingState.FAILED
    assert text in run.message
    assert not run.message.startswith("error")


def test_a_failure_before_the_training_begins_is_not_hidden_by_how_the_last_one_ended(start, tmp_path, python):
    stopped = after_step(1, start(*ENDLESS))
    stopped.stop()
    follow(stopped)
    run = follow(TrainingRun.start(tmp_path / "run", "lines", python=python))
    assert (run.state, run.resumable) == (TrainingState.FAILED, stopped.step)
    assert "There is no recipe 'lines'" in run.message


def test_a_program_that_cannot_be_started_is_an_error_that_names_it(tmp_path):
    with pytest.raises(DiffusionCoreError, match="no-such-python"):
        TrainingRun.start(tmp_path, "line", python=str(tmp_path / "no-such-python"))


def test_a_folder_that_cannot_be_written_is_an_error_that_names_it(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StorageError, match="file"):
        TrainingRun.start(tmp_path / "file" / "run", "line")


def test_a_folder_without_a_training_holds_none(tmp_path):
    assert TrainingRun.find(tmp_path) is None
    assert TrainingRun.find(tmp_path / "missing") is None


def test_a_real_recipe_runs_under_the_interpreter_of_the_tests(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    tiny = [
        "precision=float32",
        "heads=1",
        "pairs=1",
        "network.size=8",
        "network.widths=[8,8,8]",
        "network.hidden=8",
        "steps=2",
    ]
    run = follow(TrainingRun.start(tmp_path, "affine", tiny))
    assert (run.state, run.step) == (TrainingState.FINISHED, 2), run.message


def test_the_folder_of_images_reaches_the_recipe(tmp_path, start):
    run = follow(start("pause=0", data=tmp_path / "images"))
    assert "--data" in run.message  # the recipe "line" takes none
    assert str(tmp_path / "images") in run.message


def test_a_training_is_deleted_unless_it_runs(start):
    run = after_step(5, start(*ENDLESS))
    with pytest.raises(DiffusionCoreError, match="running"):
        delete_training(run.folder)
    run.stop()
    follow(run)
    assert run.weights is not None
    for name in ("weights-0000005.safetensors", "bad-batch-0.safetensors"):
        (run.folder / name).touch()
    (run.folder / CHECKS).mkdir()
    delete_training(run.folder)
    assert not run.folder.exists()


def write_run(folder, *lines, outcome="stopped", minutes=None, of=100):
    """Write a folder as a training leaves it that nobody runs any more."""
    with TrainingPlace(folder, TrainingRecord("line", (), "cpu", minutes, of)) as place:
        place.unfinished = outcome == "stopped"
    (folder / LOG).write_text("".join(lines))
    return folder


def row(step, **values):
    return json.dumps({"step": step, "of": 100, **values}) + "\n"


def test_half_a_line_is_read_when_it_is_whole(tmp_path):
    run = TrainingRun.find(write_run(tmp_path, row(1, loss=3.0), '{"step": 2, "lo'))
    assert run.losses == [(1, 3.0)]
    with (tmp_path / LOG).open("a") as log:
        log.write('ss": 2.5}\n{"step"')
    assert run.poll()
    assert run.losses == [(1, 3.0), (2, 2.5)]
    assert not run.poll()


def test_lines_that_are_no_rows_and_losses_that_are_no_numbers_are_left_out(tmp_path):
    run = TrainingRun.find(
        write_run(tmp_path, "nonsense\n", "[1]\n", '{"loss": 1}\n', row(3, loss=float("nan")), row(4))
    )
    assert (run.step, run.losses, run.best, run.speed) == (4, [], None, None)


def test_the_best_check_of_a_training_is_the_least_of_its_log(tmp_path):
    losses = [3.0, 1.5, float("nan"), 2.0]
    rows = [row(10 * number, loss=1.0, validation=loss) for number, loss in enumerate(losses, 1)]
    run = TrainingRun.find(write_run(tmp_path, row(5, loss=0.1), *rows, "validation\n"))
    assert run.best == (20, 1.5)


def test_the_speed_is_that_of_most_rows_and_not_of_a_validation(tmp_path):
    times = [40, 41, 42, 43, 63, 64, 65]
    run = TrainingRun.find(write_run(tmp_path, *(row(10 * i, seconds=t) for i, t in enumerate(times, 1))))
    assert run.speed == 10


def test_a_log_without_a_record_is_that_of_an_older_version(tmp_path):
    (tmp_path / LOG).write_text('{"step": 50, "loss": 2.0}\n')
    run = TrainingRun.find(tmp_path)
    assert (run.state, run.record, run.of) == (TrainingState.STOPPED, None, None)
    with pytest.raises(DiffusionCoreError, match="does not tell which recipe"):
        run.resume()


def test_a_record_that_is_being_written_leaves_the_one_before(tmp_path):
    run = TrainingRun.find(write_run(tmp_path, row(1)))
    before = run.record
    (tmp_path / RECORD).write_text('{"recipe": "li')
    run.poll()
    assert run.record == before


def test_the_folder_says_why_a_training_in_this_process_ended(tmp_path):
    record = TrainingRecord("line", ("slope=3",), "cpu", None, 100)
    with pytest.raises(StorageError), TrainingPlace(tmp_path, record):
        raise StorageError("The disk is full.")
    run = TrainingRun.find(tmp_path)
    assert (run.state, run.message) == (TrainingState.FAILED, "The disk is full.")
    with pytest.raises(KeyboardInterrupt), TrainingPlace(tmp_path, record):
        raise KeyboardInterrupt
    assert TrainingRun.find(tmp_path).state is TrainingState.STOPPED
    with TrainingPlace(tmp_path, record):
        assert TrainingRun.find(tmp_path).running
    assert TrainingRun.find(tmp_path).state is TrainingState.FINISHED


def test_memory_that_ran_out_is_said_in_words(tmp_path):
    with pytest.raises(RuntimeError), TrainingPlace(tmp_path, TrainingRecord("line", (), "cuda", None, 100)):
        raise RuntimeError
    (tmp_path / OUTPUT).write_text("error: unexpected OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB.\n")
    assert TrainingRun.find(tmp_path).message.startswith("The memory ran out.")
    (tmp_path / OUTPUT).write_text("error: unexpected ZeroDivisionError: division by zero. This is a defect.\n")
    assert "ZeroDivisionError" not in TrainingRun.find(tmp_path).message
    assert OUTPUT in TrainingRun.find(tmp_path).message
