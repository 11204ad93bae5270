"""From a run (DiffusionCore.mrml.run.LiveRun) to the facts that the appearance depends on."""

from DiffusionCore.jobs.events import FOLDING, SIMILARITY
from DiffusionCore.jobs.failures import GPU_MEMORY
from DiffusionCore.mrml.panels.states import ENDS, PHASES
from DiffusionCore.mrml.steering import count_of
from DiffusionCore.mrml.texts import core_text

from .States import Facts


def runFacts(run, resumedFrom, stopSeconds, expected, places) -> Facts:
    """Return what holds while ``run`` is under way; ``places`` are facts that do not come from it.

    ``expected``: the seconds that a whole run was expected to take; None if this one is a part of it.
    """
    return Facts(
        phase=PHASES[run.state],
        activity=core_text(run.activity),
        step=_number(run),
        of=run.of,
        stepPhase=run.phase,
        secondsLeft=secondsLeft(run, expected),
        resumedFrom=resumedFrom,
        landmarks=_landmarks(run.request.steering),
        stopSeconds=stopSeconds,
        **places,
    )


def endFacts(run, seconds) -> Facts:
    """Return what holds after ``run`` has ended, ``seconds`` after it began."""
    measures = {measure.name: measure for measure in run.measures}
    similarity, folding = measures.get(SIMILARITY), measures.get(FOLDING)
    known = similarity is not None and None not in (similarity.before, similarity.after)
    return Facts(
        end=ENDS[run.state],
        step=_number(run),
        of=run.of,
        failure=core_text(run.message),
        caution=" ".join(map(core_text, run.cautions)),
        hasDetails=bool(run.details),
        gpuWasFull=GPU_MEMORY in run.message,
        seconds=seconds,
        similarity=(similarity.before, similarity.after) if known else None,
        folding=None if folding is None else folding.after,
    )


def secondsLeft(run, expected) -> float | None:
    """Return what is left by the pace of the last steps, and at least what is left of ``expected`` (as ``runFacts``).

    The late steps of a deformation are slower than the early ones, whose pace would promise too much.
    """
    left = run.seconds_left
    return left if left is None or expected is None else max(left, expected - run.elapsed)


def _landmarks(steering) -> int:
    both = steering.fixed_landmarks is not None and steering.moving_landmarks is not None
    return count_of(steering.fixed_landmarks) if both and steering.strength > 0 else 0


def _number(run) -> int | None:
    return None if run.step is None else run.step + 1
