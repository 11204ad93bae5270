"""Pull: the values of an image at arbitrary voxel coordinates. The definition that faster kernels must match.

::

      outside  |  clamped  0 . . interpolated . . n-1  clamped  |  outside         along each axis of n voxels
             -0.5                                            n-0.5

This is ITK's rule: a voxel owns its whole cell, so half a voxel beyond the outer centers still shows the outer value.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from DiffusionCore.checks import check_shape
from DiffusionCore.kernels import kernel_for


class Interpolation(Enum):
    """How a value between voxel centers is made."""

    LINEAR = "linear"  # trilinear, for intensities and vectors
    NEAREST = "nearest"  # the voxel whose cell holds the point, for labels; any numeric type, bit for bit


def pull(
    image: Tensor,
    coordinates: Tensor,
    *,
    interpolation: Interpolation = Interpolation.LINEAR,
    fill: float | None = 0.0,
) -> Tensor:
    """Return the values of ``image`` (B, C, K, J, I) at ``coordinates`` (B, K', J', I', 3): (B, C, K', J', I').

    Coordinates are VOXEL points (i, j, k) of ``image``. What lies outside (module docstring; NaN too) becomes
    ``fill``; with None the outer voxels continue for ever. LINEAR is differentiable in both arguments.

    Raises:
        TypeError: LINEAR was asked for an image that is not of floating point.
        ValueError: the shapes do not fit.
    """
    check_shape(image, "B C K J I", name="image")
    check_shape(coordinates, f"{image.shape[0]} K J I 3", name="coordinates")
    if interpolation is Interpolation.NEAREST:
        if (kernel := kernel_for("pull_nearest", coordinates)) and image.device == coordinates.device:
            return kernel(image, coordinates, fill)
        values = _nearest(image, coordinates)
    else:
        if kernel := kernel_for("pull", image, coordinates):
            return kernel(image, coordinates, fill)
        values = _linear(image, coordinates)
    if fill is None:
        return values
    within = inside(coordinates, image.shape[:1:-1])[:, None]
    return torch.where(within, values, torch.as_tensor(fill, dtype=values.dtype, device=values.device))


def inside(coordinates: Tensor, size: Sequence[int]) -> Tensor:
    """Return whether VOXEL points (..., 3) lie in the cells of an image of ``size`` voxels along (i, j, k): (...)."""
    check_shape(coordinates, "... 3", name="coordinates")
    i, j, k = ((axis >= -0.5) & (axis < n - 0.5) for axis, n in zip(coordinates.unbind(-1), size, strict=True))
    return i & j & k


def _linear(image: Tensor, coordinates: Tensor) -> Tensor:
    if not image.is_floating_point():
        raise TypeError(f"Linear interpolation needs a floating-point image, got {image.dtype}; use NEAREST.")
    working = image.float() if image.dtype in (torch.float16, torch.bfloat16) else image
    scale = 2 / torch.tensor(image.shape[:1:-1], dtype=coordinates.dtype, device=coordinates.device)
    unit = torch.addcmul(scale / 2 - 1, coordinates, scale).to(working.dtype)
    threads = torch.get_num_threads()
    by_rows = image.shape[0] == 1 and image.device.type == "cpu" and threads > 1 and not image.requires_grad
    values = _sample_rows(working, unit, threads) if by_rows else _sample(working, unit)
    return values.to(image.dtype)


def _sample(image: Tensor, unit: Tensor) -> Tensor:
    return grid_sample(image, unit, mode="bilinear", padding_mode="border", align_corners=False)


def _sample_rows(image: Tensor, unit: Tensor, parts: int) -> Tensor:
    """Return ``_sample`` of one image, its rows of voxels dealt to ``parts`` threads.

    On the CPU grid_sample runs parallel over the batch only, so equal shares of the rows play the batch; the image is
    expanded, not copied. Its gradient would be copied, hence not for images that are differentiated.
    """
    _, k, j, i, _ = unit.shape
    rows = unit.reshape(k * j, 1, i, 3)
    even = k * j - k * j % parts
    shares = [rows[:even].unflatten(0, (parts, -1))] if even else []
    if even < k * j or not shares:
        shares.append(rows[even:][None])
    sampled = [_sample(image.expand(len(share), -1, -1, -1, -1), share).movedim(1, 0).flatten(1) for share in shares]
    return (sampled[0] if len(sampled) == 1 else torch.cat(sampled, 1)).view(1, image.shape[1], k, j, i)


def _nearest(image: Tensor, coordinates: Tensor) -> Tensor:
    """Return the values of the cells; a point on a border belongs to the upper cell, as in ITK."""
    size = image.shape[:1:-1]
    axes = (
        (axis + 0.5).floor().clamp(0, n - 1).nan_to_num(0).long()
        for axis, n in zip(coordinates.unbind(-1), size, strict=True)
    )
    i, j, k = axes
    index = (k * size[1] + j) * size[0] + i
    flat = image.flatten(2).gather(2, index.flatten(1)[:, None].expand(-1, image.shape[1], -1))
    return flat.unflatten(2, index.shape[1:])
