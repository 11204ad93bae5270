"""Turns: one picture per turn of the event loop, so that nothing has to wait for the pictures of all views."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QTimer
from shiboken6 import isValid

if TYPE_CHECKING:
    from slicer_api_host.views.drawn_widget import DrawnWidget

_NEXT_TURN = 1  # ms; with 0 Qt may call again at once, before other timers that are due


class Turns:
    """A queue of widgets that want to draw."""

    def __init__(self) -> None:
        self._waiting: list[DrawnWidget] = []
        self._timer: QTimer | None = None

    def wait(self, widget: DrawnWidget) -> None:
        """Let ``widget`` draw when it is its turn; it waits once at most."""
        if widget not in self._waiting:
            self._waiting.append(widget)
        if self._timer is None or not isValid(self._timer):
            self._timer = QTimer(QCoreApplication.instance())
            self._timer.setSingleShot(True)
            self._timer.timeout.connect(self._next)
        if not self._timer.isActive():
            self._timer.start(_NEXT_TURN)

    def _next(self) -> None:
        widget = self._waiting.pop(0)
        if isValid(widget):
            widget.take_turn()
        if self._waiting:
            self._timer.start(_NEXT_TURN)
