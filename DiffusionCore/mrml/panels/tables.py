"""The size of tables in a panel."""

from __future__ import annotations

from typing import Any


def fit_height(table: Any, most: int) -> None:
    """Make ``table``, a QTableWidget, as high as its rows, at least one and ``most`` of them."""
    rows = min(max(table.rowCount, 1), most)
    height = table.horizontalHeader().sizeHint.height() + rows * table.verticalHeader().defaultSectionSize
    table.setFixedHeight(height + 2 * table.frameWidth)
