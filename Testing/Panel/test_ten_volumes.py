"""From ten volumes in a folder to a registration by a network that learned from them, with the mouse alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from clicking import choose, click, type_text

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Give a folder of ten balls on oblique grids."""
    monkeypatch.syspath_prepend(str(ROOT / "Testing" / "Core"))
    from image_world import write_balls

    return write_balls(tmp_path / "volumes", 10)


def test_ten_volumes_become_a_model_that_registers_two_of_them(desk, folder, tmp_path, monkeypatch):
    import qt
    import slicer

    monkeypatch.setenv("SPATIALDIFFUSION_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    ui = desk.ui
    section = ui.trainingContainer

    def part(name):
        return section.findChild(qt.QWidget, f"training{name}")

    ui.trainingSection.collapsed = False
    choose(part("RecipeSelector"), "Deformable registration in one look, on your images")
    choose(part("PresetSelector"), "Trial, in a minute or two")
    part("DataEdit").setCurrentPath(str(folder))
    part("FolderEdit").setCurrentPath(str(tmp_path / "trainings"))
    type_text(part("NameEdit"), "my balls")
    type_text(part("StepsSpinBox"), "20")  # fewer than there are between two checks
    click(part("DataCheckButton"))
    desk.wait_for(lambda: part("DataCheckButton").text == "Check")
    assert part("DataLabel").text.startswith("10 volumes can be used, 9 with labels.")
    click(part("StartButton"))
    desk.wait_for(lambda: part("StartButton").text == "Start training")
    assert part("StatusLabel").text.startswith("Done after 20 steps, best check "), part("StatusLabel").text
    assert part("PictureStepLabel").text == "Check at step 20 (1 of 1)"
    table = part("ModelsTable")
    table.selectRow([table.item(row, 0).text() for row in range(table.rowCount)].index("my balls"))
    assert re.search(r"\nResults: best check: [\d.]+ at step 20\n", part("CardText").plainText)
    click(part("UseButton"))
    assert (tmp_path / "models" / "my balls.safetensors").is_file()
    assert ui.presetSelector.currentText == "my balls"

    nodes = [slicer.util.loadVolume(str(folder / f"ball_{number}.nii.gz")) for number in (1, 4)]
    choose(ui.fixedVolumeSelector, nodes[0].GetName())
    choose(ui.movingVolumeSelector, nodes[1].GetName())
    desk.press_register()
    desk.wait_for_end()
    assert desk.parameters.outputTransform is not None
    browser = slicer.util.getNodesByClass("vtkMRMLSequenceBrowserNode")[-1]
    steps = browser.GetMasterSequenceNode()
    numbers = range(steps.GetNumberOfDataNodes())
    phases = [steps.GetNthDataNode(number).GetAttribute("SpatialDiffusion.phase") for number in numbers]
    assert "field" in phases  # the network took part
    assert phases[-1] == "refine"
