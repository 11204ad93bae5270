"""Who runs a job: the protocol that the panel polls."""

from __future__ import annotations

from typing import Protocol

from DiffusionCore.jobs.events import Event


class Runner(Protocol):
    """A job under way. Nothing here waits: a timer of the panel, or a loop of a script, calls ``poll``."""

    @property
    def running(self) -> bool:
        """Whether ``Finished`` or ``Failed`` is still to come out of ``poll``."""
        ...

    @property
    def pid(self) -> int | None:
        """The number of its process; None where it has none of its own."""
        ...

    def poll(self) -> list[Event]:
        """Return what has been reported since the last call."""
        ...

    def stop(self) -> None:
        """Ask for the end after the current step; who does not answer in time is killed. The steps so far are kept."""
        ...

    def kill(self) -> None:
        """End it now."""
        ...

    def close(self) -> None:
        """End it now and leave nothing behind: no process, no file, no memory. May be called twice."""
        ...
