"""Which precision a network is fastest in on this machine: measured, because no flag of a processor tells."""

from __future__ import annotations

import functools
import time
from enum import Enum

import torch
from torch.nn.functional import conv3d

_WORTH = 1.5  # times as fast, for the loss of precision to be worth it; timings vary by less
_ROUNDS = 3
_WIDTH, _SIZE = 32, 28  # a smaller one takes another, slow way through torch in float32


class Precision(Enum):
    """In which a network computes: the faster one on this machine, as measured; or always the same one."""

    FASTEST = "fastest"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


def choose_precision(precision: Precision, device: torch.device) -> torch.dtype:
    """Return the type that ``precision`` stands for on ``device``."""
    chosen = {Precision.FLOAT32: torch.float32, Precision.BFLOAT16: torch.bfloat16}
    return chosen.get(precision) or fastest_precision(device)


def computing(dtype: torch.dtype, device: torch.device) -> torch.autocast:
    """Return the context in which a network on ``device`` computes in ``dtype``.

    It is for the network alone. A generator must leave it before it yields, or whoever asked goes on in it.
    """
    return torch.autocast(device.type, dtype, enabled=dtype is not torch.float32)


@functools.cache
def fastest_precision(device: torch.device) -> torch.dtype:
    """Return bfloat16 if a convolution in it is clearly faster on ``device`` than one in float32, else float32.

    Processors without instructions for it (most laptops) emulate bfloat16 and are slower with it. The measurement takes
    some hundredths of a second, once per process and device; a GPU that has bfloat16 is faster with it.
    """
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    if device.type != "cpu":
        return torch.float32
    seconds = {dtype: _seconds(dtype) for dtype in (torch.float32, torch.bfloat16)}
    return torch.bfloat16 if _WORTH * seconds[torch.bfloat16] < seconds[torch.float32] else torch.float32


@torch.inference_mode()
def _seconds(dtype: torch.dtype) -> float:
    """Return the best time of a convolution as networks have them, weights and image in ``dtype``, channels last."""
    image, weight = (torch.ones(n, _WIDTH, s, s, s, dtype=dtype) for n, s in ((1, _SIZE), (_WIDTH, 3)))
    image, weight = (tensor.contiguous(memory_format=torch.channels_last_3d) for tensor in (image, weight))
    times = []
    for _ in range(1 + _ROUNDS):  # the first one prepares
        since = time.perf_counter()
        conv3d(image, weight, padding=1)
        times.append(time.perf_counter() - since)
    return min(times[1:])
