"""A note whose button does what a fix of the core says."""

from __future__ import annotations

from collections.abc import Callable

import slicer
from slicer.i18n import tr as _

from DiffusionCore.mrml.fixes import Fix, FixAction
from DiffusionCore.mrml.panels.lines import Icon
from DiffusionCore.mrml.panels.note_row import Note


def fix_note(text: str, icon: Icon, fix: Fix, on_done: Callable[[], None]) -> Note:
    """Return the note ``text`` with the button of ``fix``; ``on_done()`` is called after what it does."""
    buttons = {
        FixAction.OPEN_MODULE: (_("Open module"), _("Go to the module that helps.")),
        FixAction.OPEN_EXTENSIONS: (_("Open Extensions Manager"), _("Go to where extensions are installed.")),
        FixAction.IGNORE_TRANSFORM: (_("Ignore it"), _("Take the volume out of its transform.")),
        FixAction.ACCEPT: (_("OK"), _("Do not show this again for this scene.")),
    }

    def mend() -> None:
        match fix.action:
            case FixAction.OPEN_MODULE:
                slicer.util.selectModule(fix.target)
            case FixAction.OPEN_EXTENSIONS:
                slicer.app.openExtensionsManagerDialog()
            case FixAction.IGNORE_TRANSFORM:
                fix.target.SetAndObserveTransformNodeID(None)
            case FixAction.ACCEPT:
                pass
        on_done()

    return Note(text, icon, *buttons[fix.action], mend)
