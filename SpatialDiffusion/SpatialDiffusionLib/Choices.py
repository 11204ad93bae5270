"""Lists to choose from whose text is translated and whose key is saved with the scene."""


class Choice:
    """A combo box of keys, each under its own text.

    Args:
        comboBox: of the panel.
        onChosen: called with the key that the user chose.
    """

    def __init__(self, comboBox, onChosen) -> None:
        self._comboBox, self._onChosen = comboBox, onChosen
        comboBox.connect("currentIndexChanged(int)", self._onIndex)

    def fill(self, items, separatorAfter: int | None = None) -> None:
        """Offer ``items``, pairs of key and text; with a line after the first ``separatorAfter`` of them."""
        box, key = self._comboBox, self.key
        wasBlocked = box.blockSignals(True)
        box.clear()
        for number, (each, text) in enumerate(items):
            if number == separatorAfter:
                box.insertSeparator(box.count)
            box.addItem(text, each)
        self._select(key)
        box.blockSignals(wasBlocked)

    @property
    def key(self) -> str:
        """The key that is chosen; empty if there is none."""
        return self._comboBox.itemData(self._comboBox.currentIndex) or ""

    def show(self, key: str) -> bool:
        """Choose ``key`` without a call of ``onChosen``; return whether it exists."""
        if key == self.key:
            return True
        wasBlocked = self._comboBox.blockSignals(True)
        found = self._select(key)
        self._comboBox.blockSignals(wasBlocked)
        return found

    def _select(self, key: str) -> bool:
        index = self._comboBox.findData(key) if key else -1
        self._comboBox.setCurrentIndex(index)
        return index >= 0

    def _onIndex(self, _index: int) -> None:
        if self.key:
            self._onChosen(self.key)
