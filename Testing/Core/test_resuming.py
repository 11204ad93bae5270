"""Going on after a step: the same result as the whole run, and never one that is less credible than the step."""

from dataclasses import replace
from functools import cache

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import oblique_grid
from test_methods import HIDDEN, POLISH, SEARCH, WINDOW, Perfect, drawn, error
from torch.testing import assert_close

from DiffusionCore.affine import pipeline, published_pipeline
from DiffusionCore.affine.acceptance import credit
from DiffusionCore.affine.pair import WorkingPair
from DiffusionCore.affine.published_pipeline import Direction, Share
from DiffusionCore.affine.resuming import split_fractions, times_done
from DiffusionCore.affine.steps import Step
from DiffusionCore.checks import ConfigError
from DiffusionCore.diffusion.reverse import GRADED, Graded, spaced_times
from DiffusionCore.metrics import point_error
from DiffusionCore.registration import AffineSettings, PublishedSettings, register
from DiffusionCore.sample import make_sample
from DiffusionCore.transforms.affine import Affine, Group
from DiffusionCore.transforms.displacement import Displacement

SAMPLE = make_sample(0, resolution=2)
POINTS = torch.from_numpy(SAMPLE.points)


@cache
def whole():
    return register(SAMPLE.fixed, SAMPLE.moving)


@cache
def pair():
    return WorkingPair(SAMPLE.fixed, SAMPLE.moving)


def credits(*transforms):
    return credit(pair(), list(transforms), generator=torch.Generator().manual_seed(99))


def apart(first, second):
    """Return the mean distance, mm, between where two transforms take the brain."""
    return float(point_error(first, second, POINTS).mean())


def first_of(phase, skip=0):
    return [step for step in whole().steps if step.phase == phase][skip]


@pytest.mark.parametrize("index", [0, 1, 4, 7, 8])
def test_a_run_that_goes_on_among_the_poses_takes_the_same_steps(index):
    """The way of the fixed image is gone again, so that the poses behind a transform are those that made it."""
    resumed = register(SAMPLE.fixed, SAMPLE.moving, after=whole().steps[index])
    for made, step in zip(resumed.steps, whole().steps[index + 1 :], strict=True):
        assert (made.index, made.phase, made.time) == (step.index, step.phase, step.time)
        assert made.metrics == pytest.approx(step.metrics)
        assert_close(made.transform.matrix, step.transform.matrix, atol=1e-9, rtol=0)
    assert resumed.steps[-1].index == AffineSettings().expected_steps(whole().steps[index]) - 1


@pytest.mark.parametrize(("phase", "skip"), [("search", 0), ("polish", 0), ("polish", 7), ("polish", -1)])
def test_a_run_that_goes_on_after_the_search_polishes_to_the_same_result(phase, skip):
    after = first_of(phase, skip)
    resumed = register(SAMPLE.fixed, SAMPLE.moving, after=after)
    assert {step.phase for step in resumed.steps} == {"polish"}
    assert [step.index for step in resumed.steps] == list(
        range(after.index + 1, AffineSettings().expected_steps(after))
    )
    assert apart(resumed.transform, whole().transform) < 0.15  # mm
    before, now, reached = credits(after.transform, resumed.transform, whole().transform)
    assert now >= 0.999 * before
    assert now > 0.99 * reached


def test_another_seed_is_another_way_to_nearly_the_same_result():
    after = first_of("pose", 3)
    other = register(SAMPLE.fixed, SAMPLE.moving, after=after, seed=7)
    assert 0 < apart(other.transform, whole().transform) < 0.15


@pytest.mark.parametrize("count", [1, 3, 20])
def test_a_run_may_go_on_with_another_number_of_poses(count):
    after = first_of("pose", 1)
    settings = AffineSettings(fractions=Graded.spread(count).values)
    resumed = register(SAMPLE.fixed, SAMPLE.moving, settings, after=after)
    times = [step.time for step in resumed.steps if step.phase == "pose"]
    assert all(late < early or late == early == 0 for early, late in zip([after.time, *times], times, strict=False))
    assert times[-1] == pytest.approx(0, abs=1e-12)
    assert resumed.steps[-1].index == settings.expected_steps(after) - 1
    assert apart(resumed.transform, whole().transform) < 0.3


