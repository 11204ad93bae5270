"""What the panels of both modules do while something is under way: follow it by a timer, and stop it."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import qt
import slicer

from DiffusionCore.mrml.panel import ParameterPanel
from DiffusionCore.mrml.run_state import RunState

_INTERVAL = 50  # ms between two looks at a run
_QUIET = 10  # looks after which the times that are shown are renewed, also where nothing else has changed


class RunningPanel(ParameterPanel):
    """A panel whose logic runs one thing at a time (``run``, ``running``, ``close``); start and stop are one button.

    While it runs, everything else in Slicer can be used, and the module can be left.
    """

    def __init__(self, module: Any, name: str) -> None:
        self._timer = qt.QTimer()
        self._timer.setInterval(_INTERVAL)
        self._timer.timeout.connect(self._on_timer)
        self._ticks = 0
        self._started_at = self._stopped_at = 0.0
        super().__init__(module, name)

    @abstractmethod
    def follow_run(self) -> bool:
        """Take in what the run has reported, and return whether anything has changed."""

    @abstractmethod
    def on_end(self) -> None:
        """Show how the run has ended; nothing is bound if the scene is being closed."""

    def build(self) -> None:
        slicer.app.connect("aboutToQuit()", self._on_quit)

    def cleanup(self) -> None:
        self.end_run()
        self._timer.timeout.disconnect(self._on_timer)  # it would keep the panel, which keeps the timer
        slicer.app.disconnect("aboutToQuit()", self._on_quit)
        super().cleanup()

    def end_run(self) -> None:
        """End what is under way; what is finished stays."""
        self._timer.stop()
        self.logic.close()
        self.running = False

    @property
    def is_button_armed(self) -> bool:
        """Whether a click on Stop stops: the second click of a double click on the start does not."""
        return time.monotonic() - self._started_at > slicer.app.doubleClickInterval / 1000

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._started_at

    @property
    def stop_seconds(self) -> float:
        """Seconds since Stop was pressed; 0 if it was not."""
        stopping = self.logic.running and self.logic.run.state is RunState.STOPPING
        return time.monotonic() - self._stopped_at if stopping else 0.0

    def press(self, start: Callable[[], None]) -> None:
        """Do what the button says: ``start()``, stop, or stop by force."""
        run = self.logic.run
        if not self.logic.running:
            start()
        elif run.state is RunState.STOPPING:
            run.force_stop()
        elif self.is_button_armed:
            self._stopped_at = time.monotonic()
            run.stop()
        self.refresh()

    def follow(self) -> None:
        """Follow the run that the logic has begun."""
        self._started_at = time.monotonic()
        self.running = True
        self._timer.start()
        self.refresh()

    def look(self) -> None:
        """Look at the run once."""
        changed = self.follow_run()
        self._ticks += 1
        if self.logic.running:
            if changed or self._ticks % _QUIET == 0:
                self.refresh()
            return
        self._timer.stop()
        self.running = False
        self.on_end()
        if self.parameters is not None and not self._entered:
            self._bind(None)

    def _on_timer(self, *_: Any) -> None:
        self.look()

    def _on_quit(self, *_: Any) -> None:
        self.end_run()
