"""CTK's functions for widgets."""

from __future__ import annotations

from PySide6.QtCore import QRect
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QWidget


class ctkWidgetsUtils:
    """What ``ctk.ctkWidgetsUtils`` offers."""

    @staticmethod
    def grabWidget(widget: QWidget, rectangle: QRect | None = None) -> QImage:
        """Return the picture of ``widget``, or of the part of it in ``rectangle``."""
        picture = widget.grab() if rectangle is None or rectangle.isNull() else widget.grab(rectangle)
        return picture.toImage()
