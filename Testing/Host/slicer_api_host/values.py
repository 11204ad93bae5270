"""Which Python values a Qt property takes: what PythonQt takes without its guesses (str of anything, None as False)."""

from __future__ import annotations

from enum import Enum
from typing import Any

from PySide6.QtCore import QMetaProperty, QObject
from PySide6.QtGui import QColor

_INTEGERS = {"int", "uint", "short", "ushort", "long", "ulong", "qlonglong", "qulonglong"}
_REAL = {"double", "float"}
_ANY = {"PyObject", "QVariant"}
_LISTS = {"QStringList", "QVariantList"}


def _whole(value: Any) -> int:
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return int(value)
    raise TypeError


def _real(value: Any) -> float:
    if isinstance(value, Enum):
        raise TypeError
    return float(value) if hasattr(value, "__float__") or hasattr(value, "__index__") else _refuse()


def _refuse() -> Any:
    raise TypeError


def _truth(value: Any) -> bool:
    return bool(value) if isinstance(value, int) else _refuse()


def _enumerator(of: type[Enum], value: Any) -> Enum:
    try:
        return of(_whole(value.value if isinstance(value, Enum) else value))
    except ValueError:
        return _refuse()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else _refuse()


def _list(value: Any, of_text: bool) -> list:
    if not isinstance(value, list | tuple):
        raise TypeError
    return [_text(item) for item in value] if of_text else list(value)


def accepted(declared: QMetaProperty, owner: QObject, value: Any) -> Any:
    """Return ``value`` as the property ``declared`` of ``owner`` stores it.

    Raises:
        TypeError: the property does not take such a value.
    """
    name = declared.typeName()
    if name in _ANY or name.endswith("*"):
        return value
    if value is None:
        raise TypeError
    if name in _INTEGERS:
        return _whole(value.value if isinstance(value, Enum) else value)
    if name in _REAL:
        return _real(value)
    if name == "bool":
        return _truth(value)
    if name == "QString":
        return _text(value)
    if name in _LISTS:
        return _list(value, of_text=name == "QStringList")
    stored = declared.read(owner)
    if isinstance(stored, Enum):
        return _enumerator(type(stored), value)
    if name == "QColor" and isinstance(value, QColor):
        return QColor(value)  # QVariant does not know a subclass
    return value
