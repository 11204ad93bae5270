"""The views and their arrangement: what ``slicer.app.layoutManager()`` is."""

from __future__ import annotations

import logging
from typing import Any
from xml.etree.ElementTree import Element

import slicer
import slicer.util
import vtk
from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from slicer_api_host.declare import Property, register
from slicer_api_host.observations import Observations
from slicer_api_host.views.layout_builder import build_layout
from slicer_api_host.views.plot_widget import qMRMLPlotWidget
from slicer_api_host.views.slice_widget import qMRMLSliceWidget
from slicer_api_host.views.view_factory import ViewWidgets


@register
class qMRMLLayoutManager(QObject):
    """Shows the views that the layout node of the scene asks for; slice and plot views, no 3D views and no tables."""

    layoutChanged = Signal(int)

    def __init__(self, viewport: QWidget | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent if parent is not None else viewport)
        self._viewport = QWidget() if viewport is None else viewport
        column = QVBoxLayout(self._viewport)
        column.setContentsMargins(0, 0, 0, 0)
        self._slice_logics, self._view_logics = vtk.vtkCollection(), vtk.vtkCollection()
        self._views = ViewWidgets(self._viewport, self._slice_logics)
        self._observations, self._layout_observations = Observations(self), Observations(self)
        self._logic = slicer.vtkMRMLLayoutLogic()
        self._scene = self._layout_node = self._root = None
        self._shown = ""
        self._pauses = 0

    def viewport(self) -> QWidget:
        return self._viewport

    def mrmlScene(self) -> Any:
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        """Show the views of ``scene``; None closes all views."""
        if scene is self._scene:
            return
        self._observations.end()
        self._layout_observations.end()
        self._take_down()
        self._views.clear()
        self._scene, self._layout_node = scene, None
        self._logic.SetMRMLScene(scene)  # before our observers: the logic keeps the scene in order
        if scene is None:
            return
        self._observations.add_with_node(scene, scene.NodeAddedEvent, self._add_node)
        self._observations.add_with_node(scene, scene.NodeRemovedEvent, self._remove_node)
        self._observations.add(scene, scene.StartCloseEvent, self._take_down)
        for event in (scene.EndBatchProcessEvent, scene.EndCloseEvent, scene.EndRestoreEvent):
            self._observations.add(scene, event, self._follow_scene)
        self._follow_scene()

    def layoutLogic(self) -> Any:
        return self._logic

    def mrmlSliceLogics(self) -> Any:
        return self._slice_logics

    def mrmlViewLogics(self) -> Any:
        return self._view_logics

    def sliceViewNames(self) -> tuple[str, ...]:
        """Return the names of all slice views there are, shown in the layout or not."""
        return tuple(widget.mrmlSliceNode().GetName() for widget in self._views.all(qMRMLSliceWidget))

    def sliceWidget(self, name: str) -> Any:
        return self._views.named(qMRMLSliceWidget, name)

    def threeDWidget(self, _name_or_number: str | int) -> None:
        """Return None: there are no 3D views."""

    def tableWidget(self, _number: int) -> None:
        """Return None: there are no table views."""

    def plotWidget(self, number: int) -> Any:
        plots = self._views.all(qMRMLPlotWidget)
        return plots[number] if 0 <= number < len(plots) else None

    def viewWidget(self, node: Any) -> Any:
        return self._views.of(node)

    def viewWidgets(self) -> tuple[QWidget, ...]:
        return tuple(self._views.all())

    threeDViewCount = Property(int, lambda self: 0)
    tableViewCount = Property(int, lambda self: 0)
    plotViewCount = Property(int, lambda self: len(self._views.all(qMRMLPlotWidget)))

    def _arrangement(self) -> int:
        node = self._layout_node
        return slicer.vtkMRMLLayoutNode.SlicerLayoutNone if node is None else node.GetViewArrangement()

    def setLayout(self, number: int) -> None:
        """Arrange the views as layout ``number``; one without a description becomes the conventional one."""
        node = self._layout_node
        if node is None or number == self._arrangement():
            return
        node.RemoveAllMaximizedViewNodes()
        node.SetViewArrangement(number if node.IsLayoutDescription(number) else node.SlicerLayoutConventionalView)

    layout = Property(int, _arrangement, setLayout, notify=layoutChanged)

    def addMaximizedViewNode(self, node: Any) -> None:
        self._layout_node.AddMaximizedViewNode(node)

    def removeMaximizedViewNode(self, node: Any) -> None:
        self._layout_node.RemoveMaximizedViewNode(node)

    def removeAllMaximizedViewNodes(self) -> None:
        self._layout_node.RemoveAllMaximizedViewNodes()

    def resetSliceViews(self) -> None:
        for widget in self._views.all(qMRMLSliceWidget):
            widget.fitSliceToBackground()

    def resetThreeDViews(self) -> None:
        """Do nothing: there are no 3D views."""

    def setRenderPaused(self, paused: bool) -> None:
        """Stop all views from drawing, or undo one such stop.

        Raises:
            RuntimeError: the views are not paused.
        """
        if not paused and self._pauses == 0:
            raise RuntimeError("the views are not paused")
        self._pauses += 1 if paused else -1
        for widget in self._views.all():
            widget.setRenderPaused(paused)

    def pauseRender(self) -> None:
        self.setRenderPaused(True)

    def resumeRender(self) -> None:
        self.setRenderPaused(False)

    def _add_node(self, node: Any) -> None:
        # while a scene is read, a view node may come before the other nodes of its view
        if not self._scene.IsBatchProcessing() and node.IsA("vtkMRMLAbstractViewNode"):
            self._add_view(node)

    def _add_view(self, node: Any) -> None:
        widget = self._views.add(node)
        if widget is not None:
            for _ in range(self._pauses):
                widget.pauseRender()

    def _remove_node(self, node: Any) -> None:
        if node.IsA("vtkMRMLAbstractViewNode"):
            self._views.remove(node)

    def _follow_scene(self) -> None:
        if self._scene.IsBatchProcessing():
            return
        for node in slicer.util.getNodesByClass("vtkMRMLAbstractViewNode", self._scene):
            self._add_view(node)
        if self._layout_node is not self._logic.GetLayoutNode():
            self._layout_node = self._logic.GetLayoutNode()
            self._layout_observations.end()
            self._layout_observations.add(self._layout_node, "ModifiedEvent", self._follow_layout)
        self._follow_layout()

    def _description(self) -> str:
        node = self._layout_node
        description = node.GetCurrentLayoutDescription() or ""
        for number in range(node.GetNumberOfMaximizedViewNodes()):
            maximized = node.GetMaximizedViewNode(number)
            if maximized is not None:
                description = self._logic.GetMaximizedViewLayoutDescription(maximized, description)
        return description

    def _follow_layout(self) -> None:
        if self._scene.IsBatchProcessing():
            return
        description = self._description()
        if description == self._shown:
            return
        self._take_down()
        self._shown = description
        try:
            self._root = build_layout(description, self._find_views) if description else None
        except ValueError:
            logging.getLogger(__name__).exception("layout %d cannot be shown", self._arrangement())
        if self._root is not None:
            self._viewport.layout().addWidget(self._root)
            self._root.visible = True  # now, and not when the event loop comes to it
        self.layoutChanged.emit(self._arrangement())

    def _find_views(self, element: Element, all_of_them: bool) -> list[QWidget]:
        kind, tag = element.get("class", ""), element.get("singletontag")
        nodes = [node for node in self._views.nodes() if node.IsA(kind) and tag in (None, node.GetSingletonTag())]
        nodes = nodes if all_of_them else nodes[:1]
        for node in nodes:
            node.SetMappedInLayout(True)
            self._views.of(node).visible = True
        return [self._views.of(node) for node in nodes] or [_stand_in(element)]

    def _take_down(self) -> None:
        """Move the views out of the layout, and hide them."""
        for node in self._views.nodes():
            node.SetMappedInLayout(False)
            widget = self._views.of(node)
            widget.setParent(self._viewport)
            widget.visible = False
        self._shown = ""
        if self._root is not None:
            self._root.visible = False  # its deletion waits for the event loop
            self._root.setParent(None)
            self._root.deleteLater()
            self._root = None


@register
class qSlicerLayoutManager(qMRMLLayoutManager):
    """The layout manager of the application."""


def _stand_in(element: Element) -> QWidget:
    label = QLabel(f"{element.get('class', '')} {element.get('singletontag', '')}\nis not drawn here")
    label.setAlignment(Qt.AlignmentFlag.AlignCenter)
    label.enabled = False
    return label
