"""The section Training in a window of its own: real parameters, real trainings of a recipe that takes seconds."""

import os
import re
import signal
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from clicking import choose, click, grab, type_text, wait_until
from PySide6.QtCore import QPoint
from training_window import ENDLESS, LIMIT

from DiffusionCore.training.folder import pictures_in

ROOT = Path(__file__).resolve().parents[2]
FORM = ROOT / "DiffusionCore" / "mrml" / "panels" / "training" / "Training.ui"
CHECKS = (191, 89, 0)  # RGB of the thick line


def started(host, step=3):
    click(host.startButton)
    host.until(lambda host: host.section.run.step >= step or not host.section.running)
    assert host.section.running, host.status
    return host


def stopped(host):
    click(host.startButton)
    host.until(lambda host: not host.section.running)
    return host


def plot_nodes(scene):
    classes = ("vtkMRMLPlotViewNode", "vtkMRMLPlotChartNode", "vtkMRMLPlotSeriesNode", "vtkMRMLTableNode")
    return [node for name in classes for node in scene.GetNodesByClass(name)]


def share_of(picture, color):
    return float((np.abs(picture.astype(int) - color).max(-1) < 40).mean())


def test_what_is_offered_is_what_can_be_trained(host):
    from DiffusionCore.mrml.panels.training.registration_recipes import registration_recipes
    from DiffusionCore.mrml.panels.training.synthesis_recipes import synthesis_recipes
    from DiffusionCore.training.recipes import RECIPES

    offered = [recipe.key for recipe in (*registration_recipes(), *synthesis_recipes())]
    assert sorted(offered) == sorted(RECIPES)
    for recipe in host.recipes:
        host.choose(recipe)
        assert host.parameters.trainingRecipe == recipe.key
        assert host.recipeLabel.text == recipe.description


def test_what_is_said_to_need_no_data_needs_none(host):
    from DiffusionCore.mrml.panels.training.recipes import Source
    from DiffusionCore.mrml.panels.training.registration_recipes import registration_recipes
    from DiffusionCore.mrml.panels.training.synthesis_recipes import synthesis_recipes
    from DiffusionCore.training.recipes import RECIPES

    for recipe in (*registration_recipes(), *synthesis_recipes()):
        entry = RECIPES[recipe.key]
        assert (recipe.source is Source.FOLDER) == entry.needs_data
        assert (recipe.source is Source.EITHER) == (entry.takes_data and not entry.needs_data)
        assert ("needs no data" in recipe.description.lower()) == (not entry.needs_data)


def test_what_a_training_is_said_to_begin_with_is_what_it_can_begin_with(host):
    from DiffusionCore.mrml.panels.training.registration_recipes import registration_recipes
    from DiffusionCore.mrml.panels.training.synthesis_recipes import synthesis_recipes
    from DiffusionCore.training.recipes import configure

    for recipe in (*registration_recipes(), *synthesis_recipes()):
        assert configure(recipe.key, ())[0].kind == recipe.begins[0]


def test_presets_of_a_recipe_are_chosen_in_a_list_of_their_own(host):
    assert host.recipeSelector.currentText == "Affine registration"
    assert [host.presetSelector.itemText(n) for n in range(host.presetSelector.count)] == [
        "Trial, in a minute or two",
        "Small, for a CPU",
        "Full",
        "As published",
    ]
    choose(host.presetSelector, "Trial, in a minute or two")
    assert host.parameters.trainingRecipe == "smoke-affine"
    choose(host.recipeSelector, "Deformable registration in one look")
    assert host.parameters.trainingRecipe == "smoke-voxelmorph"
    choose(host.recipeSelector, "Comparison of two images")
    assert (host.parameters.trainingRecipe, host.presetSelector.currentText) == ("comparison", "Full")


def test_a_training_can_be_started_at_once(host, tmp_path):
    assert host.startButton.isEnabled()
    assert host.parameters.trainingFolder == tmp_path / "trainings"
    assert not host.bar.isVisible()
    assert not host.resumeButton.isVisible()
    assert not host.curveBody.isVisible()


