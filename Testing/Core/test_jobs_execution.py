"""Carrying out a job in this process: whatever is wrong becomes one sentence; a run can be stopped at any event."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from job_pipelines import shift, vectors
from job_world import collect, finish, image, is_step, job, steps

from DiffusionCore.affine.foreground import foreground_mask
from DiffusionCore.jobs.events import Failed, Finished, Log, Progress, Started, StepMade
from DiffusionCore.jobs.execution import execute
from DiffusionCore.jobs.failures import ended_unexpectedly
from DiffusionCore.jobs.in_process import InProcessRunner
from DiffusionCore.jobs.measures import measures, step_metrics, thinned, uncertainty_measures
from DiffusionCore.jobs.specification import RegistrationJob, ResumePoint
from DiffusionCore.space import Frame, Grid, Volume
from DiffusionCore.space.plain import Composite, Field, Matrix
from DiffusionCore.transforms.affine import Affine
from DiffusionCore.transforms.displacement import Displacement

PLAIN = RegistrationJob(image((20, 18, 16)), image((20, 18, 16), seed=1), device="cpu")


def outcome(asked):
    """Return the events of ``asked``, checked for their order, and the last one."""
    events = list(execute(asked))
    assert [isinstance(event, Finished | Failed) for event in events] == [False] * (len(events) - 1) + [True]
    return events, events[-1]


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (replace(PLAIN, method="magic"), "no method 'magic'. There are: affine, published-affine, deformable"),
        (replace(PLAIN, settings={"restart": 3}), "Unknown setting 'restart'"),
        (replace(PLAIN, settings={"polish": {"group": "RIGIT"}}), "'polish.group' must be one of RIGID"),
        (replace(PLAIN, settings={"fractions": ("all", 1.0)}), "'fractions\\[0\\]' must be float"),
        (replace(PLAIN, settings={"model": "nobody"}), "no model 'nobody'"),
        (replace(PLAIN, settings={"model": object()}), "plain numbers and text"),
        (replace(PLAIN, settings="rigid"), "plain numbers and text: by their names, not 'rigid'"),
        (replace(PLAIN, method="deformable", settings={"guidance": "landmarks"}), "'guidance' must be the settings"),
        (replace(PLAIN, method="deformable", settings={"guidance": {"segment": "liver"}}), "'guidance.segment' must"),
        (replace(PLAIN, method="published-affine"), "needs the settings model"),
        (replace(PLAIN, device="cuda:77"), "device 'cuda:77' is not there"),
        (replace(PLAIN, device="the big one"), "device 'the big one' is not there"),
        (replace(PLAIN, fixed=Volume(np.ones((16, 18, 20)), Grid((20, 18, 16)))), "fixed image is constant"),
        (replace(PLAIN, moving=Volume(np.full((16, 18, 20), np.nan), Grid((20, 18, 16)))), "NaN or infinite"),
        (replace(PLAIN, initial=Matrix(np.diag([1.0, 0, 1, 1]))), "must be invertible"),
        (job("unknown_settings", {"a": 1}), r"The settings are \{'a': 1\} on cpu"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence_for_the_user(asked, sentence):
    events, end = outcome(asked)
    assert not steps(events)
    assert re.search(sentence, end.message)
    assert "Traceback" in end.details
    assert "Traceback" not in end.message
    assert end.last_step is None


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ("error", "because of an error in the program"),
        ("exit", "because of an error in the program"),
        ("known", "upside down. Turn them."),
        ("memory", "The computer ran out of memory."),
        ("torch memory", "The computer ran out of memory."),
        ("gpu memory", "The GPU ran out of memory. Choose the CPU"),
    ],
)
def test_an_error_between_steps_keeps_the_steps_and_its_traceback(how, sentence):
    events, end = outcome(job("crashing", {"how": how}))
    assert [step.index for step in steps(events)] == [0, 1]
    assert sentence in end.message
    assert "secret" not in end.message
    assert end.last_step == 1
    assert "job_pipelines.py" in end.details


@pytest.mark.parametrize("factory", ["no_such_module:pipeline", "job_pipelines:no_such", "job_pipelines", ""])
def test_a_factory_that_is_not_there_is_a_failed_run(factory):
    _, end = outcome(replace(job("shifts"), factory=factory))
    assert isinstance(end, Failed)


def test_a_missing_package_is_named():
    _, end = outcome(replace(job("shifts"), factory="no_such_module:pipeline"))
    assert end.message == "The package 'no_such_module' is missing. Install it and try again."


def test_a_stop_after_any_event_ends_the_run_with_that_step():
    asked = job("shifts", {"count": 5}, want_moved=True)
    for limit in range(1, 6):
        events = []
        for event in execute(asked, lambda limit=limit, events=events: len(steps(events)) >= limit):
            events.append(event)
        assert len(steps(events)) == limit
        assert events[-1].stopped
        assert events[-1].moved is not None


def test_a_stop_before_the_first_step_is_no_result():
    events = list(execute(job("shifts"), lambda: True))
    assert [type(event) for event in events] == [Started, Progress, Log, Failed]
    assert "before its first step" in events[-1].message
    assert events[2].text == "The kernels of numba compute on cpu."


def test_a_run_in_this_process_can_be_stopped_killed_and_closed_at_any_poll():
    runner = InProcessRunner(job("hanging"))
    collect(runner, is_step)
    runner.stop()
    assert finish(runner)[-1].stopped

    runner = InProcessRunner(job("hanging"))
    collect(runner, is_step)
    runner.kill()
    (end,) = finish(runner)
    assert isinstance(end, Finished)
    assert end.stopped

    runner = InProcessRunner(job("hanging"))
    runner.kill()
    (end,) = finish(runner)
    assert "before its first step" in end.message

    runner = InProcessRunner(job("hanging"))
    collect(runner, is_step)
    runner.close()
    runner.close()
    assert not runner.running
    assert runner.poll() == []
    assert runner.pid is None


def test_settings_of_a_method_of_ones_own_reach_its_factory_as_they_are():
    (first, *_), _ = outcome(job("shifts", {"count": 1, "unheard": [1, {"of": None}]}))
    assert first == Started("cpu")


def test_a_resumed_run_is_numbered_on_from_its_step_and_may_start_from_a_field():
    grid = Grid((4, 5, 6))
    field = Field(np.zeros((6, 5, 4, 3)), grid)
    events, _ = outcome(job("shifts", resume=ResumePoint(7, "field", 0.3, field)))
    assert [step.index for step in steps(events)] == [8, 9, 10]


def test_an_affine_method_cannot_go_on_from_a_field_and_says_so():
    field = Field(np.zeros((6, 5, 4, 3)), Grid((4, 5, 6)))
    _, end = outcome(replace(PLAIN, resume=ResumePoint(7, "field", 0.3, field)))
    assert end.message.startswith("Step 8 holds a displacement field")


def test_a_result_folds_where_its_field_does():
    grid = Grid((8, 8, 8))
    swapped = torch.zeros(3, 8, 8, 8)
    swapped[0, ..., :4], swapped[0, ..., 4:] = 5, -5
    asked = replace(PLAIN, fixed=image((8, 8, 8)))
    folding = {m.name: m for m in measures(asked, Affine.identity(), Displacement(swapped, grid))}["Folding"]
    assert folding.after == pytest.approx(25)
    smooth = {m.name: m for m in measures(asked, Affine.identity(), Displacement(swapped * 0.01, grid))}["Folding"]
    assert smooth.after == 0


def test_the_similarity_of_an_image_with_itself_is_one_in_any_contrast_and_that_of_noise_is_near_zero():
    fixed = image((40, 40, 40))
    inverted = Volume(1000 - fixed.values, fixed.grid)
    noise = image((40, 40, 40), seed=5)
    for moving, low, high in ((fixed, 0.99, 1.0), (inverted, 0.99, 1.0), (noise, 0.0, 0.2)):
        asked = replace(PLAIN, fixed=fixed, moving=moving)
        similarity = measures(asked, Affine.identity(), Affine.identity())[0]
        assert low <= similarity.before == similarity.after <= high


def test_the_similarity_of_a_step_is_that_of_the_result_from_the_same_information():
    from DiffusionCore.metrics import mutual_information

    fixed, moving = image((40, 40, 40)), image((40, 40, 40), seed=5)
    asked = replace(PLAIN, fixed=fixed, moving=moving)
    similarity = measures(asked, Affine.identity(), Affine.identity())[0].after
    information = mutual_information(fixed.values, moving.values, foreground_mask(fixed))
    assert step_metrics({"overlap": 1, "mutual_information": information}) == {
        "similarity": pytest.approx(similarity),
        "overlap": 1.0,
    }


def test_the_uncertainty_is_that_of_the_foreground():
    values = np.zeros((32, 36, 40), np.float32)
    values[8:20, 10:26, 10:30] = 100
    grid = Grid((40, 36, 32), origin=(5, 0, -3))
    spread = np.full((8, 9, 10), 50, np.float32)  # mm; large where there is only air
    coarse = Grid((10, 9, 8), (4, 4, 4), (7, 2, -1))
    spread[2:5, 2:6, 2:7] = np.linspace(1, 2, 60).reshape(3, 4, 5)
    found = uncertainty_measures(Volume(values, grid), Volume(spread, coarse))
    assert [(m.name, m.unit, m.before) for m in found] == [
        ("Uncertainty, median", "mm", None),
        ("Uncertainty, 95 % below", "mm", None),
    ]
    assert [m.after for m in found] == pytest.approx([1.5, 1.95])
    assert uncertainty_measures(Volume(values, grid), Volume(spread, coarse.with_center((500, 0, 0)))) == ()


def test_labels_that_only_one_side_has_overlap_by_nothing():
    labels = [Volume(np.full((16, 18, 20), n, np.uint8), Grid((20, 18, 16))) for n in (1, 2)]
    asked = replace(PLAIN, fixed_labels=labels[0], moving_labels=labels[1])
    found = {m.name: m.after for m in measures(asked, Affine.identity(), Affine.identity())}
    assert (found["Overlap"], found["Overlap of label 1"], found["Overlap of label 2"]) == (0, 0, 0)
    empty = Volume(np.zeros((16, 18, 20), np.uint8), Grid((20, 18, 16)))
    asked = replace(PLAIN, fixed_labels=empty, moving_labels=empty)
    assert {m.name: m.after for m in measures(asked, Affine.identity(), Affine.identity())}["Overlap"] is None


def test_a_thinned_volume_lies_where_the_whole_one_does():
    volume = image((30, 21, 17))
    thin = thinned(volume, 500)
    assert thin.grid.spacing == (6.0, 7.5, 9.0)  # every third voxel
    np.testing.assert_array_equal(thin.values, volume.values[::3, ::3, ::3])
    places = [
        grid.map((2 * step, 0, step), Frame.VOXEL, Frame.RAS) for grid, step in ((thin.grid, 1), (volume.grid, 3))
    ]
    np.testing.assert_allclose(*places)
    assert thinned(volume, 10**6) is volume


def test_the_text_of_a_sudden_end_counts_from_one():
    texts = [ended_unexpectedly(*span, "").message for span in ((0, 5), (0, 0), (6, 8), (None, None))]
    assert texts[0] == "The computation ended unexpectedly after step 6 (memory ran out?). Steps 1-6 are kept."
    assert texts[1].endswith("after step 1 (memory ran out?). Step 1 is kept.")
    assert texts[2].endswith("after step 9 (memory ran out?). Steps 7-9 are kept.")
    assert texts[3].endswith("before its first step (memory ran out?).")


def test_a_step_is_the_transform_that_the_pipeline_made():
    events, end = outcome(job("fields", {"side": 6, "count": 2}))
    for number, step in enumerate(steps(events)):
        assert isinstance(step, StepMade)
        np.testing.assert_array_equal(step.transform.vectors, vectors(step.transform.grid, number).movedim(0, -1))
        assert step.metrics == {"number": float(number)}
    events, end = outcome(job("shifts"))
    np.testing.assert_array_equal(steps(events)[2].transform.values, shift(2).matrix)
    assert (end.moved, end.moved_labels, end.spread) == (None, None, None)


def test_a_deformable_job_sends_fields_and_goes_on_from_one_of_them():
    settings = {"affine": None, "refinement": {"iterations": [4, 4], "show_every": 2, "spacing": 6.0}}
    asked = replace(PLAIN, method="deformable", settings=settings, initial=Matrix(np.eye(4)))
    events, end = outcome(asked)
    assert isinstance(end, Finished)
    made = steps(events)
    assert [step.phase for step in made] == ["start", *["refine"] * (len(made) - 1)]
    assert all(isinstance(step.transform, Composite) for step in made[1:-1])
    chosen = made[2]
    point = ResumePoint(chosen.index, chosen.phase, chosen.time, chosen.transform)
    events, end = outcome(replace(asked, resume=point))
    assert isinstance(end, Finished)
    assert [step.index for step in steps(events)] == [3, 4]
