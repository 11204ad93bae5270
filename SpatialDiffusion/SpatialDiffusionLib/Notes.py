"""What the note row says beside what is shared with the other module."""

from slicer.i18n import tr as _

from DiffusionCore.mrml.panels.lines import Icon
from DiffusionCore.mrml.panels.note_row import Note


def gpuNote(useCpu) -> Note:
    """Return what helps after a run for which the memory of the GPU was too small; ``useCpu()`` chooses the CPU."""
    text = _("The GPU was too small for this pair. The CPU can use all memory of the computer, and takes longer.")
    tip = _("Choose the CPU as the device (Advanced), for the next run.")
    return Note(text, Icon.WARNING, _("Use CPU"), tip, useCpu)


def heldGpuNote() -> Note:
    """Return what to expect while a training computes on the only GPU."""
    return Note(_("Training uses the GPU; registration will run on the CPU."))


def seeNote() -> str:
    """Return the status where the note says why nothing can be started."""
    return _("This cannot be registered yet: see the note above.")
