"""The module Sequences: while a sequence browser plays, it moves the browser on."""

from __future__ import annotations

from typing import Any

import slicer
from PySide6.QtCore import QTimer

from slicer_api_host import pythonqt
from slicer_api_host.declare import stored_property
from slicer_api_host.module_classes import qSlicerLoadableModule
from slicer_api_host.observations import Observations

PERIOD = 20  # ms: at most 50 items per second, as in Slicer


class qSlicerSequencesModule(qSlicerLoadableModule):
    """slicer.modules.sequences; the timer of Slicer's module without its toolbar."""

    autoShowToolBar = stored_property(bool, "autoShowToolBar", True)

    def __init__(self, name: str, logic: Any) -> None:
        super().__init__(name, logic)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.updateAllVirtualOutputNodes)
        self._observations = Observations(self)

    def setMRMLScene(self, scene: Any) -> None:
        super().setMRMLScene(scene)
        self._observations.end()
        if scene is not None:
            self._observations.add_with_node(scene, slicer.vtkMRMLScene.NodeAddedEvent, self._on_added)

    def updateAllVirtualOutputNodes(self) -> None:
        """Let every browser that plays show the item that its rate asks for by now."""
        slicer.app.pauseRender()
        try:
            self._logic.UpdateAllProxyNodes()
        finally:
            slicer.app.resumeRender()
        if self._scene is not None and self._scene.GetFirstNodeByClass("vtkMRMLSequenceBrowserNode") is not None:
            self._timer.start(PERIOD)

    def _on_added(self, node: Any) -> None:
        if node.IsA("vtkMRMLSequenceBrowserNode") and not self._timer.isActive():
            self._timer.start(PERIOD)


pythonqt.CPP_CLASSES.add(qSlicerSequencesModule)
