"""How the host's widgets declare what Slicer's C++ widgets have: Qt properties, signals, a name for .ui files."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Property, QObject, Signal, Slot

from slicer_api_host import pythonqt

__all__ = ["WIDGETS", "Property", "Signal", "Slot", "forwarded_property", "register", "stored_property"]

WIDGETS: dict[str, type] = {}  # what a .ui file can name besides the classes of Qt

pythonqt.install()


def stored_property(ctype: Any, name: str, default: Any, after: str | None = None) -> Property:
    """Return a Qt property that keeps its value on the object.

    Args:
        ctype: the type, as PySide6's Property takes it: a Python type or the name of a C++ type.
        name: the name of the property; the value is kept under ``_name``.
        default: the first value, or a function without arguments that makes it.
        after: the name of the method, without arguments, to call when the value has changed.
    """
    kept = f"_{name}"

    def read(owner: QObject) -> Any:
        values = pythonqt.native_attribute(owner, "__dict__")
        if kept not in values:
            values[kept] = default() if callable(default) else default
        return values[kept]

    def write(owner: QObject, value: Any) -> None:
        if read(owner) == value:
            return
        pythonqt.native_attribute(owner, "__dict__")[kept] = value
        if after is not None:
            getattr(owner, after)()

    return Property(ctype, read, write)


def forwarded_property(ctype: Any, name: str, *parts: str) -> Property:
    """Return a Qt property that the widgets ``parts`` of the object keep: all are written, the first is read."""

    def read(owner: QObject) -> Any:
        return getattr(getattr(owner, parts[0]), name)

    def write(owner: QObject, value: Any) -> None:
        for part in parts:
            setattr(getattr(owner, part), name, value)

    return Property(ctype, read, write)


def register(widget: type) -> type:
    """Declare that ``widget`` stands for the C++ class of its name; .ui files can name it."""
    WIDGETS[widget.__name__] = widget
    pythonqt.stand_for_cpp(widget)
    return widget
