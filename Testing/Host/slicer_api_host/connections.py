"""Connections as PythonQt makes them: ``button.connect("clicked(bool)", f)`` and ``button.clicked.connect(f)``.

Source: how PythonQt (github.com/MeVisLab/pythonqt, PythonQtSignalReceiver) keeps and calls what is connected.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import shiboken6
from PySide6.QtCore import QMetaObject, QObject, SignalInstance

from slicer_api_host.receivers import receiver_of, taken_arguments

_native_connect = QObject.connect
_native_disconnect = QObject.disconnect
_VTK_POINTER = re.compile(r"\bvtk\w+\s*\*")
_INDEX_TYPE = re.compile(r"\bvtkIdType\b")


@dataclass(frozen=True)
class _Connection:
    signal: str
    receiver: Hashable
    handle: QMetaObject.Connection


_made: dict[int, list[_Connection]] = {}  # by the address of the sender; its Python wrapper may come and go

_first: dict[tuple[type, str], str] = {}


def normalized(signature: str) -> str:
    """Return ``signature`` as a host class declares it: MRML objects travel as Python objects."""
    known = _INDEX_TYPE.sub("qlonglong", _VTK_POINTER.sub("PyObject", signature.lstrip("12")))
    return bytes(QMetaObject.normalizedSignature(known)).decode()


def connect(sender: QObject, signal: str, receiver: Any, slot: str | None = None) -> bool:
    """Call ``receiver``, or the ``slot`` of the object ``receiver``, whenever ``sender`` emits ``signal``.

    As in PythonQt the connection keeps a callable ``receiver`` alive, and lasts until it is undone or ``sender`` is
    deleted. Methods of objects that stand for C++ are not kept, as C++ keeps no receiver.

    Raises:
        ValueError: the signal or the slot does not exist, or they do not fit. (PythonQt prints it and returns False.)
        TypeError: ``receiver`` cannot be called.
    """
    signature = _signal_of(sender, signal)
    if isinstance(receiver, BoundSignal):
        _connect_to_cpp(sender, signature, receiver.owner, f"2{receiver.signature}")
    elif slot is None:
        _connect_to_python(sender, signature, receiver)
    elif QObject.metaObject(receiver).indexOfMethod(normalized(slot)) >= 0:
        _connect_to_cpp(sender, signature, receiver, f"1{normalized(slot)}")
    else:
        _connect_to_python(sender, signature, _method_of(receiver, slot), _slot_key(receiver, f"1{normalized(slot)}"))
    return True


def disconnect(sender: QObject, signal: str, receiver: Any = None, slot: str | None = None) -> bool:
    """Undo the connections of ``signal`` to ``receiver``, or to all receivers; return whether there was any.

    Raises:
        ValueError: the signal does not exist.
    """
    signature = _signal_of(sender, signal)
    if isinstance(receiver, BoundSignal):
        wanted = _slot_key(receiver.owner, f"2{receiver.signature}")
    else:
        wanted = _slot_key(receiver, f"1{normalized(slot)}") if slot else receiver_of(receiver)
    connections = _made.get(_address(sender), [])
    undone = [c for c in connections if c.signal == signature and (receiver is None or c.receiver == wanted)]
    for connection in undone:
        _native_disconnect(connection.handle)
        connections.remove(connection)
    return bool(undone)


class BoundSignal:
    """A signal of an object, as ``button.clicked``: what is connected to it follows the rules of this module."""

    def __init__(self, owner: QObject, name: str, native: SignalInstance, overload: str = "") -> None:
        self.owner, self.name, self._native = owner, name, native
        self.signature = overload or _first_of_name(owner, name)

    def __getitem__(self, overload: Any) -> BoundSignal:
        native = self._native[overload]
        return BoundSignal(self.owner, self.name, native, repr(native).split()[1])  # PySide6 tells it in no other way

    def connect(self, receiver: Any) -> bool:
        return connect(self.owner, self.signature, receiver)

    def disconnect(self, receiver: Any = None) -> bool:
        return disconnect(self.owner, self.signature, receiver)

    def emit(self, *arguments: Any) -> None:
        # of clicked() and clicked(bool), PySide6 takes the shorter one
        types = self.signature.partition("(")[2].rstrip(")").split(",")
        fitting = self._native[tuple(types)] if arguments and len(types) == len(arguments) else self._native
        fitting.emit(*arguments)


def _first_of_name(owner: QObject, name: str) -> str:
    """Return the signature that ``name`` alone means: where an argument has a default, the full one goes first."""
    known = (type(owner), name)
    if known not in _first:
        declared = QObject.metaObject(owner)
        methods = (declared.method(index) for index in range(declared.methodCount()))
        _first[known] = next(bytes(m.methodSignature()).decode() for m in methods if bytes(m.name()).decode() == name)
    return _first[known]


def _signal_of(sender: QObject, signal: str) -> str:
    signature, declared = normalized(signal), QObject.metaObject(sender)
    if declared.indexOfSignal(signature) < 0:
        raise ValueError(f"Signal '{signal}' does not exist on {declared.className()}.")
    return signature


def _method_of(receiver: QObject, slot: str) -> Any:
    # the slots of a class written in Python are its methods
    name = normalized(slot).partition("(")[0]
    of_python = not type(receiver).__module__.startswith("PySide6")
    method = getattr(receiver, name, None) if of_python else None
    if not callable(method):
        raise ValueError(f"Slot '{slot}' does not exist on {QObject.metaObject(receiver).className()}.")
    return method


def _connect_to_cpp(sender: QObject, signature: str, receiver: QObject, member: str) -> None:
    if not QMetaObject.checkConnectArgs(signature, member[1:]):
        raise ValueError(f"Signal '{signature}' does not bring the arguments of '{member[1:]}'.")
    handle = _native_connect(sender, f"2{signature}", receiver, member)
    _note(sender, _Connection(signature, _slot_key(receiver, member), handle))


def _connect_to_python(sender: QObject, signature: str, called: Any, key: Hashable = None) -> None:
    if not callable(called):
        raise TypeError(f"'{signature}' cannot be connected to {called!r}, which is not callable.")
    receiver, taken = receiver_of(called), taken_arguments(called)

    def relay(*arguments: Any) -> None:
        reached = receiver.reach()
        if reached is not None:
            reached(*arguments[:taken])

    handle = _native_connect(sender, f"2{signature}", relay)
    _note(sender, _Connection(signature, key or receiver, handle))


def _note(sender: QObject, connection: _Connection) -> None:
    address = _address(sender)
    if address not in _made:
        _made[address] = []
        _native_connect(sender, "2destroyed()", lambda: _made.pop(address, None))
    _made[address].append(connection)


def _address(of: QObject) -> int:
    return shiboken6.getCppPointer(of)[0]


def _slot_key(receiver: QObject, member: str) -> Hashable:
    return (_address(receiver), member)
