"""The panel DeformationSynthesis, clicked: from a labeled volume to a data set, and whatever happens on the way."""

from __future__ import annotations

import json
import shutil
import sys

import numpy as np
import pytest
import slicer
from clicking import choose, click, drag_slider, press, type_text, wait_until
from desk import ROOT
from nodes_of_panel import add_ball
from synthesis_desk import SynthesisDesk, write_folder

from DiffusionCore.synthesis.stored_case import StoredCase

sys.path.insert(0, str(ROOT / "Testing" / "Core"))  # nnunet_rules.py


@pytest.fixture
def desk(panel_of, views, scene, warm_workers, monkeypatch):
    monkeypatch.setenv("SPATIALDIFFUSION_MODELS", str(ROOT / "no such folder"))
    desk = SynthesisDesk(panel_of, views, scene)
    yield desk
    desk.close()


def differ(one, other):
    """Return how many pixels differ clearly."""
    return int((np.abs(one.astype(int) - other.astype(int)).max(axis=-1) > 8).sum())


def shown_in_views():
    return {view.GetBackgroundVolumeID() for view in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")}


def test_from_a_labeled_volume_to_a_data_set_by_clicks_alone(desk, tmp_path):
    import qt
    from nnunet_rules import violations

    ui = desk.ui
    assert desk.status == "Load a volume and a segmentation to start, or try the sample."
    assert not ui.generateButton.enabled
    assert not ui.previewButton.enabled
    volume, segmentation = desk.choose_case()
    before = slicer.util.arrayFromVolume(volume).copy()
    assert desk.status == "Ready."

    # the preview shows what the strength does, and is not kept
    desk.press(ui.previewButton)
    assert desk.status.startswith("This is how a variant looks.")
    assert not ui.variantsTable.visible
    preview = desk.picture()
    click(ui.originalButton)
    assert differ(desk.picture(), preview) > 50
    click(ui.originalButton)
    assert differ(desk.picture(), preview) == 0

    # generate: the first variant is the one of the preview
    type_text(ui.countSpinBox, "4")
    assert ui.generateButton.text == "Generate 4 variants"
    desk.press(ui.generateButton)
    assert desk.status.startswith("Made 4 variants in ")
    assert ui.generateButton.text == "Generate 4 more"
    assert [line[:2] for line in desk.table()] == [[True, str(number)] for number in (1, 2, 3, 4)]
    assert differ(desk.picture(), preview) == 0
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(volume), before)
    assert not segmentation.GetDisplayNode().GetVisibility()  # it would lie over that of the variant

    # browse: slider, table and views agree
    drag_slider(ui.variantSlider, 3)
    assert ui.variantLabel.text == "3/4"
    third = desk.picture()
    assert differ(third, preview) > 50
    ui.variantsTable.setFocus()
    press(ui.variantsTable, qt.Qt.Key_Up)
    assert ui.variantLabel.text == "2/4"

    # reject by button, which goes on to the next, and by the space bar
    click(ui.rejectButton)
    assert ui.variantLabel.text == "3/4"
    assert ui.verdictLabel.text == "3 kept, 1 rejected"
    ui.variantsTable.setFocus()
    press(ui.variantsTable, qt.Qt.Key_Space)
    assert [line[0] for line in desk.table()] == [True, False, False, True]
    press(ui.variantsTable, qt.Qt.Key_Space)
    assert [line[0] for line in desk.table()] == [True, False, True, True]

    # a rejected one is drawn anew
    desk.press(ui.redrawButton)
    assert [line[:2] for line in desk.table()] == [[True, "1"], [True, "3"], [True, "4"], [True, "5"]]

    # grid and outlines
    plain = desk.picture()
    click(ui.gridButton)
    assert differ(desk.picture(), plain) > 200
    click(ui.gridButton)
    click(ui.outlinesButton)
    assert differ(desk.picture(), plain) > 50
    click(ui.outlinesButton)
    assert differ(desk.picture(), plain) == 0

    # export
    ui.exportFolderEdit.currentPath = str(tmp_path)
    assert str(tmp_path / "Dataset501_Synthetic") in ui.exportLabel.text
    assert ui.exportButton.text == "Export 4 kept variants"
    desk.press(ui.exportButton)
    assert desk.status.startswith("Wrote 5 cases to ")
    output = tmp_path / "Dataset501_Synthetic"
    assert violations(output) == []
    dataset = json.loads((output / "dataset.json").read_text())
    assert dataset["numTraining"] == 5
    assert dataset["labels"] == {"background": 0, "inside": 1, "shell": 2}
    assert {path.name for path in (output / "labelsTr").iterdir()} == {
        "head.nii.gz",
        *(f"head_{n:04d}.nii.gz" for n in (0, 2, 3, 4)),
    }


def test_a_folder_of_cases_is_counted_and_takes_turns(desk, tmp_path):
    folder = write_folder(tmp_path / "cases")
    click(desk.ui.folderRadioButton)
    assert not desk.ui.volumeSelector.visible
    desk.ui.folderEdit.currentPath = str(folder)
    assert desk.ui.casesLabel.text == "2 cases found"
    desk.generate(2)
    assert len(desk.table()) == 2
    assert sorted(row.record["source"] for row in desk.logic.collection.rows) == ["anna", "bert"]


