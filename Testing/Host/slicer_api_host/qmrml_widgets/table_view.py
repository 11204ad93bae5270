"""qMRMLTableView: a table node of the scene as a table."""

from __future__ import annotations

from typing import Any

import vtk
from PySide6.QtCore import QObject, QSortFilterProxyModel, Qt
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QSizePolicy, QTableView, QWidget
from vtkmodules.vtkCommonCore import vtkCommand

from slicer_api_host.declare import Signal, Slot, register
from slicer_api_host.observations import Observations

_SMALL_INTEGERS = (vtk.VTK_CHAR, vtk.VTK_SIGNED_CHAR, vtk.VTK_UNSIGNED_CHAR)


class TableItems(QStandardItemModel):
    """The cells of a vtkMRMLTableNode as texts, bits as boxes to check; edits go to the node."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._node: Any = None
        self._observations = Observations(self)
        self._writing = False
        self.itemChanged.connect(self._on_edit)

    def node(self) -> Any:
        return self._node

    def set_node(self, node: Any) -> None:
        self._observations.end()
        self._node = node
        if node is not None:
            self._observations.add(node, vtkCommand.ModifiedEvent, self.update)
        self.update()

    def update(self) -> None:
        """Read all from the node."""
        if self._writing:
            return
        self._writing = True
        table = None if self._node is None else self._node.GetTable()
        if table is None or table.GetNumberOfColumns() == 0:
            self.clear()
        else:
            self._read(table)
        self._writing = False

    def _read(self, table: Any) -> None:
        node = self._node
        names_above = bool(node.GetUseColumnTitleAsColumnHeader())
        first_column, first_row = int(node.GetUseFirstColumnAsRowHeader()), 0 if names_above else -1
        rows, columns = table.GetNumberOfRows(), table.GetNumberOfColumns()
        self.setRowCount(rows - first_row)
        self.setColumnCount(columns - first_column)
        for column in range(first_column, columns):
            shown = column - first_column
            header = self._title(table.GetColumnName(column)) if names_above else _letters(shown)
            self.setHeaderData(shown, Qt.Orientation.Horizontal, header)
            for row in range(first_row, rows):
                self.setItem(row - first_row, shown, self._cell(table, row, column))
        for row in range(first_row, rows):
            label = table.GetValue(row, 0).ToString() if first_column and row >= 0 else str(row - first_row + 1)
            self.setHeaderData(row - first_row, Qt.Orientation.Vertical, label)

    def _title(self, name: str) -> str:
        unit = self._node.GetColumnUnitLabel(name)
        return (self._node.GetColumnTitle(name) or name) + (f" [{unit}]" if unit else "")

    def _cell(self, table: Any, row: int, column: int) -> QStandardItem:
        item = QStandardItem()
        if row < 0:
            font = item.font()
            font.setBold(True)
            item.setText(table.GetColumnName(column))
            item.setFont(font)
            return item
        value, array = table.GetValue(row, column), table.GetColumn(column)
        locked = bool(self._node.GetLocked())
        if array.IsA("vtkBitArray"):
            item.setCheckable(not locked)
            item.setCheckState(Qt.CheckState.Checked if value.ToInt() else Qt.CheckState.Unchecked)
        else:
            item.setText(str(value.ToInt()) if array.GetDataType() in _SMALL_INTEGERS else value.ToString())
        item.setEditable(not locked and not array.IsA("vtkBitArray"))
        return item

    def _on_edit(self, item: QStandardItem) -> None:
        if self._writing or self._node is None:
            return
        self._writing = True
        row = item.row() - (0 if self._node.GetUseColumnTitleAsColumnHeader() else 1)
        column = item.column() + int(self._node.GetUseFirstColumnAsRowHeader())
        if row < 0:
            self._node.RenameColumn(column, item.text())
        elif self._node.GetTable().GetColumn(column).IsA("vtkBitArray"):
            self._node.SetCellText(row, column, str(int(item.checkState() == Qt.CheckState.Checked)))
        else:
            self._node.SetCellText(row, column, item.text())
        self._writing = False
        self.update()  # what the node made of it


@register
class qMRMLTableView(QTableView):
    """A table that shows a table node; Ctrl+C copies the chosen cells as tab separated text."""

    mrmlSceneChanged = Signal("PyObject")

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: Any = None
        self._items = TableItems(self)
        sorted_items = QSortFilterProxyModel(self)
        sorted_items.setSourceModel(self._items)
        self.setModel(sorted_items)
        self.horizontalHeader().setStretchLastSection(False)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def mrmlScene(self) -> Any:
        return self._scene

    @Slot("PyObject")
    def setMRMLScene(self, scene: Any) -> None:
        if scene is not self._scene:
            self._scene = scene
            self.mrmlSceneChanged.emit(scene)

    def mrmlTableNode(self) -> Any:
        return self._items.node()

    @Slot("PyObject")
    def setMRMLTableNode(self, node: Any) -> None:
        """Show ``node``; None, or a node of another class, empties the table."""
        self._items.set_node(node if node is not None and node.IsA("vtkMRMLTableNode") else None)
        self.horizontalHeader().setMinimumSectionSize(60)
        self.resizeColumnsToContents()

    def sortFilterProxyModel(self) -> QSortFilterProxyModel:
        return self.model()

    @Slot()
    def copySelection(self) -> None:
        """Put the chosen cells on the clipboard, rows in lines, columns parted by tabs."""
        chosen = self.selectionModel()
        if self._items.node() is None or not chosen.hasSelection:
            return
        rows = [row for row in range(self._items.rowCount()) if chosen.rowIntersectsSelection(row)]
        columns = [column for column in range(self._items.columnCount()) if chosen.columnIntersectsSelection(column)]
        lines = ("\t".join(self._text(row, column) for column in columns) for row in rows)
        QGuiApplication.clipboard().setText("\n".join(lines))

    def _text(self, row: int, column: int) -> str:
        item = self._items.item(row, column)
        return str(int(item.checkState() == Qt.CheckState.Checked)) if item.isCheckable() else item.text()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copySelection()
        else:
            super().keyPressEvent(event)


def _letters(column: int) -> str:
    """Return A, B, ... Z, AA, AB, ... for 0, 1, ..."""
    text = ""
    while column >= 0:
        column, letter = divmod(column, 26)
        text, column = chr(ord("A") + letter) + text, column - 1
    return text
