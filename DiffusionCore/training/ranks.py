"""Several processes that train together, as ``torchrun`` starts them, on one machine or on many.

Each computes the gradients of its share of a step's batches; their sum is that of one process that has all of them, up
to the order of the summation. All hold the same weights; the first process writes the files.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

from DiffusionCore.build import choose_device, gpus
from DiffusionCore.checks import ConfigError, DiffusionCoreError


@dataclass(frozen=True)
class Ranks:
    """The place of this process, ``rank``, among the ``count`` that train together; ``local`` on its own machine."""

    rank: int = 0
    count: int = 1
    local: int = 0

    @property
    def first(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def device(self, name: str) -> torch.device:
        """Return the device ``name`` (``build.choose_device``); of GPUs each process of a machine takes its own."""
        device = choose_device(name)
        if self.count > 1 and device.type == "cuda":
            return choose_device(f"cuda:{self.local}")
        return device

    def gpus(self, name: str) -> tuple[str, ...]:
        """Return the GPUs of this machine that a training on the device ``name`` uses; several processes use all."""
        place = self.device(name)
        if place.type != "cuda":
            return ()
        return (f"cuda:{place.index or 0}",) if self.count == 1 else tuple(gpus())

    def require_shares(self, accumulate: int) -> None:
        """Raise ConfigError unless a step's batches can be dealt out evenly."""
        if accumulate % self.count:
            raise ConfigError(
                f"{self.count} processes share the batches of a step, so 'accumulate' must be a multiple of "
                f"{self.count}, got {accumulate}. Add accumulate={self.count}, or start another number of processes."
            )

    def combined(self, network: nn.Module, shares: dict[str, float], stop: bool) -> tuple[dict[str, float], bool]:
        """Sum gradients and ``shares`` over all processes; return the sums, and whether any wants to ``stop``.

        Not DistributedDataParallel: a loss may call its network several times, and several batches make a step, so one
        sum at the end is simpler, and needs no wrapper around the network.

        Raises:
            DiffusionCoreError: another process has ended.
        """
        if self.count == 1:
            return shares, stop
        gradients = [weight.grad for weight in network.parameters() if weight.grad is not None]
        numbers = torch.tensor([*shares.values(), float(stop)], device=gradients[0].device)
        sums = self._summed(torch.cat([*(gradient.flatten() for gradient in gradients), numbers]))
        *parts, numbers = sums.split([*(gradient.numel() for gradient in gradients), len(numbers)])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))
        *values, stops = numbers.tolist()
        return dict(zip(shares, values, strict=True)), stops > 0

    def any(self, said: bool, device: torch.device) -> bool:
        """Return whether any process ``said`` so."""
        if self.count == 1:
            return said
        return self._summed(torch.tensor([float(said)], device=device)).item() > 0

    def _summed(self, tensor: Tensor) -> Tensor:
        try:
            dist.all_reduce(tensor)
        except RuntimeError as error:
            raise DiffusionCoreError(
                f"Another of the {self.count} processes of this training has ended (its output says why). The same "
                "command goes on from the last checkpoint, also with another number of processes."
            ) from error
        return tensor


@contextmanager
def joined(device: str) -> Iterator[Ranks]:
    """Yield the place of this process among those of ``torchrun``; without it, there is only this one."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Ranks()
        return
    ranks = Ranks(int(os.environ["RANK"]), count, int(os.environ["LOCAL_RANK"]))
    place = ranks.device(device)
    if place.type == "cuda":
        torch.cuda.set_device(place)
    dist.init_process_group("nccl" if place.type == "cuda" else "gloo")
    yield ranks
    dist.destroy_process_group()  # not after an error: it could wait for who is not there any more
