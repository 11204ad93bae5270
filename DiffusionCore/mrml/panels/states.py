"""Where a panel stands: what both panels call it, and how a run tells it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from slicer.i18n import tr as _

from DiffusionCore.mrml.panels.lines import Icon
from DiffusionCore.mrml.run_state import RunState

_PATIENCE = 5.0  # seconds after Stop until it can be forced


class Phase(Enum):
    """What is going on."""

    IDLE = "idle"
    INSTALLING = "installing"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"


class End(Enum):
    """How the last run ended, as long as the user has not turned to the next one."""

    NONE = "none"
    STOPPED = "stopped"
    FINISHED = "finished"
    FAILED = "failed"


PHASES = {
    RunState.STARTING: Phase.STARTING,
    RunState.RUNNING: Phase.RUNNING,
    RunState.STOPPING: Phase.STOPPING,
}
ENDS = {RunState.STOPPED: End.STOPPED, RunState.FINISHED: End.FINISHED, RunState.FAILED: End.FAILED}


@dataclass(frozen=True)
class Line:
    """What the status line shows: ``text``, ``icon``, and what the link ``link_text`` leads to, if there is one."""

    text: str
    icon: Icon = Icon.NONE
    link: Enum | None = None
    link_text: str = ""


def stop_button(phase: Phase, seconds: float, *, stop: str, force: str) -> tuple[str, bool, str] | None:
    """Return text, enabled and tooltip of the one button in ``phase``; None where it starts something.

    Args:
        phase: what is going on.
        seconds: since Stop was pressed.
        stop, force: the tooltips of Stop and Force stop.
    """
    match phase:
        case Phase.INSTALLING:
            return _("Installing..."), False, _("The Python packages are being installed.")
        case Phase.STARTING | Phase.RUNNING:
            return _("Stop"), True, stop
        case Phase.STOPPING if seconds >= _PATIENCE:
            return _("Force stop"), True, force
        case Phase.STOPPING:
            return _("Stopping..."), False, stop
    return None
