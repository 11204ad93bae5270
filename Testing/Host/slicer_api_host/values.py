"""Which Python values a Qt property takes: what PythonQt takes without its guesses (str of anything, None as False)."""

from __future__ import annotations

import operator
from collections.abc import Callable
from enum import Enum, Flag
from typing import Any

from PySide6.QtCore import QMetaProperty, QObject
from PySide6.QtGui import QColor

_ANY = {"PyObject", "PySide::PyObjectWrapper", "QVariant"}


def _whole(value: Any) -> int:
    number = value.value if isinstance(value, Enum) else value
    if isinstance(number, float) and number.is_integer():
        return int(number)
    return operator.index(number)


def _real(value: Any) -> float:
    return float(value if hasattr(value, "__float__") else operator.index(value))


def _truth(value: Any) -> bool:
    return bool(operator.index(value))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _several(value: Any) -> list:
    if not isinstance(value, list | tuple):
        raise TypeError(f"{value!r} is no list")
    return list(value)


def _texts(value: Any) -> list[str]:
    return [_text(item) for item in _several(value)]


_TAKEN: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("int", "uint", "short", "ushort", "long", "ulong", "qlonglong", "qulonglong"), _whole),
    **dict.fromkeys(("double", "float"), _real),
    "bool": _truth,
    "QString": _text,
    "QStringList": _texts,
    "QVariantList": _several,
}


def accepted(declared: QMetaProperty, owner: QObject, value: Any) -> Any:
    """Return ``value`` as the property ``declared`` of ``owner`` stores it.

    Raises:
        TypeError: the property does not take values of this type.
        ValueError: the enum of the property has no such number.
    """
    name = declared.typeName()
    if name in _ANY or name.endswith("*"):
        return value
    if name in _TAKEN:
        return _TAKEN[name](value)
    return _as_stored(declared.read(owner), value)


def _enumerator(of: type[Enum], number: int) -> Enum:
    # PySide6 makes an enumerator of any number
    if not issubclass(of, Flag) and number not in {member.value for member in of}:
        raise ValueError(f"{number} is no {of.__name__}")
    return of(number)


def _as_stored(stored: Any, value: Any) -> Any:
    if isinstance(stored, Enum):
        return _enumerator(type(stored), _whole(value))
    if isinstance(stored, list):
        return _several(value)
    # PythonQt makes no icon of a path and no font of a name
    if value is None or (stored is not None and not isinstance(value, type(stored))):
        raise TypeError(f"{value!r} is no {type(stored).__name__}")
    # QVariant does not know a subclass, nor does the constructor of QColor
    return value.convertTo(value.spec()) if isinstance(value, QColor) else value
