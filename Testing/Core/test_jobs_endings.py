"""How runs end: however the worker behaves, there is one end, in words, and nothing is left."""

import gc
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from fake_worker import UNIT
from full_disk import full_disk
from job_world import collect, environment, fake, finish, image, is_step, job, steps, text_of_log, wait_until, worker

from DiffusionCore.jobs import process_tree
from DiffusionCore.jobs.events import Failed, Finished, Started
from DiffusionCore.jobs.process import ProcessRunner

STOPPED = "The registration was stopped before its first step; nothing was changed."


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not Path(f"/proc/{pid}/stat").exists() or "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]


def is_end(event, *, stopped):
    return isinstance(event, Finished) and event.stopped == stopped


@pytest.fixture(autouse=True)
def nothing_is_left():
    before = set(threading.enumerate())
    yield
    wait_until(lambda: set(threading.enumerate()) <= before, "the threads to end")
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_who_is_polite_ends_when_asked(tmp_path):
    runner = fake("polite", folder=tmp_path)
    collect(runner, lambda event: is_step(event) and event.index == 1)
    runner.stop()
    runner.stop()
    events = finish(runner)
    assert [step.index for step in steps(events)] == [2]
    assert is_end(events[-1], stopped=True)
    wait_until(lambda: not list(tmp_path.iterdir()), "the files to go")


def test_the_steps_of_a_worker_arrive_as_they_were_written():
    runner = fake("polite")
    started, *made = collect(runner, lambda event: is_step(event) and event.index == 1)
    runner.close()
    assert started == Started("cpu")
    np.testing.assert_array_equal(made[0].transform.values.ravel(), UNIT)
    assert (made[1].index, made[1].phase, made[1].time, made[1].metrics) == (1, "pose", 0.5, {"overlap": 1.0})


def test_who_does_not_listen_is_killed_after_a_grace_and_its_steps_are_kept():
    runner = fake("deaf", grace=0.2)
    collect(runner, lambda event: is_step(event) and event.index == 1)
    runner.stop()
    assert runner.running
    assert is_end(finish(runner)[-1], stopped=True)


def test_who_is_stopped_before_its_first_step_has_no_result():
    runner = fake("stepless", grace=0.1)
    collect(runner, lambda event: isinstance(event, Started))
    runner.stop()
    assert finish(runner) == [Failed(STOPPED)]


def test_a_result_that_is_due_is_waited_for_beyond_the_grace():
    runner = fake("slow_to_finish", grace=0.3)
    collect(runner, is_step)
    runner.stop()
    began = time.monotonic()
    assert is_end(finish(runner)[-1], stopped=True)
    assert time.monotonic() - began > 0.9


def test_but_not_for_ever():
    runner = fake("slow_to_finish", grace=0.3, patience=0.0)
    collect(runner, is_step)
    runner.stop()
    assert is_end(finish(runner)[-1], stopped=True)


def test_a_stop_while_the_worker_starts_does_not_wait_for_it():
    for kill in (ProcessRunner.stop, ProcessRunner.kill):
        runner = worker(job("hanging"), grace=3600.0)
        kill(runner)
        assert finish(runner, seconds=10.0) == [Failed(STOPPED)]


def test_an_end_without_a_word_is_said_to_be_unexpected():
    end = finish(fake("silent"))[-1]
    assert end.message == "The computation ended unexpectedly before its first step."
    assert end.last_step is None
    assert "code 0" in end.details


def test_noise_between_and_within_lines_goes_to_the_log():
    runner = fake("piecemeal")
    events = collect(runner)
    runner.close()
    kinds = [type(event).__name__ for event in events if type(event).__name__ != "Log"]
    assert kinds == ["Started", "StepMade", "Finished"]
    log = text_of_log(events)
    for noise in ("Loading weights: 100%", "[1, 2, 3]", "null", "Nonsense", "perhaps", "nowhere"):
        assert noise in log


def test_a_line_without_an_end_is_no_message():
    events = finish(fake("endless"))
    assert len(steps(events)) == 1
    assert events[-1].message.startswith("The computation ended unexpectedly after step 1.")


