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
_OPTIONS = {
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"contract", "nsz", "reassoc", "arcp"},
    "no_cfunc_wrapper": True,  # nobody calls from C, and a wrapper takes as long to compile as a small kernel
}
_PART = {**_OPTIONS, "forceinline": True, "no_cpython_wrapper": True}
_FEW = 2**16  # elements, of the largest array, that one thread deals with alone
_NUMBERS = {torch.float32: np.float32, torch.float64: np.float64}
_pools: dict[int, ThreadPoolExecutor] = {}


def compiled(function: Callable) -> Any:
    """Return ``function`` compiled when it is first called, for good where a folder for that can be written.

    Kernels that call each other stand in one file: only its own changes make the compiler do one anew.
    """
    try:
        return njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:  # no folder of numba's choice is writable
        return njit(**_OPTIONS)(function)


def part(function: Callable) -> Any:
    """Return ``function`` as a part of kernels, which take it in: a call costs as much as a dozen voxels."""
    return njit(**_PART)(function)


def threads_for(elements: int) -> int:
    """Return among how many threads work on so many elements is divided; waking one for a few takes longer."""
    return torch.get_num_threads() if elements >= _FEW else 1


def divided(kernel: Callable, count: int, *arguments: Any, pieces: int = 4) -> None:
    """Call ``kernel`` for the tasks 0 .. ``count`` - 1, divided among as many threads as torch may use.

    The last two arguments that it gets say which tasks are its own. They are to write to places of their own, so that
    the number of threads changes no bit. There are ``pieces`` of work for each thread, and who is free takes the next
    one: where the cores are busy and a thread wakes late, the others have done its work. Kernels release the GIL;
    threads of numba are not used, because its default ones must not be called from two threads at once.
    """
    threads = min(threads_for(max(a.size for a in arguments if isinstance(a, np.ndarray))), count)
    if threads <= 1:
        kernel(*arguments, 0, count)
        return
    pieces = min(threads * pieces, count)
    left = iter(list(pairwise(count * n // pieces for n in range(pieces + 1))))

    def work() -> None:
        for part in left:
            kernel(*arguments, *part)

    pool = _pools.get(threads) or _pools.setdefault(threads, ThreadPoolExecutor(threads - 1, "kernels"))
    others = [pool.submit(work) for _ in range(threads - 1)]
    work()
    for other in others:
        if not other.cancel():  # it has begun
            other.result()


def number(value: float, like: Tensor) -> Any:
    """Return ``value`` in the precision of ``like``, so that kernels are compiled for one type alone."""
    return _NUMBERS[like.dtype](value)


if hasattr(os, "register_at_fork"):  # the threads of a pool do not live on in a child
    os.register_at_fork(after_in_child=_pools.clear)
