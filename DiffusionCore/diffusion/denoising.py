"""Denoising: from noise back to a clean state by Gaussian diffusion, as an iterator of states.

At each time t of a falling list a network looks at the noised state and estimates the clean one; the next state is made
of that estimate, the noise that it leaves, and fresh noise::

    t   2000 -> 1600 -> 900 -> ... -> 40 -> 0                   any falling list; resumed from any of its entries
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from DiffusionCore.diffusion.gaussian import Noise, Target
from DiffusionCore.diffusion.schedules import Betas

Estimator = Callable[[Tensor, int], Tensor]
"""From the noised state (B, ...) and its time to the estimate of the target (B, ...)."""


class DenoisedStep(NamedTuple):
    """After one step: its ``index`` in the list of times, the ``time`` reached, the noised ``state`` (B, ...) there.

    ``clean`` (B, ...) is the estimate of the clean state that the step was made with.
    """

    index: int
    time: int
    state: Tensor
    clean: Tensor


@dataclass(frozen=True)
class Sampler:
    """How a state is made of the estimate at a later time: x_s = a_s x_0 + sqrt(1 - abar_s - sigma^2) noise + sigma z.

    sigma^2 = ``eta``^2 (1 - abar_s) / (1 - abar_t) (1 - abar_t / abar_s). With 1 this is the ancestral step of DDPM
    with the smaller of its two fixed variances, with 0 nothing is random. Both hold for any gap between t and s.

    Raises:
        ValueError: ``eta`` is not in 0..1.

    Source: Song et al., Denoising diffusion implicit models (ICLR 2021), eq. 12 and 16.
    """

    eta: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.eta <= 1:
            raise ValueError(f"'eta' must be in 0..1, got {self.eta}")

    def step(self, state: Tensor, clean: Tensor, fresh: Tensor, now: float, after: float) -> Tensor:
        """Return the state at the alpha_bar ``after``, from ``state`` at ``now`` and its estimate ``clean``.

        ``fresh`` is normal noise of the same shape (B, ...).
        """
        variance = self.eta**2 * (1 - after) / (1 - now) * (1 - now / after)
        noise = (state - now**0.5 * clean) / (1 - now) ** 0.5
        return after**0.5 * clean + max(0.0, 1 - after - variance) ** 0.5 * noise + variance**0.5 * fresh


ANCESTRAL = Sampler(1.0)


def denoise(
    estimate: Estimator,
    state: Tensor,
    times: Sequence[int],
    schedule: Betas,
    target: Target,
    *,
    noise: Noise,
    sampler: Sampler = ANCESTRAL,
    first: int = 0,
    correct: Callable[[Tensor], Tensor] | None = None,
) -> Iterator[DenoisedStep]:
    """Yield what each step makes of ``state`` (B, ...), which is at ``times[first]``; after the last time comes 0.

    ``correct`` stands for what is known of the clean state beside the network: it is given each estimate (B, ...), and
    what it returns takes its place. To resume after step k give its state, the same ``times`` and ``noise``, and
    ``first`` = k + 1.

    Raises:
        ValueError: ``times`` do not fall, or go beyond the schedule.
    """
    if any(late <= early for late, early in zip(times, [*times[1:], 0], strict=True)):
        raise ValueError(f"'times' must fall and stay above 0, got {tuple(times)}")
    kept = schedule.alpha_bar(torch.tensor([*times, 0]))
    for index in range(first, len(times)):
        reached = times[index + 1] if index + 1 < len(times) else 0
        clean = target.clean(estimate(state, times[index]), state, kept[index])
        clean = clean if correct is None else correct(clean)
        fresh = noise.at(reached, tuple(state.shape[1:])).to(state)
        state = sampler.step(state, clean, fresh, kept[index].item(), kept[index + 1].item())
        yield DenoisedStep(index, reached, state, clean)
