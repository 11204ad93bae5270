"""What the scene shows while a registration runs, at every kind of end, and what is left of it."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import torch
from nodes import (
    OBLIQUE,
    POSE,
    add_transform,
    add_volume,
    array_of,
    blobs,
    contents,
    from_world,
    made,
    smooth_field,
    transform_to_node,
    watch,
)
from scripted_runner import ScriptedRunner, playing, walk

from DiffusionCore.checks import DiffusionCoreError
from DiffusionCore.jobs.events import Failed, Finished, Log, Measure, Progress
from DiffusionCore.mrml.guard import Guard
from DiffusionCore.mrml.outputs import Outputs
from DiffusionCore.mrml.request import RegistrationRequest
from DiffusionCore.mrml.run import LiveRun, RunState
from DiffusionCore.mrml.sequences import StepSequence
from DiffusionCore.mrml.undo import UndoPoint
from DiffusionCore.space import Frame, Volume
from DiffusionCore.transforms.affine import Affine

POINT = OBLIQUE.map([(5, 4, 3)], Frame.VOXEL, Frame.RAS)


class Clock:
    """A clock that stands still until it is told."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def shifts(count):
    """Return steps that shift by 1, 2, 3, ... mm."""
    return walk([Affine.translation((index + 1, 0, 0)) for index in range(count)])


def shown_shift(node):
    return (from_world(node, POINT) - POINT)[0, 0]


def play(run, polls=1000):
    for _ in range(polls):
        if run.state.ended:
            return run
        run.poll()
    return run


def started(scene, pair, script, *, per_poll=1, clock=None, **wishes):
    """Return a run of ``script`` whose worker has been started, and the runner."""
    worker = playing(script, per_poll=per_poll)
    run = LiveRun(RegistrationRequest(*pair, **wishes), worker, updates_per_second=10, clock=clock or Clock())
    while not worker.runners:
        run.poll()
    return run, worker.runners[0]


def test_nothing_is_in_the_scene_before_the_first_step(scene, pair):
    before = contents(scene)
    run, _ = started(scene, pair, [Progress("Loading the model..."), *shifts(2)])
    assert contents(scene) == before
    assert (run.state, run.step, run.activity) == (RunState.RUNNING, None, "Starting...")
    run.poll()
    assert (run.activity, run.log) == ("Loading the model...", ["Loading the model..."])
    assert contents(scene) == before
    run.poll()
    assert (run.step, run.of, run.phase, run.activity) == (0, 2, "search", "")
    assert len(contents(scene)) > len(before)


def test_the_outputs_are_named_after_the_pair(scene, pair):
    pair[0].SetName("MR")
    pair[1].SetName("CT")
    run = play(started(scene, pair, shifts(3), make_volume=True)[0])
    nodes = run.nodes
    assert nodes.transform.GetName() == "CT to MR transform"
    assert nodes.steps.name == "CT to MR steps"
    assert [n.GetName() for n in (nodes.table, nodes.results, nodes.chart)] == [
        "CT to MR metrics",
        "CT to MR results",
        "CT to MR curves",
    ]


def test_the_output_changes_at_most_ten_times_a_second_and_every_step_is_kept(scene, pair):
    clock, output = Clock(), add_transform(scene)
    run, _ = started(scene, pair, shifts(60), clock=clock, transform=output)
    fired, times = watch(output), []
    for _ in range(60):
        clock.now += 1 / 60
        run.poll()
        times += [clock.now] * len(fired)
        fired.clear()
    assert run.step == 59
    assert np.diff(times)[:-1].min() > 0.1 - 1e-9  # the last one is the end of the run, which does not wait
    assert 9 <= len(times) <= 11
    play(run)
    assert len(run.nodes.steps) == run.nodes.table.GetNumberOfRows() == 60
    assert shown_shift(output) == pytest.approx(60)


def test_a_step_is_shown_at_once_if_none_was_shown_lately(scene, pair):
    clock, output = Clock(), add_transform(scene)
    run, _ = started(scene, pair, shifts(5), clock=clock, transform=output)
    for index in range(5):
        clock.now += 0.2
        run.poll()
        assert shown_shift(output) == pytest.approx(index + 1)


def test_the_end_comes_at_once_with_the_newest_step(scene, pair):
    output = add_transform(scene)
    run, _ = started(scene, pair, shifts(40), per_poll=100, transform=output)
    play(run)
    assert run.state is RunState.FINISHED
    assert shown_shift(output) == pytest.approx(40)


