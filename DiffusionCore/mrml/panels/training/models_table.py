"""The table of models in the section Training, and how a trained one comes among the presets."""

from __future__ import annotations

import qt
import slicer
from slicer.i18n import tr as _

from DiffusionCore.mrml.panels.training.models import model_rows

_NARROW = (3, 4)  # columns: size, where


class TrainingModelsTable:
    """Lists the models in use and those that could be.

    Args:
        ui: has trainingModelsTable and trainingUseButton.
        on_use: called with the row that the user wants to use.
    """

    def __init__(self, ui, on_use) -> None:
        self._table, self._use_button = ui.trainingModelsTable, ui.trainingUseButton
        self._rows = []
        self._listed = None
        self._on_use = on_use
        self._table.verticalHeader().hide()
        header = self._table.horizontalHeader()
        header.setSectionResizeMode(qt.QHeaderView.Stretch)
        for column in _NARROW:
            header.setSectionResizeMode(column, qt.QHeaderView.ResizeToContents)
        self._table.itemSelectionChanged.connect(self._on_selection)
        self._use_button.clicked.connect(self._on_click)

    @property
    def shipped(self) -> set[str]:
        """The names of the models that came with the extension."""
        return {row.name for row in self._rows if row.shipped}

    def follow(self, folder, run) -> None:
        """List the trainings in ``folder``; the table is filled again where ``run``, one of them, has new weights."""
        state = (folder, None) if run is None else (folder, run.folder, run.state, run.resumable)
        if state != self._listed:
            self._listed = state
            self._fill(model_rows(folder))

    def refresh(self) -> None:
        """Fill the table at the next ``follow``: the models are others."""
        self._listed = None

    def install(self, row) -> bool:
        """Put the model of ``row`` in use and return True, or False if the user keeps another one of its name.

        Raises:
            DiffusionCoreError: why it cannot be used.
        """
        from DiffusionCore.models import install_model

        taken = any(other.in_use and other.name == row.name and not other.shipped for other in self._rows)
        question = _("There is a model '{name}' already. Replace it?").format(name=row.name)
        if taken and not slicer.util.confirmOkCancelDisplay(question):
            return False
        install_model(row.path, row.name, replace=taken)
        return True

    def _fill(self, rows) -> None:
        selected = self._selected()
        self._rows = rows
        self._table.setRowCount(len(rows))
        for number, row in enumerate(rows):
            for column, text in enumerate((row.name, row.purpose, row.checked, row.size, row.where)):
                item = qt.QTableWidgetItem(text)
                item.setToolTip(text)
                self._table.setItem(number, column, item)
        names = [row.name for row in rows]
        if selected is not None and selected.name in names:
            self._table.selectRow(names.index(selected.name))
        self._on_selection()

    def _selected(self):
        # the current row is no choice of the user: a table that receives the focus makes its first row the current one
        chosen = self._table.selectedItems()
        return self._rows[chosen[0].row()] if chosen and chosen[0].row() < len(self._rows) else None

    def _on_selection(self) -> None:
        row = self._selected()
        self._use_button.setEnabled(row is not None and not row.shipped)

    def _on_click(self, *_arguments) -> None:
        self._on_use(self._selected())
