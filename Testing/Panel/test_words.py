"""Numbers as people read them, and the estimate of time and memory."""

from __future__ import annotations

import pytest
from nodes_of_panel import add_ball

from DiffusionCore.jobs.events import StepMade
from DiffusionCore.mrml.run_account import RunAccount
from DiffusionCore.mrml.step_items import KeptStep


@pytest.fixture
def words(library):
    return library("Words")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 s"), (9.4, "9 s"), (89, "89 s"), (95, "2 min"), (3500, "58 min"), (4800, "1 h 20 min")],
)
def test_durations_are_as_precise_as_somebody_who_waits_needs(app, seconds, text):
    from DiffusionCore.mrml.panels.words import duration_text

    assert duration_text(seconds) == text


@pytest.mark.parametrize(("megabytes", "text"), [(3, "10 MB"), (644, "640 MB"), (1400, "1.4 GB")])
def test_memory_is_rounded(app, megabytes, text):
    from DiffusionCore.mrml.panels.words import memory_text

    assert memory_text(megabytes) == text


def test_a_phase_that_is_new_is_shown_as_it_is_called(words):
    assert words.phaseText("warm-up") == "warm-up"
    assert words.phaseText("deformable") == "deformable"


def test_the_line_of_a_step_has_units_and_leaves_out_what_only_experts_know(library):
    step = KeptStep(
        3, "refine", 0.25, {"similarity": 0.83, "local_correlation": 0.48, "self_similarity": 0.9, "folding": 0.0}
    )
    text = library("StepsSection").stepText(step)
    assert text == "deformation  |  t 0.25  |  coarse similarity 0.83  |  folding 0.00 %"


@pytest.fixture
def estimate(library):
    import slicer

    slicer.app.userSettings().remove("SpatialDiffusion")
    yield library("Estimate")
    slicer.app.userSettings().remove("SpatialDiffusion")


def test_the_estimate_follows_the_last_run(scene, estimate):
    fixed, moving = add_ball(scene), add_ball(scene)
    before = estimate.estimateText(fixed, moving, "affine", "auto", 1)
    assert before.startswith("About ")
    assert "CPU" not in before
    estimate.remember(fixed, moving, "affine", "cpu", 1, 64.0)
    after = estimate.estimateText(fixed, moving, "affine", "auto", 1)
    assert after.startswith("About 65 s on this computer (CPU), ")
    assert estimate.estimateText(fixed, moving, "published-affine", "cuda:0", 1) != after


def test_fast_early_steps_do_not_shorten_what_is_expected(library):
    now, facts = [0.0], library("RunFacts")
    account = RunAccount(lambda: now[0])
    assert facts.secondsLeft(account, 20.0) is None
    for index in range(6):
        account._note(StepMade(index, 16, "pose", 0.5, None, made_at=0.1 * index))
    now[0] = 4.0
    assert facts.secondsLeft(account, None) < 2
    assert facts.secondsLeft(account, 20.0) == 16
    now[0] = 40.0  # longer than expected: the steps tell
    assert facts.secondsLeft(account, 20.0) == facts.secondsLeft(account, None)


def test_more_samples_take_longer(scene, estimate):
    fixed, moving = add_ball(scene), add_ball(scene)
    assert estimate.workOf(fixed, moving, 3) == pytest.approx(3 * estimate.workOf(fixed, moving, 1))
