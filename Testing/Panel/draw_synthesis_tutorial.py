"""Draw the pictures of the tutorial of Deformation Synthesis: the real panel, clicked, beside real slice views.

    python Testing/Panel/draw_synthesis_tutorial.py [FOLDER]

FOLDER is Documentation/synthesis/panel by default. Takes about a minute; no screen is needed.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from clicking import choose, click, drag_slider, type_text, wait_until
from draw_tutorial import LIMIT, ROOT, Tutorial


def main(folder: Path) -> Tutorial:
    """Draw all pictures, and return the window, which must live as long as the application."""
    tutorial = Tutorial(folder, "DeformationSynthesis")
    ui, panel = tutorial.ui, tutorial.panel
    from DeformationSynthesisLib.SampleFiles import loadSample

    def wait_for_end() -> None:
        wait_until(lambda: not panel.logic.running and not panel.running, LIMIT)

    place = Path(tempfile.gettempdir()) / "data sets"  # its name is in the pictures
    place.mkdir(exist_ok=True)
    ui.exportFolderEdit.currentPath = str(place)
    volume, segmentation = loadSample()
    choose(ui.volumeSelector, volume.GetName())
    choose(ui.segmentationSelector, segmentation.GetName())
    ui.strengthSlider.value = 100
    click(ui.previewButton)
    wait_for_end()
    tutorial.app.layoutManager().resetSliceViews()
    click(ui.gridButton)
    tutorial.draw("1-preview")
    click(ui.gridButton)
    ui.strengthSlider.value = 60
    type_text(ui.countSpinBox, "8")
    click(ui.generateButton)
    wait_until(lambda: len(panel.logic.collection.rows) >= 3, LIMIT)
    tutorial.draw("2-generating")
    wait_for_end()
    drag_slider(ui.variantSlider, 3)
    click(ui.outlinesButton)
    click(ui.rejectButton)
    drag_slider(ui.variantSlider, 5)
    tutorial.draw("3-review")
    click(ui.exportButton)
    wait_for_end()
    ui.inputsSection.collapsed = ui.variantsSection.collapsed = True
    tutorial.draw("4-exported")
    ui.variantsSection.collapsed = ui.exportSection.collapsed = False
    choose(ui.methodSelector, "Recovered shapes: drdm")
    ui.strengthSlider.value = 100
    click(ui.previewButton)
    wait_for_end()
    click(ui.outlinesButton)
    click(ui.gridButton)
    drag_slider(ui.stageSlider, 1)
    tutorial.draw("5-recovery")
    shutil.rmtree(place)
    return tutorial


if __name__ == "__main__":
    shown = main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "Documentation" / "synthesis" / "panel")
