"""Trainings on a folder of the user's images: what is said of the folder, and a real training to its end."""

from __future__ import annotations

from pathlib import Path

import pytest
from clicking import click, grab, type_text

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def host(host_of):
    """Give the section with what a synthesis can learn; a trial of the image diffusion is chosen."""
    from DiffusionCore.mrml.panels.training.synthesis_recipes import synthesis_recipes

    host = host_of(synthesis_recipes())
    host.parameters.trainingRecipe = "smoke-image"
    host.parameters.trainingName = "balls"
    return host


@pytest.fixture
def balls(tmp_path, monkeypatch):
    """Give a folder of four balls on oblique grids, one of them without labels."""
    monkeypatch.syspath_prepend(str(ROOT / "Testing" / "Core"))
    from image_world import write_balls

    return write_balls(tmp_path / "balls", 4)


def touch(folder, *names):
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


def test_the_names_that_the_panel_knows_are_those_of_the_core(app):
    from DiffusionCore.mrml.panels.training import data_folder
    from DiffusionCore.storage.volumes import VOLUME_SUFFIXES
    from DiffusionCore.training.cases import LABELS

    assert sorted(data_folder.SUFFIXES) == sorted(VOLUME_SUFFIXES)
    assert data_folder.LABELS == LABELS


def test_only_what_learns_from_images_asks_for_their_folder(host, host_of):
    assert host.dataEdit.isVisible()
    assert host.dataLabel.isVisible()
    host.parameters.trainingRecipe = "affine"
    other = host_of()
    assert not other.dataEdit.isVisible()
    assert not other.dataLabel.isVisible()
    assert other.recipeLabel.isVisible()


def test_no_folder_is_shown_as_none_and_keeps_a_training_from_starting(host):
    assert host.dataEdit.currentPath == ""
    assert host.dataLabel.text.startswith("NAME.nii.gz")
    assert host.status == "Choose a folder with images to learn from."
    assert not host.startButton.isEnabled()


def test_a_folder_is_described_by_the_names_of_its_files(host, balls):
    host.dataEdit.setCurrentPath(str(balls))
    assert host.parameters.trainingData == balls
    assert host.dataLabel.text == "4 volumes, 3 with labels."
    assert host.startButton.isEnabled()
    (balls / "ball_0.nii.gz").unlink()
    host.section.bind(host.parameters)
    assert (
        host.dataLabel.text == "3 volumes, 2 with labels. 'ball_0_seg' holds the labels of a volume that is not there."
    )
    assert host.dataEdit.currentPath == str(balls)


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ((), "No volumes in this folder (looked for .nii.gz"),
        (("notes.txt", "scan.dcm", ".hidden.nii.gz"), "No volumes in this folder"),
        (("a_seg.nrrd",), "No volumes in this folder"),
        (("a.NII.GZ", "b.mha", "b_seg.nii"), "2 volumes, 1 with labels."),
        (("a.nrrd", *(f"{name}_seg.nrrd" for name in "bcde")), "1 volumes, 0 with labels. 'b_seg' holds the labels"),
    ],
)
def test_what_is_wrong_with_a_folder_is_said(host, tmp_path, names, text):
    host.parameters.trainingData = touch(tmp_path / "folder", *names)
    assert host.dataLabel.text.startswith(text)
    assert host.dataLabel.text.count("is not there") <= 3
    assert host.startButton.isEnabled() == ("with labels" in text)


def test_a_folder_that_is_not_there_is_said(host, tmp_path):
    host.parameters.trainingData = tmp_path / "missing"
    assert host.dataLabel.text == f"There is no folder '{tmp_path / 'missing'}'."
    assert not host.startButton.isEnabled()


def test_images_are_learned_stopped_resumed_and_the_model_used(host, balls, tmp_path, python_slicer):
    small = ("network.widths=[8,8]", "network.embedding=8", "log_every=1", "validate_every=1")
    python_slicer(*small, "steps=100000", script=None)
    host.dataEdit.setCurrentPath(str(balls))
    type_text(host.minutesSpinBox, "10")
    click(host.startButton)
    host.until(lambda host: host.section.run.step >= 2 or not host.section.running)
    assert host.section.running, host.status
    record = host.section.run.record
    assert (record.recipe, record.minutes) == ("smoke-image", 10)
    assert f'data="{balls}"' in record.settings
    assert not host.dataEdit.isEnabled()
    host.until(lambda host: host.pictureSlider.maximum >= 1)
    click(host.startButton)
    host.until(lambda host: not host.section.running)
    check_pictures_can_be_gone_through(host)
    stopped = host.section.run.resumable
    assert stopped >= 2
    python_slicer(f"steps={stopped + 2}", script=None)
    click(host.resumeButton)
    host.until(lambda host: not host.section.running)
    assert host.status.startswith(f"Done after {stopped + 2} steps")
    assert (host.models[0][0], host.models[0][1]) == ("balls", "New images")
    host.select("balls")
    click(host.useButton)
    assert (host.used, host.changes) == ([("balls", "image")], 1)
    assert (tmp_path / "models" / "balls.safetensors").is_file()


def check_pictures_can_be_gone_through(host):
    """Check that the newest picture of a check is shown, and that the slider leads to the others."""
    count = round(host.pictureSlider.maximum) + 1
    assert host.pictureStepLabel.text == f"Check at step {count} ({count} of {count})"
    newest = grab(host.pictureLabel)
    host.pictureSlider.value = 0
    assert host.pictureStepLabel.text == f"Check at step 1 (1 of {count})"
    oldest = grab(host.pictureLabel)
    assert newest.shape == oldest.shape
    assert (newest != oldest).any()
    host.pictureSlider.value = count - 1
    assert (grab(host.pictureLabel) == newest).all()


def test_every_recipe_is_explained(host):
    for recipe in host.recipes:
        host.choose(recipe)
        assert host.parameters.trainingRecipe == recipe.key
        assert host.recipeLabel.text == recipe.description
