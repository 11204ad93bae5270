"""Gaussian diffusion of any tensor (B, ...) of unit variance: the noised state, and what a network learns of it.

With a = sqrt(alpha_bar_t) and s = sqrt(1 - alpha_bar_t), the noised state is x_t = a x_0 + s noise. Whoever knows x_t
and one of x_0, the noise and v = a noise - s x_0 knows the others: networks learn any of them (``Target``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from DiffusionCore.diffusion.schedules import Betas

_APART = 0x9E3779B1  # 2^32 over the golden ratio: its multiples keep the numbers of different seeds apart


class Target(ABC):
    """What a network estimates. ``alpha_bar`` is (B,), or one number for all."""

    @abstractmethod
    def of(self, clean: Tensor, noise: Tensor, alpha_bar: Tensor) -> Tensor:
        """Return the right answer for a state made of ``clean`` and ``noise``, all (B, ...)."""

    @abstractmethod
    def clean(self, estimate: Tensor, state: Tensor, alpha_bar: Tensor) -> Tensor:
        """Return the clean state that ``estimate`` makes of the noised ``state``, all (B, ...)."""

    @abstractmethod
    def min_snr(self, alpha_bar: Tensor, limit: float = 5.0) -> Tensor:
        """Return the weights of the squared errors at which no time pulls harder than ``limit``.

        They are min(SNR, limit), SNR = alpha_bar / (1 - alpha_bar), for the error of the clean state.

        Source: Hang et al., Efficient diffusion training via min-SNR weighting (ICCV 2023), section 3.4.
        """


class CleanTarget(Target):
    """The clean state itself."""

    def of(self, clean: Tensor, noise: Tensor, alpha_bar: Tensor) -> Tensor:
        return clean

    def clean(self, estimate: Tensor, state: Tensor, alpha_bar: Tensor) -> Tensor:
        return estimate

    def min_snr(self, alpha_bar: Tensor, limit: float = 5.0) -> Tensor:
        return _ratio(alpha_bar).clamp(max=limit)


class NoiseTarget(Target):
    """The noise. Source: Ho et al. (NeurIPS 2020), eq. 12."""

    def of(self, clean: Tensor, noise: Tensor, alpha_bar: Tensor) -> Tensor:
        return noise

    def clean(self, estimate: Tensor, state: Tensor, alpha_bar: Tensor) -> Tensor:
        signal, spread = factors(alpha_bar, state)
        return (state - spread * estimate) / signal

    def min_snr(self, alpha_bar: Tensor, limit: float = 5.0) -> Tensor:
        return (limit / _ratio(alpha_bar)).clamp(max=1.0)


class VelocityTarget(Target):
    """v = a noise - s x_0, tame at both ends. Source: Salimans and Ho, Progressive distillation (ICLR 2022), app. D."""

    def of(self, clean: Tensor, noise: Tensor, alpha_bar: Tensor) -> Tensor:
        signal, spread = factors(alpha_bar, clean)
        return signal * noise - spread * clean

    def clean(self, estimate: Tensor, state: Tensor, alpha_bar: Tensor) -> Tensor:
        signal, spread = factors(alpha_bar, state)
        return signal * state - spread * estimate

    def min_snr(self, alpha_bar: Tensor, limit: float = 5.0) -> Tensor:
        ratio = _ratio(alpha_bar)
        return ratio.clamp(max=limit) / (ratio + 1)


TARGETS: dict[str, Target] = {"clean": CleanTarget(), "noise": NoiseTarget(), "velocity": VelocityTarget()}


class Noise(Protocol):
    """Where the noise of a batch comes from."""

    def at(self, time: int, shape: tuple[int, ...]) -> Tensor:
        """Return noise (B, *shape), float32 on the CPU, for the step that reaches ``time``."""
        ...


@dataclass(frozen=True)
class NoiseSource:
    """Noise for a batch, one seed per item; that of a time depends on (seed, time) alone.

    So an item gets the same noise in a batch of any size, and a run that is resumed the noise of the whole run.
    """

    seeds: tuple[int, ...]

    @classmethod
    def drawn(cls, batch: int, *, generator: torch.Generator) -> NoiseSource:
        """Return a source with random seeds."""
        seeds = torch.randint(2**32, (batch,), generator=generator, device=generator.device)
        return cls(tuple(seeds.tolist()))

    def generators(self, time: int) -> Iterator[torch.Generator]:
        """Yield the generator of each item for the step that reaches ``time``."""
        for seed in self.seeds:
            yield torch.Generator().manual_seed(derived_seed(seed, time))

    def at(self, time: int, shape: tuple[int, ...]) -> Tensor:
        """Return normal noise (B, *shape), float32 on the CPU, for the step that reaches ``time``."""
        return torch.stack([torch.randn(shape, generator=one) for one in self.generators(time)])


def derived_seed(seed: int, number: int) -> int:
    """Return the seed, below 2^32, of the part ``number`` of what is drawn with ``seed``."""
    return (seed * _APART + number) % 2**32


def noised(clean: Tensor, noise: Tensor, alpha_bar: Tensor) -> Tensor:
    """Return the state a ``clean`` + s ``noise``, all (B, ...), at the ``alpha_bar`` (B,) of its time."""
    signal, spread = factors(alpha_bar, clean)
    return signal * clean + spread * noise


def draw_times(schedule: Betas, batch: int, *, generator: torch.Generator) -> Tensor:
    """Return uniform times (batch,) of 1..steps, int64."""
    return torch.randint(1, schedule.steps + 1, (batch,), generator=generator, device=generator.device)


def factors(alpha_bar: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
    """Return a and s of ``alpha_bar`` (B,) or (), in the dtype of ``like`` (B, ...), to be multiplied by it."""
    shape = (-1,) + (1,) * (like.ndim - 1)
    kept = alpha_bar.to(like.device)
    return kept.sqrt().to(like.dtype).view(shape), (1 - kept).sqrt().to(like.dtype).view(shape)


def _ratio(alpha_bar: Tensor) -> Tensor:
    """Return the signal-to-noise ratio."""
    return alpha_bar / (1 - alpha_bar)
