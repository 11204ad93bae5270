"""RunAccount: what a worker has told of a registration so far, and when."""

from __future__ import annotations

import time
from collections.abc import Callable

from DiffusionCore.jobs.events import Event, Log, Progress, Started, StepMade
from DiffusionCore.mrml.pace import remaining_seconds
from DiffusionCore.mrml.step_items import KeptStep


class RunAccount:
    """Keeps the numbers and words that a panel shows while a registration runs.

    Attributes:
        step: the index of the newest step that was computed, from 0; None before the first.
        of: how many steps there will be; None if unknown.
        phase: what made the newest step; "" before it.
        activity: what is being done, in words, where no step says it ("Reading the volumes..."); else "".
        log: lines that the computation printed, and its progress.
        history: what is known of each step that this run has made so far, without transforms.
        device: where it computes; "" until that is known.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """Begin at the time that ``clock`` (s) tells now."""
        self.step: int | None = None
        self.of: int | None = None
        self.phase = self.device = ""
        self.activity = "Reading the volumes..."
        self.log: list[str] = []
        self.history: list[KeptStep] = []
        self._clock, self._since = clock, clock()
        self._until: float | None = None
        self._made_at: list[float] = []

    @property
    def elapsed(self) -> float:
        """Seconds from the start to the end, or until now."""
        return (self._clock() if self._until is None else self._until) - self._since

    @property
    def seconds_left(self) -> float | None:
        """How long it will probably take; None while that cannot be said."""
        if self._until is not None or self.of is None or self.step is None:
            return None
        return remaining_seconds(self._made_at, self.of - self.step - 1, now=time.time())

    def _note(self, event: Event) -> None:
        """Take in what ``event`` tells."""
        match event:
            case Started():
                self.device = event.device
            case Progress():
                self.activity = event.text
                self.log.append(event.text)
            case Log():
                self.log.append(event.text)
            case StepMade():
                self._made_at.append(event.made_at)
                self.history.append(KeptStep(event.index, event.phase, event.time, dict(event.metrics)))
                self.step, self.of, self.phase, self.activity = event.index, event.of, event.phase, ""

    def _close_account(self) -> None:
        """Note that the run has ended now."""
        self.activity, self._until = "", self._clock()