def test_looking_back_stops_following_but_not_the_computation(scene, pair):
    clock, output = Clock(), add_transform(scene)
    run, _ = started(scene, pair, shifts(10), clock=clock, transform=output)
    for _ in range(4):
        clock.now += 1
        run.poll()
    assert run.following
    run.nodes.steps.select(1)
    assert not run.following
    fired = watch(output)
    for _ in range(3):
        clock.now += 1
        run.poll()
    assert (run.step, len(run.nodes.steps), fired) == (6, 7, [])
    assert shown_shift(output) == pytest.approx(2)
    play(run)
    assert run.state is RunState.FINISHED
    assert (run.nodes.steps.shown, len(run.nodes.steps)) == (1, 10)
    assert shown_shift(output) == pytest.approx(2)


def test_going_to_the_last_step_follows_again(scene, pair):
    clock, output = Clock(), add_transform(scene)
    run, _ = started(scene, pair, shifts(10), clock=clock, transform=output)
    for _ in range(4):
        clock.now += 1
        run.poll()
    run.nodes.steps.select(0)
    clock.now += 1
    run.poll()
    run.nodes.steps.select(len(run.nodes.steps) - 1)
    assert run.following
    clock.now += 1
    run.poll()
    assert shown_shift(output) == pytest.approx(6)


def test_live_can_be_switched_by_hand(scene, pair):
    clock, output = Clock(), add_transform(scene)
    run, _ = started(scene, pair, shifts(10), clock=clock, transform=output)
    clock.now += 1
    run.poll()
    run.following = False
    for _ in range(3):
        clock.now += 1
        run.poll()
    assert shown_shift(output) == pytest.approx(1)
    run.following = True
    assert shown_shift(output) == pytest.approx(4)


def test_the_moving_volume_goes_under_the_output_with_the_first_step(scene, pair):
    segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "organs")
    run, _ = started(scene, pair, shifts(2), moving_segmentation=segmentation)
    assert pair[1].GetParentTransformNode() is None
    play(run)
    assert pair[1].GetParentTransformNode() is run.nodes.transform
    assert segmentation.GetParentTransformNode() is run.nodes.transform
    assert pair[0].GetParentTransformNode() is None


def test_a_transform_above_the_moving_volume_is_where_the_registration_starts(scene, pair):
    start = add_transform(scene, "start")
    transform_to_node(Affine.exponential((0.1, 0, 0, 5, 0, 0)), start)
    pair[1].SetAndObserveTransformNodeID(start.GetID())
    run, runner = started(scene, pair, shifts(1))
    assert np.array_equal(runner.job.initial.values, np.eye(4))
    play(run)
    assert pair[1].GetParentTransformNode() is start
    assert start.GetParentTransformNode() is run.nodes.transform


def test_volumes_that_do_not_overlap_start_at_their_centers_even_under_a_transform(scene, pair):
    start = add_transform(scene, "start")
    transform_to_node(Affine.translation((500, 0, 0)), start)
    pair[1].SetAndObserveTransformNodeID(start.GetID())
    _, runner = started(scene, pair, shifts(1))
    assert runner.job.initial is None


def test_the_job_holds_the_memory_of_the_nodes(scene, pair):
    _, runner = started(scene, pair, shifts(1))
    assert np.shares_memory(runner.job.fixed.values, array_of(pair[0]))
    assert np.shares_memory(runner.job.moving.values, array_of(pair[1]))


def test_invalid_voxels_go_to_the_worker_as_background(scene, pair):
    values = blobs(OBLIQUE).values.copy() - 100
    values[2, 3, 4], values[5, 6, 7] = np.nan, np.inf
    _, runner = started(scene, (add_volume(scene, Volume(values, OBLIQUE), "holes"), pair[1]), shifts(1))
    expected = values.copy()
    expected[~np.isfinite(values)] = values[np.isfinite(values)].min()
    assert np.array_equal(runner.job.fixed.values, expected)


def test_stop_keeps_what_is_there(scene, pair):
    run, runner = started(scene, pair, shifts(9), make_volume=True)
    run.poll()
    run.stop()
    run.stop()
    assert run.state is RunState.STOPPING
    assert runner.calls == ["stop"]
    play(run)
    assert run.state is RunState.STOPPED
    assert run.message == "Stopped at step 1 of 9."
    assert len(run.nodes.steps) == 1
    assert run.nodes.volume is not None
    assert run.can_undo


def test_a_stop_before_the_worker_has_started_starts_none(scene, pair):
    before, worker = contents(scene), playing(shifts(3))
    run = LiveRun(RegistrationRequest(*pair), worker)
    run.stop()
    play(run)
    assert (run.state, worker.runners) == (RunState.STOPPED, [])
    assert contents(scene) == before
    assert not run.can_undo


