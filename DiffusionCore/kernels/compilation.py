"""How kernels are compiled and divided among threads."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor

# not "nnan" and "ninf": what is no number must be told from what is
_OPTIONS = {"nogil": True, "error_model": "numpy", "fastmath": {"contract", "nsz", "reassoc", "arcp"}}
_FEW = 2**14  # elements, of the largest array, that one thread deals with alone
_pools: dict[int, ThreadPoolExecutor] = {}


def compiled(function: Callable) -> Any:
    """Return ``function`` compiled when it is first called, for good where a folder for that can be written.

    Kernels that call each other stand in one file: only its own changes make the compiler do one anew.
    """
    try:
        return njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:  # no folder of numba's choice is writable
        return njit(**_OPTIONS)(function)


def threads_for(elements: int) -> int:
    """Return among how many threads work on so many elements is divided; waking one for a few takes longer."""
    return torch.get_num_threads() if elements >= _FEW else 1


def divided(kernel: Callable, count: int, *arguments: Any) -> None:
    """Call ``kernel`` for the tasks 0 .. ``count`` - 1, divided among as many threads as torch may use.

    The last two arguments that it gets say which tasks are its own. They are to write to places of their own, so that
    the number of threads changes no bit. Kernels release the GIL; threads of numba are not used, because its default
    ones must not be called from two threads at once.
    """
    threads = min(threads_for(max(a.size for a in arguments if isinstance(a, np.ndarray))), count)
    if threads <= 1:
        kernel(*arguments, 0, count)
        return
    bounds = [count * n // threads for n in range(threads + 1)]
    pool = _pools.get(threads) or _pools.setdefault(threads, ThreadPoolExecutor(threads - 1, "kernels"))
    others = [pool.submit(kernel, *arguments, *part) for part in pairwise(bounds[1:])]
    kernel(*arguments, 0, bounds[1])
    for other in others:
        other.result()


def number(value: float, like: Tensor) -> Any:
    """Return ``value`` in the precision of ``like``, so that kernels are compiled for one type alone."""
    return torch.tensor(value, dtype=like.dtype).numpy()[()]


if hasattr(os, "register_at_fork"):  # the threads of a pool do not live on in a child
    os.register_at_fork(after_in_child=_pools.clear)
