"""Turns: one picture per turn of the event loop, so that nothing has to wait for the pictures of all views."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QCoreApplication, QTimer
from PySide6.QtWidgets import QWidget
from shiboken6 import isValid

_NEXT_TURN = 1  # ms; with 0 Qt may call again at once, before other timers that are due


class Turns:
    """A queue of widgets that want to draw."""

    def __init__(self) -> None:
        self._waiting: dict[QWidget, Callable[[], None]] = {}
        self._timer: QTimer | None = None

    def wait(self, widget: QWidget, draw: Callable[[], None]) -> None:
        """Call ``draw`` when it is the turn of ``widget``, if that is still there; it waits once at most."""
        self._waiting.setdefault(widget, draw)
        if self._timer is None or not isValid(self._timer):
            self._timer = QTimer(QCoreApplication.instance())
            self._timer.setSingleShot(True)
            self._timer.timeout.connect(self._next)
        if not self._timer.isActive():
            self._timer.start(_NEXT_TURN)

    def _next(self) -> None:
        widget = next(iter(self._waiting))
        draw = self._waiting.pop(widget)
        if isValid(widget):
            draw()
        if self._waiting:
            self._timer.start(_NEXT_TURN)
