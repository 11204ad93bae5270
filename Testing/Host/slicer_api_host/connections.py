"""Connections by signature, as PythonQt makes them: ``button.connect("clicked(bool)", self.onApply)``.

Source: how PythonQt (github.com/MeVisLab/pythonqt, PythonQtSignalReceiver) calls what is connected.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from inspect import CO_VARARGS
from types import FunctionType, MethodType
from typing import Any

import shiboken6
from PySide6.QtCore import QMetaObject, QObject

_native_connect = QObject.connect
_native_disconnect = QObject.disconnect
_VTK_POINTER = re.compile(r"\bvtk\w+\s*\*")
_INDEX_TYPE = re.compile(r"\bvtkIdType\b")


@dataclass(frozen=True)
class _Connection:
    signal: str
    receiver: Any
    handle: QMetaObject.Connection


_made: dict[int, list[_Connection]] = {}  # by the address of the sender; its Python wrapper may come and go


def normalized(signature: str) -> str:
    """Return ``signature`` as a host class declares it: MRML objects travel as Python objects."""
    known = _INDEX_TYPE.sub("qlonglong", _VTK_POINTER.sub("PyObject", signature.lstrip("12")))
    return bytes(QMetaObject.normalizedSignature(known)).decode()


def argument_count(signature: str) -> int:
    inside = signature[signature.index("(") + 1 : signature.rindex(")")]
    return inside.count(",") + 1 if inside else 0


def _taken(receiver: Callable) -> int | None:
    """Return how many arguments of a signal ``receiver`` gets; None for all, as what is no function or method does."""
    function = receiver.__func__ if isinstance(receiver, MethodType) else receiver
    if not isinstance(function, FunctionType) or function.__code__.co_flags & CO_VARARGS:
        return None
    return function.__code__.co_argcount - isinstance(receiver, MethodType)


def _signal_of(sender: QObject, signal: str) -> str:
    signature, declared = normalized(signal), QObject.metaObject(sender)
    if declared.indexOfSignal(signature) < 0:
        raise ValueError(f"Signal '{signal}' does not exist on {declared.className()}.")
    return signature


def _slot_of(receiver: QObject, slot: str) -> Callable:
    signature = normalized(slot)
    name, count = signature.partition("(")[0], argument_count(signature)
    declared = QObject.metaObject(receiver)
    # the slots of a class written in Python are its methods
    method = getattr(receiver, name, None)
    if not callable(method) or (
        type(receiver).__module__.startswith("PySide6") and declared.indexOfMethod(signature) < 0
    ):
        raise ValueError(f"Slot '{slot}' does not exist on {declared.className()}.")
    return lambda *arguments: shiboken6.isValid(receiver) and method(*arguments[:count])


def connect(sender: QObject, signal: str, receiver: Any, slot: str | None = None) -> bool:
    """Call ``receiver``, or the ``slot`` of the object ``receiver``, whenever ``sender`` emits ``signal``.

    As in PythonQt the connection keeps ``receiver`` alive, and lasts until it is undone or ``sender`` is deleted.

    Raises:
        ValueError: the signal or the slot does not exist. (PythonQt prints a line and returns False.)
        TypeError: ``receiver`` cannot be called.
    """
    signature = _signal_of(sender, signal)
    called = receiver if slot is None else _slot_of(receiver, slot)
    if not callable(called):
        raise TypeError(f"{signal} cannot be connected to {called!r}, which is not callable.")
    taken = _taken(called)

    def relay(*arguments: Any) -> None:
        called(*arguments[:taken])

    handle = _native_connect(sender, f"2{signature}", relay)
    address = shiboken6.getCppPointer(sender)[0]
    if address not in _made:
        _made[address] = []
        _native_connect(sender, "2destroyed()", lambda: _made.pop(address, None))
    _made[address].append(_Connection(signature, (receiver, slot), handle))
    return True


def disconnect(sender: QObject, signal: str, receiver: Any = None, slot: str | None = None) -> bool:
    """Undo the connections of ``signal`` to ``receiver``, or to all receivers; return whether there was any.

    Raises:
        ValueError: the signal does not exist.
    """
    signature = _signal_of(sender, signal)
    connections = _made.get(shiboken6.getCppPointer(sender)[0], [])
    undone = [c for c in connections if c.signal == signature and (receiver is None or c.receiver == (receiver, slot))]
    for connection in undone:
        _native_disconnect(connection.handle)
        connections.remove(connection)
    return bool(undone)
