"""Hands the mouse and the keys of a widget to VTK: what they do there is decided by Slicer's displayable managers."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QEnterEvent, QKeyEvent, QMouseEvent, QWheelEvent

_BUTTONS = {
    Qt.MouseButton.LeftButton: "LeftButton",
    Qt.MouseButton.MiddleButton: "MiddleButton",
    Qt.MouseButton.RightButton: "RightButton",
}
_ENDINGS = {
    QEvent.Type.MouseButtonPress: "PressEvent",
    QEvent.Type.MouseButtonRelease: "ReleaseEvent",
    QEvent.Type.MouseButtonDblClick: "DoubleClickEvent",
}
_KEYS = {QEvent.Type.KeyPress: "KeyPressEvent", QEvent.Type.KeyRelease: "KeyReleaseEvent"}


class VtkEvents:
    """Turns events of Qt into those of ``interactor``; ``scale``: how many of its pixels make a point of the widget."""

    def __init__(self, interactor: Any) -> None:
        self._interactor = interactor
        self._wheel = 0

    def send(self, event: QEvent, scale: float) -> bool:
        """Send ``event`` on; return whether nobody else needs it any more."""
        kind = event.type()
        if isinstance(event, QWheelEvent):
            self._place(event, scale)
            self._turn_wheel(event.angleDelta().y())
        elif isinstance(event, QEnterEvent):
            self._place(event, scale)
            self._interactor.InvokeEvent("EnterEvent")
            return False
        elif kind == QEvent.Type.Leave:
            self._interactor.InvokeEvent("LeaveEvent")
            return False
        elif isinstance(event, QMouseEvent):
            self._place(event, scale)
            button = _BUTTONS.get(event.button())
            if kind == QEvent.Type.MouseMove:
                self._interactor.InvokeEvent("MouseMoveEvent")
            elif button is not None:
                self._interactor.InvokeEvent(button + _ENDINGS[kind])
        elif kind in _KEYS and event.key() not in (Qt.Key.Key_Tab, Qt.Key.Key_Backtab):
            self._send_key(event, _KEYS[kind])
        else:
            return False
        return True

    def _place(self, event: Any, scale: float) -> None:
        position, keys = event.position() * scale, event.modifiers()
        self._interactor.SetEventInformationFlipY(
            int(position.x()),
            int(position.y()),
            int(bool(keys & Qt.KeyboardModifier.ControlModifier)),
            int(bool(keys & Qt.KeyboardModifier.ShiftModifier)),
            "\0",
            int(event.type() == QEvent.Type.MouseButtonDblClick),
        )
        self._interactor.SetAltKey(int(bool(keys & Qt.KeyboardModifier.AltModifier)))

    def _turn_wheel(self, angle: int) -> None:
        """Send one event per notch: touch pads turn by parts of one."""
        self._wheel += angle
        while abs(self._wheel) >= 120:
            forward = self._wheel > 0
            self._interactor.InvokeEvent("MouseWheelForwardEvent" if forward else "MouseWheelBackwardEvent")
            self._wheel -= 120 if forward else -120

    def _send_key(self, event: QKeyEvent, name: str) -> None:
        text = event.text()
        symbol = text if text.isalnum() else Qt.Key(event.key()).name.removeprefix("Key_")
        keys = event.modifiers()
        self._interactor.SetKeyEventInformation(
            int(bool(keys & Qt.KeyboardModifier.ControlModifier)),
            int(bool(keys & Qt.KeyboardModifier.ShiftModifier)),
            text if len(text) == 1 and text.isascii() else "\0",
            int(event.isAutoRepeat()),
            symbol,
        )
        self._interactor.InvokeEvent(name)
        if name == "KeyPressEvent" and text:
            self._interactor.InvokeEvent("CharEvent")
