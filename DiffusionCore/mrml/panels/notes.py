"""What the note row says, and why nothing can be started: what is missing first, then what speaks against a choice."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from slicer.i18n import tr as _

from DiffusionCore.mrml.checks import Finding, Severity
from DiffusionCore.mrml.fixes import Fix, FixAction
from DiffusionCore.mrml.panels.fix_note import fix_note
from DiffusionCore.mrml.panels.lines import Icon
from DiffusionCore.mrml.panels.note_row import Note
from DiffusionCore.mrml.panels.packages import Packages
from DiffusionCore.mrml.texts import core_text

_ICONS = {Severity.ERROR: Icon.ERROR, Severity.WARNING: Icon.WARNING, Severity.INFO: Icon.NONE}


class Notes:
    """Chooses the one note that matters most.

    Args:
        packages: what is missing.
        see_note: the status where the note says why nothing can be started.
        on_change: called when the user has mended something.
    """

    def __init__(self, packages: Packages, see_note: str, on_change: Callable[[], None]) -> None:
        self._packages, self._see_note, self._on_change = packages, see_note, on_change
        self._accepted: set[str] = set()

    def forget(self) -> None:
        """Say again what the user had accepted: the scene is another one."""
        self._accepted = set()

    def about(self, found: Sequence[Finding]) -> tuple[Note | None, str]:
        """Return the note for the row, or None, and why nothing can be started after ``found``; empty if it can."""
        problem = next((core_text(finding.text) for finding in found if finding.prevents), "")
        if self._packages.missing:
            return self._packages.note(), problem or _("Install what is missing first.")
        spoken = (finding for finding in found if finding.severity is not Severity.OPEN)
        finding = next((f for f in spoken if core_text(f.text) not in self._accepted), None)
        if finding is None:
            return None, problem
        if finding.prevents and core_text(finding.text) == problem:
            problem = self._see_note
        return self._note(finding), problem

    def _note(self, finding: Finding) -> Note:
        text, icon = core_text(finding.text), _ICONS[finding.severity]
        fix = finding.fix
        return Note(text, icon) if fix is None else fix_note(text, icon, fix, lambda: self._on_mended(fix, text))

    def _on_mended(self, fix: Fix, text: str) -> None:
        if fix.action is FixAction.ACCEPT:
            self._accepted.add(text)
        self._on_change()
