"""A run in the panel: what can be touched while it is under way, how it ends, and how it is taken back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from clicking import click, drag_slider, when_asked
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

SLOW = {"count": 60, "pause": 0.08}


def test_inputs_are_locked_and_the_ways_to_look_are_not(desk):
    desk.start(**SLOW)
    desk.wait_for_step(2)
    ui = desk.ui
    assert not any(section.enabled for section in (ui.inputsSection, ui.outputsSection, ui.advancedSection))
    assert not ui.undoButton.enabled
    assert not ui.resumeButton.enabled
    for control in (ui.fadeSlider, ui.beforeButton, ui.gridButton, ui.colorsButton, ui.sideBySideButton, ui.liveButton):
        assert control.enabled
    assert ui.progressBar.visible
    desk.stop()
    desk.wait_for_end()
    assert ui.inputsSection.enabled
    assert not ui.progressBar.visible
    assert not ui.liveButton.enabled


def test_dragging_switches_live_off_and_the_status_still_counts(desk):
    desk.start(**SLOW)
    desk.wait_for_step(3)
    drag_slider(desk.ui.seekWidget.slider(), 0)
    desk.wait_for(lambda: not desk.ui.liveButton.checked)
    seen, status = desk.logic.run.step, desk.status
    desk.wait_for(lambda: desk.logic.run.step >= seen + 3 and desk.status != status)
    assert desk.status.startswith("Step ")
    assert desk.ui.seekWidget.slider().value == 0
    assert moved_by(desk) == pytest.approx(0)
    click(desk.ui.liveButton)
    desk.wait_for(lambda: moved_by(desk) >= seen)
    assert desk.ui.liveButton.checked


def test_live_can_be_switched_off_and_the_step_shown_stays(desk):
    desk.start(**SLOW)
    desk.wait_for_step(2)
    click(desk.ui.liveButton)
    shown, seen = moved_by(desk), desk.logic.run.step
    desk.wait_for(lambda: desk.logic.run.step >= seen + 4)
    assert moved_by(desk) == shown
    assert not desk.ui.liveButton.checked


def moved_by(desk):
    """Return how far along x the transform takes a point, mm: the number of the step that it holds, from 0."""
    return round(desk.parameters.outputTransform.GetTransformFromParent().TransformPoint(0, 0, 0)[0], 3)


def test_a_double_click_on_register_starts_and_does_not_stop(desk, app):
    desk.choose_pair()
    desk.use("shifts", **SLOW)
    QTest.mouseClick(desk.ui.registerButton, Qt.MouseButton.LeftButton)
    QTest.mouseClick(desk.ui.registerButton, Qt.MouseButton.LeftButton)
    app.processEvents()
    desk.wait_for_step(1)
    assert desk.ui.registerButton.text == "Stop"


def test_stop_has_the_place_and_the_size_of_register(desk):
    desk.choose_pair()
    before = desk.ui.registerButton.geometry
    desk.start(**SLOW)
    assert desk.ui.registerButton.text == "Stop"
    assert desk.ui.registerButton.geometry == before


def test_stopping_before_the_first_step_leaves_the_scene_as_it_was(desk, scene):
    desk.choose_pair()
    before = scene.GetNumberOfNodes()
    desk.start("shifts", count=3, pause=30)
    desk.stop()
    desk.wait_for_end()
    assert desk.status == "Stopped before the first step; nothing was changed."
    assert scene.GetNumberOfNodes() == before
    assert not desk.ui.undoButton.enabled


def test_the_bar_is_at_its_end_only_when_it_is_done(desk):
    desk.choose_pair()
    desk.press_register()  # the pipeline of the panel, which knows how many steps there will be
    values = []

    def done():
        if desk.ui.progressBar.maximum > 0:
            values.append((desk.ui.progressBar.value, desk.ui.progressBar.maximum))
        return not desk.logic.running

    desk.wait_for(done)
    shares = [value / maximum for value, maximum in values]
    assert shares == sorted(shares)
    assert shares.index(1) == len([share for share in shares if share < 1])
    assert shares[-1] == 1
    assert desk.status.startswith("Done in ")
    assert "Similarity" in desk.status


def test_the_result_is_shown_and_opens_once(desk):
    desk.register(count=3)
    ui = desk.ui
    assert not ui.resultSection.collapsed
    model = ui.measuresTable.model()
    rows = {model.data(model.index(row, 0)) for row in range(model.rowCount())}
    assert "Similarity" in rows
    assert ui.plotContainer.visible
    ui.resultSection.collapsed = True
    desk.register(count=3)
    assert ui.resultSection.collapsed


def test_a_run_that_fails_says_why_and_keeps_its_steps(desk):
    desk.register("crashing", count=4, how="killed")
    ui = desk.ui
    assert "ended unexpectedly after step 4" in desk.status
    assert "Steps 1-4 are kept" in desk.status
    assert ui.statusIcon.visible
    assert ui.registerButton.enabled
    assert ui.seekWidget.slider().maximum == 3
    assert ui.logSection.collapsed
    ui.statusLabel.linkActivated.emit("details")  # where it stands in several lines, only the label knows
    assert not ui.logSection.collapsed
    assert "code" in ui.logText.toPlainText()


def test_a_run_that_fails_before_its_first_step_leaves_nothing(desk, scene):
    desk.choose_pair()
    before = scene.GetNumberOfNodes()
    desk.register("crashing", count=0, how="known")
    assert desk.status.startswith("The images are upside down. Turn them.")
    assert scene.GetNumberOfNodes() == before
    assert not desk.ui.undoButton.enabled
    assert not desk.ui.stepsBody.visible


def test_changing_the_question_takes_the_last_answer_away(desk):
    desk.register(count=2)
    assert desk.status.startswith("Done in ")
    desk.ui.seedSpinBox.setValue(3)
    assert desk.status.startswith("Ready. About ")
    assert desk.ui.stepsBody.visible


def test_undo_gives_back_the_picture_and_the_nodes(desk, scene):
    desk.choose_pair()
    before, nodes = desk.picture(), names(scene)
    desk.register(count=5)
    click(desk.ui.colorsButton)
    click(desk.ui.gridButton)
    assert (desk.picture() != before).any()
    click(desk.ui.undoButton)
    np.testing.assert_array_equal(desk.picture(), before)
    assert {name for name in names(scene) - nodes if not name.startswith("SpatialDiffusion")} == set()  # its plot view
    assert not desk.ui.undoButton.enabled
    assert not desk.ui.colorsButton.checked
    assert not desk.ui.stepsBody.visible
    assert desk.status.startswith("Ready. ")


def names(scene):
    return {scene.GetNthNode(number).GetName() for number in range(scene.GetNumberOfNodes())}


def test_undo_of_a_resumed_run_gives_the_first_branch_back(desk):
    transform = desk.register(count=5)
    drag_slider(desk.ui.seekWidget.slider(), 1)
    desk.use("shifts", count=2)
    click(desk.ui.resumeButton)
    desk.wait_for_end()
    assert desk.ui.seekWidget.slider().maximum == 3  # two that are shared, two new ones
    assert [desk.ui.branchSelector.itemText(row) for row in range(2)] == ["First run", "From step 2"]
    click(desk.ui.undoButton)
    assert desk.parameters.outputTransform is transform
    assert desk.ui.seekWidget.slider().maximum == 4
    assert not desk.ui.branchRow.visible


def test_the_outputs_that_were_chosen_are_used(desk, scene):
    import slicer

    desk.choose_pair()
    transform = desk.ui.outputTransformSelector.addNode()
    volume = desk.ui.outputVolumeSelector.addNode()
    desk.register(count=3)
    assert desk.parameters.outputTransform is transform
    assert slicer.util.arrayFromVolume(volume).max() > 100


def test_steps_that_are_not_kept_leave_the_result_alone(desk):
    desk.choose_pair()
    desk.ui.keepStepsCheckBox.setChecked(False)
    desk.register(count=4)
    assert moved_by(desk) == 3
    assert not desk.ui.stepsBody.visible
    assert desk.status.startswith("Done in ")


def test_nothing_modal_appears_and_the_cursor_stays(desk, app):
    desk.start(count=10, pause=0.05)
    seen = []

    def done():
        seen.append((app.activeModalWidget(), app.overrideCursor()))
        return not desk.logic.running

    desk.wait_for(done)
    assert set(seen) == {(None, None)}


def test_the_copied_table_is_text_for_a_spreadsheet(desk, app):
    desk.register(count=3)
    click(desk.ui.copyTableButton)
    lines = app.clipboard().text().splitlines()
    assert lines[0] == "Measure\tBefore\tAfter"
    assert all(line.count("\t") == 2 for line in lines)


def test_a_saved_transform_can_be_read_by_others(desk, tmp_path):
    import SimpleITK as sitk

    desk.register(count=5)

    offered = []

    def answer(dialog):
        offered.extend(dialog.selectedFiles())
        dialog.selectFile(str(tmp_path / "shift"))
        dialog.accept()

    when_asked(answer)
    click(desk.ui.saveTransformButton)
    assert Path(offered[0]).name == "moving to fixed transform.h5"
    assert desk.status.startswith("Saved '")
    read = sitk.ReadTransform(str(tmp_path / "shift.h5"))
    np.testing.assert_allclose(read.TransformPoint((0.0, 0.0, 0.0)), (-4, 0, 0), atol=1e-6)  # LPS


def test_a_transform_that_cannot_be_written_is_said(desk, tmp_path):
    desk.register(count=2)
    assert "could not be written" in desk.panel._result.save(str(tmp_path / "no folder" / "shift.h5"))


def test_a_failure_is_told_whole(desk, app):
    desk.start("crashing", how="killed", count=3)
    desk.wait_for_end()
    label = desk.ui.statusLabel
    app.processEvents()
    assert "after step 3 (memory ran out?). Steps 1-3 are kept." in label.text
    assert label.height >= 2 * label.fontMetrics().height()
    desk.panel._status.show("Ready.")
    app.processEvents()
    assert label.height < 2 * label.fontMetrics().height()


def test_a_long_status_is_cut_and_told_whole_in_the_tooltip(desk, app):
    sentence = (
        "Something went wrong in a way that takes many words to explain, and more of them than there is room for."
    )
    desk.panel._status.show(sentence, link_text="Details", address="details")
    label = desk.ui.statusLabel
    assert label.toolTip == sentence + " Details"
    assert "…" in label.text
    assert ">Details</a>" in label.text
    desk.widget.resize(1500, 900)
    app.processEvents()
    assert "…" not in label.text