def test_a_run_may_go_on_with_another_group_and_stays_in_it():
    settings = AffineSettings(polish=replace(AffineSettings().polish, group=Group.RIGID))
    for after in (first_of("pose", 2), first_of("search")):
        for step in register(SAMPLE.fixed, SAMPLE.moving, settings, after=after).steps:
            linear = step.transform.matrix[:3, :3]
            assert_close(linear.T @ linear, torch.eye(3, dtype=torch.float64), atol=1e-6, rtol=0)


def test_a_transform_that_was_moved_by_hand_is_where_the_run_goes_on():
    step = first_of("pose", 2)
    moved = replace(step, transform=Affine.translation([4, 0, 0]) @ step.transform)
    (first, *_) = register(SAMPLE.fixed, SAMPLE.moving, after=moved).steps
    assert 0.5 < apart(first.transform, first_of("pose", 3).transform) < 4
    assert apart(register(SAMPLE.fixed, SAMPLE.moving, after=moved).transform, whole().transform) < 0.15


def test_a_step_of_an_unknown_phase_is_a_start_like_any_other():
    start = Affine.translation([20, 0, 0]) @ whole().steps[0].transform
    resumed = register(SAMPLE.fixed, SAMPLE.moving, after=Step(41, "by hand", 0.2, start))
    assert [step.index for step in resumed.steps] == list(range(42, 42 + len(whole().steps) - 1))
    assert apart(resumed.transform, whole().transform) < 0.15


def test_a_result_that_is_less_credible_than_the_step_is_not_taken(monkeypatch):
    """Here every polish runs away."""
    away = Affine.translation([9, 0, 0])
    real = pipeline.polish

    def runaway(pair, start, settings, *, generator):
        for standing in real(pair, start, settings, generator=generator):
            yield replace(standing, matrices=away.matrix @ standing.matrices)

    monkeypatch.setattr(pipeline, "polish", runaway)
    monkeypatch.setattr(pipeline, "acceptable", lambda *_, **__: True)
    after = first_of("polish", -1)
    *_, resumed = register(SAMPLE.fixed, SAMPLE.moving, after=after).steps
    assert_close(resumed.transform.matrix, after.transform.matrix)
    *_, fresh = register(SAMPLE.fixed, SAMPLE.moving).steps
    assert apart(fresh.transform, after.transform) > 5


def test_where_nothing_stands_out_the_more_credible_of_caution_and_the_step_is_kept():
    fixed, moving = drawn()
    doubt = replace(AffineSettings().acceptance, distinct=1e9, correlation=2.0)
    settings = AffineSettings(None, search=SEARCH, polish=POLISH, acceptance=doubt)
    (*_, ended) = register(fixed, moving, settings).steps
    assert ended.phase == "caution"
    for start in (HIDDEN, ended.transform @ Affine.translation([30, 0, 0])):
        *_, last = register(fixed, moving, settings, after=Step(4, "pose", 0.3, start)).steps
        assert last.phase == "caution"
        here = WorkingPair(fixed, moving)
        now, before = credit(here, [last.transform, start], generator=torch.Generator().manual_seed(0))
        assert now >= before
    assert_close(register(fixed, moving, settings, after=Step(4, "pose", 0.3, HIDDEN)).transform.matrix, HIDDEN.matrix)


def test_the_comparison_goes_on_at_its_time(monkeypatch):
    monkeypatch.setattr(pipeline, "load_published", lambda *_: (Perfect(), replace(WINDOW, steps=4)))
    settings = AffineSettings(None, search=SEARCH, comparison="given", polish=POLISH, show_every=100)
    steps = register(*drawn(), settings).steps
    second = [step for step in steps if step.phase == "compare"][1]
    resumed = register(*drawn(), settings, after=second)
    assert [(s.index, s.phase, s.time) for s in resumed.steps] == [
        (s.index, s.phase, s.time) for s in steps[second.index + 1 :]
    ]
    assert resumed.steps[-1].index == settings.expected_steps(second) - 1
    assert error(resumed.transform) < error(steps[-1].transform) + 0.5


PUBLISHED = [
    PublishedSettings("perfect", count=6),
    PublishedSettings("perfect", count=6, weights=Share.GRADED),
    PublishedSettings("perfect", count=4, direction=Direction.CORRECTED),
    PublishedSettings("perfect", count=4, direction=Direction.AVERAGED),
]