def test_a_training_is_followed_stopped_resumed_and_its_model_used(host, tmp_path, python_slicer):
    python_slicer("log_every=1", "pause=0.15")
    started(host)
    assert host.startButton.text == "Stop"
    assert not host.recipeSelector.isEnabled()
    host.until(lambda host: "best check" in host.status)
    assert re.fullmatch(r"Step \d+ of 60, [\d.]+ per s, \d+ s left, best check [\d.]+ at \d+", host.status)
    assert (host.bar.isVisible(), host.bar.maximum, host.bar.value) == (True, 60, host.section.run.step)
    click(host.startButton)
    assert (host.startButton.text, host.startButton.isEnabled()) == ("Stopping...", False)
    host.until(lambda host: not host.section.running)
    assert host.status.startswith("Stopped; the last checkpoint is step ")
    assert host.resumeButton.text == f"Resume from step {host.section.run.resumable}"
    assert not host.startButton.isEnabled()
    assert host.startButton.toolTip in host.status
    assert host.status.endswith("Resume it, or enter another name.")
    click(host.resumeButton)
    assert not host.resumeButton.isVisible()
    host.until(lambda host: not host.section.running)
    assert host.status.startswith("Done after 60 steps, best check ")
    assert host.status.endswith("There is a finished training of this name. Enter another name for a new one.")
    assert host.startButton.text == "Start training"
    assert not host.resumeButton.isVisible()
    assert not host.bar.isVisible()
    (name, _purpose, checked, _size, where) = host.models[0]
    assert (name, where) == ("my-affine-1", "Output folder")
    assert not host.useButton.isEnabled()
    host.modelsTable.selectRow(0)
    step, loss = host.section.run.best
    assert checked == f"Loss {loss:.3g}"
    assert host.modelsTable.item(0, 2).toolTip() == f"{loss:.3g} at step {step}"
    assert f"\nResults: best check: {loss:.3g} at step {step}\n" in host.cardText.plainText
    click(host.useButton)
    assert (tmp_path / "models" / "my-affine-1.safetensors").is_file()
    assert (tmp_path / "models" / "my-affine-1.md").is_file()
    assert (host.used, host.changes) == ([("my-affine-1", "line")], 1)
    assert [row[2:] for row in host.models if row[0] == "my-affine-1"] == [[checked, _size, "Installed"]]


def test_another_model_of_the_name_is_replaced_only_after_asking(host, tmp_path, monkeypatch):
    import slicer
    import torch

    from DiffusionCore.models import read_card
    from DiffusionCore.storage.checkpoint import Checkpoint, save_checkpoint

    place = tmp_path / "trainings" / "mine"
    place.mkdir(parents=True)
    (tmp_path / "models").mkdir()
    installed = tmp_path / "models" / "mine.safetensors"
    save_checkpoint(installed, Checkpoint("pose", {}, {"w": torch.ones(2)}, {"steps": 1}))
    save_checkpoint(place / "weights.safetensors", Checkpoint("pose", {}, {"w": torch.ones(2)}, {"steps": 2}))
    type_text(host.nameEdit, "mine")
    mine = [(row[0], row[4]) for row in host.models if row[0] == "mine"]
    assert mine == [("mine", "Output folder"), ("mine", "Installed")]
    asked, said = [], []
    for answer, steps in ((False, "1"), (True, "2")):
        monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text, a=answer: asked.append(text) or a)
        host.modelsTable.selectRow(0)
        click(host.useButton)
        assert read_card(installed).steps == steps
        said.append(host.modelsStatusLabel.text)
    assert said == ["", "mine is used."]
    type_text(host.nameEdit, "another")
    assert not host.modelsStatusLabel.isVisible()
    assert asked == ["There is a model 'mine' already. Replace it?"] * 2
    assert (host.used, host.changes) == ([("mine", "pose")], 1)


def test_no_model_is_selected_unless_by_the_user(host):
    host.window.activateWindow()
    host.modelsTable.setFocus()  # as when Start goes gray
    host.until(lambda host: host.modelsTable.currentRow() == 0)
    host.section._models.refresh()
    host.section._update()
    assert host.modelsTable.selectedItems() == []
    click(host.modelsTable.viewport(), QPoint(20, 8))
    host.section._models.refresh()
    host.section._update()
    assert {item.row() for item in host.modelsTable.selectedItems()} == {0}


