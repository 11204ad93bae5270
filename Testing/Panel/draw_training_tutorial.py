"""Draw the pictures of the tutorial of training: ten volumes become a model that registers two of them, by clicks.

    python Testing/Panel/draw_training_tutorial.py [FOLDER]

FOLDER is Documentation/training/panel by default. Takes some minutes, most of them to make the volumes: variants of the
sample case; no screen is needed.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from clicking import choose, click, drag_slider, type_text, wait_until
from draw_tutorial import LIMIT, ROOT, Tutorial

COUNT = 10


def make_volumes(folder: Path) -> Path:
    """Write ten brains into ``folder``, most of them with labels, and a file that is none."""
    from DiffusionCore.__main__ import main as shell
    from DiffusionCore.mrml.panels.samples import sample_files

    image, labels = sample_files(["fixed", "fixed_segmentation"])
    case = ["--image", str(image), "--segmentation", str(labels), "--strength", "strong"]
    assert shell(["synthesize", *case, "--count", str(COUNT), "--format", "pairs", "--output", str(folder)]) == 0
    (folder / "manifest.json").unlink()
    (folder / "unfinished download.nii.gz").write_bytes(b"")
    return folder


def main(folder: Path) -> Tutorial:
    """Draw all pictures, and return the window, which must live as long as the application."""
    place = Path(tempfile.gettempdir()) / "brains"  # its name is in the pictures
    shutil.rmtree(place, ignore_errors=True)
    os.environ["SPATIALDIFFUSION_MODELS"] = str(place / "models")
    tutorial = Tutorial(folder)
    volumes = make_volumes(place / "volumes")
    ui = tutorial.ui
    import qt  # of the host, which has started by now
    import slicer

    def part(name: str) -> Any:
        return ui.trainingContainer.findChild(qt.QWidget, f"training{name}")

    ui.inputsSection.collapsed = ui.outputsSection.collapsed = ui.stepsSection.collapsed = True
    ui.trainingSection.collapsed = False
    choose(part("RecipeSelector"), "Deformable registration in one look, on your images")
    choose(part("PresetSelector"), "Trial, in a minute or two")
    part("DataEdit").setCurrentPath(str(volumes))
    part("FolderEdit").setCurrentPath(str(place / "trainings"))
    type_text(part("NameEdit"), "my brains")
    click(part("DataCheckButton"))
    wait_until(lambda: part("DataCheckButton").text == "Check", LIMIT)
    tutorial.draw("1-checked", ui.trainingContainer)
    started = time.monotonic()
    click(part("StartButton"))
    wait_until(lambda: part("PictureSlider").isVisible() or part("StartButton").text == "Start training", LIMIT)
    tutorial.draw("2-training", ui.trainingContainer)
    wait_until(lambda: part("StartButton").text == "Start training", LIMIT)
    table = part("ModelsTable")
    table.selectRow([table.item(row, 0).text() for row in range(table.rowCount)].index("my brains"))
    tutorial.draw("3-trained", ui.trainingContainer)
    click(part("UseButton"))
    sys.stdout.write(f"Trained in {time.monotonic() - started:.0f} s.\n")
    ui.trainingSection.collapsed = True
    ui.inputsSection.collapsed = ui.outputsSection.collapsed = ui.stepsSection.collapsed = False
    names = sorted(path for path in volumes.glob("*.nii.gz") if "_seg" not in path.name)
    nodes = [slicer.util.loadVolume(str(path)) for path in names[:2]]
    choose(ui.fixedVolumeSelector, nodes[0].GetName())
    choose(ui.movingVolumeSelector, nodes[1].GetName())
    tutorial.app.layoutManager().resetSliceViews()
    click(ui.registerButton)
    tutorial.wait_for_end()
    drag_slider(ui.seekWidget.slider(), ui.seekWidget.slider().maximum)
    tutorial.draw("4-registered")
    shutil.rmtree(place)
    return tutorial


if __name__ == "__main__":
    shown = main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "Documentation" / "training" / "panel")
