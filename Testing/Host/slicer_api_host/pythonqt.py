"""The rules by which PythonQt, Slicer's bridge to Qt, reads and writes Qt objects; laid over PySide6.

A property is a value (``button.text``, not ``button.text()``), and an unknown name on a C++ object is an error.
`install` patches every class of PySide6 in place, so that objects made in C++, by a .ui file for example, follow too.

Source: PythonQtInstanceWrapper and PythonQtConversion of github.com/MeVisLab/pythonqt.
"""

from __future__ import annotations

import functools
import inspect
import weakref
from types import MethodType
from typing import Any

import shiboken6
from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets
from PySide6.QtCore import QMetaProperty, QObject, SignalInstance

from slicer_api_host import connections
from slicer_api_host.connections import BoundSignal
from slicer_api_host.values import accepted

MODULES = (QtCore, QtGui, QtWidgets, QtUiTools)
CPP_CLASSES: set[type] = set()  # the host's classes that stand for a C++ class of Slicer

_native_read: dict[type, Any] = {}  # some classes of PySide6 have a reader of their own
_names: dict[type, set[str]] = {}  # the properties of the classes seen so far; a destroyed object cannot tell its own
# sizeHint is a property and a virtual method: reading it makes PySide6 look for a Python method of that name, here
_being_read: set[tuple[int, str]] = set()
_native_find_children = QObject.findChildren
_native_color_name = QtGui.QColor.name


def install() -> None:
    """Lay PythonQt's rules over PySide6; once per process, later calls do nothing."""
    if _native_read:
        return
    # PySide6 makes its classes when they are first asked for: vars() holds only those that somebody has used
    members = [getattr(module, name) for module in MODULES for name in dir(module)]
    patched = [member for member in members if inspect.isclass(member) and issubclass(member, QObject)]
    for patched_class in patched:
        _native_read[patched_class] = patched_class.__getattribute__
    for patched_class in patched:
        patched_class.__native_read__ = staticmethod(_native_read[patched_class])
        patched_class.__getattribute__ = _read
        patched_class.__setattr__ = _write
    QtGui.QColor.name = _color_name


def stand_for_cpp(of: type) -> None:
    """Declare that the host's class ``of`` stands for a C++ class: its properties are values, unknown names are errors.

    Its methods that are properties too, such as sizeHint, stay reachable for Qt: PySide6 looks into the object's own
    dictionary before it asks for the attribute, which is the value of the property.
    """
    CPP_CLASSES.add(of)
    own = [c for c in of.__mro__ if c not in _native_read and not c.__module__.startswith(("PySide6", "Shiboken"))]
    both = {name for c in own for name, member in vars(c).items() if inspect.isfunction(member)}
    both = {name for name in both if of.staticMetaObject.indexOfProperty(name) >= 0}
    if not both:
        return
    start = of.__init__

    def start_reachable(self: QObject, *arguments: Any, **named: Any) -> None:
        this = weakref.ref(self)
        for name in both:
            native_attribute(self, "__dict__")[name] = lambda name=name: getattr(type(this()), name)(this())
        start(self, *arguments, **named)

    of.__init__ = functools.wraps(start)(start_reachable)


def native_attribute(owner: QObject, name: str) -> Any:
    """Return what PySide6 has under ``name``: a method where PythonQt gives the value of a property."""
    return type(owner).__native_read__(owner, name)


def is_cpp_class(of: type) -> bool:
    return of in CPP_CLASSES or of.__module__.startswith("PySide6")


def property_of(owner: QObject, name: str) -> QMetaProperty | None:
    """Return the Qt property ``name`` of ``owner``; ``name`` is PythonQt's other name of objectName."""
    declared = QObject.metaObject(owner)
    if type(owner) not in _names:
        _names[type(owner)] = {declared.property(i).name() for i in range(declared.propertyCount())} | {"name"}
    index = declared.indexOfProperty(name)
    if index < 0 and name == "name":
        index = declared.indexOfProperty("objectName")
    return declared.property(index) if index >= 0 else None


def _defined_in_python(owner: QObject, name: str) -> bool:
    """Return whether a Python class derived from the C++ class of ``owner`` has its own ``name``, which goes first."""
    for of in type(owner).__mro__:
        if is_cpp_class(of):
            return False
        if name in vars(of):
            return not isinstance(vars(of)[name], QtCore.Property)
    return False


