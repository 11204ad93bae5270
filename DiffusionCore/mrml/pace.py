"""How often the scene follows a run, and how long the run will take."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Sequence

_RECENT = 5  # intervals between steps that an estimate is made from: phases differ in speed


class Pace:
    """Limits how often something happens: at once the first time, then at most ``per_second`` times a second."""

    def __init__(self, per_second: float, clock: Callable[[], float]) -> None:
        self._interval, self._clock = 1 / per_second, clock
        self._last: float | None = None

    def is_due(self) -> bool:
        """Return whether it may happen now."""
        return self._last is None or self._clock() - self._last >= self._interval

    def mark(self) -> None:
        """Note that it happens now."""
        self._last = self._clock()


def remaining_seconds(made_at: Sequence[float], steps_left: int, *, now: float) -> float | None:
    """Return how long ``steps_left`` more steps take, if steps came at the times ``made_at`` (s); None if unknown."""
    recent = made_at[-_RECENT - 1 :]
    if len(recent) < 2:
        return None
    interval = statistics.median(later - earlier for earlier, later in itertools.pairwise(recent))
    return max(0.0, steps_left * interval - max(0.0, min(now - made_at[-1], interval)))
