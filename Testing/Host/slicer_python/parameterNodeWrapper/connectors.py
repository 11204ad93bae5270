"""Which kind of widget shows which type of parameter, and how.

A widget must be of exactly the named class: of a class derived from it nobody knows that it behaves the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, get_args

import slicer

from .annotations import Decimals, SingleStep, first, split
from .connector import Connector
from .kinds import PATHS, is_union
from .validators import Choice, Maximum, Minimum, WithinRange

Notes = tuple[Any, ...]


def connector_of(widget: Any, hint: Any) -> Connector:
    """Return what connects ``widget`` to a parameter of the annotated type ``hint``.

    Raises:
        RuntimeError: such a widget cannot show such a parameter.
    """
    kind, notes = split(hint)
    for names, fits, make in _CONNECTORS:
        if type(widget).__name__ in names and fits(kind):
            return make(widget, kind, notes)
    raise RuntimeError(f"{_named(widget)} cannot show a parameter of the type {hint}.")


def _named(widget: Any) -> str:
    return f"The {type(widget).__name__} '{widget.objectName}'"


def _of_property(signal: str | None, name: str) -> Callable[[Any, Any, Notes], Connector]:
    return lambda widget, _kind, _notes: Connector.of_property(widget, signal, name)


def _button(widget: Any, _kind: Any, _notes: Notes) -> Connector:
    if not widget.checkable:
        raise RuntimeError(f"{_named(widget)} is not checkable, so it cannot show a bool.")
    return Connector.of_property(widget, "toggled", "checked")


def _whole_number(widget: Any, _kind: Any, notes: Notes) -> Connector:
    _set_step(widget, notes)
    widget.setRange(*_limits(widget, notes, lowest=-(2**31), highest=2**31 - 1))
    return Connector.of_property(widget, "valueChanged", "value")


def _number(widget: Any, kind: Any, notes: Notes) -> Connector:
    decimals = Decimals(0) if kind is int else first(notes, Decimals)
    if decimals is not None and type(widget).__name__ != "ctkDoubleSlider":
        widget.decimals = decimals.value
    _set_step(widget, notes)
    widget.minimum, widget.maximum = _limits(widget, notes, lowest=float("-inf"), highest=float("inf"))
    return Connector.of_property(widget, "valueChanged", "value", kind)


def _set_step(widget: Any, notes: Notes) -> None:
    step = first(notes, SingleStep)
    if step is not None:
        widget.singleStep = step.value


def _limits(widget: Any, notes: Notes, *, lowest: float, highest: float) -> tuple[float, float]:
    """Return the least and the greatest value that the annotations allow.

    Raises:
        RuntimeError: an end is open, and the widget is a slider.
    """
    both, low, high = (first(notes, validator) for validator in (WithinRange, Minimum, Maximum))
    low, high = both or low, both or high
    if type(widget).__name__ in _SLIDERS and (low is None or high is None):
        raise RuntimeError(f"{_named(widget)} needs a parameter with a least and a greatest value.")
    return lowest if low is None else low.minimum, highest if high is None else high.maximum


def _choices(widget: Any, _kind: Any, notes: Notes) -> Connector:
    choice = first(notes, Choice)
    if choice is None:
        raise RuntimeError(f"{_named(widget)} needs a parameter with the annotation Choice.")
    return _items(widget, [(str(value), value) for value in choice.choices])


def _members(widget: Any, kind: type[Enum], _notes: Notes) -> Connector:
    label = getattr(kind, "label", lambda member: member.name)
    return _items(widget, [(label(member), member) for member in kind])


def _items(widget: Any, items: Sequence[tuple[str, Any]]) -> Connector:
    """Fill a combo box with ``items``, each a text and the value that it stands for."""
    values = [value for _, value in items]
    widget.clear()
    for text, _ in items:
        widget.addItem(text)

    def write(value: Any) -> None:
        widget.currentIndex = values.index(value)

    return Connector(widget, "currentIndexChanged", lambda: values[widget.currentIndex], write)


def _text(widget: Any, _kind: Any, _notes: Notes) -> Connector:
    return Connector(widget, "textChanged", widget.toPlainText, widget.setPlainText)


def _path(signal: str, name: str) -> Callable[[Any, Any, Notes], Connector]:
    def make(widget: Any, kind: Any, _notes: Notes) -> Connector:
        def write(path: Any) -> None:
            setattr(widget, name, str(path))

        return Connector(widget, signal, lambda: kind(getattr(widget, name)), write)

    return make


def _node(widget: Any, kind: Any, _notes: Notes) -> Connector:
    widget.nodeTypes = tuple(member().GetClassName() for member in _members_of(kind) if member is not type(None))
    return Connector(widget, "currentNodeChanged", widget.currentNode, widget.setCurrentNode)


def _members_of(kind: Any) -> list[Any]:
    return [split(member)[0] for member in (get_args(kind) if is_union(kind) else (kind,))]


def _is_node(kind: Any) -> bool:
    nodes = (slicer.vtkMRMLNode, type(None))
    return all(isinstance(member, type) and issubclass(member, nodes) for member in _members_of(kind))


def _is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Enum)


def _one_of(*kinds: Any) -> Callable[[Any], bool]:
    return lambda kind: kind in kinds


_SLIDERS = ("QSlider", "ctkSliderWidget", "qMRMLSliderWidget")
_NUMBERS = ("QDoubleSpinBox", "ctkDoubleSpinBox", "qMRMLSpinBox", "ctkDoubleSlider", *_SLIDERS[1:])
_BOXES = ("QComboBox", "ctkComboBox")
_CONNECTORS: list[tuple[tuple[str, ...], Callable[[Any], bool], Callable[[Any, Any, Notes], Connector]]] = [
    (("QCheckBox", "ctkCheckBox"), _one_of(bool), _of_property("stateChanged", "checked")),
    (("QPushButton",), _one_of(bool), _button),
    (("QSlider", "QSpinBox"), _one_of(int), _whole_number),
    (_NUMBERS, _one_of(int, float), _number),
    (_BOXES, _one_of(int, float, str, bool), _choices),
    (_BOXES, _is_enum, _members),
    (("QLineEdit",), _one_of(str), _of_property("textChanged", "text")),
    (("QLabel",), _one_of(str), _of_property(None, "text")),
    (("QTextEdit",), _one_of(str), _text),
    (("ctkPathLineEdit",), _one_of(*PATHS), _path("currentPathChanged", "currentPath")),
    (("ctkDirectoryButton",), _one_of(*PATHS), _path("directoryChanged", "directory")),
    (("qMRMLNodeComboBox",), _is_node, _node),
]
