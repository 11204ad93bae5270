"""Schedules: how far each step of the diffusion moves, and how far all steps up to a time have moved.

Times are 1..N, and 0 is the noise-free state. Entry ``n - 1`` of a table belongs to time n. Affine transforms are
noised by steps that add up (``Schedule``); what has unit variance of its own, such as a z-scored field or image, fades
into noise of unit variance (``Betas``).
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


@dataclass(frozen=True)
class Betas(ABC):
    """Variances beta of the noise of each step; what was there fades so that the variance stays 1.

    Of the clean state the share ``alpha_bar`` of the variance is left at a time: x_t = sqrt(alpha_bar_t) x_0 +
    sqrt(1 - alpha_bar_t) noise, alpha_bar_t = (1 - beta_1) ... (1 - beta_t).

    Source: Ho et al., Denoising diffusion probabilistic models (NeurIPS 2020), eq. 4.
    """

    steps: int

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"A schedule needs at least one step, got {self.steps}")

    @abstractmethod
    def betas(self) -> Tensor:
        """Return the variances of all steps: (steps,), float64, on the CPU."""

    def alpha_bar(self, times: Tensor) -> Tensor:
        """Return the share of the variance that is left of the clean state at ``times``, of 0..steps: float64.

        Raises:
            ValueError: a time lies outside of the schedule.
        """
        if times.numel() and not 0 <= times.min() <= times.max() <= self.steps:
            raise ValueError(f"The schedule has the times 0 to {self.steps}, got {times.min()} to {times.max()}")
        betas = self.betas().to(times.device)
        return torch.cat([torch.ones_like(betas[:1]), (1 - betas).cumprod(0)])[times]


@dataclass(frozen=True)
class LinearBetas(Betas):
    """Betas that grow evenly. The defaults are those of DiffuseReg.

    Raises:
        ValueError: no steps, or variances that are not positive, below 1 and increasing.
    """

    steps: int = 2000
    smallest: float = 1e-6
    largest: float = 1e-2

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.smallest <= self.largest < 1:
            raise ValueError(f"Expected 0 < smallest <= largest < 1, got {self.smallest} and {self.largest}")

    def betas(self) -> Tensor:
        return torch.linspace(self.smallest, self.largest, self.steps, dtype=torch.float64)


@dataclass(frozen=True)
class CosineBetas(Betas):
    """Betas after which alpha_bar is a squared cosine: as good as nothing of the clean state is left at the end.

    alpha_bar_t = f(t) / f(0), f(t) = cos^2(pi / 2 (t / steps + offset) / (1 + offset)); betas end at .999.

    Raises:
        ValueError: no steps, or an ``offset`` that is not above 0 and below 1.

    Source: Nichol and Dhariwal, Improved denoising diffusion probabilistic models (ICML 2021), eq. 17.
    """

    steps: int = 1000
    offset: float = 0.008

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.offset < 1:
            raise ValueError(f"Expected 0 < offset < 1, got {self.offset}")

    def betas(self) -> Tensor:
        share = torch.linspace(0, 1, self.steps + 1, dtype=torch.float64)
        kept = torch.cos(math.pi / 2 * (share + self.offset) / (1 + self.offset)).square()
        return (1 - kept[1:] / kept[:-1]).clamp(max=0.999)
