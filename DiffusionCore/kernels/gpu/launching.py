"""How kernels of Triton are made, and started where their tensors are."""

import inspect
from collections.abc import Callable
from typing import Any

import torch
import triton
from torch import Tensor

OPTIONS = {"num_warps": 8, "num_stages": 1, "enable_fp_fusion": True}
_REACHED = 2**31 - 1  # elements that 32-bit indices tell apart


def kernel(function: Callable) -> Any:
    """Return ``function`` as a kernel, compiled once for all sizes and places in memory.

    What is to be compiled anew for each value is annotated as tl.constexpr. Elements are read one by one, wherever
    other ones may lie, so that nothing is gained from knowing that a size is a multiple of 16.
    """
    parameters = inspect.signature(function).parameters.values()
    known = [each.name for each in parameters if each.annotation is inspect.Parameter.empty]
    return triton.jit(do_not_specialize=known)(function)


def launch(kernel: Any, tasks: int, *arguments: Any, **constants: Any) -> None:
    """Start ``tasks`` programs of ``kernel`` on the device of the first argument, on the current stream of it."""
    with torch.cuda.device_of(arguments[0]):  # Triton starts kernels on the current device
        start(kernel, tasks, *arguments, **constants)


def start(kernel: Any, tasks: int, *arguments: Any, **constants: Any) -> None:
    """Start ``tasks`` programs of ``kernel`` on the current device, and compile it before if need be."""
    kernel[(tasks,)](*arguments, **constants, **OPTIONS)


def is_wide(*tensors: Tensor) -> bool:
    """Return whether an element of one of ``tensors`` is further from its first one than 32 bits can say."""
    ways = (sum((n - 1) * abs(step) for n, step in zip(t.shape, t.stride(), strict=True)) for t in tensors)
    return max(ways) > _REACHED
