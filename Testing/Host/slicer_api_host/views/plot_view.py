"""The picture of a chart."""

from __future__ import annotations

from typing import Any

import vtk
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from slicer_api_host.declare import Property, register
from slicer_api_host.observations import Observations
from slicer_api_host.views.drawn_widget import DrawnWidget
from slicer_api_host.views.plot_chart import fill_chart, new_chart


@register
class ctkVTKChartView(DrawnWidget):
    """A vtkChartXY in a widget; dragging moves it, the wheel zooms, a point under the mouse tells its values."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._actor = vtk.vtkContextActor()
        self._chart = new_chart()
        self._chart.SetInteractive(True)
        context = self._actor.GetScene()
        context.SetRenderer(self._off_screen.renderer)
        context.AddItem(self._chart)
        self._off_screen.renderer.SetBackground(1, 1, 1)
        self._off_screen.renderer.AddViewProp(self._actor)
        style = vtk.vtkContextInteractorStyle()
        style.SetScene(context)
        self._off_screen.interactor.SetInteractorStyle(style)
        # the chart asks its interactor for a new picture
        self._interactor_observations = Observations(self)
        self._interactor_observations.add(self._off_screen.interactor, "RenderEvent", self._request)

    def chart(self) -> Any:
        return self._chart

    def scene(self) -> Any:
        """Return the vtkContextScene that holds the chart."""
        return self._actor.GetScene()

    def renderWindow(self) -> Any:
        return self._off_screen.window

    title = Property(str, lambda self: self._chart.GetTitle() or "", lambda self, title: self._chart.SetTitle(title))

    def addPlot(self, plot: Any) -> None:
        self._chart.AddPlot(plot)
        self._request()

    def removeAllPlots(self) -> None:
        self._chart.ClearPlots()
        self._request()

    def _close(self) -> None:
        self._interactor_observations.end()
        self._actor.GetScene().ClearItems()
        self._actor.GetScene().SetRenderer(None)
        self._actor = self._chart = None
        super()._close()


@register
class qMRMLPlotView(ctkVTKChartView):
    """Shows the chart node of its plot view node, and follows it, its series and their tables."""

    mrmlSceneChanged = Signal("PyObject")

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene = self._view_node = self._chart_node = None
        self._view_observations, self._chart_observations = Observations(self), Observations(self)
        self._scene_observations = Observations(self)

    def setMRMLScene(self, scene: Any) -> None:
        if scene is self._scene:
            return
        self._scene_observations.end()
        self._scene = scene
        if scene is not None:
            self._scene_observations.add(scene, scene.EndBatchProcessEvent, self._follow_view_node)
        if self._view_node is not None and self._view_node.GetScene() is not scene:
            self.setMRMLPlotViewNode(None)
        self._follow_view_node()
        self.mrmlSceneChanged.emit(scene)

    def setMRMLPlotViewNode(self, node: Any) -> None:
        if node is self._view_node:
            return
        self._view_observations.end()
        self._view_node = node
        if node is not None:
            self._view_observations.add(node, node.PlotChartNodeChangedEvent, self._follow_view_node)
            self._view_observations.add(node, "ModifiedEvent", self._follow_view_node)
        self._follow_view_node()

    def fitToContent(self) -> None:
        self._chart.RecalculateBounds()
        self._request()

    def RemovePlotSelections(self) -> None:
        self._chart.RemovePlotSelections()

    def _follow_view_node(self) -> None:
        chart_node = None
        if self._scene is not None and self._view_node is not None:
            chart_node = self._view_node.GetPlotChartNode()
        if chart_node is not self._chart_node:
            self._chart_observations.end()
            if chart_node is not None:
                self._chart_observations.add(chart_node, "ModifiedEvent", self._request)
            self._chart_node = chart_node
        self._request()

    def _draw(self) -> None:
        # many changes of a table make one chart
        fill_chart(self._chart, self._chart_node)
        super()._draw()

    def _close(self) -> None:
        self.setMRMLScene(None)
        super()._close()
