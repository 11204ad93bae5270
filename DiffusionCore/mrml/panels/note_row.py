"""The row above the inputs: what is missing or noteworthy, with one button that mends it; hidden otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from DiffusionCore.mrml.panels.lines import Icon, show_icon


@dataclass(frozen=True, eq=False)
class Note:
    """One sentence or two.

    Attributes:
        text: what the user reads.
        icon: how much it matters.
        button: the text of the button; empty for none.
        tip: what the button does.
        action: called with nothing when it is pressed.
    """

    text: str
    icon: Icon = Icon.NONE
    button: str = ""
    tip: str = ""
    action: Callable[[], None] | None = None


class NoteRow:
    """Shows one note at a time.

    Args:
        ui: has noteRow, noteIcon, noteLabel and noteButton.
    """

    def __init__(self, ui: Any) -> None:
        self._ui, self._note = ui, None
        ui.noteButton.clicked.connect(self._on_button)

    def show(self, note: Note | None) -> None:
        """Show ``note``, or nothing for None."""
        ui, self._note = self._ui, note
        ui.noteRow.setVisible(note is not None)
        if note is None:
            return
        show_icon(ui.noteIcon, note.icon)
        ui.noteLabel.setText(note.text)
        ui.noteButton.setVisible(bool(note.button))
        ui.noteButton.setText(note.button)
        ui.noteButton.setToolTip(note.tip)

    def set_button_enabled(self, enabled: bool) -> None:
        """Let the button be pressed or not."""
        self._ui.noteButton.setEnabled(enabled)

    def _on_button(self, *_: Any) -> None:
        if self._note is not None and self._note.action is not None:
            self._note.action()
