"""The button Check: every volume of the data folder is read, and a table says what it is or why it is left out."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import qt
from slicer.i18n import tr as _

from DiffusionCore.checks import DiffusionCoreError
from DiffusionCore.jobs.data_scan import DataScan, ImageSeen
from DiffusionCore.mrml.panels.tables import fit_height
from DiffusionCore.mrml.texts import core_text

_NARROW = 3  # column: labels
_ROWS = 6  # that are seen without scrolling


class DataCheck:
    """Reads the volumes of a folder in another process when its button is pressed; pressed again, it ends that.

    Args:
        ui: has trainingDataCheckButton, trainingDataLabel and trainingDataTable.
        on_change: called when it has started or ended.
    """

    def __init__(self, ui: Any, on_change: Callable[[], None]) -> None:
        self._button, self._label, self._table = ui.trainingDataCheckButton, ui.trainingDataLabel, ui.trainingDataTable
        self._on_change = on_change
        self._place, self._names, self._usable = Path(), "", False
        self._scan: DataScan | None = None
        self._failure = ""
        self._table.verticalHeader().hide()
        header = self._table.horizontalHeader()
        header.setSectionResizeMode(qt.QHeaderView.Stretch)
        header.setSectionResizeMode(_NARROW, qt.QHeaderView.ResizeToContents)
        self._button.clicked.connect(self._on_button)

    @property
    def running(self) -> bool:
        """Whether volumes are being read."""
        return self._scan is not None and self._scan.running

    def show(self, place: Path, names: str, *, usable: bool) -> None:
        """Show what the ``names`` of the files in ``place`` tell, until they are read."""
        if place != self._place or not usable:
            self.close()
            self._scan, self._failure = None, ""
        self._place, self._names, self._usable = place, names, usable
        self._update()

    def poll(self) -> None:
        """Show what has been read since."""
        if self.running and self._scan.poll():
            self._update()

    def close(self) -> None:
        """End the reading."""
        if self._scan is not None:
            self._scan.close()

    def _on_button(self, *_arguments: Any) -> None:
        self._failure = ""
        if self.running:
            self.close()
        else:
            try:
                self._scan = DataScan(self._place, python=shutil.which("PythonSlicer"))
            except DiffusionCoreError as error:
                self._failure = core_text(str(error))
        self._update()
        self._on_change()

    def _update(self) -> None:
        self._button.setText(_("Stop") if self.running else _("Check"))
        self._button.setEnabled(self._usable)
        seen = [] if self._scan is None else self._scan.seen
        self._label.setText(self._text(seen))
        self._table.setVisible(bool(seen))
        if len(seen) != self._table.rowCount:
            self._fill(sorted(seen, key=lambda each: not each.problem))

    def _text(self, seen: Sequence[ImageSeen]) -> str:
        scan = self._scan
        if self._failure or scan is None:
            return self._failure or self._names
        if scan.failure:
            return core_text(scan.failure)
        if scan.running:
            if scan.of is None:
                return _("Looking for volumes...")
            return _("Checking: {done} of {of} volumes").format(done=len(seen), of=scan.of)
        usable = [each for each in seen if not each.problem]
        labeled = sum(each.labels > 0 for each in usable)
        text = _("{count} volumes can be used, {labeled} with labels.").format(count=len(usable), labeled=labeled)
        if left_out := len(seen) - len(usable):
            text += " " + _("Left out: {count}; the table says why.").format(count=left_out)
        return text

    def _fill(self, seen: Sequence[ImageSeen]) -> None:
        self._table.clearSpans()
        self._table.setRowCount(len(seen))
        for number, each in enumerate(seen):
            cells = _cells(each)
            for column, text in enumerate(cells):
                item = qt.QTableWidgetItem(text)
                item.setToolTip(str(each.image) if column == 0 else text)
                self._table.setItem(number, column, item)
            if each.problem:
                self._table.setSpan(number, 1, 1, len(cells) - 1)
        fit_height(self._table, _ROWS)


def _cells(seen: ImageSeen) -> tuple[str, ...]:
    voxels = " x ".join(str(count) for count in seen.size)
    spacing = " x ".join(f"{mm:.3g}" for mm in seen.spacing)
    name = seen.image.name
    if seen.problem:
        return name, core_text(seen.problem).replace(f"{seen.image.parent}{os.sep}", ""), "", ""
    return name, voxels, spacing, str(seen.labels or "")
