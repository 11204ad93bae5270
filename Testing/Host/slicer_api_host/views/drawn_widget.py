"""A widget that shows what an off-screen VTK window draws."""

from __future__ import annotations

import logging
import time

from PySide6.QtCore import QEvent, QSize, Qt, QTimer
from PySide6.QtGui import QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from slicer_api_host.views.mouse import VtkEvents
from slicer_api_host.views.off_screen import OffScreenWindow
from slicer_api_host.views.turns import Turns

SECONDS_BETWEEN = 1 / 30  # the shortest time between two pictures that were only requested
_TURNS = Turns()


class DrawnWidget(QWidget):
    """Draws soon after something has requested a new picture; many requests make one picture.

    It waits for its turn, but if it is painted before, it draws at once.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._off_screen = OffScreenWindow()
        self._events = VtkEvents(self._off_screen.interactor)
        self._image: QImage | None = None
        self._is_old = True
        self._is_shown_now = False
        self._drawn_at = 0.0
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._wait_for_turn)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.WheelFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.destroyed.connect(self._off_screen.close)

    def _request(self) -> None:
        """Have a new picture soon, unless one is coming already."""
        self._is_old = True
        if not self._timer.isActive():
            wait = self._drawn_at + SECONDS_BETWEEN - time.monotonic()
            self._timer.start(max(0, round(wait * 1000)))

    def _draw(self) -> None:
        """Make a new picture now."""
        self._timer.stop()
        size = self._size_in_pixels()
        self._off_screen.resize(size.width(), size.height())
        self._is_old = False
        self._off_screen.render()
        self._drawn_at = time.monotonic()
        pixels = self._off_screen.pixels()
        height, width = pixels.shape[:2]
        self._image = QImage(pixels.data, width, height, width * 4, QImage.Format.Format_RGBX8888).copy()

    def _wait_for_turn(self) -> None:
        _TURNS.wait(self, self._take_turn)

    def _take_turn(self) -> None:
        """Make a new picture if one is wanted that can be seen, and have it painted."""
        if self.visible:
            self._draw_if_needed()
            self._is_shown_now = True  # what was requested while it was drawn waits for a turn of its own
            self.repaint()
            self._is_shown_now = False

    def _draw_if_needed(self) -> None:
        try:
            if self._may_draw() and self._needs_picture():
                self._draw()
        except Exception:
            logging.getLogger(__name__).exception("a view could not be drawn")

    def _may_draw(self) -> bool:
        return self._off_screen.window is not None

    def _needs_picture(self) -> bool:
        return self._is_old or self._image is None or self._image.size() != self._size_in_pixels()

    def _size_in_pixels(self) -> QSize:
        return self.size * self.devicePixelRatioF()

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._is_shown_now:
            self._draw_if_needed()
        # an error that left the painter open would end the process at the next paint event
        painter = QPainter(self)
        try:
            if self._image is None:
                painter.fillRect(event.rect(), Qt.GlobalColor.black)
            else:
                painter.drawImage(self.rect, self._image)
        finally:
            painter.end()

    def event(self, event: QEvent) -> bool:
        events = self.__dict__.get("_events")  # none before the constructor has run, nor after _close
        if events is not None and self.enabled and events.send(event, self.devicePixelRatioF()):
            event.accept()
            return True
        return super().event(event)

    def sizeHint(self) -> QSize:
        return QSize(300, 300)

    def minimumSizeHint(self) -> QSize:
        return QSize(50, 50)

    def _close(self) -> None:
        self._timer.stop()
        self._events = None
        self._off_screen.close()
