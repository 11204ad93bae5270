"""Where a panel stands: what both panels call it, and how a run tells it."""

from __future__ import annotations

from enum import Enum

from DiffusionCore.mrml.run_state import RunState

PATIENCE = 5.0  # seconds after Stop until it can be forced


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