@pytest.mark.parametrize("settings", PUBLISHED, ids=lambda s: f"{s.weights.value} {s.direction.value}")
def test_the_published_method_goes_on_after_each_of_its_steps(settings, monkeypatch):
    monkeypatch.setattr(published_pipeline, "load_published", lambda *_: (Perfect(), WINDOW))
    steps = register(*drawn(), settings).steps
    for after in steps[:-1]:
        resumed = register(*drawn(), settings, after=after)
        expected = [(step.index, step.phase, step.time) for step in steps[after.index + 1 :]]
        assert [(step.index, step.phase, step.time) for step in resumed.steps] == expected
        assert settings.expected_steps(after) == len(steps)
        assert error(resumed.transform) < 1
        if settings.direction is Direction.ONE_WAY:
            assert_close(resumed.transform.matrix, steps[-1].transform.matrix, atol=1e-6, rtol=1e-6)


def test_the_published_method_gives_its_last_step_again_where_nothing_is_left(monkeypatch):
    monkeypatch.setattr(published_pipeline, "load_published", lambda *_: (Perfect(), WINDOW))
    last = Step(6, "diffusion", 0.0, HIDDEN)
    for settings in PUBLISHED[:2]:
        (only,) = register(*drawn(), settings, after=last).steps
        assert (only.index, only.phase, only.time) == (7, "diffusion", 0.0)
        assert_close(only.transform.matrix, HIDDEN.matrix)
        assert settings.expected_steps(last) == 8


def test_a_pass_of_another_method_is_a_start_for_the_published_one(monkeypatch):
    monkeypatch.setattr(published_pipeline, "load_published", lambda *_: (Perfect(), WINDOW))
    after = Step(3, "pose", 0.2, Affine.translation([3, 0, 0]) @ HIDDEN)
    resumed = register(*drawn(), PUBLISHED[0], after=after)
    assert [step.index for step in resumed.steps] == [4, 5, 6, 7, 8, 9]
    assert error(resumed.transform) < 1


def test_an_affine_method_does_not_go_on_from_a_field(monkeypatch):
    monkeypatch.setattr(published_pipeline, "load_published", lambda *_: (Perfect(), WINDOW))
    grid = oblique_grid()
    after = Step(3, "field", 0.2, Displacement(torch.zeros(3, *grid.shape), grid))
    for settings in (AffineSettings(None), PUBLISHED[0]):
        with pytest.raises(ConfigError, match="Step 4 holds a displacement field"):
            register(*drawn(), settings, after=after)


fractions = st.lists(st.floats(0.05, 0.95), min_size=1, max_size=8).map(lambda some: (*some, 1.0))


def share_left(taken):
    left = 1.0
    for fraction in taken:
        left *= 1 - fraction
    return left


@given(fractions, st.floats(0, 1), st.integers(0, 30))
def test_what_is_behind_leads_to_the_time_of_the_step_and_what_is_ahead_to_the_end(taken, time, index):
    behind, ahead = split_fractions(taken, Step(index, "pose", time, Affine.identity()))
    assert share_left(behind) == pytest.approx(time, abs=1e-6)
    assert share_left(behind) * share_left(ahead) == pytest.approx(0, abs=1e-6)
    assert all(0 <= fraction <= 1 for fraction in (*behind, *ahead))


@given(fractions, st.data())
def test_a_step_of_the_same_list_is_found_in_it(taken, data):
    number = data.draw(st.integers(0, len(taken)))
    step = Step(number, "pose", share_left(taken[:number]), Affine.identity())
    assert split_fractions(taken, step) == (taken[:number], taken[number:])


def test_of_several_steps_at_the_time_zero_the_number_tells_which():
    for number in (7, 8):
        step = Step(number, "pose", 0.0, Affine.identity())
        assert split_fractions(GRADED, step) == (GRADED[:number], GRADED[number:])
    assert split_fractions(GRADED, Step(30, "pose", 0.0, Affine.identity())) == (GRADED, ())


@given(st.integers(2, 80), st.data())
def test_the_times_that_are_done_are_those_down_to_the_step(total, data):
    times = spaced_times(total, data.draw(st.integers(1, total)))
    number = data.draw(st.integers(0, len(times) - 1))
    reached = (*times[1:], 0)[number]
    assert times_done(times, total, Step(3, "diffusion", reached / total, Affine.identity())) == number + 1
    assert times_done(times, total, Step(3, "diffusion", 1.0, Affine.identity())) == 0
