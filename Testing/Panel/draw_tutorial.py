"""Draw the pictures of the tutorial: the real panel, clicked, beside real slice views, in the Slicer-API host.

    python Testing/Panel/draw_tutorial.py [FOLDER]

FOLDER is Documentation/panel by default. Takes about a minute; no screen is needed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "Testing" / "Host")]

from clicking import choose, click, drag_slider, wait_until  # noqa: E402
from PySide6.QtGui import QImage  # noqa: E402
from slicer_api_host.application import start  # noqa: E402

SIZE = (1280, 760)
LIMIT = 180.0  # seconds


class Tutorial:
    """The window of the host, with the panel, and a counter of the pictures."""

    def __init__(self, folder: Path, name: str = "SpatialDiffusion") -> None:
        self.folder, self.app = folder, start()
        from slicer_api_host.main_window import qSlicerMainWindow
        from slicer_api_host.modules import load_module

        for file in (ROOT / "Testing/Host/slicer_modules/SampleData.py", ROOT / f"{name}/{name}.py"):
            self.module = load_module(file)
        self.window = qSlicerMainWindow()
        self.window.resize(*SIZE)
        self.window.moduleSelector().selectModule(name)
        self.window.show()
        self.panel = self.module.widgetRepresentation().self().panel
        self.ui = self.panel.ui

    def draw(self, name: str, part: Any = None) -> None:
        """Write the window as it is now, or a ``part`` of it, also what of that is out of sight."""
        self.rest(0.6)
        self.folder.mkdir(parents=True, exist_ok=True)
        picture = (part or self.window).grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
        picture.save(str(self.folder / f"{name}.png"), quality=0)  # 0 is the smallest file

    def rest(self, seconds: float) -> None:
        """Let the event loop run."""
        import time

        until = time.monotonic() + seconds
        wait_until(lambda: time.monotonic() > until, seconds + 5)

    def wait_for_step(self, number: int) -> None:
        """Wait until step ``number``, counted from 1, is shown."""
        wait_until(lambda: self.panel.lastStep is not None and self.panel.lastStep >= number, LIMIT)

    def wait_for_end(self) -> None:
        """Wait until the run has ended."""
        wait_until(lambda: not self.panel.logic.running and self.ui.registerButton.text == "Register", LIMIT)

    def show_step(self, number: int) -> None:
        """Drag the slider to a step, counted from 1."""
        drag_slider(self.ui.seekWidget.slider(), number - 1)
        self.rest(0.3)


def main(folder: Path) -> Tutorial:
    """Draw all pictures, and return the window, which must live as long as the application."""
    tutorial = Tutorial(folder)
    ui = tutorial.ui
    from SpatialDiffusionLib.SampleFiles import loadSample

    fixed, moving = loadSample()
    choose(ui.fixedVolumeSelector, fixed.GetName())
    choose(ui.movingVolumeSelector, moving.GetName())
    tutorial.app.layoutManager().resetSliceViews()
    tutorial.draw("1-two-volumes")
    click(ui.registerButton)
    tutorial.wait_for_step(1)
    click(ui.colorsButton)
    tutorial.draw("2-running")
    tutorial.wait_for_end()
    tutorial.draw("3-done")
    tutorial.show_step(4)
    tutorial.draw("4-an-older-step")
    click(ui.resumeButton)
    tutorial.wait_for_end()
    ui.resultSection.collapsed = True
    click(ui.gridButton)
    tutorial.draw("5-another-branch")
    click(ui.gridButton)
    click(ui.colorsButton)
    choose(ui.presetSelector, "Diffusion sampling")
    click(ui.registerButton)
    tutorial.wait_for_end()
    click(ui.uncertaintyButton)
    tutorial.draw("6-uncertainty")
    return tutorial


if __name__ == "__main__":
    shown = main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "Documentation" / "panel")