def _read(owner: QObject, name: str) -> Any:
    if name.startswith("__"):
        return native_attribute(owner, name)
    if name in _METHODS:
        return MethodType(_METHODS[name], owner)
    if not shiboken6.isValid(owner):
        return _read_destroyed(owner, name)
    declared = None if _defined_in_python(owner, name) else property_of(owner, name)
    if declared is not None and (id(owner), name) not in _being_read:
        return _read_property(owner, name, declared)
    try:
        found = native_attribute(owner, "exec" if name == "exec_" else name)
    except AttributeError:
        found = _read_late(owner, name)
        if found is None:
            raise
    return BoundSignal(owner, name, found) if isinstance(found, SignalInstance) else found


def _read_destroyed(owner: QObject, name: str) -> Any:
    if name in _names.get(type(owner), ()):
        raise ValueError(f"Trying to read property '{name}' from a destroyed {type(owner).__name__} object")
    return native_attribute(owner, name)


def _read_property(owner: QObject, name: str, declared: QMetaProperty) -> Any:
    _being_read.add((id(owner), name))
    try:
        return _as_python(declared.read(owner))
    finally:
        _being_read.discard((id(owner), name))


def _as_python(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _read_late(owner: QObject, name: str) -> Any:
    """Return the dynamic property or the child ``name``; None if there is neither."""
    value = QObject.property(owner, name)
    if value is not None:
        return _as_python(value)
    return next((child for child in QObject.children(owner) if QObject.objectName(child) == name), None)


def _write(owner: QObject, name: str, value: Any) -> None:
    if name.startswith("__") or isinstance(value, SignalInstance):
        _write_plain(owner, name, value)
        return
    is_valid = shiboken6.isValid(owner)
    if not is_valid and name in _names.get(type(owner), ()):
        raise AttributeError(f"Trying to set property '{name}' on a destroyed {type(owner).__name__} object")
    declared = property_of(owner, name) if is_valid else None
    if declared is not None:
        _write_property(owner, name, declared, value)
    elif is_valid and QObject.property(owner, name) is not None:
        QObject.setProperty(owner, name, value)
    elif is_cpp_class(type(owner)) and not (name.startswith("_") and type(owner) in CPP_CLASSES):
        raise AttributeError(
            f"'{name}' does not exist on {type(owner).__name__} "
            "and creating new attributes on C++ objects is not allowed"
        )
    else:
        _write_plain(owner, name, value)


def _write_property(owner: QObject, name: str, declared: QMetaProperty, value: Any) -> None:
    if not declared.isWritable():
        raise AttributeError(f"Property '{name}' of {type(owner).__name__} object is not writable")
    try:
        written = declared.write(owner, accepted(declared, owner, value))
    except (TypeError, ValueError):
        written = False
    if not written:
        raise AttributeError(
            f"Property '{name}' of type '{declared.typeName()}' does not accept an object of type "
            f"{type(value).__name__} ({value!r})"
        )


def _write_plain(owner: QObject, name: str, value: Any) -> None:
    # PySide6 forbids object.__setattr__ on its classes
    descriptor = next((vars(of)[name] for of in type(owner).__mro__ if name in vars(of)), None)
    if hasattr(descriptor, "__set__"):
        descriptor.__set__(owner, value)
    else:
        native_attribute(owner, "__dict__")[name] = value


def _connect(owner: QObject, signal: Any, *arguments: Any) -> Any:
    # PySide6 itself passes objects and SIGNAL() texts
    if not isinstance(signal, str):
        return native_attribute(owner, "connect")(signal, *arguments)
    return connections.connect(owner, signal, *arguments)


def _disconnect(owner: QObject, *arguments: Any) -> Any:
    if not arguments or not isinstance(arguments[0], str):
        return native_attribute(owner, "disconnect")(*arguments)
    return connections.disconnect(owner, *arguments)


def _find_children(owner: QObject, of: Any = QObject, name: str | None = None) -> tuple:
    """Return the objects below ``owner``, by class or by the name of a class."""
    wanted = QObject if isinstance(of, str) else of
    found = _native_find_children(owner, wanted) if name is None else _native_find_children(owner, wanted, name)
    return tuple(child for child in found if not isinstance(of, str) or QObject.inherits(child, of))


def _color_name(color: QtGui.QColor, name_format: Any = QtGui.QColor.NameFormat.HexRgb) -> str:
    return _native_color_name(color, QtGui.QColor.NameFormat(name_format))


_METHODS = {
    "connect": _connect,
    "disconnect": _disconnect,
    "findChildren": _find_children,
    "className": lambda owner: QObject.metaObject(owner).className(),
    "delete": shiboken6.delete,
}
