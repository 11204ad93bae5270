"""The bar above a slice view: which slice is shown; it owns the slice logic."""

from __future__ import annotations

from typing import Any

import slicer
import slicer.util
import vtk
from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QLabel, QSlider, QToolButton, QWidget

from slicer_api_host.declare import Property, register
from slicer_api_host.observations import Observations
from slicer_api_host.views.view_widget import qMRMLViewControllerBar


@register
class qMRMLSliceControllerWidget(qMRMLViewControllerBar):
    """Moves, fits and links the slice of one vtkMRMLSliceLogic."""

    imageDataConnectionChanged = Signal("PyObject")
    renderRequested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._logic = slicer.vtkMRMLSliceLogic()
        self._observations = Observations(self)
        self._observations.add(self._logic, "ModifiedEvent", self._follow_logic)
        self._connection = None
        self._fit_button = QToolButton(self)
        self._fit_button.text, self._fit_button.autoRaise = "Fit", True
        self._fit_button.toolTip = "Fit the slice to the background volume."
        self._fit_button.clicked.connect(self.fitSliceToBackground)
        self._slider, self._offset = QSlider(Qt.Orientation.Horizontal, self), QLabel(self)
        self._offset.minimumWidth = self._offset.fontMetrics().horizontalAdvance("-000.0 mm")
        self._step = 1.0
        self._slider.valueChanged.connect(lambda value: self.setSliceOffsetValue(value * self._step))
        for widget in (self._fit_button, self._slider, self._offset):
            self._bar.addWidget(widget)

    def sliceLogic(self) -> Any:
        return self._logic

    def mrmlSliceNode(self) -> Any:
        return self._logic.GetSliceNode()

    def mrmlSliceCompositeNode(self) -> Any:
        return self._logic.GetSliceCompositeNode()

    def imageDataConnection(self) -> Any:
        return self._connection

    def fitToWindowToolButton(self) -> QToolButton:
        return self._fit_button

    def setMRMLScene(self, scene: Any) -> None:
        super().setMRMLScene(scene)
        if self._logic.GetMRMLScene() is not scene:
            self._logic.SetMRMLScene(scene)

    def setMRMLSliceNode(self, node: Any) -> None:
        self._logic.SetSliceNode(node)
        if node is not None and node.GetScene() is not None:
            self.setMRMLScene(node.GetScene())

    sliceOrientation = Property(
        str,
        lambda self: self.mrmlSliceNode().GetOrientation(),
        lambda self, name: self.setSliceOrientation(name),
    )

    def setSliceOrientation(self, name: str) -> None:
        self._change(slicer.vtkMRMLSliceNode.OrientationFlag, lambda: self.mrmlSliceNode().SetOrientation(name))

    def setSliceViewSize(self, size: QSize) -> None:
        self._logic.ResizeSliceNode(size.width(), size.height())

    def fitSliceToBackground(self) -> None:
        """Show the whole background volume, or else the first that is shown; in all linked views as well."""
        self._change(slicer.vtkMRMLSliceNode.ResetFieldOfViewFlag, self._fit)

    def setSliceOffsetValue(self, offset: float) -> None:
        """Move the slice to ``offset`` mm along its normal; linked views follow."""
        if offset != self._logic.GetSliceOffset():
            self._logic.StartSliceOffsetInteraction()
            self._logic.SetSliceOffset(offset)
            self._logic.EndSliceOffsetInteraction()

    def setSliceLink(self, linked: bool) -> None:
        """Link all views: what is done to one of them is done to the others of its orientation."""
        for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode", self.mrmlScene()):
            composite.SetLinkedControl(linked)

    def setHotLinked(self, hot: bool) -> None:
        """Have linked views follow while the mouse still moves."""
        for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode", self.mrmlScene()):
            composite.SetHotLinkedControl(hot)

    def setForegroundOpacity(self, opacity: float) -> None:
        logic = self._logic
        logic.StartSliceCompositeNodeInteraction(slicer.vtkMRMLSliceCompositeNode.ForegroundOpacityFlag)
        self.mrmlSliceCompositeNode().SetForegroundOpacity(opacity)
        logic.EndSliceCompositeNodeInteraction()

    def _change(self, what: int, change: Any) -> None:
        self._logic.StartSliceNodeInteraction(what)
        change()
        self._logic.EndSliceNodeInteraction()

    def _fit(self) -> None:
        self._logic.FitSliceToBackground()
        self.mrmlSliceNode().UpdateMatrices()

    def _follow_logic(self) -> None:
        connection = self._logic.GetImageDataConnection()
        if connection is not self._connection:
            self._connection = connection
            self.imageDataConnectionChanged.emit(connection)
        self._show_offset()
        self._show_view_node(self.mrmlSliceNode())
        self.renderRequested.emit()

    def _show_offset(self) -> None:
        # the slider counts in steps of one slice
        ends, step = [-1.0, 1.0], vtk.reference(1.0)
        if not self._logic.GetSliceOffsetRangeResolution(ends, step):
            return
        self._step = float(step)
        blocked = self._slider.blockSignals(True)
        self._slider.setRange(round(ends[0] / self._step), round(ends[1] / self._step))
        self._slider.value = round(self._logic.GetSliceOffset() / self._step)
        self._slider.blockSignals(blocked)
        self._offset.text = f"{self._logic.GetSliceOffset():.1f} mm"

    def _close(self) -> None:
        self._observations.end()
        self._logic.SetSliceNode(None)
        self._logic.SetMRMLScene(None)
        self._logic = slicer.vtkMRMLSliceLogic()
