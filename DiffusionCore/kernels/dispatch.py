"""Which kernels, if any, compute what tensors ask for. A kernel is chosen per call; nothing is switched globally."""

from __future__ import annotations

import functools
import importlib
import logging
import os
import sys
from dataclasses import dataclass
from typing import Any

from DiffusionCore.checks import ConfigError
from DiffusionCore.loading import loading

VARIABLE = "DIFFUSIONCORE_KERNELS"
"""Environment: "torch" leaves all kernels out; "numba" and "triton" insist on those where they belong, the CPU and CUDA
devices, and leave other devices as they are. By default all are optional."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Backend:
    """Kernels of the package ``name`` in a ``module``, for tensors of some ``types`` and numbers of elements.

    Where no tensor has the ``smallest`` number of them, there is too little to do to load the kernels for.
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
_TRITON = _Backend("triton", "DiffusionCore.kernels.cuda", (*_REAL, "torch.float16", "torch.bfloat16"))
_BACKENDS = {"cpu": _NUMBA, "cuda": _TRITON}  # by type of device
_CHOICES = ("torch", *(backend.name for backend in _BACKENDS.values()))


def kernels_for(*tensors: Any) -> Any:
    """Return the module of kernels for ``tensors``, or None where the operations of torch are to be used.

    There are kernels for single and double precision, on CUDA devices for half precision too, if their package is
    installed and they pass their test of themselves. A backend that is missing is told once in the log. A few elements
    are left to torch, unless VARIABLE insists.

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
    loaded, reason = _loaded(backend, str(first.device))
    if loaded is None and wanted == backend.name:
        raise ConfigError(f"The kernels of {backend.name}, which {VARIABLE} asks for, cannot be used: {reason}")
    return loaded


def kernels_used(device: str) -> str:
    """Return in a sentence which kernels compute on ``device`` ("cpu", "cuda:0"), and why no others; for the user.

    Raises:
        ConfigError: VARIABLE asks for a backend that is unknown.
    """
    backend, wanted = _backend(device.partition(":")[0])
    if backend is None:
        why = f"as {VARIABLE} says" if wanted else "as there are no kernels for it"
        return f"The operations of torch compute on {device}, {why}."
    loaded, reason = _loaded(backend, device)
    if loaded is None:
        return f"The operations of torch compute on {device}, slower than the kernels of {backend.name}: {reason}"
    return f"The kernels of {backend.name} compute on {device}."


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


@functools.cache
def _loaded(backend: _Backend, device: str) -> tuple[Any, str]:
    """Return the module of a backend for a ``device``, or None and the reason."""
    try:
        with loading():
            loaded = importlib.import_module(backend.module)
            loaded.test_itself(device)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        package = "triton-windows" if package == "triton" and sys.platform == "win32" else package
        reason = f"the package {package} is not installed."
    except Exception as error:  # a compiler fails in many ways; without it everything works, only slower
        reason = str(error)
    else:
        return loaded, ""
    _logger.info("Without the faster kernels of %s on %s: %s", backend.name, device, reason)
    return None, reason
