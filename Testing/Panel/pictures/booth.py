"""Where the panel is photographed: 480 pixels wide in a scroll area, as in Slicer, beside slice views; two themes."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from clicking import choose, click, grab, wait_until
from desk import ROOT, Desk
from PIL import Image
from PySide6.QtWidgets import QFrame, QScrollArea
from slicer_api_host.application import start
from slicer_api_host.modules import load_module, unload_module
from slicer_api_host.style import apply_theme

WIDTH, LOW, HIGH = 480, 560, 1000
THEMES = ("light", "dark")
_GAP = 8  # pixels between pictures of one sheet
_SETTLE = 0.2  # seconds in which plots and views draw themselves


class Booth:
    """One panel after the other, and a folder for the pictures.

    Attributes:
        desk: the panel and its views; ``fresh`` makes a new one.
        measured: what was measured, by its name; ``write`` saves it beside the pictures.
    """

    def __init__(self, folder: Path) -> None:
        import slicer

        self.folder, self.app, self.measured = folder, start(), {}
        folder.mkdir(parents=True, exist_ok=True)
        self.views = self.app.layoutManager()
        self.views.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
        self.views.viewport().resize(641, 690)
        self.views.viewport().show()
        self.frame = QScrollArea()
        self.frame.setFrameShape(QFrame.Shape.NoFrame)
        self.frame.setWidgetResizable(True)
        self.frame.resize(WIDTH, LOW)
        self.frame.show()
        self.desk = None

    def fresh(self) -> Desk:
        """Return an empty scene with a panel that nobody has touched."""
        if self.desk is not None:
            self.desk.close()
            self.frame.takeWidget()
            unload_module("SpatialDiffusion")
        scene = self.app.mrmlScene()
        scene.Clear(False)
        while (node := scene.GetFirstNodeByClass("vtkMRMLScriptedModuleNode")) is not None:
            scene.RemoveNode(node)
        self.frame.resize(WIDTH, LOW)
        self.desk = Desk(self._show_panel, self.views, scene)
        self.rest(_SETTLE)
        return self.desk

    def with_sample(self) -> Desk:
        """Return a fresh panel with the sample pair, a brain, chosen with the mouse."""
        desk = self.fresh()
        from SpatialDiffusionLib.SampleFiles import loadSample

        fixed, moving = loadSample()
        choose(desk.ui.fixedVolumeSelector, fixed.GetName())
        choose(desk.ui.movingVolumeSelector, moving.GetName())
        self.views.resetSliceViews()
        self.rest(_SETTLE)
        return desk

    def registered(self, **parameters: object) -> Desk:
        """Return a fresh panel after it has registered the sample pair by the pipeline that is shipped."""
        desk = self.with_sample()
        for name, value in parameters.items():
            setattr(desk.parameters, name, value)
        self.start()
        desk.wait_for_end()
        self.rest(_SETTLE)
        return desk

    def start(self) -> None:
        click(self.desk.ui.registerButton)

    def rest(self, seconds: float) -> None:
        """Let the event loop run."""
        until = time.monotonic() + seconds
        wait_until(lambda: time.monotonic() > until, seconds + 5)

    def shoot(self, name: str, height: int = LOW, at: object = None) -> None:
        """Save the panel, light and dark side by side; ``at`` is a widget to scroll to."""
        with self.held():
            pictures = [self.panel_picture(theme, height, at) for theme in THEMES]
            apply_theme("light")
        self.save(name, pictures)

    def panel_picture(self, theme: str = "light", height: int = LOW, at: object = None) -> np.ndarray:
        """Return the pixels of the panel in its scroll area, (height, 480, 3)."""
        apply_theme(theme)
        self.frame.resize(WIDTH, height)
        self.rest(_SETTLE)
        if at is None:
            self.frame.verticalScrollBar().setValue(0)
        else:
            self.frame.ensureWidgetVisible(at, 0, 12)
        return grab(self.frame)

    def view(self, name: str = "Red") -> np.ndarray:
        """Return the pixels of a slice view, once it has drawn itself."""
        with self.held():
            self.rest(_SETTLE)
            return self.desk.picture(name)

    def save(self, name: str, pictures: list[np.ndarray], colors: int = 96) -> None:
        """Save pictures beside each other, in so many colors."""
        rows = max(len(picture) for picture in pictures)
        parts = []
        for picture in pictures:
            below = np.full((rows - len(picture), picture.shape[1], 3), 128, np.uint8)
            parts += [np.concatenate([picture, below]), np.full((rows, _GAP, 3), 128, np.uint8)]
        whole = Image.fromarray(np.concatenate(parts[:-1], axis=1))
        few = whole.quantize(colors, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        few.save(self.folder / f"{name}.png", optimize=True)

    @contextmanager
    def held(self):
        """Within the block the computation and what follows it stand still, so that all pictures show one moment."""
        panel, run = self.desk.panel, self.desk.logic.run
        timers = [timer for timer in (panel._timer, panel._training._timer) if timer.active]
        pid = run._runner.pid if run is not None and run._runner is not None else None
        with suppress(ProcessLookupError, TypeError):
            os.kill(pid, signal.SIGSTOP)
        for timer in timers:
            timer.stop()
        try:
            yield
        finally:
            with suppress(ProcessLookupError, TypeError):
                os.kill(pid, signal.SIGCONT)
            for timer in timers:
                timer.start()

    def note(self, name: str, value: object) -> None:
        """Keep a measurement."""
        self.measured[name] = value

    def write(self) -> None:
        """Save what was measured, beside what earlier calls measured."""
        file = self.folder / "measured.json"
        known = json.loads(file.read_text()) if file.is_file() else {}
        file.write_text(json.dumps({**known, **self.measured}, indent=1) + "\n")

    def _show_panel(self, name: str) -> object:
        widget = load_module(ROOT / name / f"{name}.py").widgetRepresentation()
        self.frame.setWidget(widget)
        widget.show()
        widget.enter()
        return widget


def differing(one: np.ndarray, other: np.ndarray) -> int:
    """Return how many pixels differ at all."""
    return int((one != other).any(axis=-1).sum())
