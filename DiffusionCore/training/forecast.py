"""What a training needs, found before it starts: memory, by a look at the shapes of one batch; nothing is computed."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from DiffusionCore.training.batches import AHEAD, Batch
from DiffusionCore.training.recipe import Recipe
from DiffusionCore.training.settings import LoopSettings

_COPIES = 5  # of the weights, in float32: network, running mean, gradient, two moments of AdamW
_BYTES = 4
_WORKING = 2  # times what is kept: operations need memory while they compute
_MIB = 2**20


@dataclass(frozen=True)
class Forecast:
    """Bytes that a training needs: for ``weights`` with all that belongs to them, and what a ``batch`` leaves behind.

    The second is what the network and the loss keep for the backward pass, and the batches themselves, those that are
    drawn ahead, too; and as much again for what operations need while they compute (measured on a CPU: 1.0 to 1.5
    times that).
    """

    weights: int
    batch: int

    @property
    def total(self) -> int:
        """Both."""
        return self.weights + self.batch

    def __str__(self) -> str:
        weights, batch, total = (size_text(size) for size in (self.weights, self.batch, self.total))
        return f"about {total} ({weights} for weights, gradients and moments, {batch} for a batch)"


def forecast(recipe: Recipe, network: nn.Module, batch: Batch, settings: LoopSettings) -> Forecast | None:
    """Return what a training of ``network`` on batches like ``batch`` needs.

    The network runs on tensors that have shapes alone, as often as the loss of ``recipe`` asks it. Return None for one
    that needs values to run.
    """
    weights = sum(weight.numel() for weight in network.parameters())
    shapes = copy.deepcopy(network).to("meta")
    kept: dict[int, torch.UntypedStorage] = {}  # by identity: what is kept twice lies in memory once

    def keep(tensor: Tensor) -> Tensor:
        if not isinstance(tensor, nn.Parameter):
            kept[id(tensor.untyped_storage())] = tensor.untyped_storage()
        return tensor

    def asked(*inputs: Tensor) -> Any:
        return _blank(shapes(*(tensor.to("meta") for tensor in inputs)))

    try:
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            recipe.loss(asked, *batch)
    except RuntimeError:  # what torch raises where a tensor without values was asked for one
        return None
    half = settings.precision != "float32"  # the loss computes in single precision all the same
    activations = sum(
        storage.nbytes() // (2 if half and storage.device.type == "meta" else 1) for storage in kept.values()
    )
    batches = (settings.accumulate + AHEAD) * sum(tensor.nbytes for tensor in batch)
    return Forecast(_COPIES * _BYTES * weights, _WORKING * (activations + batches))


def size_text(size: int) -> str:
    """Return ``size`` in bytes as a user reads it."""
    return f"{size / _MIB:.0f} MiB" if size < 1024 * _MIB else f"{size / 1024 / _MIB:.1f} GiB"


def _blank(made: Any) -> Any:
    """Return zeros in the shapes of ``made``, a tensor or a named tuple of them."""
    if isinstance(made, Tensor):
        return torch.zeros(made.shape, requires_grad=True)
    return type(made)(*map(_blank, made))


def free_memory(device: torch.device) -> int | None:
    """Return the bytes that are free on ``device``; None where the system does not tell."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            return next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return None
