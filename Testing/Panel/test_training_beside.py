"""What the panels say and do while a training runs beside them."""

from __future__ import annotations

import json

import pytest
import qt
import slicer
from clicking import choose, click, type_text, wait_until
from training_window import LIMIT

from DiffusionCore.training.folder import RECORD

HELD = "Training uses the GPU; registration will run on the CPU."


@pytest.fixture
def training(desk, python_slicer, tmp_path):
    """Give the training that was started in the panel with the mouse; its section is folded."""
    ui = desk.ui
    ui.trainingSection.collapsed = False
    ui.trainingContainer.findChild(qt.QWidget, "trainingFolderEdit").setCurrentPath(str(tmp_path / "trainings"))
    click(ui.trainingContainer.findChild(qt.QWidget, "trainingStartButton"))
    ui.trainingSection.collapsed = True
    section = desk.panel._training
    desk.wait_for(lambda: section.run.step >= 3)
    yield section.run
    section.run.kill()
    desk.wait_for(lambda: not section.running)


def state_gpus(run, used, spare):
    """Let the record of a training that runs say what it would say on a machine with GPUs."""
    path = run.folder / RECORD
    with path.open("r+", encoding="utf-8") as file:  # the same file, which the training has locked
        record = {**json.load(file), "gpus": used, "spare_gpus": spare}
        file.seek(0)
        json.dump(record, file)
        file.truncate()


def registered(desk):
    """Register with the mouse, and return the device that was asked for."""
    desk.use("shifts")
    runner_of, jobs = desk.logic.runnerOf, []
    desk.logic.runnerOf = lambda job: jobs.append(job) or runner_of(job)
    desk.press_register()
    said = desk.ui.noteLabel.text if desk.ui.noteRow.isVisible() else ""
    desk.wait_for_end()
    return jobs[0].device, said


def test_both_panels_say_how_far_a_training_is_while_its_section_is_folded(desk, training, panel_of, monkeypatch):
    told = []
    monkeypatch.setattr(slicer.util, "showStatusMessage", lambda text, _milliseconds: told.append(text))
    title = desk.ui.trainingSection
    seen = title.text
    assert seen.startswith("Training: step ")
    assert seen.endswith(" of 100000")
    assert desk.status.startswith("Load two volumes")
    desk.wait_for(lambda: title.text != seen)
    desk.choose_pair()
    desk.wait_for(lambda: desk.status.endswith(f"{title.text}."))
    assert desk.status.startswith("Ready. About ")
    other = panel_of("DeformationSynthesis").self().panel
    assert other.ui.trainingSection.text == "Training"
    other.ui.trainingSection.collapsed = False
    other.ui.trainingContainer.findChild(qt.QWidget, "trainingFolderEdit").setCurrentPath(str(training.folder.parent))
    type_text(other.ui.trainingContainer.findChild(qt.QWidget, "trainingNameEdit"), training.folder.name)
    other.ui.trainingSection.collapsed = True
    assert other.ui.trainingSection.text.startswith("Training: step ")
    wait_until(lambda: other.ui.statusLabel.toolTip.endswith(f" {other.ui.trainingSection.text}."), LIMIT)
    training.stop()
    desk.wait_for(lambda: title.text == "Training" and other.ui.trainingSection.text == "Training")
    assert "Training" not in desk.status + other.ui.statusLabel.toolTip
    assert told[-1].startswith("Stopped; the last checkpoint is step ")


def test_beside_a_training_on_the_only_gpu_a_registration_runs_on_the_cpu(desk, training):
    desk.choose_pair()
    assert not desk.ui.noteRow.isVisible()
    state_gpus(training, ["cuda:0"], [])
    desk.wait_for(lambda: desk.ui.noteRow.isVisible())
    assert desk.ui.noteLabel.text == HELD
    assert "(CPU)" in desk.status
    assert registered(desk) == ("cpu", HELD)
    state_gpus(training, ["cuda:0"], ["cuda:1"])
    assert registered(desk) == ("cuda:1", "")
    state_gpus(training, [], [])
    assert registered(desk) == ("auto", "")


def test_a_gpu_that_the_user_chose_is_used_beside_a_training(desk, training):
    desk.choose_pair()
    desk.ui.advancedSection.collapsed = False
    choose(desk.ui.deviceSelector, "CUDA 0")
    state_gpus(training, ["cuda:0"], [])
    assert registered(desk) == ("cuda:0", "")


def test_on_the_cpu_a_training_and_a_registration_run_side_by_side(desk, training):
    desk.choose_pair()
    assert (training.record.gpus, training.record.spare_gpus) == ((), ())
    assert registered(desk) == ("auto", "")
    assert training.poll() is not None
    assert training.running
