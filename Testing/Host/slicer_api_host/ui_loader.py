"""QUiLoader that knows the host's widgets and refuses what Slicer's own would only grumble about."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

from PySide6.QtCore import QBuffer, QIODevice, QObject, qInstallMessageHandler
from PySide6.QtUiTools import QUiLoader as NativeLoader
from PySide6.QtWidgets import QWidget

from slicer_api_host import pythonqt, ui_file
from slicer_api_host.connections import connect
from slicer_api_host.declare import WIDGETS


class QUiLoader(NativeLoader):
    """Load .ui files; a class, a static property, a value, a sender or a receiver that does not exist is an error."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._made: list[QWidget] = []  # in the order of the file

    def createWidget(self, class_name: str, parent: QWidget | None = None, name: str = "") -> QWidget:
        if class_name in WIDGETS:
            widget = WIDGETS[class_name](parent)
            widget.setObjectName(name)
        else:
            widget = super().createWidget(class_name, parent, name)
        self._made.append(widget)
        return widget

    def load(self, device: QIODevice, parent: QWidget | None = None) -> QWidget:
        """Return the widget that the .ui file ``device`` describes.

        Raises:
            ValueError: the file is no .ui file or names what does not exist.
        """
        if not device.isOpen() and not device.open(QIODevice.OpenModeFlag.ReadOnly):
            raise ValueError(f"The .ui file cannot be opened: {device.errorString()}.")
        root = ui_file.read(bytes(device.readAll()))
        # Python wires the connections: Qt does not know signals that carry MRML nodes
        links, enumerators = ui_file.take_links(root), ui_file.take_enumerators(root)
        widget = self._load_native(root, parent)
        for setting in (*ui_file.settings(root), *enumerators):
            _check(setting, self._made[setting.place])
        for setting in enumerators:
            setattr(self._made[setting.place], setting.property_name, ui_file.enumerated(setting.value.text or ""))
        self._made = []
        for link in links:
            connect(_named(widget, link.sender), link.signal, _named(widget, link.receiver), link.slot)
        return widget

    def _load_native(self, root: ElementTree.Element, parent: QWidget | None) -> QWidget:
        buffer = QBuffer()
        buffer.setData(ElementTree.tostring(root))
        buffer.open(QIODevice.OpenModeFlag.ReadOnly)
        said: list[str] = []
        former = qInstallMessageHandler(lambda _kind, _context, message: said.append(message))
        try:
            widget = super().load(buffer, parent)
        finally:
            qInstallMessageHandler(former)
        if widget is None or said:
            raise ValueError(f"The .ui file cannot be loaded: {' '.join(said) or self.errorString()}")
        return widget


def _check(setting: ui_file.Setting, owner: QObject) -> None:
    declared = pythonqt.property_of(owner, setting.property_name)
    where = f"The .ui file sets '{setting.property_name}' on {setting.object_name or 'a widget without a name'}"
    if declared is None:
        raise ValueError(f"{where}: {setting.class_name} has no such property.")
    if not ui_file.fits(setting, declared.typeName()):
        raise ValueError(f"{where} to a {setting.value.tag}: it takes a {declared.typeName()}.")


def _named(widget: QWidget, name: str) -> QObject:
    if QObject.objectName(widget) == name:
        return widget
    found = QObject.findChild(widget, QObject, name)
    if found is None:
        raise ValueError(f"The .ui file names the object '{name}', which does not exist.")
    return found
