"""Deformation diffusion: an anatomy that is deformed further and further along one random velocity.

::

    Psi_t = exp(tau(t) v)          psi_t = exp((tau(t) - tau(t-1)) v)          Psi_t = Psi_(t-1) psi_t

v is one random field of unit variance, so the parts commute: the last increment psi_t, what remains Psi_(t-1), and
both inverses exp(-tau v) are known exactly, where the published system composes up to 200 small steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from DiffusionCore.checks import check_range
from DiffusionCore.space import Grid
from DiffusionCore.transforms.velocity import Velocity


@dataclass(frozen=True)
class DeformationSchedule:
    """tau(t), mm: the standard deviation of every component of the displacement at time t of 0..``steps``.

    Attributes:
        steps: of the diffusion (published: 80, its times are 0 to 79).
        largest: mm at the last time.
        power: tau grows as t to this power (published: 1.3).

    Raises:
        ValueError: a number is out of its range.

    Source: Zheng et al., DRDM (Medical Image Analysis 110, 2026); continuous, and in mm, our own.
    """

    steps: int = 80
    largest: float = 12.0
    power: float = 1.3

    def __post_init__(self) -> None:
        check_range(self, 1, math.inf, "steps")
        check_range(self, 1e-6, math.inf, "largest", "power")

    def level(self, time: float) -> float:
        """Return tau at ``time``, mm.

        Raises:
            ValueError: the time is not in 0..steps.
        """
        if not 0 <= time <= self.steps:
            raise ValueError(f"The schedule has the times 0 to {self.steps}, got {time}")
        return self.largest * (time / self.steps) ** self.power

    def time(self, level: float) -> float:
        """Return the time at which tau is ``level``, mm."""
        return self.steps * (level / self.largest) ** (1 / self.power)


@dataclass(frozen=True, eq=False)
class DeformationDiffusion:
    """The diffusion of one anatomy along the velocity ``unit`` (3, K, J, I), RAS mm of unit variance, on ``grid``."""

    unit: Tensor
    grid: Grid
    schedule: DeformationSchedule

    def deformation(self, time: float) -> Velocity:
        """Return Psi_t; its ``inverse()`` is exact."""
        return Velocity(self.schedule.level(time) * self.unit, self.grid)

    def increment(self, time: float, stride: float = 1.0) -> Velocity:
        """Return the last part of Psi_t, of ``stride`` steps: Psi_t = Psi_(t - stride) @ it.

        Raises:
            ValueError: the stride leads below time 0.
        """
        return Velocity((self.schedule.level(time) - self.schedule.level(time - stride)) * self.unit, self.grid)