def test_shipped_models_are_listed_and_can_be_neither_used_nor_deleted(host):
    assert [(row[0], row[4]) for row in host.models] == [
        (name, "Shipped") for name in ("brains", "diffusereg", "drdm", "pose", "voxelmorph")
    ]
    for row in range(len(host.models)):
        host.modelsTable.selectRow(row)
        assert not host.useButton.isEnabled()
        assert not host.deleteButton.isEnabled()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"trainingName": ""}, "Enter a name for the model."),
        ({"trainingName": "a/b"}, "This cannot be the name of a model."),
        ({"trainingName": "pose"}, "'pose' is the name of a model that is shipped."),
        ({"trainingFolder": Path("relative")}, "Choose an output folder."),
        ({"trainingRecipe": "unknown"}, "Select what to train."),
    ],
)
def test_what_keeps_a_training_from_starting_is_said(host, change, text):
    for name, value in change.items():
        setattr(host.parameters, name, value)
    assert not host.startButton.isEnabled()
    assert host.status.startswith(text)
    assert host.startButton.toolTip == host.status
    assert not host.icon.isVisible()


def test_a_training_that_is_killed_says_so_with_an_icon_and_can_be_resumed(host):
    started(host, step=7)
    os.kill(host.section.run.record.pid, signal.SIGKILL)
    host.until(lambda host: not host.section.running)
    assert host.status.startswith("The training ended unexpectedly after step ")
    assert re.search(r"The last checkpoint is step \d+\.", host.status)
    assert host.icon.isVisible()
    assert host.resumeButton.text == f"Resume from step {host.section.run.resumable}"
    assert host.startButton.text == "Start training"


def test_a_training_that_cannot_run_says_why_and_can_be_started_again(host, python_slicer):
    python_slicer("nonsense=1")
    click(host.startButton)
    host.until(lambda host: not host.section.running)
    assert host.status.startswith("'nonsense=1' changes nothing")
    assert host.icon.isVisible()
    assert host.startButton.isEnabled()
    python_slicer(*ENDLESS)
    started(host)
    assert not host.icon.isVisible()


def test_a_folder_that_cannot_be_written_is_said(host, tmp_path):
    (tmp_path / "file").write_text("no folder")
    host.parameters.trainingFolder = tmp_path / "file"
    click(host.startButton)
    assert host.status.startswith("No training can be kept in")
    assert host.icon.isVisible()
    host.parameters.trainingFolder = tmp_path / "trainings"
    assert host.status.startswith("Ready.")


def test_a_training_that_does_not_stop_can_be_forced(host, monkeypatch, python_slicer):
    from DiffusionCore.mrml.panels.training import states

    monkeypatch.setattr(states, "_PATIENCE", 0.5)
    python_slicer(*ENDLESS)
    started(host, step=6)
    os.kill(host.section.run.record.pid, signal.SIGSTOP)  # it hears nothing
    click(host.startButton)
    host.until(lambda host: host.startButton.text == "Force stop")
    click(host.startButton)
    host.until(lambda host: not host.section.running)
    assert re.match(r"Stopped; the last checkpoint is step \d+ of 100000", host.status)
    assert host.resumeButton.isVisible()


def test_the_training_runs_on_when_the_section_goes_and_is_found_by_the_next_one(host_of):
    first = started(host_of())
    first.close()
    first.window = None
    second = host_of()
    assert second.section.running
    assert second.startButton.text == "Stop"
    stopped(second)
    assert second.resumeButton.isVisible()


def test_the_training_runs_on_when_the_scene_is_closed_and_stays_in_view(host, scene):
    others = plot_nodes(scene)  # the views of a layout stay when a scene is closed
    started(host)
    host.parameters.trainingName = "my-affine-1"
    host.until(lambda host: host.curveBody.isVisible())
    scene.Clear(False)
    assert plot_nodes(scene) == others
    host.parameters = host.wrapper(host.node)
    host.parameters.trainingName = "another"
    host.section.bind(host.parameters)
    assert host.section.running
    assert host.parameters.trainingName == "my-affine-1"
    host.until(lambda host: len(plot_nodes(scene)) == len(others) + 6)
    stopped(host)


