"""The table of states: what the panel shows in each situation, row by row."""

from __future__ import annotations

import pytest


@pytest.fixture
def states(library):
    return library("States")


def row(states, **facts):
    """Return the appearance for ``facts``; enumerations are given by their words."""
    kinds = {"phase": states.Phase, "end": states.End}
    return states.appearance(states.Facts(**{k: kinds[k](v) if k in kinds else v for k, v in facts.items()}))


SHOWS_STEP_6 = {"step": 6, "of": 15, "shown": 6, "last": 6}
READY = "Ready. About 20 s on this computer (CPU), 1.4 GB."
DONE = {"end": "finished", "seconds": 18.2, "similarity": (0.52, 0.83), "folding": 0.0, "shown": 15, "last": 15}

# facts | button, enabled, undo, resume, inputs | bar | status, icon, link
TABLE = {
    "nothing loaded": (
        {"anyVolume": False, "problem": "Select a fixed volume."},
        ("Register", False, False, False, True),
        None,
        ("Load two volumes to start, or", "none", "sample"),
    ),
    "one missing": (
        {"problem": "Select a moving volume."},
        ("Register", False, False, False, True),
        None,
        ("Select a moving volume.", "none", "none"),
    ),
    "ready": (
        {"estimate": "About 20 s on this computer (CPU), 1.4 GB."},
        ("Register", True, False, False, True),
        None,
        (READY, "none", "none"),
    ),
    "ready again": (
        {"estimate": "About 20 s on this computer (CPU), 1.4 GB.", "shown": 15, "last": 15, "canUndo": True},
        ("Register", True, True, True, True),
        None,
        (READY, "none", "none"),
    ),
    "installing": (
        {"phase": "installing"},
        ("Installing...", False, False, False, False),
        (0, 0),
        ("Installing PyTorch. This is needed once.", "none", "none"),
    ),
    "starting": (
        {"phase": "starting", "activity": "Loading the model...", "canUndo": True, "shown": 3, "last": 3},
        ("Stop", True, False, False, False),
        (0, 0),
        ("Loading the model...", "none", "none"),
    ),
    "running": (
        {"phase": "running", **SHOWS_STEP_6, "stepPhase": "pose", "secondsLeft": 9.2},
        ("Stop", True, False, False, False),
        (6, 15),
        ("Step 6 of 15, rough alignment, 9 s left", "none", "none"),
    ),
    "running, length unknown": (
        {"phase": "running", "step": 6, "stepPhase": "pose", "shown": 6, "last": 6},
        ("Stop", True, False, False, False),
        (0, 0),
        ("Step 6, rough alignment", "none", "none"),
    ),
    "running, between steps": (
        {"phase": "running", **SHOWS_STEP_6, "activity": "Resampling the moving volume..."},
        ("Stop", True, False, False, False),
        (6, 15),
        ("Resampling the moving volume...", "none", "none"),
    ),
    "stopping": (
        {"phase": "stopping", **SHOWS_STEP_6, "stopSeconds": 4.9},
        ("Stopping...", False, False, False, False),
        (0, 0),
        ("Stopping after this step...", "none", "none"),
    ),
    "stopping for long": (
        {"phase": "stopping", **SHOWS_STEP_6, "stopSeconds": 5.0},
        ("Force stop", True, False, False, False),
        (0, 0),
        ("Stopping after this step...", "none", "none"),
    ),
    "stopped early": (
        {"end": "stopped", **SHOWS_STEP_6, "canUndo": True},
        ("Register", True, True, True, True),
        None,
        ("Stopped at step 6 of 15. The transform holds step 6.", "none", "none"),
    ),
    "stopped, older step shown": (
        {"end": "stopped", "step": 6, "of": 15, "shown": 2, "last": 6, "canUndo": True},
        ("Register", True, True, True, True),
        None,
        ("Stopped at step 6 of 15. The transform holds step 2.", "warning", "last"),
    ),
    "stopped before the first step": (
        {"end": "stopped"},
        ("Register", True, False, False, True),
        None,
        ("Stopped before the first step; nothing was changed.", "none", "none"),
    ),
    "finished": (
        {**DONE, "canUndo": True},
        ("Register", True, True, True, True),
        None,
        ("Done in 18 s. Similarity 0.52 to 0.83, no folding.", "none", "none"),
    ),
    "finished with folding": (
        {**DONE, "folding": 0.2},
        ("Register", True, False, True, True),
        None,
        ("Done in 18 s. Similarity 0.52 to 0.83, folding 0.20 %.", "none", "none"),
    ),
    "finished, steps not kept": (
        {"end": "finished", "seconds": 18.2},
        ("Register", True, False, False, True),
        None,
        ("Done in 18 s.", "none", "none"),
    ),
    "older step shown": (
        {**DONE, "shown": 7, "canUndo": True},
        ("Register", True, True, True, True),
        None,
        ("The transform holds step 7 of 15.", "warning", "last"),
    ),
    "older step shown in a loaded scene": (
        {"shown": 7, "last": 15},
        ("Register", True, False, True, True),
        None,
        ("The transform holds step 7 of 15.", "warning", "last"),
    ),
    "resumed": (
        {"phase": "running", "resumedFrom": 7, "step": 9, "of": 15, "stepPhase": "polish", "shown": 9, "last": 9},
        ("Stop", True, False, False, False),
        (9, 15),
        ("Resumed from step 7, step 9 of 15, fine alignment", "none", "none"),
    ),
    "failed with steps": (
        {"end": "failed", "failure": "The disk is full.", "hasDetails": True, "shown": 3, "last": 3, "canUndo": True},
        ("Register", True, True, True, True),
        None,
        ("The disk is full.", "error", "details"),
    ),
    "node deleted": (
        {"end": "failed", "failure": "Stopped: the moving volume was removed.", "problem": "Select a moving volume."},
        ("Register", False, False, False, True),
        None,
        ("Stopped: the moving volume was removed.", "warning", "none"),
    ),
    "scene closed": (
        {"end": "failed", "failure": "", "anyVolume": False, "problem": "Select a fixed volume."},
        ("Register", False, False, False, True),
        None,
        ("Load two volumes to start, or", "none", "sample"),
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_each_situation_has_its_row(states, name):
    facts, controls, bar, line = TABLE[name]
    shown = row(states, **facts)
    assert (shown.button, shown.buttonEnabled, shown.undo, shown.resume, shown.inputs) == controls
    assert shown.bar == bar
    assert (shown.status, shown.icon.value, shown.link.value) == line
    assert shown.steps == ("last" in facts)


def test_what_a_result_must_be_told_with_stands_in_its_line_with_a_warning(states):
    for end in ("finished", "stopped"):
        shown = row(states, end=end, step=3, of=9, caution="Nobody believes it.")
        assert shown.status.endswith(" Nobody believes it.")
        assert shown.icon is states.Icon.WARNING
        assert row(states, end=end, step=3, of=9).icon is states.Icon.NONE


def test_resume_names_the_step_that_is_shown(states):
    assert row(states, shown=7, last=15).resumeText == "Resume from step 7"
    assert row(states).resumeText == "Resume"


def test_a_button_that_is_off_says_why_in_its_tooltip(states):
    assert row(states, problem="Select a moving volume.").buttonTip == "Select a moving volume."
    assert "Start" in row(states).buttonTip
    assert "Stop after the current step" in row(states, phase="running").buttonTip


def test_a_link_always_has_a_text_and_an_icon_never_stands_alone(states):
    for facts, *_ in TABLE.values():
        shown = row(states, **facts)
        assert bool(shown.linkText) == (shown.link is not states.Link.NONE)
        assert shown.status


def test_while_anything_is_under_way_nothing_can_be_changed(states):
    for phase in states.Phase:
        shown = row(states, phase=phase.value, shown=2, last=3, canUndo=True)
        assert shown.inputs == shown.undo == shown.resume == (phase is states.Phase.IDLE)
        assert (shown.bar is None) == (phase is states.Phase.IDLE)