def test_a_flood_of_prints_is_cut_and_loses_no_event():
    events = collect(fake("talkative"))
    assert is_end(events[-1], stopped=False)
    assert len(steps(events)) == 1
    assert text_of_log(events).count("nobody reads") < 200_000


def test_a_run_that_has_ended_is_over_even_if_its_process_stays():
    runner = fake("lingering")
    pid = runner.pid
    assert is_end(finish(runner)[-1], stopped=False)
    wait_until(lambda: not is_alive(pid), "the process to go")


def test_a_killed_worker_is_a_sentence_that_counts_the_steps_that_are_kept():
    runner = worker(job("hanging", {"count": 6}))
    events = collect(runner, lambda event: is_step(event) and event.index == 5)
    assert len(steps(events)) == 6
    os.kill(runner.pid, signal.SIGKILL)
    (end,) = finish(runner)
    text = "The computation ended unexpectedly after step 6 (memory ran out?). Steps 1-6 are kept."
    assert (end.message, end.last_step) == (text, 5)


def test_a_hanging_step_is_stopped_within_a_second(tmp_path):
    runner = worker(job("hanging"), folder=tmp_path)
    collect(runner, lambda event: is_step(event) and event.index == 1)
    runner.stop()
    (end,) = finish(runner, seconds=5.0)
    assert is_end(end, stopped=True)
    wait_until(lambda: not list(tmp_path.iterdir()), "the files to go")


def test_a_stop_between_steps_gives_the_result_of_the_last_one():
    runner = worker(job("shifts", {"count": 1000, "pause": 0.02}, want_moved=True))
    first = steps(collect(runner, lambda event: is_step(event) and event.index >= 3))
    runner.stop()
    events = finish(runner)
    end, last = events[-1], [*first, *steps(events)][-1]
    assert end.stopped
    assert 3 <= last.index < 900
    assert end.moved.shape == image().grid.shape
    assert {measure.name for measure in end.measures} == {"Similarity", "Folding"}


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ("exit", "because of an error in the program"),
        ("vanish", r"unexpectedly after step 2\. Steps 1-2 are kept\."),
        ("segmentation fault", r"unexpectedly after step 2\. Steps 1-2 are kept\."),
        ("killed", r"after step 2 \(memory ran out\?\)\. Steps 1-2 are kept\."),
    ],
)
def test_a_worker_that_ends_by_itself_is_explained(how, text):
    events = finish(worker(job("crashing", {"how": how})))
    assert [step.index for step in steps(events)] == [0, 1]
    assert events[-1].last_step == 1
    assert re.search(text, events[-1].message)
    if how == "segmentation fault":
        assert "job_pipelines.py" in events[-1].details


def test_the_children_of_a_killed_worker_go_with_it():
    runner = worker(job("restless"), grace=0.1)
    log = text_of_log(collect(runner, is_step))
    log += (
        text_of_log(collect(runner, lambda event: "child" in getattr(event, "text", ""))) if "child" not in log else ""
    )
    child = int(log.split("child ")[1].split()[0])
    assert is_alive(child)
    runner.stop()
    assert is_end(finish(runner)[-1], stopped=True)
    wait_until(lambda: not is_alive(child), "the child to go")


PARENT = """
import sys, time
sys.path[:0] = [{core!r}]
from job_world import collect, is_step, job, worker
runner = worker(job("hanging"), folder={folder!r})
collect(runner, is_step)
print(runner.pid, flush=True)
time.sleep(3600)
"""


@pytest.mark.parametrize("manner", ["hanging", "endless"])
def test_a_worker_whose_parent_is_killed_ends_and_takes_its_files_with_it(manner, tmp_path):
    code = PARENT.format(core=str(Path(__file__).parent), folder=str(tmp_path)).replace("hanging", manner)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment()) as parent:
        pid = int(parent.stdout.readline())
        assert is_alive(pid)
        assert list(tmp_path.iterdir())
        parent.kill()
    wait_until(lambda: not is_alive(pid), "the worker to end")
    wait_until(lambda: not list(tmp_path.iterdir()), "the files to go")


