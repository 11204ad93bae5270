"""RunState: where a registration stands."""

from __future__ import annotations

from enum import Enum


class RunState(Enum):
    """Where a run stands; the last three are ends."""

    STARTING = "starting"  # reading the volumes, starting the worker, loading the model
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FINISHED = "finished"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self in (RunState.STOPPED, RunState.FINISHED, RunState.FAILED)
