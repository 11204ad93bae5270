"""The table of models in the section Training, the card of one, and the buttons: use, import, export, delete."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from DiffusionCore.checks import DiffusionCoreError
from DiffusionCore.mrml.panels.lines import Icon, show_icon
from DiffusionCore.mrml.panels.training.models import ModelRow, card_text, model_rows
from DiffusionCore.mrml.texts import core_text

_CHECKED, _NARROW = 2, (2, 3, 4)  # columns; the narrow ones: checked, size, where


class TrainingModelsTable:
    """Lists the models in use and those that could be.

    Args:
        ui: has trainingModelsTable, trainingCardText, trainingModelsStatusLabel with trainingModelsIcon, and the
            buttons trainingUseButton, trainingImportButton, trainingExportButton, trainingDeleteButton.
        on_change: called when a button has done something.
        panel: its ``models_changed()`` is called when there are other models, and its ``use_model(name, kind)``, which
            returns what there is to be said, when the user wants to use one of them.
    """

    def __init__(self, ui: Any, on_change: Callable[[], None], panel: Any) -> None:
        self._ui, self._table = ui, ui.trainingModelsTable
        self._rows: list[ModelRow] = []
        self._listed: Any = None
        self._on_change, self._panel = on_change, panel
        self._table.verticalHeader().hide()
        header = self._table.horizontalHeader()
        header.setSectionResizeMode(qt.QHeaderView.Stretch)
        for column in _NARROW:
            header.setSectionResizeMode(column, qt.QHeaderView.ResizeToContents)
        self._table.itemSelectionChanged.connect(self._on_selected)
        ui.trainingUseButton.clicked.connect(self._on_use)
        ui.trainingImportButton.clicked.connect(self._on_import)
        ui.trainingExportButton.clicked.connect(self._on_export)
        ui.trainingDeleteButton.clicked.connect(self._on_delete)

    @property
    def rows(self) -> list[ModelRow]:
        """The models that are listed."""
        return self._rows

    @property
    def shipped(self) -> set[str]:
        """The names of the models that came with the extension."""
        return {row.name for row in self._rows if row.shipped}

    def follow(self, folder: Path | None, run: Any) -> bool:
        """List the trainings in ``folder``, anew where ``run``, one of them, has new weights; return whether it did."""
        state = (folder, None) if run is None else (folder, run.folder, run.state, run.resumable)
        if state == self._listed:
            return False
        self._listed = state
        self._fill(model_rows(folder))
        return True

    def refresh(self) -> None:
        """Fill the table at the next ``follow``: the models are others."""
        self._listed = None

    def say(self, text: str, icon: Icon = Icon.NONE) -> None:
        """Show ``text`` below the buttons, until another model is selected or a button is pressed."""
        self._ui.trainingModelsStatusLabel.setText(text)
        self._ui.trainingModelsStatusLabel.setVisible(bool(text))
        show_icon(self._ui.trainingModelsIcon, icon)

    def _attempt(self, action: Callable[[], str]) -> None:
        """Do what a button does, and say what ``action`` returns, or what went wrong."""
        try:
            said, icon = action(), Icon.NONE
        except DiffusionCoreError as error:
            said, icon = core_text(str(error)), Icon.ERROR
        self.refresh()
        self._on_change()
        self.say(said, icon)

    def _fill(self, rows: list[ModelRow]) -> None:
        selected = self._selected()
        self._rows = rows
        self._table.setRowCount(len(rows))
        for number, row in enumerate(rows):
            texts = (row.name, row.purpose, row.checked, row.size, row.where)
            for column, text in enumerate(texts):
                item = qt.QTableWidgetItem(text)
                item.setToolTip(row.results if column == _CHECKED else text)
                self._table.setItem(number, column, item)
        names = [row.name for row in rows]
        if selected is not None and selected.name in names:
            self._table.selectRow(names.index(selected.name))
        self._show_selected()

    def _selected(self) -> ModelRow | None:
        # the current row is no choice of the user: a table that receives the focus makes its first row the current one
        chosen = self._table.selectedItems()
        return self._rows[chosen[0].row()] if chosen and chosen[0].row() < len(self._rows) else None

    def _on_selected(self) -> None:
        self.say("")
        self._show_selected()

    def _show_selected(self) -> None:
        row = self._selected()
        for button in (self._ui.trainingUseButton, self._ui.trainingDeleteButton):
            button.setEnabled(row is not None and not row.shipped)
        self._ui.trainingExportButton.setEnabled(row is not None)
        self._ui.trainingCardText.setVisible(row is not None)
        if row is not None:
            self._ui.trainingCardText.setPlainText(card_text(row.card))

    def _on_use(self, *_arguments: Any) -> None:
        row = self._selected()

        def use() -> str:
            used = row.in_use or self._install(row.path, row.name)
            return self._panel.use_model(row.name, row.kind) if used else ""

        self._attempt(use)

    def _on_import(self, *_arguments: Any) -> None:
        title, kind = _("Import a model"), _("Weights (*.safetensors)")
        path = qt.QFileDialog.getOpenFileName(slicer.util.mainWindow(), title, "", kind)
        name = Path(path).stem

        def take() -> str:
            done = self._install(Path(path), name)
            return _("Imported as '{name}'. Select it, and press Use.").format(name=name) if done else ""

        if path:
            self._attempt(take)

    def _on_export(self, *_arguments: Any) -> None:
        from DiffusionCore.model_files import export_model

        row = self._selected()
        title, kind = _("Export the model"), _("Weights (*.safetensors)")
        path = qt.QFileDialog.getSaveFileName(slicer.util.mainWindow(), title, row.path.name, kind)
        target = path if path.endswith(row.path.suffix) else f"{path}{row.path.suffix}"

        def export() -> str:
            export_model(row.path, target, replace=True)  # the dialog has asked
            return _("Written to '{file}'.").format(file=target)

        if path:
            self._attempt(export)

    def _on_delete(self, *_arguments: Any) -> None:
        row = self._selected()
        question = _("Delete the training '{name}', its checkpoints and its weights from disk?")
        if row.in_use:
            question = _("Delete the model '{name}' from disk?")
        if slicer.util.confirmOkCancelDisplay(question.format(name=row.name)):
            self._attempt(lambda: self._delete(row))

    def _install(self, path: Path, name: str) -> bool:
        """Put weights in use and return True, or False if the user keeps another model of their name."""
        from DiffusionCore.model_files import install_model

        taken = any(other.in_use and other.name == name and not other.shipped for other in self._rows)
        question = _("There is a model '{name}' already. Replace it?").format(name=name)
        if taken and not slicer.util.confirmOkCancelDisplay(question):
            return False
        install_model(path, name, replace=taken)
        self._panel.models_changed()
        return True

    def _delete(self, row: ModelRow) -> str:
        from DiffusionCore.model_files import delete_model
        from DiffusionCore.training.folder import delete_training

        if row.in_use:
            delete_model(row.name)
            self._panel.models_changed()
        else:
            delete_training(row.path.parent)
        self._table.clearSelection()  # not the model that takes its row
        return _("'{name}' was deleted.").format(name=row.name)
