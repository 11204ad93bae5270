"""The section "Reload & Test" at the top of the panel of a module, for its developers."""

from __future__ import annotations

import os
from typing import Any

import ctk
import qt
import slicer


class DeveloperSection:
    """Buttons that reload, test and open the module of ``widget``, put into its layout."""

    def __init__(self, widget: Any) -> None:
        self.box = ctk.ctkCollapsibleButton()
        self.box.text = "Reload && Test"
        widget.layout.addWidget(self.box)
        row = qt.QHBoxLayout()
        qt.QFormLayout(self.box).addRow(row)
        path = slicer.util.modulePath(widget.moduleName)
        self.reloadButton = self._button(row, "Reload", widget.onReload, "Reload this module.")
        self.testButton = self._button(row, "Test", widget.onTest, "Run the self-test of this module.")
        self.reloadTestButton = self._button(row, "Reload and Test", widget.onReloadAndTest, "Reload, then test.")
        self._button(row, "Edit", lambda: open_file(path), "Open the source of this module.")
        form = widget.resourcePath(f"UI/{widget.moduleName}.ui")
        if os.path.isfile(form):
            self._button(row, "Edit UI", lambda: open_file(form), "Open the form of this module.")

    @staticmethod
    def _button(row: Any, text: str, action: Any, tip: str) -> Any:
        button = qt.QPushButton(text)
        button.toolTip = tip
        button.connect("clicked()", action)
        row.addWidget(button)
        return button


def open_file(path: str) -> None:
    """Open ``path`` in the program that the system has for such files."""
    qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(path))
