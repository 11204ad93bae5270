"""Schedules: how far each step of the diffusion moves, and how far all steps up to a time have moved.

Times are 1..N, and 0 is the noise-free state. Entry ``n - 1`` of a table belongs to time n.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Schedule(ABC):
    """Deviations that grow from ``smallest`` to ``largest`` over ``steps`` steps, in the unit of the noised quantity.

    Raises:
        ValueError: no steps, or deviations that are not positive and increasing.
    """

    steps: int = 65
    smallest: float = 0.01
    largest: float = 0.07

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"A schedule needs at least one step, got {self.steps}")
        if not 0 < self.smallest <= self.largest < math.inf:
            raise ValueError(f"Expected 0 < smallest <= largest, got {self.smallest} and {self.largest}")

    @abstractmethod
    def _rise(self, share: Tensor) -> Tensor:
        """Return the share of the way from ``smallest`` to ``largest`` after ``share`` of the steps."""

    def step_std(self) -> Tensor:
        """Return the deviation of each single step: (steps,), float64."""
        return self.smallest + (self.largest - self.smallest) * self._rise(
            torch.linspace(0, 1, self.steps, dtype=torch.float64)
        )

    def total_std(self) -> Tensor:
        """Return the deviation after each step: (steps,), float64. Independent steps add in variance."""
        return self.step_std().square().cumsum(0).sqrt()


@dataclass(frozen=True)
class LinearSchedule(Schedule):
    """Steps that grow evenly. Source: published spatial diffusion system."""

    def _rise(self, share: Tensor) -> Tensor:
        return share


@dataclass(frozen=True)
class CosineSchedule(Schedule):
    """Steps that grow along a quarter of a squared sine. Source: published spatial diffusion system, its default."""

    def _rise(self, share: Tensor) -> Tensor:
        return torch.sin(math.pi / 2 * share).square()
