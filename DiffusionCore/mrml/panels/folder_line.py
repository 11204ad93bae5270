"""A line for a folder that may be none yet: the wrapper of the parameters would show "." for that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ctk


class FolderLine:
    """A ctkPathLineEdit of a folder.

    Args:
        line: of the panel.
        on_chosen: called with the folder that the user chose or typed.
    """

    def __init__(self, line: Any, on_chosen: Callable[[Path], None]) -> None:
        self._line, self._on_chosen = line, on_chosen
        line.filters = ctk.ctkPathLineEdit.Dirs | ctk.ctkPathLineEdit.Readable
        line.connect("currentPathChanged(QString)", self._on_path)

    def show(self, folder: Path) -> None:
        """Show ``folder`` without a call of ``on_chosen``; nothing for ``Path()``."""
        text = "" if folder == Path() else str(folder)
        if text != self._line.currentPath:
            was_blocked = self._line.blockSignals(True)
            self._line.currentPath = text
            self._line.blockSignals(was_blocked)

    def _on_path(self, text: str) -> None:
        self._on_chosen(Path(text))