def test_the_curve_shows_both_lines_and_follows_the_training(host, capfd):
    started(host)
    host.until(lambda host: host.section.run.checks)
    host.until(lambda host: share_of(grab(host.section._curve.view), CHECKS) > 0)
    before = grab(host.section._curve.view)
    host.until(lambda host: len(host.section.run.checks) == 2)
    host.until(lambda host: share_of(grab(host.section._curve.view), CHECKS) > share_of(before, CHECKS))
    assert host.section._curve.view.height == 180
    stopped(host)
    assert "ERR" not in capfd.readouterr().err  # VTK complains about lines without points


def test_the_folder_of_pictures_is_looked_through_once_for_each_check(host, monkeypatch):
    from DiffusionCore.mrml.panels.training import check_pictures

    looks = []
    monkeypatch.setattr(check_pictures, "pictures_in", lambda folder: looks.append(folder) or pictures_in(folder))
    started(host)
    host.until(lambda host: len(host.section.run.checks) == 2)
    assert len(looks) <= 3  # the first before there is a check
    stopped(host)
    before = len(looks)
    host.section._update()
    assert len(looks) == before


def test_the_logarithmic_axis_is_a_choice_that_is_kept(host, scene):
    started(host)
    host.until(lambda host: host.curveBody.isVisible())
    (chart,) = scene.GetNodesByClass("vtkMRMLPlotChartNode")
    assert not chart.GetYAxisLogScale()
    click(host.logAxisCheckBox, QPoint(8, host.logAxisCheckBox.height // 2))
    assert host.parameters.trainingLogAxis
    assert chart.GetYAxisLogScale()
    stopped(host)


def test_the_curve_leaves_no_clutter(host_of, scene, tmp_path):
    before = plot_nodes(scene)
    host = stopped(started(host_of()))
    nodes = [node for node in plot_nodes(scene) if node not in before]
    assert len(nodes) == 6
    assert all(node.GetHideFromEditors() and not node.GetSaveWithScene() for node in nodes)
    tags = [node.GetSingletonTag() for node in nodes]
    assert len(set(tags)) == 6
    assert all(tag.startswith("SpatialDiffusionTraining") for tag in tags)
    (view,) = (node for node in nodes if node.IsA("vtkMRMLPlotViewNode"))
    assert view.GetParentLayoutNode() is not None
    scene.SetURL(str(tmp_path / "scene.mrml"))
    scene.Commit()
    assert "SpatialDiffusionTrainingChart" not in (tmp_path / "scene.mrml").read_text()
    host.close()
    host.window = None
    assert plot_nodes(scene) == before


def test_the_choices_are_kept_in_the_parameters(host, tmp_path):
    choose(host.deviceSelector, "CPU")
    type_text(host.nameEdit, "heads 2")
    type_text(host.minutesSpinBox, "30")
    host.folderEdit.setCurrentPath(str(tmp_path / "elsewhere"))
    kept = host.wrapper(host.node)
    assert (kept.trainingDevice, kept.trainingName, kept.trainingMinutes) == ("cpu", "heads 2", 30)
    assert kept.trainingFolder == tmp_path / "elsewhere"


def test_the_choices_reach_the_training(host, tmp_path):
    choose(host.deviceSelector, "CPU")
    type_text(host.nameEdit, "heads 2")
    type_text(host.minutesSpinBox, "30")
    assert host.parameters.trainingDevice == "cpu"
    started(host)
    record = host.section.run.record
    assert (record.recipe, record.device, record.minutes) == ("affine", "cpu", 30)
    assert host.section.run.folder == tmp_path / "trainings" / "heads 2"
    stopped(host)


@pytest.fixture
def panel_with_models(panel_of, python_slicer, tmp_path):
    """Give a function that opens the panel with its section Training, which lists a trained model of each kind."""
    import qt
    import torch

    from DiffusionCore.storage.checkpoint import Checkpoint, save_checkpoint

    def panel(*kinds):
        for kind in kinds:
            place = tmp_path / "trainings" / f"my {kind}"
            place.mkdir(parents=True)
            save_checkpoint(place / "weights.safetensors", Checkpoint(kind, {}, {"w": torch.ones(2)}, {"steps": 3}))
        widget = panel_of("SpatialDiffusion", height=1600)
        widget.findChild(qt.QWidget, "trainingSection").collapsed = False
        return widget.self().panel, lambda name: widget.findChild(qt.QWidget, name)

    return panel


def use(find, name):
    """Use the model ``name`` of the table."""
    table = find("trainingModelsTable")
    table.selectRow([table.item(row, 0).text() for row in range(table.rowCount)].index(name))
    click(find("trainingUseButton"))


def test_in_the_panel_the_section_is_folded_at_first(panel_of, python_slicer):
    import qt

    widget = panel_of("SpatialDiffusion", height=1600)
    assert widget.findChild(qt.QWidget, "trainingSection").collapsed
    assert not widget.findChild(qt.QWidget, "trainingContainer").isVisible()
    widget.findChild(qt.QWidget, "trainingSection").collapsed = False
    assert widget.findChild(qt.QWidget, "trainingStartButton").isEnabled()


def test_in_the_panel_a_trained_model_becomes_the_chosen_preset(panel_with_models):
    panel, find = panel_with_models("pose")
    presets = find("presetSelector")
    assert "my pose" not in [presets.itemText(row) for row in range(presets.count)]
    use(find, "my pose")
    assert presets.currentText == "my pose"
    assert panel.parameters.preset == "model:my pose"
    assert find("trainingModelsStatusLabel").text == "'my pose' is the preset that is chosen now."
    assert not find("trainingModelsIcon").isVisible()


def test_in_the_panel_a_running_registration_keeps_its_preset(panel_with_models):
    panel, find = panel_with_models("pose")
    panel.running = True
    use(find, "my pose")
    assert panel.parameters.preset == "automatic"
    assert find("trainingModelsStatusLabel").text.endswith("it can be chosen after this registration.")
    panel.running = False
    use(find, "my pose")
    assert panel.parameters.preset == "model:my pose"


def test_in_the_panel_a_model_that_registers_nothing_is_no_preset(panel_with_models):
    panel, find = panel_with_models("image")
    use(find, "my image")
    assert panel.parameters.preset == "automatic"
    assert find("trainingModelsStatusLabel").text.startswith(
        "Model 'my image' was made for another purpose than registration"
    )
    assert find("trainingModelsIcon").isVisible()


def test_in_the_panel_a_training_runs_on_while_another_module_is_shown(panel_of, python_slicer):
    import qt

    widget = panel_of("SpatialDiffusion", height=1600)
    widget.findChild(qt.QWidget, "trainingSection").collapsed = False
    click(widget.findChild(qt.QWidget, "trainingStartButton"))
    section, bar = widget.self().panel._training, widget.findChild(qt.QWidget, "trainingBar")
    try:
        wait_until(lambda: section.run.step >= 3, LIMIT)
        widget.exit()
        left = section.run.step
        wait_until(lambda: section.run.step > left + 3, LIMIT)
        widget.enter()
        assert bar.value == section.run.step
    finally:
        section.run.kill()
    wait_until(lambda: not section.running, LIMIT)


def test_every_control_has_a_tooltip_of_its_own():
    controls = {"QComboBox", "QLineEdit", "ctkPathLineEdit", "QSpinBox", "QPushButton", "QCheckBox", "QTableWidget"}
    texts = []
    for widget in ElementTree.parse(FORM).getroot().iter("widget"):
        if widget.get("class") in controls:
            texts += ["".join(p.itertext()).strip() for p in widget.findall("property") if p.get("name") == "toolTip"]
    found = sum(widget.get("class") in controls for widget in ElementTree.parse(FORM).getroot().iter("widget"))
    assert len(texts) == found == len(set(texts))
    assert all(text.endswith(".") for text in texts)