def test_a_folder_without_cases_says_what_is_needed(desk, tmp_path):
    click(desk.ui.folderRadioButton)
    desk.ui.folderEdit.currentPath = str(tmp_path)
    assert "holds no labeled case" in desk.ui.casesLabel.text
    assert not desk.ui.generateButton.enabled


def test_what_is_missing_is_said(desk, scene):
    add_ball(scene, "head")
    assert desk.status == "Select a volume."
    choose(desk.ui.volumeSelector, "head")
    assert desk.status == "Select a segmentation."
    assert desk.ui.generateButton.toolTip == desk.status
    assert not desk.ui.exportButton.enabled
    assert desk.ui.exportButton.toolTip == "Nothing kept."


def test_an_empty_volume_is_told_in_the_note(desk, scene):
    desk.choose_case()
    slicer.util.arrayFromVolume(desk.parameters.inputVolume)[:] = 0
    slicer.util.arrayFromVolumeModified(desk.parameters.inputVolume)
    desk.panel.refresh()
    assert desk.ui.noteLabel.text == "Volume is empty: every voxel is 0."
    assert not desk.ui.generateButton.enabled


def test_stop_keeps_what_is_finished(desk):
    desk.choose_case()
    desk.parameters.count = 200
    click(desk.ui.generateButton)
    assert desk.ui.generateButton.text == "Stop"
    assert not desk.ui.inputsSection.enabled
    wait_until(lambda: len(desk.logic.collection.rows) >= 2 and desk.panel.is_button_armed, 120)
    click(desk.ui.generateButton)
    desk.wait_for_end()
    made = len(desk.logic.collection.rows)
    assert 2 <= made < 200
    assert desk.status.startswith(f"Stopped after {made} of 200 variants.")
    assert len(desk.table()) == made
    assert desk.ui.generateButton.enabled


def test_variants_are_reviewed_while_more_are_made(desk):
    desk.choose_case()
    desk.parameters.count = 100
    click(desk.ui.generateButton)
    wait_until(lambda: len(desk.table()) >= 2, 120)
    assert desk.logic.running
    click(desk.ui.rejectButton)
    assert desk.logic.collection.rejected == [0]
    assert desk.parameters.shown == 1
    desk.panel.end_run()


def test_clear_takes_all_away_and_undo_brings_it_back(desk):
    desk.generate(2)
    files = [desk.logic.collection.path_of(row) for row in desk.logic.collection.rows]
    desk.click_link()
    assert desk.status == "Cleared 2 variants. Undo"
    assert desk.ui.reviewEmptyLabel.visible
    assert slicer.util.getNodesByClass("vtkMRMLSegmentationNode") == [desk.parameters.inputSegmentation]
    desk.click_link()
    assert len(desk.table()) == 2
    assert all(file.exists() for file in files)
    desk.click_link()
    desk.generate(1)
    assert not any(file.exists() for file in files)


