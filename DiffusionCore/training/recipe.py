"""What the loop trains: the interface of all recipes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn


class Recipe(Protocol):
    """What is trained: a network, and how one batch gives a loss.

    Attributes:
        kind: what the weights are for, e.g. "pose".
        config: a frozen dataclass; it is stored with the weights.
        batch: samples in a batch, for the samples per second in the log.
    """

    kind: str
    config: Any
    batch: int

    def network(self) -> nn.Module:
        """Return the untrained network."""
        ...

    def draw(self, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Return a random batch on the CPU; it runs ahead of the network, in a thread or in processes of its own."""
        ...

    def loss(self, network: Callable[..., Tensor], *batch: Tensor) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of a batch that lies on the device of ``network``, and metrics to log."""
        ...


@runtime_checkable
class HoldsOut(Protocol):
    """A recipe that keeps some of its data for validations; those of the others are other batches of the same data."""

    def draw_held_out(self, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Return a random batch of what training never sees."""
        ...
