"""What the note row says, and why Register may be off: missing packages first, then what speaks against the pair."""

import slicer
from slicer.i18n import tr as _

from DiffusionCore.mrml.checks import FixAction, Severity, findings

from .NoteRow import Note
from .States import Icon

_ICONS = {Severity.ERROR: Icon.ERROR, Severity.WARNING: Icon.WARNING, Severity.INFO: Icon.NONE}


class Notes:
    """Chooses the one note that matters most.

    Attributes:
        complaint: why the last installation failed; empty if it did not.
    """

    def __init__(self, onInstall, onChange) -> None:
        self.complaint = ""
        self._onInstall, self._onChange = onInstall, onChange
        self._accepted = set()

    def forget(self) -> None:
        """Say again what the user had accepted: the scene is another one."""
        self._accepted = set()

    def about(self, request, missing) -> tuple[Note | None, str]:
        """Return the note for the row, or None, and why ``request`` cannot run; empty if it can."""
        found = findings(request)
        problem = next((finding.text for finding in found if finding.severity is Severity.ERROR), "")
        if missing:
            return self._missingNote(missing), problem or _("Install what is missing first.")
        spoken = (f for f in found if f.fix is not None or f.severity is not Severity.ERROR)
        finding = next((f for f in spoken if f.text not in self._accepted), None)
        if finding is None:
            return None, problem
        if finding.text == problem:
            problem = _("This pair cannot be registered: see the note above.")
        return self._note(finding), problem

    def _missingNote(self, missing) -> Note:
        text = self.complaint or _("Registration needs {packages}.").format(packages=", ".join(missing))
        tip = _("Install the Python packages that are missing. This is needed once.")
        return Note(text, Icon.WARNING, _("Install..."), tip, self._onInstall)

    def _note(self, finding) -> Note:
        if finding.fix is None:
            return Note(finding.text, _ICONS[finding.severity])
        tips = {
            FixAction.OPEN_MODULE: _("Go to the module that helps."),
            FixAction.IGNORE_TRANSFORM: _("Take the volume out of its transform."),
            FixAction.ACCEPT: _("Do not show this again for this scene."),
        }
        fix, icon = finding.fix, _ICONS[finding.severity]
        return Note(finding.text, icon, fix.text, tips[fix.action], lambda: self._mend(finding))

    def _mend(self, finding) -> None:
        match finding.fix.action:
            case FixAction.OPEN_MODULE:
                slicer.util.selectModule(finding.fix.target)
            case FixAction.IGNORE_TRANSFORM:
                finding.fix.target.SetAndObserveTransformNodeID(None)
            case FixAction.ACCEPT:
                self._accepted.add(finding.text)
        self._onChange()
