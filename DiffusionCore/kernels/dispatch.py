"""Which kernels, if any, compute what tensors ask for. A kernel is chosen per call; nothing is switched globally."""

from __future__ import annotations

import functools
import importlib
import logging
import os
from typing import Any

from DiffusionCore.checks import ConfigError

VARIABLE = "DIFFUSIONCORE_KERNELS"
"""Environment: "torch" leaves all kernels out, "numba" refuses to go on without those; by default they are optional."""
_BACKENDS = {"cpu": ("numba", "DiffusionCore.kernels.cpu")}  # type of device -> name, module
_TYPES = ("torch.float32", "torch.float64")
_LARGEST = 2**31 - 1  # elements that 32-bit indices tell apart

_logger = logging.getLogger(__name__)


def kernels_for(*tensors: Any) -> Any:
    """Return the module of kernels for ``tensors``, or None where the operations of torch are to be used.

    There are kernels for single and double precision, on devices that have any, if their package is installed and they
    pass their test of themselves. A backend that is missing is told once in the log.

    Raises:
        ConfigError: VARIABLE asks for a backend that is unknown or cannot be used.
    """
    first = tensors[0]
    wanted = os.environ.get(VARIABLE, "")
    if wanted == "torch" or first.device.type not in _BACKENDS:
        return None
    fits = (str(t.dtype) in _TYPES and t.device == first.device and 0 < t.numel() <= _LARGEST for t in tensors)
    if not all(fits):
        return None
    name, module = _BACKENDS[first.device.type]
    if wanted not in ("", name):
        raise ConfigError(f"{VARIABLE} must be 'torch' or '{name}' here, got '{wanted}'.")
    loaded, reason = _loaded(name, module)
    if loaded is None and wanted:
        raise ConfigError(f"The kernels of {name}, which {VARIABLE} asks for, cannot be used: {reason}")
    return loaded


@functools.cache
def _loaded(name: str, module: str) -> tuple[Any, str]:
    """Return the module of a backend, or None and the reason."""
    try:
        loaded = importlib.import_module(module)
        loaded.test_itself()
    except Exception as error:  # a compiler fails in many ways; without it everything works, only slower
        _logger.info("Without the faster kernels of %s: %s", name, error)
        return None, str(error)
    return loaded, ""
