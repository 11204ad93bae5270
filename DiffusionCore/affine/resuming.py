"""Where a registration goes on that was left after one of its steps."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from DiffusionCore.affine.steps import Step
from DiffusionCore.checks import ConfigError
from DiffusionCore.transforms.affine import Affine

_SAME = 1e-9  # times closer than this are one


def affine_state(after: Step) -> Affine:
    """Return the transform of ``after``.

    Raises:
        ConfigError: it is not affine.
    """
    if not isinstance(after.transform, Affine):
        raise ConfigError(
            f"Step {after.index + 1} holds a displacement field, and this method makes affine transforms only. Go on "
            "from a step of an affine phase, or choose a method that deforms."
        )
    return after.transform


def split_fractions(fractions: tuple[float, ...], after: Step) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the fractions of pose steps that lie behind ``after``, and those ahead of it.

    The time of a pose step is the share that is left of the way. If ``after`` is none of the steps of this list (a run
    with another number of them made it), the step that leads past its time is divided there.
    """
    left = list(itertools.accumulate(fractions, lambda share, fraction: share * (1 - fraction), initial=1.0))
    time, number = min(max(after.time, 0.0), 1.0), after.index
    if number < len(left) and math.isclose(left[number], time, abs_tol=_SAME):  # several may have the time 0
        return fractions[:number], fractions[number:]
    number = sum(share >= time - _SAME for share in left) - 1
    if left[number] - time < _SAME:
        return fractions[:number], fractions[number:]
    behind = (*fractions[:number], 1 - time / left[number])
    if number == len(fractions):
        return behind, ()
    return behind, (1 - left[number + 1] / time, *fractions[number + 1 :])


def times_done(times: Sequence[int], total: int, after: Step) -> int:
    """Return how many steps of a diffusion over ``times`` (falling, of ``total``) lie behind ``after``.

    A step from t to s has the time s / total; 0 is reached by the last one.
    """
    reached = (*times[1:], 0)
    return sum(time >= after.time * total - _SAME for time in reached)
