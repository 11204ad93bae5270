"""QUiLoader that knows the host's widgets and refuses what Slicer's own would only grumble about."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator

from PySide6 import QtWidgets
from PySide6.QtCore import QBuffer, QIODevice, QObject
from PySide6.QtUiTools import QUiLoader as NativeLoader
from PySide6.QtWidgets import QWidget

from slicer_api_host import pythonqt
from slicer_api_host.connections import connect
from slicer_api_host.declare import WIDGETS

Element = ElementTree.Element


class QUiLoader(NativeLoader):
    """Load .ui files; a class, a static property, a sender or a receiver that does not exist is an error."""

    def createWidget(self, class_name: str, parent: QWidget | None = None, name: str = "") -> QWidget:
        if class_name not in WIDGETS:
            return super().createWidget(class_name, parent, name)
        widget = WIDGETS[class_name](parent)
        widget.setObjectName(name)
        return widget

    def load(self, device: QIODevice, parent: QWidget | None = None) -> QWidget:
        """Return the widget that the .ui file ``device`` describes.

        Raises:
            ValueError: the file is no .ui file or names what does not exist.
        """
        if not device.isOpen():
            device.open(QIODevice.OpenModeFlag.ReadOnly)
        try:
            root = ElementTree.fromstring(bytes(device.readAll()))
        except ElementTree.ParseError as error:
            raise ValueError(f"The .ui file cannot be read: {error}.") from error
        _check_classes(root)
        # Python wires the connections: Qt does not know signals that carry MRML nodes
        links = root.find("connections")
        if links is not None:
            root.remove(links)
        buffer = QBuffer()
        buffer.setData(ElementTree.tostring(root))
        buffer.open(QIODevice.OpenModeFlag.ReadOnly)
        widget = super().load(buffer, parent)
        if widget is None:
            raise ValueError(f"The .ui file cannot be loaded: {self.errorString()}")
        _check_properties(root, widget)
        for link in () if links is None else links:
            sender, signal, receiver, slot = (link.findtext(k, "") for k in ("sender", "signal", "receiver", "slot"))
            connect(_named(widget, sender), signal, _named(widget, receiver), slot)
        return widget


def _check_classes(root: Element) -> None:
    used = {element.get("class", "") for element in root.iter("widget")}
    unknown = sorted(name for name in used if name not in WIDGETS and not hasattr(QtWidgets, name) and name != "Line")
    if unknown:
        raise ValueError(f"The .ui file uses widget classes that the host does not know: {', '.join(unknown)}.")


def _static_properties(root: Element) -> Iterator[tuple[Element, str]]:
    for element in root.iter("widget"):
        for declared in element.findall("property"):
            if declared.get("stdset") != "0":
                yield element, declared.get("name", "")


def _check_properties(root: Element, widget: QWidget) -> None:
    for element, name in _static_properties(root):
        # a Line is a frame that Qt's loader calls a line; its orientation is the loader's own
        if element.get("class") == "Line" and name == "orientation":
            continue
        if pythonqt.property_of(_named(widget, element.get("name", "")), name) is None:
            raise ValueError(
                f"The .ui file sets '{name}' on {element.get('name')}: {element.get('class')} has no such property."
            )


def _named(widget: QWidget, name: str) -> QObject:
    if QObject.objectName(widget) == name:
        return widget
    found = QObject.findChild(widget, QObject, name)
    if found is None:
        raise ValueError(f"The .ui file names the object '{name}', which does not exist.")
    return found
