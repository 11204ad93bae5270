"""The Python packages that a module needs: which are missing, the note that says so, and what its button does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer
from slicer.i18n import tr as _

from DiffusionCore.mrml.install import InstallError, ensure_packages, installed_versions, missing_packages
from DiffusionCore.mrml.panels.fix_note import fix_note
from DiffusionCore.mrml.panels.lines import Icon
from DiffusionCore.mrml.panels.note_row import Note
from DiffusionCore.mrml.panels.words import installing_text
from DiffusionCore.mrml.texts import core_text


class Packages:
    """Knows what is missing since the last ``look``.

    Args:
        requester: the name of the module, for the questions before an installation.
        needed: what the note says, with {packages} for the names: "Registration needs {packages}."
        on_change: called whenever there is something else to be shown.

    Attributes:
        missing: the names of what is to be installed.
        installing: what is said while it is being installed; empty while it is not.
    """

    def __init__(self, requester: str, needed: str, on_change: Callable[[], None]) -> None:
        self.missing: list[str] = []
        self.installing = ""
        self._requester, self._needed, self._on_change = requester, needed, on_change
        self._complaint: InstallError | None = None

    def look(self) -> None:
        """Find out what is missing, and forget how the last installation ended."""
        self.missing, self._complaint = missing_packages(), None

    def install(self, *_arguments: Any) -> None:
        """Install what is missing, after asking; the note says why something is missing still."""
        self._complaint = None
        try:
            ensure_packages(self._requester, tell=self._tell, translate=core_text)
        except InstallError as error:
            self._complaint = error
        finally:
            self.installing, self.missing = "", missing_packages()
            self._on_change()

    def note(self) -> Note | None:
        """Return what is said about what is missing, with the button that helps; None if nothing is."""
        if not self.missing:
            return None
        text = self._needed.format(packages=", ".join(self.missing))
        complaint = self._complaint
        if complaint is not None:
            text = core_text(str(complaint))
            if complaint.fix is not None:
                return fix_note(text, Icon.WARNING, complaint.fix, self._on_change)
        tip = _("Install the Python packages that are missing. This is needed once.")
        return Note(text, Icon.WARNING, _("Install..."), tip, self.install)

    def _tell(self, name: str, number: int, of: int) -> None:
        self.installing = installing_text(name, number, of)
        self._on_change()
        slicer.app.processEvents()


def versions_text() -> str:
    """Return the packages with their versions, and which are missing, in one line."""
    return ", ".join(f"{name} {version or _('missing')}" for name, version in installed_versions().items())
