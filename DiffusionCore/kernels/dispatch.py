"""Which kernels, if any, compute what tensors ask for. A kernel is chosen per call; nothing is switched globally."""

from __future__ import annotations

import functools
import importlib
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from DiffusionCore.checks import ConfigError
from DiffusionCore.loading import loading

VARIABLE = "DIFFUSIONCORE_KERNELS"
"""Environment: "torch" leaves all kernels out; "numba" and "triton" insist on those where they belong, the CPU and CUDA
devices, and leave other devices as they are. By default all are optional."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class _Backend:
    """Kernels of the package ``name`` in a ``module``, for tensors of some ``types`` and numbers of elements.

    Where no tensor has the ``smallest`` number of them, there is too little to do to load or to start the kernels for.
    """

    name: str
    module: str
    types: tuple[str, ...]
    smallest: int = 0
    largest: float = float("inf")

    def fits(self, tensor: Any) -> bool:
        return str(tensor.dtype) in self.types and 0 < tensor.numel() <= self.largest


_REAL = ("torch.float32", "torch.float64")
_INDICES = 2**31 - 1  # that 32 bits tell apart
_NUMBA = _Backend("numba", "DiffusionCore.kernels.cpu", _REAL, smallest=2**8, largest=_INDICES)
_HALF = "torch.float16", "torch.bfloat16"
_UNMEASURED = 2**15  # a careful guess, as no GPU was at hand; Documentation/kernels.md says how it is measured
_TRITON = _Backend("triton", "DiffusionCore.kernels.cuda", (*_REAL, *_HALF), smallest=_UNMEASURED)
_BACKENDS = {"cpu": _NUMBA, "cuda": _TRITON}  # by type of device
_USUAL = "pull"  # what nearly everything asks for
_CHOICES = ("torch", *(backend.name for backend in _BACKENDS.values()))


def kernel_for(name: str, *tensors: Any) -> Any:
    """Return the kernel called ``name`` for ``tensors``, or None where the operations of torch are to be used.

    There are kernels for single and double precision, on CUDA devices for half precision too, if their package is
    installed and they answer their examples rightly: each computes one when it is first asked for on a device, and its
    derivatives by the tensors that learn. A backend that is missing or wrong is told once in the log, and not used
    again. A few elements are left to torch, unless VARIABLE insists.

    Args:
        name: of a function of ``kernels.cpu`` or ``kernels.cuda``; of those that one of them lacks there is None.
        tensors: of floating point that the kernel is for; first those of its arguments that may learn, in their order.

    Raises:
        ConfigError: VARIABLE asks for a backend that is unknown or cannot be used.
    """
    first = tensors[0]
    backend, wanted = _backend(first.device.type)
    if backend is None:
        return None
    if not all(t.device == first.device and backend.fits(t) for t in tensors):
        return None
    if wanted != backend.name and all(t.numel() < backend.smallest for t in tensors):
        return None
    kernels = _loaded(backend, str(first.device))
    kernel = kernels.tested(name, _learned(tensors))
    if kernels.reason and wanted == backend.name:
        raise ConfigError(f"The kernels of {backend.name}, which {VARIABLE} asks for, cannot be used: {kernels.reason}")
    return kernel


def kernels_used(device: str) -> str:
    """Return in a sentence which kernels compute on ``device`` ("cpu", "cuda:0"), and why no others; for the user.

    Raises:
        ConfigError: VARIABLE asks for a backend that is unknown.
    """
    backend, wanted = _backend(device.partition(":")[0])
    if backend is None:
        why = f"as {VARIABLE} says" if wanted else "as there are no kernels for it"
        return f"The operations of torch compute on {device}, {why}."
    kernels, name = _loaded(backend, device), backend.name
    kernels.tested(_USUAL)
    if kernels.reason:
        return f"The operations of torch compute on {device}, slower than the kernels of {name}: {kernels.reason}"
    return f"The kernels of {name} compute on {device}."


def _backend(kind: str) -> tuple[_Backend | None, str]:
    """Return the backend of a ``kind`` of device, if it is wanted, and what VARIABLE asks for."""
    wanted = os.environ.get(VARIABLE, "")
    if wanted not in ("", *_CHOICES):
        raise ConfigError(f"{VARIABLE} must be one of {', '.join(map(repr, _CHOICES))}, got '{wanted}'.")
    if wanted == "torch":
        return None, wanted
    if wanted == _TRITON.name and kind == "cpu" and os.environ.get("TRITON_INTERPRET") == "1":
        return _TRITON, wanted  # Triton interprets its kernels on the CPU, to check them
    return _BACKENDS.get(kind), wanted


def _learned(tensors: Sequence[Any]) -> tuple[bool, ...]:
    """Return which ``tensors`` learn; nothing if none does."""
    import torch

    learned = tuple(tensor.requires_grad for tensor in tensors)
    return learned if any(learned) and torch.is_grad_enabled() else ()


class _Kernels:
    """The kernels of a backend on a device, and the ``reason`` why none of them is used, if there is one."""

    def __init__(self, backend: _Backend, device: str) -> None:
        self._name, self._device, self.reason = backend.name, device, ""
        self._right: set[tuple[str, Sequence[bool]]] = set()
        with self._judged(), loading():
            self._module = importlib.import_module(backend.module)

    def tested(self, name: str, learned: Sequence[bool] = ()) -> Any:
        """Return the kernel called ``name``, if there is one and it is right, also in its derivatives."""
        if self.reason or not (kernel := getattr(self._module, name, None)):
            return None
        if (name, learned) not in self._right:
            with self._judged(), loading():
                from DiffusionCore.kernels.examples import hold

                hold(kernel, name, self._device, learned)
                self._right.add((name, learned))
        return None if self.reason else kernel

    @contextmanager
    def _judged(self) -> Iterator[None]:
        """Turn an error within it into the reason, and tell it."""
        try:
            yield
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            package = "triton-windows" if package == "triton" and sys.platform == "win32" else package
            self.reason = f"the package {package} is not installed."
        except Exception as error:  # a compiler fails in many ways; without it everything works, only slower
            self.reason = str(error)
        if self.reason:
            _logger.info("Without the faster kernels of %s on %s: %s", self._name, self._device, self.reason)


@functools.cache
def _loaded(backend: _Backend, device: str) -> _Kernels:
    return _Kernels(backend, device)