def test_the_same_seed_makes_the_same_variants_and_more_are_others(desk):
    desk.generate(2)
    desk.generate(1)

    def images():
        collection = desk.logic.collection
        return [StoredCase.read(collection.path_of(row)).subject.images[0].values for row in collection.rows]

    first = images()
    assert (first[0] != first[2]).any()
    desk.click_link()
    desk.generate(3)
    for one, other in zip(first, images(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_worker_that_dies_is_told_and_keeps_what_is_finished(desk):
    import os
    import signal

    desk.choose_case()
    desk.parameters.count = 200
    click(desk.ui.generateButton)
    wait_until(lambda: len(desk.logic.collection.rows) >= 1, 120)
    os.kill(desk.logic.run._runner.pid, signal.SIGKILL)
    desk.wait_for_end()
    assert "ended unexpectedly" in desk.status
    assert len(desk.table()) >= 1
    assert desk.ui.generateButton.text == "Generate 200 more"


def test_kept_variants_stay_in_the_scene_if_asked(desk):
    desk.generate(2)
    click(desk.ui.rejectButton)
    choose(desk.ui.formatSelector, "Keep in scene")
    assert not desk.ui.exportFolderEdit.visible
    click(desk.ui.exportButton)
    segmentation = slicer.util.getNode("head_0001 segmentation")
    assert segmentation.GetSegmentation().GetNumberOfSegments() == 2
    names = {node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")}
    assert names == {"head", "head variant 2", "head_0001"}
    assert desk.status == "Added 1 variants to the scene."


def test_a_folder_that_holds_something_else_is_left_alone(desk, tmp_path):
    (tmp_path / "Dataset501_Synthetic").mkdir()
    (tmp_path / "Dataset501_Synthetic" / "mine.txt").write_text("mine")
    desk.generate(1)
    desk.ui.exportFolderEdit.currentPath = str(tmp_path)
    desk.press(desk.ui.exportButton)
    assert "holds other files" in desk.status
    assert [path.name for path in (tmp_path / "Dataset501_Synthetic").iterdir()] == ["mine.txt"]


def test_variants_and_verdicts_survive_saving_and_loading_the_scene(desk, scene, tmp_path):
    desk.generate(3)
    drag_slider(desk.ui.variantSlider, 2)
    click(desk.ui.rejectButton)
    path = str(tmp_path / "variants.mrb")
    assert slicer.util.saveScene(path)
    scene.Clear(False)
    assert desk.ui.reviewEmptyLabel.visible
    slicer.util.loadScene(path)
    wait_until(lambda: desk.ui.reviewBody.visible)
    assert [line[0] for line in desk.table()] == [True, False, True]
    assert desk.ui.variantLabel.text == "3/3"
    nodes, row = desk.panel._review.nodes, desk.logic.collection.rows[2]
    stored = StoredCase.read(desk.logic.collection.path_of(row)).subject
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(nodes.volume), stored.images[0].values)
    assert [
        node.GetDisplayNode().GetVisibility() for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    ] == [
        0,  # that of the user would lie over it
        1,
    ]
    assert shown_in_views() == {nodes.volume.GetID()}
    names = [node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")]
    assert sorted(names) == ["head", "head variant 3"]


def test_closing_the_scene_ends_what_is_under_way(desk, scene):
    desk.choose_case()
    desk.parameters.count = 200
    click(desk.ui.generateButton)
    wait_until(lambda: len(desk.logic.collection.rows) >= 1, 120)
    scene.Clear(False)
    assert not desk.logic.running
    assert desk.status == "Load a volume and a segmentation to start, or try the sample."
    assert desk.ui.reviewEmptyLabel.visible


def test_leaving_the_module_gives_the_segmentation_back(desk):
    _, segmentation = desk.choose_case()
    desk.generate(1)
    assert not segmentation.GetDisplayNode().GetVisibility()
    desk.widget.exit()
    assert segmentation.GetDisplayNode().GetVisibility()
    desk.widget.enter()
    assert not segmentation.GetDisplayNode().GetVisibility()
    assert shown_in_views() == {desk.panel._review.nodes.volume.GetID()}


def test_the_steps_of_a_recovery_can_be_scrubbed_with_the_grid(desk):
    desk.choose_case()
    choose(desk.ui.methodSelector, "Recovered shapes: drdm")
    desk.press(desk.ui.previewButton)
    assert desk.status.startswith("This is how a variant looks.")
    assert desk.ui.stageRow.visible
    assert desk.ui.stageLabel.text == "6/6"
    recovered = desk.picture()
    click(desk.ui.gridButton)
    assert differ(desk.picture(), recovered) > 200
    drag_slider(desk.ui.stageSlider, 1)
    assert desk.ui.stageLabel.text == "1/6"
    assert differ(desk.picture(), recovered) > 200
    nodes = desk.panel._review.nodes
    assert nodes.volume.GetParentTransformNode() is nodes.deformation  # the original, seen through the step
    drag_slider(desk.ui.stageSlider, 6)
    click(desk.ui.gridButton)
    assert differ(desk.picture(), recovered) == 0
    assert nodes.volume.GetParentTransformNode() is None


def test_a_model_that_does_not_know_the_labels_is_told(desk):
    desk.choose_case()
    choose(desk.ui.methodSelector, "Both: brains")
    desk.press(desk.ui.generateButton)
    assert "label" in desk.status
    assert desk.table() == []
    assert desk.ui.generateButton.enabled


def test_a_preview_beside_variants_is_left_by_choosing_one_of_them(desk):
    desk.generate(2)
    first = desk.picture()
    desk.press(desk.ui.previewButton)
    assert desk.ui.variantLabel.text == "preview"
    assert not desk.ui.keepButton.enabled
    assert len(desk.table()) == 2
    assert differ(desk.picture(), first) > 50
    item = desk.ui.variantsTable.visualItemRect(desk.ui.variantsTable.item(0, 1))
    click(desk.ui.variantsTable.viewport(), item.center())
    assert desk.ui.variantLabel.text == "1/2"
    assert desk.ui.keepButton.enabled
    assert differ(desk.picture(), first) == 0


def test_variants_that_are_gone_are_told_and_can_be_made_again(desk, scene, tmp_path):
    desk.generate(1)
    path, folder = str(tmp_path / "variants.mrb"), desk.logic.collection.folder
    assert slicer.util.saveScene(path)
    scene.Clear(False)
    shutil.rmtree(folder)
    slicer.util.loadScene(path)
    wait_until(lambda: "no longer in the folder" in desk.status)
    assert desk.ui.reviewEmptyLabel.visible
    desk.generate(1)
    assert len(desk.table()) == 1


def test_a_run_without_any_variant_leaves_nothing_to_be_missed(desk):
    desk.choose_case()
    choose(desk.ui.methodSelector, "Both: brains")
    desk.press(desk.ui.generateButton)
    desk.widget.exit()
    desk.widget.enter()
    assert "no longer" not in desk.status
