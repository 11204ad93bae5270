"""What a slice view and a plot view have in common in a layout: a bar above a picture, a node, a label and a color."""

from __future__ import annotations

from typing import Any

from PySide6.QtGui import QColor
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from slicer_api_host.declare import Property, register
from slicer_api_host.qmrml_widgets.scene_widgets import qMRMLWidget
from slicer_api_host.views.ctk_view import ctkVTKAbstractView


@register
class qMRMLViewControllerBar(qMRMLWidget):
    """The colored bar above a view, with the letter of the view."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._letter = QLabel(self)
        self._bar = QHBoxLayout(self)
        self._bar.setContentsMargins(4, 1, 4, 1)
        self._bar.addWidget(self._letter)
        self.setAutoFillBackground(True)

    def viewLabel(self) -> QLabel:
        return self._letter

    def barLayout(self) -> Any:
        return self._bar

    def _show_view_node(self, node: Any) -> None:
        if node is None:
            return
        color = QColor.fromRgbF(*node.GetLayoutColor())
        colors = self.palette
        colors.setColor(self.backgroundRole(), color)
        colors.setColor(self.foregroundRole(), "black" if color.lightnessF() > 0.4 else "white")
        self.palette = colors
        self._letter.text = node.GetLayoutLabel() or ""


@register
class qMRMLAbstractViewWidget(qMRMLWidget):
    """A bar above a view; subclasses make both."""

    def __init__(self, bar: QWidget, view: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bar, self._view = bar, view
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(bar)
        column.addWidget(view, 1)

    def mrmlAbstractViewNode(self) -> Any:
        """Return the node of the view; None before it has one."""
        raise NotImplementedError

    def setMRMLAbstractViewNode(self, node: Any) -> None:
        raise NotImplementedError

    def controllerWidget(self) -> QWidget:
        return self._bar

    def viewWidget(self) -> QWidget:
        return self._view

    def _set_label(self, label: str) -> None:
        self.mrmlAbstractViewNode().SetLayoutLabel(label)

    def _set_color(self, color: QColor) -> None:
        self.mrmlAbstractViewNode().SetLayoutColor(color.redF(), color.greenF(), color.blueF())

    viewLabel = Property(str, lambda self: self.mrmlAbstractViewNode().GetLayoutLabel() or "", _set_label)
    viewColor = Property(
        QColor, lambda self: QColor.fromRgbF(*self.mrmlAbstractViewNode().GetLayoutColor()), _set_color
    )

    def setViewLabel(self, label: str) -> None:
        self.viewLabel = label

    def setViewColor(self, color: QColor) -> None:
        self.viewColor = color

    def pauseRender(self) -> None:
        if isinstance(self._view, ctkVTKAbstractView):
            self._view.pauseRender()

    def resumeRender(self) -> None:
        if isinstance(self._view, ctkVTKAbstractView):
            self._view.resumeRender()

    def setRenderPaused(self, paused: bool) -> None:
        if paused:
            self.pauseRender()
        else:
            self.resumeRender()
