"""A plot view under its bar."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QToolButton, QWidget

from slicer_api_host.declare import register
from slicer_api_host.views.plot_view import qMRMLPlotView
from slicer_api_host.views.view_widget import qMRMLAbstractViewWidget, qMRMLViewControllerBar


@register
class qMRMLPlotViewControllerWidget(qMRMLViewControllerBar):
    """The bar above a plot view."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._node = self._plot_view = None
        fit = QToolButton(self)
        fit.text, fit.autoRaise, fit.toolTip = "Fit", True, "Fit the axes to the data."
        fit.clicked.connect(self.fitPlotToAxes)
        self._bar.addWidget(fit)
        self._bar.addStretch(1)

    def mrmlPlotViewNode(self) -> Any:
        return self._node

    def setMRMLPlotViewNode(self, node: Any) -> None:
        self._node = node
        self._show_view_node(node)

    def setPlotView(self, view: qMRMLPlotView) -> None:
        self._plot_view = view

    def fitPlotToAxes(self) -> None:
        if self._plot_view is not None:
            self._plot_view.fitToContent()


@register
class qMRMLPlotWidget(qMRMLAbstractViewWidget):
    """What ``layoutManager().plotWidget(0)`` is."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(qMRMLPlotViewControllerWidget(), qMRMLPlotView(), parent)
        self._bar.setPlotView(self._view)

    def plotView(self) -> qMRMLPlotView:
        return self._view

    def plotController(self) -> qMRMLPlotViewControllerWidget:
        return self._bar

    def mrmlPlotViewNode(self) -> Any:
        return self._bar.mrmlPlotViewNode()

    def mrmlAbstractViewNode(self) -> Any:
        return self._bar.mrmlPlotViewNode()

    def setMRMLScene(self, scene: Any) -> None:
        super().setMRMLScene(scene)
        self._bar.setMRMLScene(scene)
        self._view.setMRMLScene(scene)

    def setMRMLPlotViewNode(self, node: Any) -> None:
        self._bar.setMRMLPlotViewNode(node)
        self._view.setMRMLPlotViewNode(node)

    def setMRMLAbstractViewNode(self, node: Any) -> None:
        self.setMRMLPlotViewNode(node)

    def _close(self) -> None:
        self._view._close()
