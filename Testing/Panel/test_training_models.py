"""The models below a training: imported, deleted; what is no model of ours is refused."""

from __future__ import annotations

import pickle

import pytest
import qt
import slicer
import torch
from clicking import click, type_text
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from DiffusionCore.models import find_model, read_card
from DiffusionCore.storage.checkpoint import Checkpoint, save_checkpoint
from DiffusionCore.training.folder import LOG, TrainingPlace, TrainingRecord


def save(path, steps=3):
    path.parent.mkdir(parents=True, exist_ok=True)
    save_checkpoint(path, Checkpoint("pose", {}, {"w": torch.ones(2)}, {"steps": steps}))
    return path


@pytest.fixture
def answers(monkeypatch):
    """Give a function that decides which file is picked in the dialog, and what is said to questions; and these."""
    asked = []

    def answer(path="", confirms=True):
        monkeypatch.setattr(qt.QFileDialog, "getOpenFileName", lambda *_arguments: str(path))
        monkeypatch.setattr(qt.QFileDialog, "getSaveFileName", lambda *_arguments: str(path))
        monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text: asked.append(text) or confirms)
        return asked

    return answer


def test_weights_of_somebody_else_are_imported_under_the_name_of_their_file(host, answers, tmp_path):
    answers(save(tmp_path / "downloads" / "their heads.safetensors"))
    click(host.importButton)
    assert (host.models[-2][0], host.models[-2][4]) == ("their heads", "Installed")
    assert (tmp_path / "models" / "their heads.safetensors").is_file()
    assert (host.used, host.changes) == ([], 1)
    assert host.modelsStatusLabel.text == "Imported as 'their heads'. Select it, and press Use."
    host.select("their heads")
    assert not host.modelsStatusLabel.isVisible()


def test_a_model_is_exported_with_its_card_and_can_be_imported_again(host, answers, tmp_path):
    assert not host.exportButton.isEnabled()
    target = tmp_path / "for others" / "heads.safetensors"
    target.parent.mkdir()
    answers(target.with_suffix(""))
    host.select("pose")
    assert not host.deleteButton.isEnabled()
    click(host.exportButton)
    assert sorted(path.name for path in target.parent.iterdir()) == ["heads.md", "heads.safetensors"]
    assert host.modelsStatusLabel.text == f"Written to '{target}'."
    answers(target)
    click(host.importButton)
    assert ["heads", "Affine registration"] in [row[:2] for row in host.models]


def test_an_export_that_cannot_be_written_is_said(host, answers, tmp_path):
    answers(tmp_path / "missing" / "heads.safetensors")
    host.select("pose")
    click(host.exportButton)
    assert host.modelsIcon.isVisible()
    assert "missing" in host.modelsStatusLabel.text
    assert host.status.startswith("Ready.")


def test_the_card_of_the_selected_model_is_shown(host):
    assert not host.cardText.isVisible()
    host.select("brains" if "brains" in [row[0] for row in host.models] else "pose")
    assert host.cardText.isVisible()
    assert host.cardText.plainText.startswith("License: ")
    assert "\nLearned from: " in host.cardText.plainText


def test_of_a_shipped_model_the_table_points_to_its_card_which_a_click_shows(host):
    shipped = [row for row in host.models if row[4] == "Shipped"]
    assert {row[2] for row in shipped} == {"See card"}
    table, row = host.modelsTable, host.models.index(shipped[-1])
    assert table.item(row, 2).toolTip() == "Select the model: its card below tells what was measured."
    place = table.visualItemRect(table.item(row, 2))
    assert place.width() >= table.fontMetrics().horizontalAdvance("See card")
    QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place.center())
    assert "\nResults: " in host.cardText.plainText
    assert read_card(find_model(shipped[-1][0])).results[0][1] in host.cardText.plainText


def test_of_an_untested_model_the_table_says_so(host, answers, tmp_path):
    answers(save(tmp_path / "downloads" / "heads.safetensors"))
    click(host.importButton)
    assert [row[2] for row in host.models if row[0] == "heads"] == ["Not stated"]


def test_an_import_that_was_cancelled_changes_nothing(host, answers, tmp_path):
    answers("")
    before = host.models
    click(host.importButton)
    assert (host.models, host.changes) == (before, 0)
    assert not host.modelsStatusLabel.isVisible()


