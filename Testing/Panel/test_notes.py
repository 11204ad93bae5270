"""The note row: what is missing, what speaks against a pair, and the one button that mends it."""

from __future__ import annotations

import importlib.util
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import slicer
from clicking import choose, click
from nodes_of_panel import add_ball, add_image

from DiffusionCore.mrml.fixes import Fix, FixAction
from DiffusionCore.mrml.install import InstallError


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


def test_install_says_which_extension_is_missing_and_opens_where_it_is_installed(without_torch, desk, monkeypatch):
    monkeypatch.setattr(type(slicer.app), "openExtensionsManagerDialog", lambda _app: opened.append(True))
    opened = []
    click(desk.ui.noteButton)
    assert "Install the extension PyTorch" in desk.ui.noteLabel.text
    assert desk.ui.noteIcon.visible
    assert desk.ui.noteButton.text == "Open Extensions Manager"
    click(desk.ui.noteButton)
    assert opened == [True]


def test_without_a_connection_the_module_that_installs_torch_is_a_click_away(without_torch, desk, monkeypatch):
    class PyTorchUtilsLogic:
        def installTorch(self, **_arguments):  # noqa: N802
            pass

    opened = []
    monkeypatch.setattr(slicer.util, "selectModule", opened.append)
    monkeypatch.setitem(sys.modules, "PyTorchUtils", SimpleNamespace(PyTorchUtilsLogic=PyTorchUtilsLogic))
    click(desk.ui.noteButton)
    assert "Check the connection" in desk.ui.noteLabel.text
    assert desk.ui.noteButton.text == "Open module"
    click(desk.ui.noteButton)
    assert opened == ["PyTorchUtils"]
    desk.widget.exit()
    desk.widget.enter()
    assert desk.ui.noteButton.text == "Install..."


def test_installing_is_shown_and_ends_in_a_panel_that_is_ready(without_torch, desk, monkeypatch):
    seen = []

    def install(requester, *, tell, translate):
        tell("PyTorch", 2, 3)
        seen.append((requester, desk.ui.registerButton.text, desk.ui.inputsSection.enabled, desk.status))
        without_torch.clear()

    desk.choose_pair()
    monkeypatch.setattr("DiffusionCore.mrml.panels.packages.ensure_packages", install)
    click(desk.ui.noteButton)
    assert seen == [("SpatialDiffusion", "Installing...", False, "Installing PyTorch (2 of 3). This is needed once.")]
    assert not desk.ui.noteRow.visible
    assert desk.ui.registerButton.enabled


def test_an_installation_that_fails_stays_in_the_panel(without_torch, desk, monkeypatch):
    def install(_requester, **_manner):
        raise InstallError("nibabel could not be installed: no space.")

    monkeypatch.setattr("DiffusionCore.mrml.panels.packages.ensure_packages", install)
    click(desk.ui.noteButton)
    assert desk.ui.noteLabel.text == "nibabel could not be installed: no space."
    assert desk.ui.noteButton.text == "Install..."


def test_nothing_to_say_shows_no_row(desk):
    assert not desk.ui.noteRow.visible
    desk.choose_pair()
    assert not desk.ui.noteRow.visible


def test_volumes_far_apart_are_said_and_do_not_prevent_anything(desk):
    _, moving = desk.choose_pair()
    moving.SetOrigin(900, 0, 0)
    desk.panel.refresh()
    assert "do not overlap" in desk.ui.noteLabel.text
    assert desk.ui.registerButton.enabled


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (np.zeros((8, 9, 10), np.float32), "Moving volume is empty: every voxel is 0."),
        (np.ones((1, 9, 10), np.float32), "Moving volume has 10x9x1 voxels. A 3D volume of at least 4 a side"),
        (np.ones((8, 9, 10, 6), np.float32), "Moving volume has 6 values per voxel (4D). Take one of them out first."),
    ],
)
def test_a_volume_that_cannot_be_registered_is_named_beside_an_icon(desk, scene, values, sentence):
    add_ball(scene, "fixed")
    add_image("moving", values)
    choose(desk.ui.fixedVolumeSelector, "fixed")
    choose(desk.ui.movingVolumeSelector, "moving")
    assert desk.ui.noteLabel.text.startswith(sentence)
    assert desk.ui.noteIcon.visible
    assert not desk.ui.noteButton.visible
    assert not desk.ui.registerButton.enabled
    assert desk.status == "This cannot be registered yet: see the note above."


def test_a_choice_that_is_still_to_be_made_is_no_mistake(desk, scene):
    add_ball(scene, "fixed")
    choose(desk.ui.fixedVolumeSelector, "fixed")
    assert desk.status == "Select a moving volume."
    assert not desk.ui.noteRow.visible


def test_after_the_gpu_was_full_the_cpu_is_a_click_away(desk):
    desk.register("crashing", how="gpu memory", count=2)
    assert "The GPU ran out of memory" in desk.status
    assert "Steps 1-2 are kept." in desk.status
    assert desk.ui.statusIcon.visible
    assert desk.ui.noteIcon.visible
    assert desk.ui.noteButton.text == "Use CPU"
    click(desk.ui.noteButton)
    assert desk.parameters.device == "cpu"
    assert not desk.ui.noteRow.visible
    assert desk.status.startswith("Ready.")


def test_after_another_failure_nothing_is_said_about_the_gpu(desk):
    desk.register("crashing", how="memory", count=2)
    assert "The computer ran out of memory" in desk.status
    assert not desk.ui.noteRow.visible


def test_a_transform_above_the_moving_volume_is_said_and_can_be_ignored(desk, scene):
    _, moving = desk.choose_pair()
    above = scene.AddNewNodeByClass("vtkMRMLTransformNode", "Transform_3")
    moving.SetAndObserveTransformNodeID(above.GetID())
    desk.panel.refresh()
    assert "Transform_3" in desk.ui.noteLabel.text
    click(desk.ui.noteButton)
    assert moving.GetParentTransformNode() is None
    assert not desk.ui.noteRow.visible


def test_what_was_accepted_is_not_said_again_until_the_scene_is_another_one(desk):
    _, moving = desk.choose_pair()
    values = slicer.util.arrayFromVolume(moving)
    values[2, 3, 4] = np.nan
    slicer.util.arrayFromVolumeModified(moving)
    desk.panel.refresh()
    assert "NaN" in desk.ui.noteLabel.text
    click(desk.ui.noteButton)
    assert not desk.ui.noteRow.visible
    desk.panel.refresh()
    assert not desk.ui.noteRow.visible


def test_every_kind_of_fix_has_a_tooltip(desk):
    from DiffusionCore.mrml.checks import Finding, Severity
    from DiffusionCore.mrml.panels.notes import Notes

    notes = Notes(None, "see the note", lambda: None)
    for action in FixAction:
        note = notes._note(Finding(Severity.WARNING, "text", Fix(action)))
        assert note.button
        assert note.tip


def test_a_volume_that_is_both_is_one_sentence(desk, scene):
    node = add_ball(scene, "only")
    desk.parameters.fixedVolume = desk.parameters.movingVolume = node
    assert desk.status == "Fixed and moving are the same volume."
    assert desk.ui.registerButton.toolTip == desk.status
