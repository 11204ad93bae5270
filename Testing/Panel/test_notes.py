"""The note row: what is missing, what speaks against a pair, and the one button that mends it."""

from __future__ import annotations

import importlib.util

import pytest
import slicer
from clicking import click
from nodes_of_panel import add_ball

from DiffusionCore.checks import DiffusionCoreError
from DiffusionCore.mrml.checks import FixAction


@pytest.fixture
def without_torch(monkeypatch):
    """Hide torch, and the extension that brings it; give the set of what is hidden."""
    names = {"torch"}
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name in names else find_spec(name, *a))
    return names


def test_the_whole_panel_is_there_without_torch(without_torch, desk):
    ui = desk.ui
    assert ui.noteRow.visible
    assert ui.noteLabel.text == "Registration needs PyTorch."
    assert ui.noteButton.text == "Install..."
    assert ui.noteButton.toolTip
    for section in (ui.inputsSection, ui.outputsSection, ui.stepsSection, ui.advancedSection, ui.logSection):
        assert section.visible
    desk.choose_pair()
    assert not ui.registerButton.enabled
    assert desk.status == "Install what is missing first."


def test_install_says_which_extension_is_missing(without_torch, desk):
    click(desk.ui.noteButton)
    assert "Install the extension PyTorch" in desk.ui.noteLabel.text
    assert desk.ui.noteButton.enabled


def test_installing_is_shown_and_ends_in_a_panel_that_is_ready(without_torch, desk, monkeypatch):
    seen = []

    def install(requester):
        seen.append((requester, desk.ui.registerButton.text, desk.ui.inputsSection.enabled, desk.status))
        without_torch.clear()

    desk.choose_pair()
    monkeypatch.setitem(type(desk.panel).install.__globals__, "ensure_packages", install)
    click(desk.ui.noteButton)
    assert seen == [("SpatialDiffusion", "Installing...", False, "Installing PyTorch. This is needed once.")]
    assert not desk.ui.noteRow.visible
    assert desk.ui.registerButton.enabled


def test_an_installation_that_fails_stays_in_the_panel(without_torch, desk, monkeypatch):
    def install(_requester):
        raise DiffusionCoreError("PyTorch is not installed. Check the connection.")

    monkeypatch.setitem(type(desk.panel).install.__globals__, "ensure_packages", install)
    click(desk.ui.noteButton)
    assert desk.ui.noteLabel.text == "PyTorch is not installed. Check the connection."


def test_nothing_to_say_shows_no_row(desk):
    assert not desk.ui.noteRow.visible
    desk.choose_pair()
    assert not desk.ui.noteRow.visible


def test_volumes_far_apart_are_said_and_do_not_prevent_anything(desk):
    _, moving = desk.choose_pair()
    moving.SetOrigin(900, 0, 0)
    desk.panel.on_change()
    assert "do not overlap" in desk.ui.noteLabel.text
    assert desk.ui.registerButton.enabled


def test_an_empty_volume_prevents_the_registration_and_is_named(desk):
    _, moving = desk.choose_pair()
    slicer.util.arrayFromVolume(moving)[:] = 0
    slicer.util.arrayFromVolumeModified(moving)
    desk.panel.on_change()
    assert not desk.ui.registerButton.enabled
    assert "empty" in desk.status + desk.ui.noteLabel.text


def test_a_transform_above_the_moving_volume_is_said_and_can_be_ignored(desk, scene):
    _, moving = desk.choose_pair()
    above = scene.AddNewNodeByClass("vtkMRMLTransformNode", "Transform_3")
    moving.SetAndObserveTransformNodeID(above.GetID())
    desk.panel.on_change()
    assert "Transform_3" in desk.ui.noteLabel.text
    click(desk.ui.noteButton)
    assert moving.GetParentTransformNode() is None
    assert not desk.ui.noteRow.visible


def test_what_was_accepted_is_not_said_again_until_the_scene_is_another_one(desk, library, scene):
    import numpy as np

    _, moving = desk.choose_pair()
    values = slicer.util.arrayFromVolume(moving)
    values[2, 3, 4] = np.nan
    slicer.util.arrayFromVolumeModified(moving)
    desk.panel.on_change()
    assert "NaN" in desk.ui.noteLabel.text
    click(desk.ui.noteButton)
    assert not desk.ui.noteRow.visible
    desk.panel.on_change()
    assert not desk.ui.noteRow.visible


def test_every_kind_of_fix_has_a_tooltip(library, desk):
    from DiffusionCore.mrml.checks import Finding, Fix, Severity

    notes = library("Notes").Notes(lambda: None, lambda: None)
    for action in FixAction:
        note = notes._note(Finding(Severity.WARNING, "text", Fix("button", action)))
        assert note.tip


def test_a_volume_that_is_both_is_one_sentence(desk, scene):
    node = add_ball(scene, "only")
    desk.parameters.fixedVolume = desk.parameters.movingVolume = node
    assert desk.status == "Fixed and moving are the same volume."
    assert desk.ui.registerButton.toolTip == desk.status
