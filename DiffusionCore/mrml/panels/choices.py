"""Lists to choose from whose text is translated and whose key is saved with the scene."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any


class Choice:
    """A combo box of keys, each under its own text.

    Args:
        combo_box: of the panel.
        on_chosen: called with the key that the user chose.
    """

    def __init__(self, combo_box: Any, on_chosen: Callable[[str], None]) -> None:
        self._combo_box, self._on_chosen = combo_box, on_chosen
        combo_box.connect("currentIndexChanged(int)", self._on_index)

    def fill(self, items: Iterable[tuple[str, str]], separator_after: int | None = None) -> None:
        """Offer ``items``, pairs of key and text; with a line after the first ``separator_after`` of them."""
        box, key = self._combo_box, self.key
        was_blocked = box.blockSignals(True)
        box.clear()
        for number, (each, text) in enumerate(items):
            if number == separator_after:
                box.insertSeparator(box.count)
            box.addItem(text, each)
        self._select(key)
        box.blockSignals(was_blocked)

    @property
    def key(self) -> str:
        """The key that is chosen; empty if there is none."""
        return self._combo_box.itemData(self._combo_box.currentIndex) or ""

    def show(self, key: str) -> bool:
        """Choose ``key`` without a call of ``on_chosen``; return whether it exists."""
        if key == self.key and self._combo_box.currentIndex >= 0:
            return True
        was_blocked = self._combo_box.blockSignals(True)
        found = self._select(key)
        self._combo_box.blockSignals(was_blocked)
        return found

    def _select(self, key: str) -> bool:
        index = self._combo_box.findData(key)
        self._combo_box.setCurrentIndex(index)
        return index >= 0

    def _on_index(self, index: int) -> None:
        if index >= 0:
            self._on_chosen(self.key)
