"""The picture of one slice: the volumes, as the slice logic blends them, under what the displayable managers draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import slicer
import vtk
from PySide6.QtCore import QSize, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QWidget

from slicer_api_host.declare import register
from slicer_api_host.observations import Observations
from slicer_api_host.views.ctk_view import ctkVTKAbstractView
from slicer_api_host.views.displayable_managers import new_group


@register
class ctkVTKSliceView(ctkVTKAbstractView):
    """A view of a picture that a pipeline makes: gray values or colors of 8 bit, one per pixel."""

    resized = Signal(QSize)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._mapper = vtk.vtkImageMapper()
        self._mapper.SetColorWindow(255)
        self._mapper.SetColorLevel(127.5)
        self._layer = vtk.vtkActor2D()
        self._layer.SetMapper(self._mapper)
        self._layer.GetProperty().SetDisplayLocationToBackground()
        self._layer.SetVisibility(False)
        self._off_screen.renderer.GetActiveCamera().ParallelProjectionOn()
        self._off_screen.renderer.AddViewProp(self._layer)

    def setImageDataConnection(self, connection: Any) -> None:
        """Show what comes from the vtkAlgorithmOutput ``connection``; None shows nothing."""
        self._mapper.SetInputConnection(connection)
        self._layer.SetVisibility(connection is not None)
        self._request()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.resized.emit(event.size())

    def _close(self) -> None:
        self._mapper.RemoveAllInputs()
        super()._close()


@register
class qMRMLSliceView(ctkVTKSliceView):
    """A slice view that knows its vtkMRMLSliceNode."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene = self._slice_node = None
        self._scene_observations, self._group_observations = Observations(self), Observations(self)
        self._group = new_group(self._off_screen.renderer)
        self._group_observations.add(self._group, "UpdateEvent", self._request)
        self._mouse = slicer.vtkMRMLSliceViewInteractorStyle()
        self._mouse.SetDisplayableManagers(self._group)
        self._mouse.SetInteractor(self._off_screen.interactor)
        self.renderEnabled = False

    def setMRMLScene(self, scene: Any) -> None:
        if scene is self._scene:
            return
        self._scene_observations.end()
        self._scene = scene
        if scene is not None:
            self._scene_observations.add(scene, scene.StartBatchProcessEvent, self._follow_scene)
            self._scene_observations.add(scene, scene.EndBatchProcessEvent, self._follow_scene)
        self._follow_scene()
        if self._slice_node is not None and self._slice_node.GetScene() is not scene:
            self.setMRMLSliceNode(None)

    def _follow_scene(self) -> None:
        self.renderEnabled = self._scene is not None and not self._scene.IsBatchProcessing()

    def mrmlSliceNode(self) -> Any:
        return self._slice_node

    def setMRMLSliceNode(self, node: Any) -> None:
        if node is not self._slice_node:
            self._slice_node = node
            self._group.SetMRMLDisplayableNode(node)
            self.enabled = node is not None

    def interactorObserver(self) -> Any:
        """Return the vtkMRMLSliceViewInteractorStyle, through which the mouse reaches the displayable managers."""
        return self._mouse

    def getDisplayableManagers(self, managers: Any) -> None:
        """Add the displayable managers of this view to the vtkCollection ``managers``."""
        for number in range(self._group.GetDisplayableManagerCount()):
            managers.AddItem(self._group.GetNthDisplayableManager(number))

    def displayableManagerByClassName(self, name: str) -> Any:
        return self._group.GetDisplayableManagerByClassName(name)

    def _convert(self, method: str, position: Sequence[float]) -> tuple[float, ...]:
        converted = [0.0, 0.0, 0.0]
        getattr(self.displayableManagerByClassName("vtkMRMLCrosshairDisplayableManager"), method)(*position, converted)
        return tuple(converted)

    def convertDeviceToXYZ(self, position: Sequence[int]) -> tuple[float, ...]:
        """Return the place (x, y, slice) in the slice of ``position``, in pixels from the lower left corner."""
        return self._convert("ConvertDeviceToXYZ", position)

    def convertXYZToRAS(self, position: Sequence[float]) -> tuple[float, ...]:
        return self._convert("ConvertXYZToRAS", (position,))

    def convertRASToXYZ(self, position: Sequence[float]) -> tuple[float, ...]:
        return self._convert("ConvertRASToXYZ", (position,))

    def _close(self) -> None:
        self.setMRMLScene(None)
        self.setMRMLSliceNode(None)
        self._group_observations.end()
        self._mouse.SetInteractor(None)
        self._mouse.SetDisplayableManagers(None)
        self._mouse.SetSliceLogic(None)
        self._group = self._mouse = None
        super()._close()
