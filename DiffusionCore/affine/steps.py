"""Step: one state of a registration, as the panel, the shell and the tests see it."""

from __future__ import annotations

from dataclasses import dataclass, field

from DiffusionCore.transforms.base import Transform


@dataclass(frozen=True)
class Step:
    """The registration so far.

    Attributes:
        index: 0, 1, 2, ... in the order of time.
        phase: what made this step: "center", "pose", "search", "polish", "diffusion", "refine", ...
        time: the diffusion time, from 1 (nothing known) to 0 (denoised); of a refinement, the share that is left of it.
        transform: from fixed to moving points, RAS mm.
        metrics: name -> value, e.g. "mutual_information" (nat) and "overlap" (share of the fixed foreground).
    """

    index: int
    phase: str
    time: float
    transform: Transform
    metrics: dict[str, float] = field(default_factory=dict)
