"""Errors of the package, and checks at its public borders.

Axis glossary of shape strings: ``B`` batch, ``C`` channels, ``K J I`` voxels from slowest to fastest (tensors are
stored k, j, i; points are written i, j, k), ``N`` points.
"""

from __future__ import annotations

import functools
import math
from typing import Any


class DiffusionCoreError(Exception):
    """Something in the world (a file, an image, a device) is not as an operation needs it; the text says what helps."""


class GeometryError(DiffusionCoreError):
    """A grid or a transform has no usable geometry (zero spacing, singular direction, no overlap)."""


class VolumeError(DiffusionCoreError):
    """An image cannot be registered (empty, constant, NaN, wrong number of dimensions)."""


class ConfigError(DiffusionCoreError):
    """Settings have an unknown key, miss one, or hold a value of the wrong type."""


class StorageError(DiffusionCoreError):
    """A file cannot be read or written."""


class CheckpointError(StorageError):
    """A file of weights is damaged, of another kind, or of a newer format."""


class DeviceError(DiffusionCoreError):
    """The asked-for device is not there or is out of memory."""


def check_shape(value: Any, shape: str, *, name: str) -> None:
    """Raise ValueError unless ``value.shape`` fits ``shape``, e.g. ``"B 3 K J I"`` or ``"... 3"``.

    A number must be met exactly; equal letters must have equal sizes; a leading ``...`` stands for any axes.
    """
    actual = tuple(value.shape)
    if not _fits(actual, shape):
        raise ValueError(f"'{name}' must have the shape ({shape.replace(' ', ', ')}), got {actual}")


@functools.lru_cache(maxsize=1024)  # the same few are asked for again and again
def _fits(actual: tuple[int, ...], shape: str) -> bool:
    wanted = shape.split()
    any_leading = wanted[:1] == ["..."]
    wanted = wanted[1:] if any_leading else wanted
    compared = actual[len(actual) - len(wanted) :] if any_leading else actual
    sizes: dict[str, int] = {}
    return len(compared) == len(wanted) and all(
        size == (int(axis) if axis.isdigit() else sizes.setdefault(axis, size))
        for axis, size in zip(wanted, compared, strict=True)
    )


def check_range(owner: Any, least: float, most: float, *names: str) -> None:
    """Raise ValueError unless the numbers ``names`` of ``owner`` lie in ``least``..``most``; NaN never does."""
    for name in names:
        value = getattr(owner, name)
        if not least <= value <= most:
            wanted = f"at least {least:g}" if most == math.inf else f"in {least:g}..{most:g}"
            raise ValueError(f"'{name}' must be {wanted}, got {value}")
