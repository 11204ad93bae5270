"""How a refinement runs, and the presets of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from enum import Enum

from DiffusionCore.checks import check_range
from DiffusionCore.deformable.measures import AutomaticMeasure, Measure


class Preset(Enum):
    """How much time a registration may take for how much detail."""

    FAST = "fast"
    DEFAULT = "default"
    ACCURATE = "accurate"


@dataclass(frozen=True)
class RefinementSettings:
    """How a velocity field is refined: from coarse to fine, both directions at once, until nothing is gained.

    The velocity lies on a grid half as fine as that of the images. Measured: ``Documentation/deformable.md``.

    Attributes:
        spacing: of the images at the finest level, mm; an axis that is coarser keeps its own spacing. An object smaller
            than 50 mm in radius has more detail per mm: there it is finer in proportion.
        iterations: the most per level, from the coarsest to the finest; each level is twice as fine as the one before.
        measure: of how alike the images are.
        step: the longest update of the first iterations of a level, in voxels of the velocity.
        fluid: sigma of the Gaussian that smooths each update, in voxels of the velocity.
        elastic: how much the velocity diffuses per unit of ``step``, in squared voxels of the velocity; no more of it
            is used than what an explicit step of diffusion is stable for.
        divergence: how much the change of volume is damped, likewise; the knob between overlap and regularity.
        patience: iterations within which a level must gain ``gain``, or it ends.
        gain: the least relative gain of the measure.
        show_every: iterations between two steps.

    Raises:
        ValueError: a number is out of its range.
    """

    spacing: float = 2.0
    iterations: tuple[int, ...] = (30, 20, 12)
    measure: Measure | AutomaticMeasure = field(default_factory=AutomaticMeasure)
    step: float = 0.5
    fluid: float = 0.6
    elastic: float = 0.06
    divergence: float = 0.25
    patience: int = 8
    gain: float = 0.01
    show_every: int = 6

    def __post_init__(self) -> None:
        check_range(self, 1e-3, 1e3, "spacing")
        check_range(self, 0.01, 1.0, "step")
        check_range(self, 0.0, 4.0, "fluid")
        check_range(self, 0.0, 0.3, "elastic")
        check_range(self, 0.0, 1.0, "divergence", "gain")
        check_range(self, 1, math.inf, "patience", "show_every")
        if not self.iterations or min(self.iterations) < 1:
            raise ValueError(f"'iterations' must name at least one level, each with 1 or more, got {self.iterations}")

    def shown(self, time: float = 1.0) -> list[tuple[int, int]]:
        """Return (level, iteration) of every step of a refinement that goes on at ``time`` and does not end early."""
        first, done = self.position(time)
        levels = range(first, len(self.iterations))
        begun = {first: done}
        return [(n, i) for n in levels for i in range(begun.get(n, 0) + 1, self.iterations[n] + 1) if self.shows(n, i)]

    def shows(self, level: int, iteration: int) -> bool:
        """Return whether there is a step after this iteration (1, 2, ...) of ``level``."""
        return iteration % self.show_every == 0 or iteration == self.iterations[level]

    def time(self, level: int, iteration: int) -> float:
        """Return the share of all iterations that is left after ``iteration`` of ``level``: the time of its step."""
        return 1 - (sum(self.iterations[:level]) + iteration) / sum(self.iterations)

    def position(self, time: float) -> tuple[int, int]:
        """Return the level at ``time``, and how many of its iterations are done; at 0 the finest one begins anew."""
        done = round((1 - min(max(time, 0.0), 1.0)) * sum(self.iterations))
        for level, count in enumerate(self.iterations):
            if done < count:
                return level, done
            done -= count
        return len(self.iterations) - 1, 0

    @classmethod
    def of(cls, preset: Preset) -> RefinementSettings:
        """Return the settings of ``preset``: few iterations where they cost; as many as help; another, finer level."""
        default = cls()
        match preset:
            case Preset.FAST:
                return replace(default, iterations=(*default.iterations[:-1], 6))
            case Preset.DEFAULT:
                return default
            case Preset.ACCURATE:
                return replace(default, spacing=default.spacing / 2, iterations=(*default.iterations, 6))
