"""The widgets for files and folders: ctkPathLineEdit and ctkDirectoryButton."""

from __future__ import annotations

import enum
import re
from fnmatch import fnmatch

from PySide6.QtCore import QDir, QSettings, Qt
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QComboBox, QFileDialog, QPushButton, QSizePolicy, QStyle, QToolButton, QWidget

from slicer_api_host.ctk_widgets.parts import parent_among, row_of, text_among
from slicer_api_host.declare import Property, Signal, Slot, forwarded_property, register, stored_property

_REMEMBERED = 5


class _Filter(enum.IntFlag):
    """What a path may be; the numbers of QDir.Filter."""

    Dirs = 0x001
    Files = 0x002
    Drives = 0x004
    NoSymLinks = 0x008
    AllEntries = Dirs | Files | Drives
    TypeMask = 0x00F
    Readable = 0x010
    Writable = 0x020
    Executable = 0x040
    PermissionMask = 0x070
    Modified = 0x080
    Hidden = 0x100
    System = 0x200
    AccessMask = 0x3F0
    AllDirs = 0x400
    CaseSensitive = 0x800
    NoDotAndDotDot = 0x1000
    NoDot = 0x2000
    NoDotDot = 0x4000


def _patterns(name_filter: str) -> list[str]:
    """Return the patterns of a filter of file names, which may stand in brackets after a text for people."""
    inside = re.search(r"\(([^)]*)\)", name_filter)
    return (inside.group(1) if inside else name_filter).split()


@register
class ctkPathLineEdit(QWidget):
    """A line for a path, with a list of former ones and a button that opens a dialog."""

    currentPathChanged = Signal(str)
    validInputChanged = Signal(bool)
    Filter = _Filter
    vars().update(_Filter.__members__)

    def __init__(self, *arguments: QWidget | str | list | int | None) -> None:
        super().__init__(parent_among(arguments))
        self._combo, self._button = QComboBox(), QToolButton()
        self._combo.setEditable(True)
        self._combo.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self._button.setText("...")
        self._button.clicked.connect(self.browse)
        row_of(self, self._combo, self._button)
        self.layout().setSpacing(0)
        self._combo.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._valid = False
        self._combo.editTextChanged.connect(self._check)
        if isinstance(arguments[0] if arguments else None, str):
            self.label, self.nameFilters, *rest = arguments
            self.filters = next((f for f in rest if isinstance(f, int)), int(_Filter.AllEntries))

    def _check(self, _path: str = "") -> None:
        was_valid, self._valid = self._valid, self._is_valid()
        if self._valid:
            self.currentPathChanged.emit(self.currentPath)
        if self._valid != was_valid:
            self.validInputChanged.emit(self._valid)

    def _is_valid(self) -> bool:
        """Return whether the path looks like one that is asked for; CTK does not look whether it exists."""
        patterns = [pattern for name_filter in self.nameFilters for pattern in _patterns(name_filter)]
        path = self.currentPath.lower()
        return bool(path) and (not patterns or any(fnmatch(path, f"*{pattern.lower()}") for pattern in patterns))

    @Slot(str)
    def setCurrentPath(self, path: str) -> None:
        self._combo.setEditText(path)

    @Slot()
    def browse(self) -> None:
        kinds, start = _Filter(self.filters), self.currentPath
        if _Filter.Files not in kinds:
            path = QFileDialog.getExistingDirectory(self, self.label or "Select a directory...", start)
        else:
            ask = QFileDialog.getSaveFileName if _Filter.Writable in kinds else QFileDialog.getOpenFileName
            path, _chosen = ask(self, self.label or "Select a file", start, ";;".join(self.nameFilters))
        if path:
            self.setCurrentPath(path)

    def _settings_key(self) -> str:
        return f"ctkPathLineEdit/{self.settingKey or self.objectName}"

    def _history(self) -> list[str]:
        kept = QSettings().value(self._settings_key()) or []
        return [kept] if isinstance(kept, str) else list(kept)

    @Slot()
    def addCurrentPathToHistory(self) -> None:
        if path := self.currentPath:
            history = [path, *(former for former in self._history() if former != path)]
            QSettings().setValue(self._settings_key(), history)
            self.retrieveHistory()

    @Slot()
    def retrieveHistory(self) -> None:
        path = self.currentPath
        was_blocked = self.blockSignals(bool(path))
        self._combo.clear()
        self._combo.addItems(self._history()[:_REMEMBERED])
        if path:
            self.setCurrentPath(path)
        self.blockSignals(was_blocked)

    def comboBox(self) -> QComboBox:
        return self._combo

    def _set_key(self, key: str) -> None:
        self._key = key
        self.retrieveHistory()

    currentPath = Property(str, lambda self: self._combo.currentText, setCurrentPath)
    settingKey = Property(str, lambda self: getattr(self, "_key", ""), _set_key)
    label = stored_property(str, "label", "")
    nameFilters = stored_property("QStringList", "nameFilters", list, after="_check")
    filters = stored_property(
        int, "filters", int(_Filter.AllEntries | _Filter.NoDotAndDotDot | _Filter.Readable | _Filter.Executable)
    )
    options = stored_property(int, "options", 0)
    minimumContentsLength = forwarded_property(int, "minimumContentsLength", "_combo")
    sizeAdjustPolicy = stored_property(int, "sizeAdjustPolicy", 2)
    showBrowseButton = Property(
        bool, lambda self: not self._button.isHidden(), lambda self, shown: self._button.setVisible(shown)
    )
    showHistoryButton = stored_property(bool, "showHistoryButton", True)


@register
class ctkDirectoryButton(QWidget):
    """A button that shows a folder and opens a dialog for another."""

    directoryChanged = Signal(str)
    directorySelected = Signal(str)

    def __init__(self, *arguments: QWidget | QIcon | str | None) -> None:
        super().__init__(parent_among(arguments))
        self._text = ""
        self._button = QPushButton()
        self._button.setIcon(self.style().standardIcon(QStyle.StandardPixmap.SP_DirIcon))
        self._button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._button.clicked.connect(self.browse)
        row_of(self, self._button)
        self._directory = text_among(arguments) or "."
        self._show()

    def _show(self) -> None:
        self._button.setText(self._text or QDir(self._directory).absolutePath())

    def _set_directory(self, directory: str) -> None:
        chosen = QDir(directory).absolutePath()
        changed = chosen != QDir(self._directory).absolutePath()
        if changed:
            self._directory = chosen
            self._show()
        self.directorySelected.emit(chosen)
        if changed:
            self.directoryChanged.emit(chosen)

    def _set_text(self, text: str) -> None:
        self._text = text
        self._show()

    @Slot()
    def browse(self) -> str:
        chosen = QFileDialog.getExistingDirectory(self, self.caption or self.toolTip, self._directory)
        if chosen:
            self._set_directory(chosen)
        return chosen

    directory = Property(str, lambda self: self._directory, _set_directory)
    text = Property(str, lambda self: self._text, _set_text)
    icon = forwarded_property(QIcon, "icon", "_button")
    caption = stored_property(str, "caption", "")
    acceptMode = stored_property(QFileDialog.AcceptMode, "acceptMode", QFileDialog.AcceptMode.AcceptOpen)
    elideMode = stored_property(Qt.TextElideMode, "elideMode", Qt.TextElideMode.ElideMiddle)
    options = stored_property(int, "options", 1)
