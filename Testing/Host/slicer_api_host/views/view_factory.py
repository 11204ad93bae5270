"""The widgets of the view nodes of a scene."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QWidget

from slicer_api_host.views.plot_widget import qMRMLPlotWidget
from slicer_api_host.views.slice_widget import qMRMLSliceWidget


class ViewWidgets:
    """Has one widget for each view node that can be shown, in the order in which the nodes came."""

    def __init__(self, viewport: QWidget, slice_logics: Any) -> None:
        self._viewport, self._slice_logics = viewport, slice_logics
        self._widgets: dict[Any, QWidget] = {}

    def add(self, node: Any) -> QWidget | None:
        """Make the widget of ``node`` if it is a view of a kind that is shown and has none; return a new one."""
        if node in self._widgets or node.GetParentLayoutNode() is not None:
            return None
        if node.IsA("vtkMRMLSliceNode"):
            widget: Any = qMRMLSliceWidget(self._viewport)
            widget.objectName = f"qMRMLSliceWidget{node.GetLayoutName()}"
            self._slice_logics.AddItem(widget.sliceLogic())
        elif node.IsA("vtkMRMLPlotViewNode"):
            widget = qMRMLPlotWidget(self._viewport)
            widget.objectName = f"qMRMLPlotWidget{node.GetLayoutName()}"
        else:
            return None
        widget.visible = False
        widget.windowTitle = node.GetName()
        widget.setMRMLAbstractViewNode(node)
        widget.setMRMLScene(node.GetScene())
        self._widgets[node] = widget
        return widget

    def remove(self, node: Any) -> None:
        widget: Any = self._widgets.pop(node, None)
        if widget is None:
            return
        if isinstance(widget, qMRMLSliceWidget):
            self._slice_logics.RemoveItem(widget.sliceLogic())
        widget.setMRMLScene(None)
        widget._close()
        widget.visible = False
        widget.setParent(None)
        widget.deleteLater()

    def clear(self) -> None:
        for node in list(self._widgets):
            self.remove(node)

    def of(self, node: Any) -> Any:
        return self._widgets.get(node)

    def nodes(self) -> list[Any]:
        return list(self._widgets)

    def all(self, kind: type = QWidget) -> list[Any]:
        return [widget for widget in self._widgets.values() if isinstance(widget, kind)]

    def named(self, kind: type, name: str) -> Any:
        """Return the widget of ``kind`` whose node is called ``name``; None if there is none."""
        found = (w for node, w in self._widgets.items() if isinstance(w, kind) and node.GetName() == name)
        return next(found, None)
