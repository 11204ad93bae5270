"""What a .ui file says: its widgets, their properties and the connections between them."""

from __future__ import annotations

import operator
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from functools import reduce
from typing import NamedTuple

from PySide6 import QtCore, QtGui, QtWidgets

from slicer_api_host.declare import WIDGETS

Element = ElementTree.Element

LINE = "Line"  # what Designer calls a frame that is drawn as a line
_NUMBERS = {"int", "uint", "qlonglong", "qulonglong", "double", "float", "QVariant"}
# the types of property that a value of a .ui file can be written to, by its tag
_TYPES = {
    "bool": {"bool", "QVariant"},
    "number": _NUMBERS,
    "double": _NUMBERS,
    "string": {"QString", "QKeySequence", "QUrl", "QByteArray", "QVariant"},
    "stringlist": {"QStringList", "QVariant"},
}


class Link(NamedTuple):
    """A connection: the names of two objects with the signature of a signal and of a slot."""

    sender: str
    signal: str
    receiver: str
    slot: str


class Setting(NamedTuple):
    """A property that the file sets on a widget; ``place`` counts the widgets of the file."""

    place: int
    class_name: str
    object_name: str
    property_name: str
    value: Element


def read(data: bytes) -> Element:
    """Return the tree of the .ui file ``data``.

    Raises:
        ValueError: this is no .ui file, or it uses widget classes that the host does not know.
    """
    try:
        root = ElementTree.fromstring(data)
    except ElementTree.ParseError as error:
        raise ValueError(f"The .ui file cannot be read: {error}.") from error
    used = {element.get("class", "") for element in root.iter("widget")}
    unknown = sorted(name for name in used - {LINE} if name not in WIDGETS and not hasattr(QtWidgets, name))
    if unknown:
        raise ValueError(f"The .ui file uses widget classes that the host does not know: {', '.join(unknown)}.")
    return root


def take_links(root: Element) -> list[Link]:
    """Take the connections out of the file and return them."""
    connections = root.find("connections")
    if connections is None:
        return []
    root.remove(connections)
    return [Link(*(connection.findtext(field, "") for field in Link._fields)) for connection in connections]


def take_enumerators(root: Element) -> list[Setting]:
    """Take the enums and flags that are set on host widgets out of the file and return them: Qt cannot read these."""
    taken = []
    for place, element in enumerate(root.iter("widget")):
        for declared in element.findall("property") if element.get("class") in WIDGETS else ():
            if declared.get("stdset") != "0" and declared[0].tag in ("enum", "set"):
                taken.append(_setting(place, element, declared))
                element.remove(declared)
    return taken


def settings(root: Element) -> Iterator[Setting]:
    """Yield the properties that the file sets on its widgets and that their classes must have."""
    for place, element in enumerate(root.iter("widget")):
        for declared in element.findall("property"):
            # Qt's loader itself makes the direction of a line and the partner of a label
            of_loader = (element.get("class"), declared.get("name")) in ((LINE, "orientation"), ("QLabel", "buddy"))
            if declared.get("stdset") != "0" and not of_loader:
                yield _setting(place, element, declared)


def _setting(place: int, element: Element, declared: Element) -> Setting:
    return Setting(place, element.get("class", ""), element.get("name", ""), declared.get("name", ""), declared[0])


def fits(setting: Setting, type_name: str) -> bool:
    """Return whether the value of ``setting`` can be written to a property of the type ``type_name``."""
    return setting.value.tag not in _TYPES or type_name in _TYPES[setting.value.tag]


def enumerated(text: str) -> int:
    """Return the number of ``text``, which names enumerators: ``Qt::AlignLeft|Qt::AlignTop``.

    Raises:
        ValueError: a name is unknown.
    """
    return reduce(operator.or_, (_enumerator(part) for part in text.split("|")), 0)


def _enumerator(text: str) -> int:
    owner, _, name = text.strip().partition("::")
    found = WIDGETS.get(owner) or next(
        (getattr(module, owner) for module in (QtCore, QtGui, QtWidgets) if hasattr(module, owner)), None
    )
    for part in name.split("::"):
        found = getattr(found, part, None)
    if found is None:
        raise ValueError(f"The .ui file names '{text}', which is no enumerator.")
    return int(getattr(found, "value", found))
