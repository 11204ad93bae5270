"""How a network computes fastest on this machine, when it is used and not trained.

Its precision is measured, because no flag of a processor tells; in single precision oneDNN computes its convolutions.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from enum import Enum
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import conv3d
from torch.overrides import TorchFunctionMode

_WORTH = 1.5  # times as fast, for the loss of precision to be worth it; timings vary by less
_ROUNDS = 5
_ROWS = 20_480  # along i of a batch of 1, of all channels: up to so many, torch itself does not ask oneDNN
_HANDFUL = 8  # voxels; of an image of so few with many channels oneDNN takes up to twelve times as long as torch
_WIDTH, _SIZE = 32, 28  # of the convolution that is timed: more rows than that


class Precision(Enum):
    """In which a network computes: the faster one on this machine, as measured; or always the same one."""

    FASTEST = "fastest"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


def choose_precision(precision: Precision, device: torch.device) -> torch.dtype:
    """Return the type that ``precision`` stands for on ``device``."""
    chosen = {Precision.FLOAT32: torch.float32, Precision.BFLOAT16: torch.bfloat16}
    return chosen.get(precision) or fastest_precision(device)


def settled_precision(precision: Precision, device: torch.device) -> Precision:
    """Return the one type that ``precision`` stands for on ``device``: to be kept with what is to come out again."""
    return Precision(str(choose_precision(precision, device)).removeprefix("torch."))


def computing(dtype: torch.dtype, device: torch.device) -> AbstractContextManager[Any]:
    """Return the context in which a network on ``device`` computes in ``dtype``, without gradients.

    It is for the network alone. A generator must leave it before it yields, or whoever asked goes on in it.
    """
    if dtype is not torch.float32:
        return torch.autocast(device.type, dtype)
    return _Blocked() if device.type == "cpu" and torch.backends.mkldnn.is_available() else nullcontext()


class _Blocked(TorchFunctionMode):
    """Lets oneDNN compute small convolutions of a single image, too; what is trained is left as it is.

    torch leaves them to an older way, which takes two to four times as long (our own measurement: 15 and 68 ms where
    this takes 7 and 32, for our pose network and our VoxelMorph). The results differ in the last digits.
    """

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        if func is torch.conv3d and _left_out(*args):
            image, *rest = args
            return func(image.to_mkldnn(), *rest, **(kwargs or {})).to_dense()
        return func(*args, **(kwargs or {}))


def _left_out(image: Tensor, weight: Tensor, *_: Any) -> bool:
    """Return whether torch leaves a convolution of ``image`` (B, C, K, J, I) out of what it gives to oneDNN."""
    few_rows = image.numel() <= _ROWS * image.shape[-1]
    small = len(image) == 1 and few_rows and image[0, 0].numel() > _HANDFUL
    return small and image.dtype is torch.float32 and max(weight.shape[2:]) > 1 and not torch.is_grad_enabled()


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
    calls = [_convolution(dtype) for dtype in (torch.float32, torch.bfloat16)]
    rounds = [[_seconds(call) for call in calls] for _ in range(1 + _ROUNDS)]  # in turn: others are busy for both
    single, half = (min(seconds) for seconds in zip(*rounds[1:], strict=True))  # the first one prepares
    return torch.bfloat16 if _WORTH * half < single else torch.float32


def _convolution(dtype: torch.dtype) -> Callable[[], Tensor]:
    """Return a convolution as networks have them, weights and image in ``dtype``, channels last."""
    image, weight = (torch.ones(n, _WIDTH, s, s, s, dtype=dtype) for n, s in ((1, _SIZE), (_WIDTH, 3)))
    image, weight = (tensor.contiguous(memory_format=torch.channels_last_3d) for tensor in (image, weight))
    return lambda: conv3d(image, weight, padding=1)


@torch.inference_mode()
def _seconds(call: Callable[[], Tensor]) -> float:
    since = time.perf_counter()
    call()
    return time.perf_counter() - since
