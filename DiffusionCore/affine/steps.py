"""Step: one state of a registration, as the panel, the shell and the tests see it."""

from __future__ import annotations

from dataclasses import dataclass, field

from DiffusionCore.space import Volume
from DiffusionCore.transforms.base import Transform


@dataclass(frozen=True, eq=False)
class Spread:
    """What is known of how wrong a transform may be.

    Attributes:
        values: mm, the root mean square of a distance, on a grid over the fixed object.
        stated: whether a calibration on pairs with a known truth stands behind it; else it is how far samples of the
            field lie apart, or what a network believes.
        localizes: whether the calibration found that it says where errors are, and not only how large they are.
    """

    values: Volume
    stated: bool = False
    localizes: bool = False


@dataclass(frozen=True)
class Step:
    """The registration so far.

    Attributes:
        index: 0, 1, 2, ... in the order of time.
        phase: what made this step: "center", "pose", "search", "polish", "diffusion", "refine", ...
        time: the diffusion time, from 1 (nothing known) to 0 (denoised); of a refinement, the share that is left of it.
        transform: from fixed to moving points, RAS mm.
        metrics: name -> value, e.g. "mutual_information" (nat) and "overlap" (share of the fixed foreground).
        spread: where the transform may be wrong, if that is known.
    """

    index: int
    phase: str
    time: float
    transform: Transform
    metrics: dict[str, float] = field(default_factory=dict)
    spread: Spread | None = None
