"""The panel SpatialDiffusion as a user has it in front of him: its widgets, the views, and how to wait for it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from clicking import choose, click, grab, wait_until
from nodes_of_panel import add_pair

ROOT = Path(__file__).resolve().parents[2]
PIPELINES = ROOT / "Testing" / "Core"  # job_pipelines.py
LIMIT = 300.0  # seconds; far more than anything here takes, also where the machine is busy


class PanelDesk:
    """One panel beside the views.

    Attributes:
        widget: the module widget.
        ui: the widgets of the form by name.
    """

    def __init__(self, name, panel_of, views, scene):
        self.widget, self.views, self.scene = panel_of(name), views, scene

    @property
    def panel(self):
        return self.widget.self().panel

    @property
    def ui(self):
        return self.panel.ui

    @property
    def logic(self):
        return self.panel.logic

    @property
    def parameters(self):
        return self.panel.parameters

    @property
    def status(self):
        """All that the status line says, also what is cut off."""
        return self.ui.statusLabel.toolTip

    def picture(self, name="Red"):
        """Return the pixels of a slice view."""
        return grab(self.views.sliceWidget(name).sliceView())

    def click_link(self):
        """Click the link in the status line, in whichever of its lines that stands."""
        from PySide6.QtCore import QPoint, QPointF
        from PySide6.QtGui import QTextDocument

        self.widget.layout().activate()  # a line that has just come or gone moves the others
        label, document = self.ui.statusLabel, QTextDocument()
        document.setDefaultFont(label.font)
        document.setDocumentMargin(0)
        document.setHtml(label.text)
        document.setTextWidth(label.width if label.wordWrap else -1)
        top = (label.height - document.size.height()) / 2
        places = [(x, y) for y in range(0, label.height, 2) for x in range(0, label.width, 2)]
        anchor = document.documentLayout().anchorAt
        link = [QPoint(x, y) for x, y in places if anchor(QPointF(x, y - top))]
        click(label, link[len(link) // 2])

    def close(self):
        self.logic.close()


class Desk(PanelDesk):
    """The panel SpatialDiffusion."""

    def __init__(self, panel_of, views, scene):
        super().__init__("SpatialDiffusion", panel_of, views, scene)

    def use(self, manner, **settings):
        """Let the next runs be made by the pipeline ``manner`` of job_pipelines, in a real worker."""
        from DiffusionCore.jobs.process import ProcessRunner
        from DiffusionCore.mrml.worker_command import worker_command

        environment = {**os.environ, "PYTHONPATH": str(PIPELINES), "OMP_NUM_THREADS": "1"}
        factory = f"job_pipelines:{manner}"
        self.logic.runnerOf = lambda job: ProcessRunner(
            replace(job, factory=factory, method=manner, settings=settings), worker_command()[0], environment
        )

    def choose_pair(self, shift=(-14, 9, 5)):
        """Add two volumes and choose them with the mouse; return the nodes."""
        fixed, moving = add_pair(self.scene, shift)
        choose(self.ui.fixedVolumeSelector, "fixed")
        choose(self.ui.movingVolumeSelector, "moving")
        return fixed, moving

    def press_register(self):
        click(self.ui.registerButton)

    def stop(self):
        """Press Stop; a click that soon follows another one is taken for a double click."""
        wait_until(lambda: self.panel.is_button_armed)
        click(self.ui.registerButton)

    def wait_for(self, condition):
        return wait_until(condition, LIMIT)

    def wait_for_step(self, number):
        """Wait until the step ``number``, counted from 1, is in the scene."""
        self.wait_for(lambda: self.panel.lastStep is not None and self.panel.lastStep >= number)

    def wait_for_end(self):
        self.wait_for(lambda: not self.logic.running and self.ui.registerButton.text == "Register")

    def start(self, manner="shifts", **settings):
        """Choose a pair and begin a run by a pipeline of the tests."""
        if self.parameters.fixedVolume is None:
            self.choose_pair()
        self.use(manner, **settings)
        self.press_register()

    def register(self, manner="shifts", **settings):
        """Choose a pair, register it to the end by a pipeline of the tests, and return the output transform."""
        self.start(manner, **settings)
        self.wait_for_end()
        return self.parameters.outputTransform
