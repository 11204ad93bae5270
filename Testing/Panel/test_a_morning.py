"""A morning's work with mouse and keyboard alone: register, watch, stop, look back, resume, save, come back."""

from __future__ import annotations

import numpy as np
from clicking import choose, choose_with_keys, click, drag_slider, press, type_text
from nodes_of_panel import add_pair


def differ(one, other):
    """Return how many pixels differ clearly."""
    return int((np.abs(one.astype(int) - other.astype(int)).max(axis=-1) > 8).sum())


def places_of(transform):
    """Return where ``transform`` takes a few points of the fixed space."""
    inside = transform.GetTransformFromParent()
    return np.array([inside.TransformPoint(*point) for point in np.eye(4, 3) * 20]).round(4)


def places_of_step(number):
    """Return the same of the step ``number``, counted from 1, that the sequence of the steps keeps."""
    import slicer

    browser = slicer.util.getNodesByClass("vtkMRMLSequenceBrowserNode")[-1]
    return places_of(browser.GetMasterSequenceNode().GetNthDataNode(number - 1))


def test_a_morning(desk, scene, tmp_path):
    import qt
    import slicer

    ui = desk.ui
    assert desk.status == "Load two volumes to start, or try the sample pair."
    assert not ui.registerButton.enabled

    # two volumes: the views show both
    _, moving = add_pair(scene, shift=(-20, 12, 8), turn=40)
    assert desk.status == "Select a fixed volume."
    empty = desk.picture()
    choose(ui.fixedVolumeSelector, "fixed")
    assert desk.status == "Select a moving volume."
    choose_with_keys(ui.movingVolumeSelector, "moving")
    before = desk.picture()
    assert differ(empty, before) > 500
    assert desk.status.startswith("Ready. About ")

    # register: the picture changes while it runs
    ui.registerButton.setFocus()
    press(ui.registerButton, qt.Qt.Key_Space)
    assert ui.registerButton.text == "Stop"
    assert not ui.inputsSection.enabled
    desk.wait_for_step(2)
    seen = desk.picture()
    assert differ(before, seen) > 100
    assert ui.liveButton.checked
    assert desk.status.startswith("Step ")

    # stop at a step, and the transform holds it
    desk.stop()
    desk.wait_for_end()
    transform = desk.parameters.outputTransform
    stopped = desk.logic.run.step + 1
    assert 2 <= stopped < desk.logic.run.of
    assert f"Stopped at step {stopped} of " in desk.status
    assert f"holds step {stopped}." in desk.status
    np.testing.assert_array_equal(places_of(transform), places_of_step(stopped))
    assert moving.GetParentTransformNode() is transform
    last = desk.picture()

    # scrub to the first step and back to the last
    slider = ui.seekWidget.slider()
    drag_slider(slider, 0)
    np.testing.assert_array_equal(places_of(transform), places_of_step(1))
    first = desk.picture()
    assert differ(first, last) > 100
    assert "holds step 1." in desk.status
    assert ui.resumeButton.text == "Resume from step 1"
    slider.setFocus()
    press(slider, qt.Qt.Key_End)
    np.testing.assert_array_equal(places_of(transform), places_of_step(stopped))
    assert differ(desk.picture(), last) == 0

    # resume from the second step with another seed, to the end
    drag_slider(slider, 1)
    click(ui.advancedSection, qt.QPoint(40, 8))
    type_text(ui.seedSpinBox, "7")
    click(ui.resumeButton)
    desk.wait_for_end()
    assert desk.status.startswith("Done in ")
    assert ui.branchRow.visible
    assert ui.branchSelector.count == 2
    finished = desk.logic.run.step + 1
    np.testing.assert_array_equal(places_of(transform), places_of_step(finished))
    moved = transform.GetTransformFromParent().TransformPoint(0, 0, 0)
    assert np.abs(np.subtract(moved, (-20, 12, 8))).max() < 4
    done = desk.picture()
    assert differ(done, before) > 500

    # the other branch is still there
    steps, names = ui.seekWidget.slider().maximum, [ui.branchSelector.itemText(n) for n in range(2)]
    choose(ui.branchSelector, names[0])
    assert ui.seekWidget.slider().maximum == stopped - 1
    choose(ui.branchSelector, names[1])
    assert ui.seekWidget.slider().maximum == steps
    drag_slider(ui.seekWidget.slider(), 3)
    at_step_4, shown = desk.picture(), places_of(transform)

    # save, close, load: panel, steps and the shown step are back
    path = str(tmp_path / "morning.mrb")
    assert slicer.util.saveScene(path)
    scene.Clear(False)
    assert desk.status == "Load two volumes to start, or try the sample pair."
    assert not ui.stepsBody.visible
    slicer.util.loadScene(path)
    desk.wait_for(lambda: ui.stepsBody.visible)
    assert ui.fixedVolumeSelector.currentNode().GetName() == "fixed"
    assert ui.movingVolumeSelector.currentNode().GetName() == "moving"
    assert ui.seedSpinBox.value == 7
    np.testing.assert_allclose(places_of(desk.parameters.outputTransform), shown, atol=1e-3)
    assert "holds step 4 of " in desk.status
    assert ui.branchSelector.count == 2
    assert differ(desk.picture(), at_step_4) < 50
    drag_slider(ui.seekWidget.slider(), 0)
    assert differ(desk.picture(), at_step_4) > 100
    desk.click_link()
    assert differ(desk.picture(), done) < 50
