"""What the user sees and can do while a registration runs: a bar, and a polite stop by Ctrl-C."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from DiffusionCore.affine.steps import Step


class PoliteStop:
    """A ``should_stop`` that the first Ctrl-C makes true, or another of ``signals``; the second one acts as usual."""

    def __init__(self, *signals: signal.Signals) -> None:
        self.requested = False
        self._signals = signals or (signal.SIGINT,)
        self._previous: dict[signal.Signals, Any] = {}

    def __call__(self) -> bool:
        return self.requested

    def __enter__(self) -> PoliteStop:
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._interrupt) for number in self._signals}
        return self

    def __exit__(self, *exception: object) -> None:
        self._restore()

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        self._restore()
        sys.stderr.write("\nStopping after this step; what is there is kept. Press Ctrl-C again to give it up.\n")

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}


class StepBar:
    """An ``on_step`` that draws the steps, the phase and its similarity on stderr.

    That is the mutual information of the coarse images on which a registration measures its steps; what a report says
    is taken from the images as they are.

    ``total`` steps are expected; where the registration ends earlier, the bar does, too.
    Where stderr is not a terminal it writes one line per phase instead.
    """

    def __init__(self, total: int) -> None:
        from tqdm import tqdm

        layout = "{desc:<8} {n_fmt:>3}/{total_fmt} |{bar}| {elapsed}{postfix}"
        self._bar = tqdm(total=total, bar_format=layout, disable=None, file=sys.stderr, dynamic_ncols=True)
        self._phase = ""

    def __call__(self, step: Step) -> None:
        similarity = step.metrics.get("mutual_information")
        text = "" if similarity is None else f"MI of coarse images {similarity:.3f}"
        if self._bar.disable:
            if step.phase != self._phase:
                sys.stderr.write(f"step {step.index:3d}  time {step.time:.2f}  {step.phase} {text}\n")
            self._phase = step.phase
            return
        self._bar.set_description_str(step.phase, refresh=False)
        self._bar.set_postfix_str(f"time {step.time:.2f}  {text}", refresh=False)
        self._bar.n = step.index + 1
        self._bar.total = max(self._bar.total, self._bar.n)
        self._bar.refresh()

    def __enter__(self) -> StepBar:
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.total = self._bar.n
        self._bar.refresh()
        self._bar.close()
