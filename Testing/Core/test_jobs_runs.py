"""Whole runs in the worker: the same as in this process, and as ``register`` gives; fields in order and unharmed."""

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from job_pipelines import vectors
from job_world import collect, environment, finish, image, is_step, job, steps, text_of_log, worker
from torch.testing import assert_close

from DiffusionCore.affine.climb import Pace
from DiffusionCore.affine.polish import InformationStage, PolishSettings
from DiffusionCore.jobs.events import Finished, Log, Progress, Started, StepMade
from DiffusionCore.jobs.in_process import InProcessRunner
from DiffusionCore.jobs.measures import step_metrics
from DiffusionCore.jobs.specification import RegistrationJob, ResumePoint
from DiffusionCore.registration import AffineSettings, register
from DiffusionCore.sample import make_sample
from DiffusionCore.space.plain import Field, Matrix
from DiffusionCore.transforms.plain import from_plain

SAMPLE = make_sample(0, resolution=4)
SETTINGS = {"polish": {"brief": {"level": 1, "pace": {"steps": 30, "first": 0.6, "last": 0.15}}}, "show_every": 20}
PAIR = RegistrationJob(
    SAMPLE.fixed,
    SAMPLE.moving,
    SAMPLE.fixed_segmentation,
    SAMPLE.moving_segmentation,
    settings=SETTINGS,
    seed=3,
    device="cpu",
    want_moved=True,
)


@pytest.fixture(scope="module")
def events():
    """The events of a registration of the sample in the worker."""
    return finish(worker(PAIR))


@pytest.fixture(scope="module")
def registration():
    brief = InformationStage(1, Pace(30, 0.6, 0.15))
    settings = AffineSettings(polish=PolishSettings(brief=brief), show_every=20)
    return register(SAMPLE.fixed, SAMPLE.moving, settings, seed=3, device="cpu")


def matrices(made):
    return torch.from_numpy(np.stack([step.transform.values for step in made]))


def test_the_worker_registers_as_this_process_does(events, registration):
    expected = torch.stack([step.transform.matrix for step in registration.steps])
    assert_close(matrices(steps(events)), expected, atol=1e-6, rtol=0)
    for made, step in zip(steps(events), registration.steps, strict=True):
        assert (made.index, made.phase, made.time) == (step.index, step.phase, step.time)
        assert made.metrics == pytest.approx(step_metrics(step.metrics))
        assert made.of == len(registration.steps)


def test_a_run_reports_its_start_what_it_does_its_steps_and_its_end(events):
    kinds = [type(event) for event in events]
    assert kinds[0] is Started
    assert kinds[-1] is Finished
    assert events[0].device == "cpu"
    first = kinds.index(StepMade)
    assert set(kinds[1:first]) == {Progress}
    assert set(kinds[first:-1]) == {StepMade, Progress}
    made_at = [step.made_at for step in steps(events)]
    assert made_at == sorted(made_at)
    assert abs(made_at[-1] - time.time()) < 3600


def test_the_end_brings_the_moved_images_in_their_own_types(events, registration):
    end = events[-1]
    assert not end.stopped
    assert end.spread is None
    assert end.moved.dtype == SAMPLE.moving.values.dtype
    np.testing.assert_allclose(end.moved, registration.warped.values, atol=1)
    assert end.moved_labels.shape == SAMPLE.fixed.grid.shape
    assert set(np.unique(end.moved_labels)) == set(np.unique(SAMPLE.moving_segmentation.values))
    assert {"center", "pose", "search", "polish", "resample"} == set(end.seconds)
    assert min(end.seconds.values()) > 0


def test_the_end_says_how_much_better_it_has_become(events):
    measures = {measure.name: measure for measure in events[-1].measures}
    assert list(measures)[:3] == ["Similarity", "Overlap", "Overlap of label 1"]
    assert measures["Similarity"].before < 0.3 < 0.6 < measures["Similarity"].after < 1
    assert measures["Overlap"].before < 0.3 < 0.7 < measures["Overlap"].after <= 1
    folding = measures["Folding"]
    assert (folding.unit, folding.before, folding.after) == ("%", None, 0.0)


def test_the_runner_in_this_process_reports_the_same(events):
    runner = InProcessRunner(PAIR)
    here = []
    while runner.running:
        news = runner.poll()
        assert len(steps(news)) <= 1
        here += news
    reported = [type(event) for event in here if not isinstance(event, Log)]
    assert reported == [type(event) for event in events if not isinstance(event, Log)]
    assert_close(matrices(steps(here)), matrices(steps(events)), atol=1e-6, rtol=0)
    np.testing.assert_allclose(here[-1].moved, events[-1].moved, atol=1)
    assert [m.name for m in here[-1].measures] == [m.name for m in events[-1].measures]
    assert runner.poll() == []
    runner.close()


def test_a_run_goes_on_after_a_step_of_another_one(events):
    earlier = steps(events)[5]
    point = ResumePoint(earlier.index, earlier.phase, earlier.time, earlier.transform)
    resumed = finish(worker(replace(PAIR, resume=point, want_moved=False, moving_labels=None)))
    made = steps(resumed)
    assert [step.index for step in made] == [step.index for step in steps(events)[6:]]
    assert_close(matrices(made), matrices(steps(events)[6:]), atol=1e-6, rtol=0)
    assert {step.of for step in made} == {made[-1].index + 1}
    assert resumed[-1].moved is None
    assert resumed[-1].moved_labels is None


