"""A slice view under its bar, and the slice logic that they share."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QSize
from PySide6.QtWidgets import QWidget

from slicer_api_host.declare import Property, register
from slicer_api_host.observations import Observations
from slicer_api_host.views.slice_controller import qMRMLSliceControllerWidget
from slicer_api_host.views.slice_view import qMRMLSliceView
from slicer_api_host.views.view_widget import qMRMLAbstractViewWidget


@register
class qMRMLSliceWidget(qMRMLAbstractViewWidget):
    """What ``layoutManager().sliceWidget("Red")`` is."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(qMRMLSliceControllerWidget(), qMRMLSliceView(), parent)
        self._view.interactorObserver().SetSliceLogic(self.sliceLogic())
        self.sliceLogic().SetDisplayableManagerGroup(self._view._group)
        self._view.resized.connect(self._resize_slice)
        self._bar.imageDataConnectionChanged.connect(self._view.setImageDataConnection)
        self._bar.renderRequested.connect(self._view.scheduleRender)
        self._scene_observations = Observations(self)

    def sliceController(self) -> qMRMLSliceControllerWidget:
        return self._bar

    def sliceView(self) -> qMRMLSliceView:
        return self._view

    def sliceLogic(self) -> Any:
        return self._bar.sliceLogic()

    def logic(self) -> Any:
        return self._bar.sliceLogic()

    def mrmlSliceNode(self) -> Any:
        return self._bar.mrmlSliceNode()

    def mrmlAbstractViewNode(self) -> Any:
        return self._bar.mrmlSliceNode()

    def mrmlSliceCompositeNode(self) -> Any:
        return self._bar.mrmlSliceCompositeNode()

    def imageDataConnection(self) -> Any:
        return self._bar.imageDataConnection()

    def interactorStyle(self) -> Any:
        return self._view.interactorStyle()

    sliceViewName = Property(str, lambda self: self.mrmlSliceNode().GetName())
    sliceOrientation = Property(
        str, lambda self: self._bar.sliceOrientation, lambda self, name: self._bar.setSliceOrientation(name)
    )

    def setMRMLScene(self, scene: Any) -> None:
        if scene is self.mrmlScene():
            return
        self._scene_observations.end()
        super().setMRMLScene(scene)
        self._bar.setMRMLScene(scene)
        self._view.setMRMLScene(scene)
        if scene is not None:
            # a scene that is closed or read sets the size of the slice back
            self._scene_observations.add(scene, scene.EndBatchProcessEvent, self._resize_slice)

    def setMRMLSliceNode(self, node: Any) -> None:
        self._bar.setMRMLSliceNode(node)
        self._view.setMRMLSliceNode(node)
        self._resize_slice()

    def setMRMLAbstractViewNode(self, node: Any) -> None:
        self.setMRMLSliceNode(node)

    def setSliceOrientation(self, name: str) -> None:
        self._bar.setSliceOrientation(name)

    def fitSliceToBackground(self) -> None:
        self._bar.fitSliceToBackground()

    def _resize_slice(self, _size: QSize | None = None) -> None:
        if self.mrmlSliceNode() is not None:
            self._bar.setSliceViewSize(self._view._size_in_pixels())

    def _close(self) -> None:
        self._scene_observations.end()
        self.sliceLogic().SetDisplayableManagerGroup(None)
        self._view._close()
        self._bar._close()
