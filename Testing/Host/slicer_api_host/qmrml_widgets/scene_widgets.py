"""Widgets that know a scene and pass it on."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from slicer_api_host.declare import register


class _SceneWidget(QWidget):
    mrmlSceneChanged = Signal("PyObject")

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene = None

    def setMRMLScene(self, scene: Any) -> None:
        if scene is not self._scene:
            self._scene = scene
            self.mrmlSceneChanged.emit(scene)


@register
class qSlicerWidget(_SceneWidget):
    """A widget of a module; in a .ui file, its ``mrmlSceneChanged`` leads to the widgets inside."""


@register
class qMRMLWidget(_SceneWidget):
    """The same for any widget of MRML; it also tells its scene."""

    def mrmlScene(self) -> Any:
        return self._scene