def test_a_deformable_registration_sends_the_fields_of_its_steps():
    settings = {"affine": None, "refinement": {"iterations": [4, 4], "show_every": 2, "spacing": 6.0}}
    pair = {"fixed": image((20, 18, 16)), "moving": image((20, 18, 16), seed=1), "initial": Matrix(np.eye(4))}
    asked = RegistrationJob(method="deformable", settings=settings, device="cpu", want_moved=True, **pair)
    here, there = (finish(runner) for runner in (InProcessRunner(asked), worker(asked)))
    assert [type(event) for event in here] == [type(event) for event in there]
    assert len(steps(there)) > 3
    for one, other in zip(steps(here)[1:-1], steps(there)[1:-1], strict=True):
        assert one.phase == other.phase == "refine"
        assert one.metrics == other.metrics
        assert one.transform.field.grid == other.transform.field.grid
        np.testing.assert_allclose(one.transform.field.vectors, other.transform.field.vectors, atol=1e-4)


@pytest.mark.parametrize("kind", ["displacement", "velocity"])
def test_fields_of_a_hundred_voxels_a_side_arrive_unharmed(kind):
    made = steps(finish(worker(job("fields", {"side": 96, "count": 3, "velocity": kind == "velocity"}))))
    assert [step.index for step in made] == [0, 1, 2]
    for number, step in enumerate(made):
        field = step.transform
        assert isinstance(field, Field)
        assert field.vectors.flags.c_contiguous
        assert field.grid.size == (96, 96, 96)
        assert field.grid.origin == (float(number), 0.0, 0.0)
        if kind == "displacement":
            expected = vectors(field.grid, number).movedim(0, -1).numpy()
            np.testing.assert_array_equal(field.vectors, expected)


def test_a_reader_that_is_slower_than_the_worker_loses_nothing_and_gets_the_order_right():
    runner = worker(job("fields", {"side": 24, "count": 40, "growth": 1}))
    events = []
    while runner.running:
        time.sleep(0.01)
        events += runner.poll()
    runner.close()
    made = steps(events)
    assert [step.index for step in made] == list(range(40))
    for number, step in enumerate(made):
        np.testing.assert_array_equal(step.transform.vectors, vectors(step.transform.grid, number).movedim(0, -1))
    assert events[-1].moved is None


def test_a_worker_whose_reader_does_nothing_waits_with_its_fields(tmp_path):
    runner = worker(job("fields", {"side": 24, "count": 40}), folder=tmp_path)
    arrived = steps(collect(runner, is_step))
    time.sleep(0.5)
    (folder,) = tmp_path.iterdir()
    assert 1 <= len(list(folder.glob("field-*"))) <= 4
    assert len(arrived) + len(steps(finish(runner))) == 40


def test_prints_go_to_the_log_whoever_prints_them():
    events = collect(worker(job("chatty")))
    log = text_of_log(events)
    for text in ("from Python", '"stopped": false', "rubbish", "from a child"):
        assert text in log
    kinds = [type(event) for event in events if not isinstance(event, Log | Progress)]
    assert kinds == [Started, StepMade, StepMade, Finished]
    assert not events[-1].stopped


def test_another_seed_is_another_run_and_the_same_seed_the_same():
    runs = [finish(worker(job("shifts", {"chance": 1}, seed=seed))) for seed in (0, 0, 1)]
    first, again, other = (matrices(steps(events)) for events in runs)
    assert torch.equal(first, again)
    assert (first - other).abs().max() > 1e-3


def test_repeated_runs_give_a_spread_and_the_steps_are_those_of_the_first():
    asked = job("shifts", {"chance": 1}, seed=5, samples=4)
    events = finish(worker(asked))
    assert [step.index for step in steps(events)] == [0, 1, 2]
    spread = events[-1].spread
    runs = [finish(InProcessRunner(replace(asked, seed=5 + n, samples=1))) for n in range(4)]
    last = np.stack([steps(each)[-1].transform.values for each in runs])
    expected = np.sqrt(last[:, :3, 3].var(0, ddof=1).sum())
    np.testing.assert_allclose(spread.values, expected, rtol=1e-5)
    assert spread.grid.spacing == (4.0, 4.0, 4.0)
    assert spread.grid.size == (6, 7, 6)
    assert "repetitions" in events[-1].seconds


def test_repetitions_can_be_stopped_and_keep_the_result_of_the_first():
    runner = worker(job("shifts", {"pause": 0.05}, samples=1000), grace=60.0)
    first = collect(runner, lambda event: isinstance(event, Progress) and "another seed" in event.text)
    runner.stop()
    end = finish(runner)[-1]
    assert end.stopped
    assert len(steps(first)) == 3


def test_a_start_far_away_is_where_a_run_begins():
    start = np.eye(4)
    start[:3, 3] = 5, -3, 2
    asked = replace(PAIR, initial=Matrix(start))
    runner = InProcessRunner(asked)
    (first,) = steps(collect(runner, is_step))
    runner.close()
    assert_close(from_plain(first.transform).matrix, torch.from_numpy(start))


WITHOUT_TORCH = """
import sys
sys.path[:0] = [{core!r}]
from job_world import collect, job, steps, worker
events = collect(worker(job("fields", {{"side": 12}}, want_moved=True), folder={folder!r}))
print(len(steps(events)), events[-1].moved.shape, "torch" in sys.modules)
"""


def test_the_process_that_shows_the_results_never_loads_torch_and_may_end_at_once(tmp_path):
    code = WITHOUT_TORCH.format(core=str(Path(__file__).parent), folder=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=True)
    assert done.stdout.split("\n")[0] == "3 (8, 10, 12) False"
    assert not list(tmp_path.iterdir())
