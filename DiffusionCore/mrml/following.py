"""Following: whether the user watches the newest step of a run, or looks at an earlier one."""

from __future__ import annotations

from DiffusionCore.mrml.sequences import StepSequence


class Following:
    """Compares what is selected with what the run had selected itself.

    Selecting an earlier step, or playing the steps, turns following off; selecting the last one turns it on.
    """

    def __init__(self) -> None:
        self._on, self._selected = True, -1

    def look(self, steps: StepSequence | None) -> bool:
        """Return whether the newest step is to be shown, after a look at what the user has selected in ``steps``."""
        if steps is not None and steps.shown != self._selected:
            self._selected = steps.shown
            self._on = steps.shown == len(steps) - 1 and not steps.browser.GetPlaybackActive()
        return self._on

    def note(self, steps: StepSequence | None) -> None:
        """Note what is selected after the run has added steps."""
        self._selected = steps.shown if steps is not None else -1

    def switch(self, on: bool, steps: StepSequence | None) -> None:
        """Turn following on or off; on goes to the newest step."""
        self._on = on
        if on and steps is not None:
            steps.select(len(steps) - 1)
        self.note(steps)

    def facts(self) -> tuple[bool, int]:
        """Return what a panel would show differently."""
        return self._on, self._selected
