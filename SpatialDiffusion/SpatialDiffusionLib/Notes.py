"""What the note row says, and why Register may be off: missing packages first, then what speaks against the pair."""

import slicer
from slicer.i18n import tr as _

from DiffusionCore.mrml.checks import Severity, findings
from DiffusionCore.mrml.fixes import FixAction
from DiffusionCore.mrml.texts import core_text

from .NoteRow import Note
from .States import Icon

_ICONS = {Severity.ERROR: Icon.ERROR, Severity.WARNING: Icon.WARNING, Severity.INFO: Icon.NONE}


class Notes:
    """Chooses the one note that matters most.

    Attributes:
        complaint: the InstallError by which the last installation ended; None if it did not.
    """

    def __init__(self, onInstall, onChange) -> None:
        self.complaint = None
        self._onInstall, self._onChange = onInstall, onChange
        self._accepted = set()

    def forget(self) -> None:
        """Say again what the user had accepted: the scene is another one."""
        self._accepted = set()

    def about(self, request, missing) -> tuple[Note | None, str]:
        """Return the note for the row, or None, and why ``request`` cannot run; empty if it can."""
        found = findings(request)
        problem = next((core_text(finding.text) for finding in found if finding.prevents), "")
        if missing:
            return self._missingNote(missing), problem or _("Install what is missing first.")
        spoken = (finding for finding in found if finding.severity is not Severity.OPEN)
        finding = next((f for f in spoken if core_text(f.text) not in self._accepted), None)
        if finding is None:
            return None, problem
        if finding.prevents and core_text(finding.text) == problem:
            problem = seeNote()
        return self._note(finding), problem

    def _missingNote(self, missing) -> Note:
        complaint = self.complaint
        if complaint is not None and complaint.fix is not None:
            return self._noteWith(complaint.fix, core_text(str(complaint)), Icon.WARNING)
        text = _("Registration needs {packages}.").format(packages=", ".join(missing))
        tip = _("Install the Python packages that are missing. This is needed once.")
        said = text if complaint is None else core_text(str(complaint))
        return Note(said, Icon.WARNING, _("Install..."), tip, self._onInstall)

    def _note(self, finding) -> Note:
        text, icon = core_text(finding.text), _ICONS[finding.severity]
        return Note(text, icon) if finding.fix is None else self._noteWith(finding.fix, text, icon)

    def _noteWith(self, fix, text, icon) -> Note:
        buttons = {
            FixAction.OPEN_MODULE: (_("Open module"), _("Go to the module that helps.")),
            FixAction.OPEN_EXTENSIONS: (_("Open Extensions Manager"), _("Go to where extensions are installed.")),
            FixAction.IGNORE_TRANSFORM: (_("Ignore it"), _("Take the volume out of its transform.")),
            FixAction.ACCEPT: (_("OK"), _("Do not show this again for this scene.")),
        }
        return Note(text, icon, *buttons[fix.action], lambda: self._mend(fix, text))

    def _mend(self, fix, text) -> None:
        match fix.action:
            case FixAction.OPEN_MODULE:
                slicer.util.selectModule(fix.target)
            case FixAction.OPEN_EXTENSIONS:
                slicer.app.openExtensionsManagerDialog()
            case FixAction.IGNORE_TRANSFORM:
                fix.target.SetAndObserveTransformNodeID(None)
            case FixAction.ACCEPT:
                self._accepted.add(text)
        self._onChange()


def gpuNote(useCpu) -> Note:
    """Return what helps after a run for which the memory of the GPU was too small; ``useCpu()`` chooses the CPU."""
    text = _("The GPU was too small for this pair. The CPU can use all memory of the computer, and takes longer.")
    tip = _("Choose the CPU as the device (Advanced), for the next run.")
    return Note(text, Icon.WARNING, _("Use CPU"), tip, useCpu)


def seeNote() -> str:
    """Return the status where the note says why nothing can be started."""
    return _("This cannot be registered yet: see the note above.")
