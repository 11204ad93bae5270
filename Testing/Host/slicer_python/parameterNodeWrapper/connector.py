"""One widget that shows one parameter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Connector:
    """``read`` returns the value that the widget shows, ``write`` shows another.

    Args:
        signal: the name of the signal of a change; None for a widget that only shows.
    """

    def __init__(self, widget: Any, signal: str | None, read: Callable[[], Any], write: Callable[[Any], None]) -> None:
        self.read = read
        self.write = write
        self._widget = widget
        self._signal = signal
        self._callback: Callable[[], None] | None = None

    @classmethod
    def of_property(
        cls, widget: Any, signal: str | None, name: str, kind: Callable[[Any], Any] | None = None
    ) -> Connector:
        """Return a connector for the property ``name``; ``kind`` makes a parameter out of its value."""

        def read() -> Any:
            value = getattr(widget, name)
            return value if kind is None else kind(value)

        def write(value: Any) -> None:
            if getattr(widget, name) != value:  # a line edit that is set moves its cursor to the end
                setattr(widget, name, value)

        return cls(widget, signal, read, write)

    def connect(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` after every change of the widget."""
        self._callback = callback
        if self._signal is not None:
            getattr(self._widget, self._signal).connect(self._changed)

    def disconnect(self) -> None:
        self._callback = None
        if self._signal is not None:
            getattr(self._widget, self._signal).disconnect(self._changed)

    def _changed(self) -> None:
        if self._callback is not None:
            self._callback()
