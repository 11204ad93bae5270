"""CTK's base of Slicer's views: how a picture is requested, paused and written on."""

from __future__ import annotations

from typing import Any

import vtk
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QWidget

from slicer_api_host.declare import Property, register, stored_property
from slicer_api_host.views.drawn_widget import DrawnWidget

LOWER_LEFT = 0  # where vtkCornerAnnotation puts a text
UPPER_LEFT = 2


@register
class ctkVTKAbstractView(DrawnWidget):
    """A view with a corner annotation; it is drawn while it is visible and neither disabled nor paused."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pauses = 0
        self._corner = vtk.vtkCornerAnnotation()
        self._corner.SetMaximumLineHeight(0.07)
        self._corner.GetTextProperty().ShadowOn()
        self._off_screen.renderer.AddViewProp(self._corner)

    renderEnabled = stored_property(bool, "renderEnabled", True, after="_request")

    def _set_text(self, text: str) -> None:
        self._corner.ClearAllTexts()
        self._corner.SetText(UPPER_LEFT, text)

    cornerAnnotationText = Property(str, lambda self: self._corner.GetText(UPPER_LEFT) or "", _set_text)

    def _set_background(self, color: QColor) -> None:
        self._off_screen.renderer.SetBackground(color.redF(), color.greenF(), color.blueF())

    backgroundColor = Property(
        QColor, lambda self: QColor.fromRgbF(*self._off_screen.renderer.GetBackground()), _set_background
    )

    def setRenderEnabled(self, enabled: bool) -> None:
        self.renderEnabled = enabled

    def setCornerAnnotationText(self, text: str) -> None:
        self.cornerAnnotationText = text

    def setBackgroundColor(self, color: QColor) -> None:
        self.backgroundColor = color

    def renderWindow(self) -> Any:
        return self._off_screen.window

    def interactor(self) -> Any:
        return self._off_screen.interactor

    def interactorStyle(self) -> Any:
        return self._off_screen.interactor.GetInteractorStyle()

    def cornerAnnotation(self) -> Any:
        return self._corner

    def scheduleRender(self) -> None:
        self._request()

    def forceRender(self) -> None:
        """Draw now, even while paused, if the view can be seen."""
        if self.renderEnabled and self.visible:
            self._draw()
            self.update()

    def pauseRender(self) -> int:
        self._pauses += 1
        return self._pauses

    def resumeRender(self) -> int:
        """Undo one pause; return how many remain."""
        if self._pauses == 0:
            raise RuntimeError("the view is not paused")
        self._pauses -= 1
        if self._pauses == 0 and self._is_old:
            self._request()
        return self._pauses

    def setRenderPaused(self, paused: bool) -> int:
        return self.pauseRender() if paused else self.resumeRender()

    def _may_draw(self) -> bool:
        return super()._may_draw() and self.renderEnabled and self._pauses == 0

    def _close(self) -> None:
        self._corner = None
        super()._close()