def test_a_stop_before_the_first_step_changes_nothing(scene, pair):
    before = contents(scene)
    run, _ = started(scene, pair, [Progress("Loading the model..."), *shifts(3)])
    run.stop()
    play(run)
    assert (run.state, run.message) == (
        RunState.STOPPED,
        "Stopped before the first step; nothing was changed.",
    )
    assert contents(scene) == before


def test_force_stop_kills(scene, pair):
    run, runner = started(scene, pair, shifts(3))
    run.poll()
    run.stop()
    run.force_stop()
    assert runner.calls == ["stop", "kill"]
    assert play(run).state is RunState.STOPPED


def test_a_worker_that_fails_leaves_the_steps_that_it_made(scene, pair):
    script = [*shifts(3), Log("deep inside"), Failed("The computation ended unexpectedly.", "Traceback", 2)]
    run, runner = started(scene, pair, script)
    play(run)
    assert (run.state, run.details) == (RunState.FAILED, "Traceback")
    assert run.message == "The computation ended unexpectedly. Steps 1-3 are kept."
    assert run.log == ["deep inside"]
    assert len(run.nodes.steps) == run.nodes.table.GetNumberOfRows() == 3
    assert shown_shift(run.nodes.transform) == pytest.approx(3)
    assert runner.calls[-1] == "close"


def test_what_was_kept_is_said_once(scene, pair):
    message = "The computation ended unexpectedly after step 1 (memory ran out?). Step 1 is kept."
    run, _ = started(scene, pair, [*shifts(1), Failed(message, "", 0)])
    assert play(run).message == message


def test_a_failure_without_any_step_gives_the_scene_back(scene, pair):
    output = add_transform(scene, "mine")
    transform_to_node(POSE, output)
    before = contents(scene)
    run, _ = started(scene, pair, [Failed("No model.", "")], transform=output)
    play(run)
    assert (run.state, run.message) == (RunState.FAILED, "No model.")
    assert contents(scene) == before
    assert np.allclose(from_world(output, POINT), POSE.map(torch.from_numpy(POINT)))


def test_a_runner_that_cannot_be_made_is_a_failure(scene, pair):
    def broken(job):
        raise OSError("no process")

    before = contents(scene)
    run = play(LiveRun(RegistrationRequest(*pair), broken))
    assert run.state is RunState.FAILED
    assert "no process" in run.details
    assert contents(scene) == before


def test_a_stop_that_had_to_be_forced_says_what_is_missing(scene, pair):
    volume = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "V")
    run, _ = started(scene, pair, [*shifts(3), Finished(stopped=True)], volume=volume)
    assert play(run).message == "Stopped at step 3 of 3. The moved volume was not written."
    assert volume.GetImageData() is None


def test_steps_of_the_run_before_are_gone_with_the_first_new_step(scene, pair):
    output = add_transform(scene, "CT to MR transform")
    play(started(scene, pair, shifts(5), transform=output)[0])
    run, _ = started(scene, pair, shifts(3), transform=output)
    assert [len(steps) for steps in StepSequence.all_of(output)] == [5]
    run.poll()
    assert [(steps.name, len(steps)) for steps in StepSequence.all_of(output)] == [("CT to MR steps", 1)]


def test_a_failed_run_replaces_the_steps_before_it_and_undo_brings_them_back(scene, pair):
    output = add_transform(scene)
    former = play(started(scene, pair, shifts(5), transform=output)[0])
    before = sorted(contents(scene))
    run = play(started(scene, pair, [*shifts(2), Failed("It broke.", "", 1)], transform=output)[0])
    assert [len(steps) for steps in StepSequence.all_of(output)] == [2]
    assert run.nodes.results is None
    run.undo()
    assert sorted(contents(scene)) == before
    assert [len(steps) for steps in StepSequence.all_of(output)] == [5]
    assert shown_shift(output) == pytest.approx(5)
    assert former.nodes.results.GetNumberOfRows() == 1


@pytest.mark.parametrize("moment", ["starting", "running", "finishing"])
@pytest.mark.parametrize("role", ["fixed volume", "moving volume", "output transform", "output volume"])
def test_a_deleted_node_ends_the_worker_at_once(scene, pair, role, moment):
    output, volume = add_transform(scene, "T"), scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "V")
    roles = ("fixed volume", "moving volume", "output transform", "output volume")
    victim = dict(zip(roles, (*pair, output, volume), strict=True))[role]
    expected = [line for line in contents(scene) if not line.startswith(f"{victim.GetID()} ")]
    expected = [line for line in expected if not line.startswith("vtkMRMLScalarVolumeDisplayNode")]
    run, runner = started(scene, pair, shifts(3), transform=output, volume=volume)
    if moment != "starting":
        run.poll()
    if moment == "finishing":
        while run._end is None:
            run.poll()
    scene.RemoveNode(victim)
    assert runner.calls[-1] == "close"
    assert run.poll()
    assert run.state is RunState.FAILED
    assert run.message == f"Stopped: the {role} was removed."
    assert [line for line in contents(scene) if "VolumeDisplay" not in line] == expected
    assert not run.poll()


