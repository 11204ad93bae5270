"""What a running job reports: ``Started``, then anything, and exactly one ``Finished`` or ``Failed``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from DiffusionCore.space import Volume
from DiffusionCore.space.plain import PlainTransform

SIMILARITY, OVERLAP, FOLDING = "Similarity", "Overlap", "Folding"  # names of measures
UNCERTAINTY, UNCERTAINTY_95 = "Uncertainty, median", "Uncertainty, 95 % below"
REPEATS, SAMPLES, STATED, SIZE = "repeats", "samples", "stated", "size"  # what a spread is
RESAMPLING = "Resampling the moving volume..."  # the progress after which no step comes, only the result


@dataclass(frozen=True)
class Started:
    """The computation has begun on ``device`` ("cpu", "cuda:0", ...)."""

    device: str


@dataclass(frozen=True)
class Progress:
    """What is being done now, in words for the user, where no step says it ("Loading the model...")."""

    text: str


@dataclass(frozen=True)
class Log:
    """A line for the log: whatever the computation printed."""

    text: str


@dataclass(frozen=True, eq=False)
class StepMade:
    """One step of the registration, as ``DiffusionCore.affine.steps.Step``, but plain.

    Attributes:
        index: 0, 1, 2, ...; a resumed run goes on with the number after the step that it starts from.
        of: how many steps there will be if nothing ends early; None where the method does not know.
        phase: what made this step, e.g. "pose".
        time: the diffusion time, from 1 to 0.
        transform: from fixed to moving points, RAS mm.
        metrics: name -> value, e.g. "similarity" (0..1, as the measure SIMILARITY) and "overlap".
        made_at: seconds since the epoch when the step was computed.
    """

    index: int
    of: int | None
    phase: str
    time: float
    transform: PlainTransform
    metrics: dict[str, float] = field(default_factory=dict)
    made_at: float = 0.0


@dataclass(frozen=True)
class VariantMade:
    """A variant of a labeled case was written; ``record`` is what the manifest of its set says of it."""

    record: dict[str, Any]


@dataclass(frozen=True)
class Measure:
    """A number about the pair ``before`` and ``after`` the registration; None where it means nothing.

    ``name`` is for people: SIMILARITY (0..1), OVERLAP (mean Dice of all labels), "Overlap of label 3", FOLDING (%),
    and where there are samples UNCERTAINTY and UNCERTAINTY_95 (mm, over the fixed foreground). ``unit`` is "", "mm" or
    "%".
    """

    name: str
    unit: str
    before: float | None
    after: float | None


@dataclass(frozen=True, eq=False)
class Finished:
    """The job has ended with a result: of a registration, its last step; of a synthesis, its variants.

    Attributes:
        stopped: somebody asked it to stop.
        seconds: per phase, in order.
        measures: before and after.
        moved: the moving image on the fixed grid (K, J, I), in its own type, if it was asked for.
        moved_labels: the moving labels on the fixed grid, nearest neighbor, if there are any.
        spread: mm; how wrong the result may be, if that is known.
        spread_is: what that is: REPEATS, how far repeated runs lie apart; SAMPLES, how far samples of the field do, or
            what a network believes; STATED, what a calibration says; SIZE, what one says that knows how large errors
            are, but not where.
        cautions: what the user must be told beside the numbers, a sentence or two each.
    """

    stopped: bool
    seconds: dict[str, float] = field(default_factory=dict)
    measures: tuple[Measure, ...] = ()
    moved: NDArray | None = None
    moved_labels: NDArray | None = None
    spread: Volume | None = None
    spread_is: str = ""
    cautions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failed:
    """The job has ended without a result.

    Attributes:
        message: one or two sentences for the user: what happened, and what helps.
        details: for the log: a traceback, or the last lines that the process printed.
        last_step: the index of the last step that arrived; None if there was none.
    """

    message: str
    details: str = ""
    last_step: int | None = None


Event = Started | Progress | Log | StepMade | VariantMade | Finished | Failed
