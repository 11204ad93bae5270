"""The data folder of a training: checked file by file, chosen as a list, and not always needed."""

from __future__ import annotations

from pathlib import Path

import pytest
from clicking import choose, click, type_text, wait_until
from training_window import LIMIT

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def host(host_of):
    """Give the section with what a synthesis can learn; a trial of the image diffusion is chosen."""
    from DiffusionCore.mrml.panels.training.synthesis_recipes import synthesis_recipes

    host = host_of(synthesis_recipes())
    host.parameters.trainingRecipe = "smoke-image"
    return host


@pytest.fixture
def balls(tmp_path, monkeypatch):
    """Give a folder of four balls, one of them without labels, and of two files that cannot be used."""
    monkeypatch.syspath_prepend(str(ROOT / "Testing" / "Core"))
    from image_world import write_balls

    folder = write_balls(tmp_path / "balls", 4)
    (folder / "broken.nii.gz").write_bytes(b"no image")
    (folder / "ball_1_seg.nii.gz").write_bytes(b"no labels")
    return folder


def rows_of(host):
    table = host.dataTable
    return [[table.item(row, column).text() for column in range(4)] for row in range(table.rowCount)]


def checked(host):
    click(host.dataCheckButton)
    wait_until(lambda: host.dataCheckButton.text == "Check", LIMIT)


def test_a_check_tells_what_each_volume_is_and_why_some_are_left_out(host, balls):
    assert not host.dataCheckButton.isEnabled()
    host.dataEdit.setCurrentPath(str(balls))
    assert not host.dataTable.isVisible()
    checked(host)
    assert host.dataLabel.text == "3 volumes can be used, 2 with labels. Left out: 2; the table says why."
    rows = rows_of(host)
    assert [row[0] for row in rows] == [
        "ball_1.nii.gz",
        "broken.nii.gz",
        "ball_0.nii.gz",
        "ball_2.nii.gz",
        "ball_3.nii.gz",
    ]
    assert rows[2] == ["ball_0.nii.gz", "30 x 28 x 26", "3 x 3.2 x 3.5", "2"]
    assert rows[4][3] == ""
    assert rows[1][1].startswith("'broken.nii.gz'")
    assert all("cannot be read" in row[1] for row in rows[:2]), rows
    assert [host.dataTable.columnSpan(number, 1) for number in range(5)] == [3, 3, 1, 1, 1]
    assert host.dataTable.item(1, 0).toolTip() == str(balls / "broken.nii.gz")
    assert host.startButton.isEnabled()


def test_a_check_can_be_stopped_and_what_was_read_stays(host, balls):
    host.dataEdit.setCurrentPath(str(balls))
    click(host.dataCheckButton)
    assert host.dataCheckButton.text == "Stop"
    click(host.dataCheckButton)
    assert host.dataCheckButton.text == "Check"
    assert host.dataTable.rowCount < 5


def test_another_folder_forgets_the_check(host, balls, tmp_path):
    host.dataEdit.setCurrentPath(str(balls))
    checked(host)
    assert host.dataTable.isVisible()
    (tmp_path / "other").mkdir()
    host.dataEdit.setCurrentPath(str(tmp_path / "other"))
    assert not host.dataTable.isVisible()
    assert host.dataLabel.text.startswith("No volumes in this folder")
    assert not host.dataCheckButton.isEnabled()


def test_a_list_of_images_is_chosen_in_a_dialog_and_checked(host, balls, tmp_path, monkeypatch):
    import qt

    chosen = tmp_path / "list.csv"
    chosen.write_text("image,label,subject\nballs/ball_0.nii.gz,balls/ball_0_seg.nii.gz,ann\nballs/gone.nii.gz,,bob\n")
    monkeypatch.setattr(qt.QFileDialog, "getOpenFileName", lambda *_arguments: str(chosen))
    click(host.dataListButton)
    assert host.parameters.trainingData == chosen
    assert host.dataEdit.currentPath == str(chosen)
    assert host.dataLabel.text == "A list of volumes. Press Check to see what is in it."
    checked(host)
    assert [row[0] for row in rows_of(host)] == ["gone.nii.gz", "ball_0.nii.gz"]
    chosen.write_text("picture\nball.nii.gz\n")
    checked(host)
    assert "column 'picture'" in host.dataLabel.text


def test_a_recipe_that_needs_no_data_takes_some_where_it_can(host_of, balls):
    host = host_of()
    host.parameters.trainingRecipe = "smoke-voxelmorph"
    assert host.dataEdit.isVisible()
    assert host.startButton.isEnabled()
    host.parameters.trainingData = balls / "nowhere"
    assert host.status == "Choose a folder with images to learn from."
    host.parameters.trainingRecipe = "smoke-affine"
    assert not host.dataEdit.isVisible()
    assert host.startButton.isEnabled()


def test_data_steps_and_the_beginning_reach_the_training(host, balls, tmp_path, python_slicer):
    python_slicer("network.widths=[8,8]", "network.embedding=8", script=None)
    host.dataEdit.setCurrentPath(str(balls))
    type_text(host.nameEdit, "first")
    type_text(host.stepsSpinBox, "3")
    click(host.startButton)
    host.until(lambda host: not host.section.running)
    assert host.status.startswith("Done after 3 steps")
    offered = [host.beginSelector.itemText(number) for number in range(host.beginSelector.count)]
    assert offered == ["Nothing", "first (output folder)", "brains (shipped)"]
    type_text(host.nameEdit, "second")
    choose(host.beginSelector, "first (output folder)")
    click(host.startButton)
    host.until(lambda host: not host.section.running)
    assert host.status.startswith("Done after 3 steps"), host.status
    begun = tmp_path / "trainings" / "first" / "weights.safetensors"
    assert set(host.section.run.record.settings) >= {"steps=3", f'begin="{begun}"'}


def test_a_model_of_another_kind_is_no_beginning(host):
    host.parameters.trainingBegin = "brains"
    assert host.beginSelector.currentText == "brains (shipped)"
    host.parameters.trainingRecipe = "smoke-drdm"
    assert (host.beginSelector.currentText, host.parameters.trainingBegin) == ("Nothing", "")
