"""What the note row says, and why Register may be off: missing packages first, then what speaks against the pair."""

from slicer.i18n import tr as _

from DiffusionCore.mrml.checks import Severity, findings
from DiffusionCore.mrml.fixes import FixAction
from DiffusionCore.mrml.panels.fix_note import fix_note
from DiffusionCore.mrml.panels.lines import Icon
from DiffusionCore.mrml.panels.note_row import Note
from DiffusionCore.mrml.texts import core_text

_ICONS = {Severity.ERROR: Icon.ERROR, Severity.WARNING: Icon.WARNING, Severity.INFO: Icon.NONE}


class Notes:
    """Chooses the one note that matters most.

    Args:
        packages: see DiffusionCore.mrml.panels.packages.
        onChange: called when the user has mended something.
    """

    def __init__(self, packages, onChange) -> None:
        self._packages, self._onChange = packages, onChange
        self._accepted = set()

    def forget(self) -> None:
        """Say again what the user had accepted: the scene is another one."""
        self._accepted = set()

    def about(self, request) -> tuple[Note | None, str]:
        """Return the note for the row, or None, and why ``request`` cannot run; empty if it can."""
        found = findings(request)
        problem = next((core_text(finding.text) for finding in found if finding.prevents), "")
        if self._packages.missing:
            return self._packages.note(), problem or _("Install what is missing first.")
        spoken = (finding for finding in found if finding.severity is not Severity.OPEN)
        finding = next((f for f in spoken if core_text(f.text) not in self._accepted), None)
        if finding is None:
            return None, problem
        if finding.prevents and core_text(finding.text) == problem:
            problem = seeNote()
        return self._note(finding), problem

    def _note(self, finding) -> Note:
        text, icon = core_text(finding.text), _ICONS[finding.severity]
        fix = finding.fix
        return Note(text, icon) if fix is None else fix_note(text, icon, fix, lambda: self._onMended(fix, text))

    def _onMended(self, fix, text) -> None:
        if fix.action is FixAction.ACCEPT:
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