@pytest.mark.parametrize("moment", ["starting", "running"])
def test_a_closed_scene_ends_the_worker_at_once_and_silently(scene, pair, moment):
    run, runner = started(scene, pair, shifts(3))
    if moment == "running":
        run.poll()
    calls = []
    observer = scene.AddObserver(scene.EndCloseEvent, lambda *_: calls.append(list(runner.calls)))
    scene.Clear(False)
    scene.RemoveObserver(observer)
    assert calls == [["close"]]
    left = contents(scene)
    run.poll()
    assert (run.state, run.message, run.scene_closed) == (RunState.FAILED, "", True)
    assert contents(scene) == left
    assert not run.can_undo


def test_a_poll_in_the_middle_of_closing_adds_nothing(scene, pair):
    run, _ = started(scene, pair, shifts(3))
    scene.RemoveObserver(run._guard._observers[1])  # as if others heard of it first
    observer = scene.AddObserver(scene.StartCloseEvent, lambda *_: run.poll())
    scene.Clear(False)
    scene.RemoveObserver(observer)
    assert run.scene_closed
    assert "vtkMRMLTransformNode" not in "".join(contents(scene))


def test_steps_that_the_user_deletes_are_not_missed(scene, pair):
    run, _ = started(scene, pair, shifts(4))
    run.poll()
    run.nodes.steps.remove()
    play(run)
    assert run.state is RunState.FINISHED
    assert run.nodes.steps is None
    assert shown_shift(run.nodes.transform) == pytest.approx(4)


def test_close_ends_it_and_keeps_the_steps(scene, pair):
    run, runner = started(scene, pair, shifts(4))
    run.poll()
    run.close()
    run.close()
    assert (run.state, runner.calls[-1]) == (RunState.FAILED, "close")
    assert len(run.nodes.steps) == 1


def test_the_next_run_into_the_same_transform_uses_the_same_nodes_again(scene, pair):
    output = add_transform(scene)
    spread = Volume(np.linspace(0, 3.3, 14 * 11 * 9, dtype=np.float32).reshape(OBLIQUE.shape), OBLIQUE)
    ends = [Finished(False, {}, (Measure("Similarity", "", 0.1, 0.2),), spread=spread)]
    first = play(started(scene, pair, [*shifts(5), *ends], transform=output)[0]).nodes
    before = len(contents(scene))
    second = play(started(scene, pair, [*shifts(3), *ends], transform=output)[0]).nodes
    for name in ("transform", "table", "results", "chart", "spread"):
        assert getattr(first, name) is getattr(second, name)
    assert second.table.GetNumberOfRows() == 3
    assert len(contents(scene)) == before


def test_results_of_the_run_before_do_not_stay_as_if_they_were_new(scene, pair):
    output = add_transform(scene)
    spread = Volume(np.ones(OBLIQUE.shape, np.float32), OBLIQUE)
    end = Finished(False, {}, (Measure("Similarity", "", 0.1, 0.2),), spread=spread)
    first = play(started(scene, pair, [*shifts(2), end], transform=output)[0])
    nodes, before = first.nodes, sorted(contents(scene))
    second = play(started(scene, pair, [*shifts(2), Finished(False)], transform=output)[0])
    assert (second.nodes.spread, second.nodes.results) == (None, None)
    assert [node.GetScene() for node in (nodes.spread, nodes.results)] == [None, None]
    second.undo()
    assert sorted(contents(scene)) == before
    assert output.GetNodeReference("SpatialDiffusion.spread") is nodes.spread
    assert nodes.spread.GetDisplayNode() is not None


def test_the_time_that_is_left_follows_from_the_steps_before(scene, pair, monkeypatch):
    script = [made(index, Affine.identity(), of=11, made_at=100 + 2.0 * index) for index in range(4)]
    run, _ = started(scene, pair, [*script, Log("idle")] * 1)
    monkeypatch.setattr("time.time", lambda: 106.5)
    run.poll()
    assert run.seconds_left is None
    for _ in range(3):
        run.poll()
    assert run.seconds_left == pytest.approx(7 * 2.0 - 0.5)


