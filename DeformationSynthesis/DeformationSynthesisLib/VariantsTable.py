"""The table of variants: a check box for each verdict, and what was measured."""

import qt
from slicer.i18n import tr as _

from DiffusionCore.mrml.panels.tables import fit_height

_NUMBER = qt.Qt.UserRole  # of the row in the collection, which the order in the table does not change
_ROWS = 10


class VariantsTable(qt.QObject):
    """Shows the rows of a collection; the selected one is the variant that is shown.

    Args:
        table: a QTableWidget.
        onShown: called with the row of the collection that the user has chosen.
        onVerdict: called with such a row and whether it is kept.
    """

    def __init__(self, table, onShown, onVerdict) -> None:
        super().__init__(table)
        self._table, self._onShown, self._onVerdict = table, onShown, onVerdict
        self._updating = False
        headings = [_("Keep"), _("#"), _("Shift mm"), _("Volume"), _("Checks")]
        table.setColumnCount(len(headings))
        table.setHorizontalHeaderLabels(headings)
        table.horizontalHeaderItem(2).setToolTip(_("The largest displacement of the tissue."))
        table.horizontalHeaderItem(3).setToolTip(_("The largest change of volume of a label."))
        table.verticalHeader().hide()
        table.horizontalHeader().setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        table.horizontalHeader().setStretchLastSection(True)
        table.setSortingEnabled(True)
        table.sortByColumn(1, qt.Qt.AscendingOrder)
        table.connect("currentCellChanged(int,int,int,int)", self._onCurrent)
        table.connect("itemChanged(QTableWidgetItem*)", self._onItem)
        table.installEventFilter(self)

    def show(self, rows) -> None:
        """List the ``rows`` of a collection."""
        self._updating = True
        table = self._table
        table.setSortingEnabled(False)
        table.setRowCount(len(rows))
        for number, row in enumerate(rows):
            for column, item in enumerate(_items(number, row)):
                table.setItem(number, column, item)
        table.setSortingEnabled(True)
        fit_height(table, _ROWS)
        self._updating = False

    def select(self, shown) -> None:
        """Select the row of the collection ``shown``, or none."""
        self._updating = True
        if shown is None:
            self._table.setCurrentCell(-1, -1)
            self._table.clearSelection()
        else:
            line = self.order().index(shown)
            self._table.setCurrentCell(line, 1)
            self._table.selectRow(line)
        self._updating = False

    def order(self) -> list[int]:
        """Return the rows of the collection in the order in which they are listed."""
        return [self._numberAt(line) for line in range(self._table.rowCount)]

    def eventFilter(self, _watched, event) -> bool:
        """Let Space keep or reject the row that is selected."""
        if event.type() != qt.QEvent.KeyPress or event.key() != qt.Qt.Key_Space:
            return False
        line = self._table.currentRow()
        if line >= 0:
            item = self._table.item(line, 0)
            item.setCheckState(qt.Qt.Unchecked if item.checkState() == qt.Qt.Checked else qt.Qt.Checked)
        return True

    def _numberAt(self, line: int) -> int:
        return int(self._table.item(line, 0).data(_NUMBER))

    def _onCurrent(self, line, _column, _formerLine, _formerColumn) -> None:
        if not self._updating and line >= 0:
            self._onShown(self._numberAt(line))

    def _onItem(self, item) -> None:
        if not self._updating and item.column() == 0:
            self._onVerdict(int(item.data(_NUMBER)), item.checkState() == qt.Qt.Checked)


def _items(number, row):
    record = row.record
    change, failed = max(record["largest_volume_change"], 1.0) - 1, record["redrawn"]
    texts = [
        "",
        record["index"] + 1,
        round(record["largest_displacement_mm"], 1),
        _("{percent} %").format(percent=round(100 * change)),
        _checksText(failed),
    ]
    items = []
    for column, text in enumerate(texts):
        item = qt.QTableWidgetItem()
        item.setData(qt.Qt.DisplayRole, text)
        item.setData(_NUMBER, number)
        font = item.font()
        font.setStrikeOut(not row.kept)
        item.setFont(font)
        if column == 0:
            item.setFlags(item.flags() | qt.Qt.ItemIsUserCheckable)
            item.setCheckState(qt.Qt.Checked if row.kept else qt.Qt.Unchecked)
        if column == len(texts) - 1:
            item.setToolTip("\n".join([_("What earlier draws failed:"), *failed]) if failed else "")
        items.append(item)
    return items


def _checksText(redrawn) -> str:
    if not redrawn:
        return _("passed")
    return _("passed, {count} redrawn").format(count=len(redrawn))