def test_an_import_replaces_a_model_only_after_asking(host, answers, tmp_path):
    installed = save(tmp_path / "models" / "heads.safetensors", steps=1)
    host.section._models.refresh()
    host.section._update()
    given = save(tmp_path / "downloads" / "heads.safetensors", steps=2)
    for confirms, steps in ((False, "1"), (True, "2")):
        asked = answers(given, confirms)
        click(host.importButton)
        assert read_card(installed).steps == steps
    assert asked == ["There is a model 'heads' already. Replace it?"] * 2


def test_a_file_that_is_no_safetensors_is_not_opened(host, answers, tmp_path):
    bad = tmp_path / "weights.safetensors"
    bad.write_bytes(pickle.dumps({"weights": [1, 2, 3]}))
    answers(bad)
    click(host.importButton)
    assert "weights.safetensors" in host.modelsStatusLabel.text
    assert host.modelsIcon.isVisible()
    assert not (tmp_path / "models").exists()


def test_a_model_is_deleted_only_after_asking(host, answers, tmp_path):
    answers(save(tmp_path / "downloads" / "heads.safetensors"))
    click(host.importButton)
    host.select("heads")
    answers(confirms=False)
    click(host.deleteButton)
    assert (tmp_path / "models" / "heads.safetensors").is_file()
    asked = answers()
    click(host.deleteButton)
    assert asked == ["Delete the model 'heads' from disk?"] * 2
    assert list((tmp_path / "models").iterdir()) == []
    assert "heads" not in [row[0] for row in host.models]
    assert host.changes == 2
    assert (host.modelsStatusLabel.text, host.modelsIcon.isVisible()) == ("'heads' was deleted.", False)
    assert host.modelsTable.selectedItems() == []  # not the model that has its row now
    assert not host.deleteButton.isEnabled()


def test_a_training_is_deleted_with_its_files_and_nothing_else(host, answers, tmp_path):
    answers()
    place = tmp_path / "trainings" / "mine"
    with TrainingPlace(place, TrainingRecord("line", (), "cpu", None, 3)):
        save(place / "weights.safetensors")
    (place / LOG).write_text("")
    (place / "notes.txt").write_text("of the user")
    type_text(host.nameEdit, "mine")
    assert host.status.startswith("Done after 3 steps")
    host.select("mine")
    click(host.deleteButton)
    assert [path.name for path in place.iterdir()] == ["notes.txt"]
    assert "mine" not in [row[0] for row in host.models]
    assert host.status.startswith("Ready.")
    assert host.startButton.isEnabled()


def test_a_training_that_runs_is_not_deleted(host, answers, tmp_path):
    answers()
    click(host.startButton)
    host.until(lambda host: host.section.run.resumable is not None and host.section.run.weights is not None)
    host.section._models.refresh()
    host.section._update()
    host.select("my-affine-1")
    click(host.deleteButton)
    assert (tmp_path / "trainings" / "my-affine-1" / "weights.safetensors").is_file()
    assert host.section.running
    assert host.modelsStatusLabel.text.endswith("Stop it first.")
    assert host.modelsIcon.isVisible()


def test_in_the_panel_of_deformations_an_imported_model_is_a_method(panel_of, answers, python_slicer, tmp_path):
    panel = panel_of("DeformationSynthesis", height=1600).self().panel
    panel.ui.trainingSection.collapsed = False
    form = panel.ui.trainingContainer

    def press(name):
        click(form.findChild(qt.QPushButton, f"training{name}Button"))

    def methods():
        return [panel.ui.methodSelector.itemText(row) for row in range(panel.ui.methodSelector.count)]

    path = tmp_path / "downloads" / "bodies.safetensors"
    path.parent.mkdir()
    save_checkpoint(path, Checkpoint("drdm", {}, {"w": torch.ones(2)}, {}))
    answers(path)
    press("Import")
    assert [text for text in methods() if "bodies" in text]
    assert panel.parameters.method == "shapes"
    table = form.findChild(qt.QTableWidget, "trainingModelsTable")
    table.selectRow([table.item(row, 0).text() for row in range(table.rowCount)].index("bodies"))
    press("Use")
    assert panel.parameters.method == "recovered:bodies"
    said = form.findChild(qt.QLabel, "trainingModelsStatusLabel").text
    assert said == f"'{panel.ui.methodSelector.currentText}' is the method that is chosen now."
    press("Delete")
    assert not [text for text in methods() if "bodies" in text]
