"""The section Log: what the computation printed, and the details of errors."""

from __future__ import annotations

from typing import Any

import slicer

_ROWS = 8


class LogSection:
    """Follows one run at a time, of which it knows ``log``, a list of lines, and ``details``, a text.

    Args:
        ui: has logSection, logText and copyLogButton.
    """

    def __init__(self, ui: Any) -> None:
        self._ui = ui
        self._run, self._lines, self._detailed = None, 0, False
        text = ui.logText
        text.setFixedHeight(_ROWS * text.fontMetrics().lineSpacing() + 12)
        ui.copyLogButton.clicked.connect(self._on_copy)

    def follow(self, run: Any) -> None:
        """Add what ``run`` has said since the last call; a new run begins with an empty log."""
        if run is None:
            return
        if run is not self._run:
            self._run, self._lines, self._detailed = run, 0, False
            self._ui.logText.clear()
        for line in run.log[self._lines :]:
            self._ui.logText.appendPlainText(line)
        self._lines = len(run.log)
        if run.details and not self._detailed:
            self._detailed = True
            self._ui.logText.appendPlainText(run.details)

    def open(self) -> None:
        """Unfold the section, and scroll to the end."""
        self._ui.logSection.collapsed = False
        bar = self._ui.logText.verticalScrollBar()
        bar.setValue(bar.maximum)

    def _on_copy(self, *_: Any) -> None:
        slicer.app.clipboard().setText(self._ui.logText.toPlainText())