def test_the_message_tells_time_similarity_and_folding(scene, pair):
    clock = Clock()
    end = Finished(False, {}, (Measure("Similarity", "", 0.52, 0.831), Measure("Folding", "%", None, 0.0)))
    run, _ = started(scene, pair, [*shifts(2), end], clock=clock)
    clock.now += 18.2
    assert play(run).message == "Done in 18 s. Similarity 0.52 to 0.83, no folding."


def test_resuming_makes_a_branch_and_tells_the_worker_where_to_start(scene, pair):
    output = add_transform(scene, "CT to MR transform")
    play(started(scene, pair, shifts(5), transform=output)[0])
    worker = playing([made(3, Affine.translation((40, 0, 0))), made(4, Affine.translation((50, 0, 0)))])
    run = LiveRun(RegistrationRequest(*pair, transform=output), worker, resume=2, clock=Clock())
    play(run)
    point = worker.runners[0].job.resume
    assert (point.index, point.phase, point.time) == (2, "search", pytest.approx(0.5))
    assert np.array_equal(point.transform.values, Affine.translation((3, 0, 0)).matrix)
    first, second = StepSequence.all_of(output)
    assert (len(first), len(second)) == (5, 5)
    assert second.name == "CT to MR steps, from step 3"
    assert [run.nodes.table.GetCellText(row, 0) for row in range(5)] == ["1", "2", "3", "4", "5"]
    assert second.is_active
    assert shown_shift(output) == pytest.approx(50)
    run.undo()
    assert [steps.name for steps in StepSequence.all_of(output)] == ["CT to MR steps"]
    assert shown_shift(output) == pytest.approx(5)


def test_a_field_to_resume_from_has_no_ring(scene, pair):
    output, field = add_transform(scene), smooth_field(OBLIQUE)
    play(started(scene, pair, [made(0, field)], transform=output)[0])
    worker = playing([made(1, field)])
    play(LiveRun(RegistrationRequest(*pair, transform=output), worker, resume=0))
    assert np.array_equal(worker.runners[0].job.resume.transform.vectors, field.vectors.movedim(0, -1))


@pytest.mark.parametrize("number", [-1, 5])
def test_a_step_that_is_not_there_cannot_be_resumed_from(scene, pair, number):
    output = add_transform(scene)
    play(started(scene, pair, shifts(5), transform=output)[0])
    with pytest.raises(DiffusionCoreError, match="no such step"):
        LiveRun(RegistrationRequest(*pair, transform=output), playing([]), resume=number)


def test_a_resumed_run_that_fails_at_once_leaves_the_steps_as_they_were(scene, pair):
    output = add_transform(scene)
    play(started(scene, pair, shifts(5), transform=output)[0])
    before = contents(scene)
    play(LiveRun(RegistrationRequest(*pair, transform=output), playing([Failed("No.", "")]), resume=1))
    assert contents(scene) == before
    assert StepSequence.active_of(output).shown == 4


def objects_of_runs():
    """Return the objects that the runs of all tests so far have left in this process."""
    gc.collect()
    kinds = (LiveRun, Guard, Outputs, UndoPoint, StepSequence, ScriptedRunner)
    return [each for each in gc.get_objects() if type(each) in kinds]


def test_a_hundred_runs_that_are_stopped_leave_nothing(scene, pair):
    before, former = contents(scene), objects_of_runs()
    for number in range(100):
        run, runner = started(scene, pair, shifts(5), make_volume=True)
        for _ in range(number % 4):
            run.poll()
        run.stop()
        play(run)
        assert runner.calls[-1] == "close"
        run.undo()
    assert contents(scene) == before
    del run, runner
    # an observer that stayed behind would keep its guard, and with it the run
    assert [each for each in objects_of_runs() if not any(each is one for one in former)] == []


def test_a_scene_that_refuses_a_step_gets_back_what_it_had(scene, pair, monkeypatch):
    output = add_transform(scene)
    play(started(scene, pair, shifts(3), transform=output)[0])
    before = sorted(contents(scene))
    run, runner = started(scene, pair, shifts(5), transform=output)
    monkeypatch.setattr(StepSequence, "extend", lambda *_, **__: 1 / 0)
    play(run)
    assert (run.state, runner.calls[-1]) == (RunState.FAILED, "close")
    assert "ZeroDivisionError" in run.details
    assert run.message.startswith("The result could not be shown")
    assert sorted(contents(scene)) == before
    assert shown_shift(output) == pytest.approx(3)
    assert not run.can_undo