def test_a_runner_that_is_forgotten_ends_its_worker(tmp_path):
    runner = fake("deaf", folder=tmp_path)
    collect(runner, is_step)
    pid = runner.pid
    del runner
    gc.collect()
    wait_until(lambda: not is_alive(pid), "the process to go")
    wait_until(lambda: not list(tmp_path.iterdir()), "the files to go")


def test_an_interpreter_that_ends_takes_its_workers_with_it(tmp_path):
    code = PARENT.format(core=str(Path(__file__).parent), folder=str(tmp_path)).replace("time.sleep(3600)", "")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, env=environment(), check=True
    )
    assert not is_alive(int(done.stdout))
    assert not list(tmp_path.iterdir())


def test_a_missing_program_is_a_failed_run(tmp_path):
    missing = str(tmp_path / "PythonSlicer")
    for python in (missing, [missing, "-u"]):
        runner = ProcessRunner(job("shifts"), python, folder=tmp_path)
        assert runner.pid is None
        (end,) = finish(runner)
        assert end.message == f"The registration could not be started: there is no program '{missing}'."
    runner.stop()
    runner.kill()
    assert not list(tmp_path.iterdir())


def test_a_program_that_is_none_is_a_failed_run(tmp_path):
    (tmp_path / "python").write_text("nothing that runs")
    (end,) = finish(ProcessRunner(job("shifts"), str(tmp_path / "python")))
    assert "could not be started" in end.message


def test_a_folder_that_cannot_be_written_is_a_failed_run(tmp_path):
    (end,) = finish(ProcessRunner(job("shifts"), folder=tmp_path / "nowhere"))
    assert "folder for temporary files" in end.message
    assert str(tmp_path) in end.message


def test_settings_that_are_no_settings_are_a_failed_run(tmp_path):
    (end,) = finish(ProcessRunner(job("shifts", {"what": object()}), folder=tmp_path))
    assert "plain numbers and text" in end.message
    assert not list(tmp_path.iterdir())


def test_a_disk_that_is_full_for_the_inputs_is_a_failed_run(tmp_path):
    with full_disk(100_000):
        runner = worker(job("shifts", fixed=image((90, 80, 70))), folder=tmp_path)
        (end,) = finish(runner)
    assert end.message.startswith("The disk is full.")
    wait_until(lambda: not list(tmp_path.iterdir()), "the files to go")


def test_a_disk_that_gets_full_during_the_run_keeps_the_steps(tmp_path):
    with full_disk(2_000_000):
        events = finish(worker(job("fields", {"side": 30, "growth": 20, "count": 4}), folder=tmp_path))
    assert [step.index for step in steps(events)] == [0, 1]
    assert events[-1].message.startswith("The disk is full.")
    assert events[-1].last_step == 1


def test_a_hundred_starts_and_stops_leave_no_process_no_thread_no_file_and_no_map(tmp_path):
    def held():
        gc.collect()
        maps = Path("/proc/self/maps").read_text().count("spatial-diffusion") if sys.platform == "linux" else 0
        files = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
        return threading.active_count(), maps, files, len(list(tmp_path.iterdir()))

    before = held()
    pids = []
    for cycle in range(100):
        runner = worker(job("hanging"), folder=tmp_path) if cycle % 4 == 0 else fake("deaf", folder=tmp_path, grace=0.0)
        pids.append(runner.pid)
        if cycle % 4 == 1:
            collect(runner, is_step)
            runner.stop()
        if cycle % 4 == 2:
            runner.stop()
            collect(runner)
        runner.close()
        runner.close()
        assert not runner.running
    wait_until(lambda: held() == before, "all of it to go")
    assert not any(map(is_alive, pids))


def test_on_windows_the_tree_is_ended_by_taskkill(monkeypatch):
    class Process:
        pid, killed = 4711, False

        def poll(self):
            return None

        def kill(self):
            self.killed = True

    commands, process = [], Process()
    monkeypatch.setattr(process_tree.subprocess, "run", lambda command, **_: commands.append(command))
    process_tree.kill_tree(process, "win32")
    assert commands == [["taskkill", "/T", "/F", "/PID", "4711"]]
    assert process.killed
    assert process_tree.tree_options("win32") == {"creationflags": 0x08000200}
    assert process_tree.tree_options("darwin") == {"start_new_session": True}
