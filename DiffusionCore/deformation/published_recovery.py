"""The published recovery: a network that looks twice, and the losses it is trained with, in 2D and 3D.

Displacements are in voxels, (B, 2 | 3, [K,] J, I), components along (i, j[, k]); ``size`` is the edge of the image, as
the constants of the losses are for shares of it.

Source: Zheng et al., DRDM (Medical Image Analysis 110, 2026), and its published program. Its determinant is not one
(it takes two differences along the same axis, and forgets the identity); here it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from DiffusionCore.interpolation import pull
from DiffusionCore.networks.precision import computing

LOOKS = 2
_DISTANCE, _ANGLE = 100.0, 1e5  # what displacements, shares of the edge, are multiplied by
_TINY_DISTANCE, _TINY_ANGLE = 1e-3, 1e-4
_FLAT = 1e-4  # differences between neighbors, shares of the edge, that cost nothing
_FOLDED = 2.0  # weight of negative determinants
REGULARITY = 10.0  # weight of the regularity beside the distance and the angle


def recurrent(network: Callable[[Tensor, Tensor], Tensor], images: Tensor, times: Tensor) -> Tensor:
    """Return the displacement that ``network`` finds in two looks at ``images`` (B, C, [K,] J, I).

    The second one is at the images as the first warps them; both are composed.
    """
    total = network(images, times)
    for _ in range(LOOKS - 1):
        found = network(displaced(images, total, fill=0.0), times)
        total = found + displaced(total, found)
    return total


@torch.no_grad()
def published_steps(
    network: Callable[[Tensor, Tensor], Tensor], images: Tensor, start: Tensor, time: int
) -> Iterator[Tensor]:
    """Yield what is left of the displacement ``start`` of ``images`` after each of the times from ``time`` down to 1.

    phi <- phi(x + p) + p, where p is what two looks at the original, as phi warps it, find. The published program
    begins at its last time whatever the start was; this begins where the start is. Time 0 has nothing to undo.

    Raises:
        ValueError: ``time`` is negative.
    """
    if time < 0:
        raise ValueError(f"'time' must be at least 0, got {time}")
    total = start
    for now in range(time, 0, -1):
        times = torch.full((len(images),), now, device=images.device)
        with computing(torch.float32, images.device):
            found = recurrent(network, displaced(images, total, fill=0.0), times)
        total = found + displaced(total, found)
        yield total


def published_loss(found: Tensor, increment: Tensor) -> Tensor:
    """Return distance + angle + 10 regularity of ``found``, which is to undo ``increment``."""
    return distance_loss(found, increment) + angle_loss(found, increment) + REGULARITY * regularity_loss(found)


def distance_loss(found: Tensor, increment: Tensor) -> Tensor:
    """Return the mean squared distance of x -> increment(found(x)) from x, relative to the square of ``increment``."""
    edge = increment.shape[-1]
    undone, length = (_DISTANCE / edge * field for field in (_undone(found, increment) + increment, increment))
    return (undone.square().sum(1) / (length.square().sum(1) + _TINY_DISTANCE)).mean()


def angle_loss(found: Tensor, increment: Tensor) -> Tensor:
    """Return the mean cosine between ``found``, where the increment leads, and ``increment``; -1 is best."""
    edge = increment.shape[-1]
    one, other = (_ANGLE / edge * field for field in (_undone(found, increment), increment))
    lengths = (one.square().sum(1) * other.square().sum(1) + _TINY_ANGLE).sqrt()
    return ((one * other).sum(1) / lengths).mean()


def regularity_loss(found: Tensor) -> Tensor:
    """Return the mean absolute difference between neighbors beyond a little, plus twice the negative determinants."""
    edge, dimensions = found.shape[-1], found.shape[1]
    rough = [F.relu(found.diff(dim=axis).abs() / edge - _FLAT).mean() for axis in range(2, found.ndim)]
    return torch.stack(rough).mean() + _FOLDED * F.relu(-_determinant(found, dimensions)).mean()


def _determinant(shifts: Tensor, dimensions: int) -> Tensor:
    """Return det(I + grad u) by forward differences, without the last voxel of every axis."""
    inner = [slice(None), slice(None), *[slice(-1)] * dimensions]
    rows = []
    for axis in range(dimensions):  # i is the last axis of the tensor
        cut = list(inner)
        cut[-1 - axis] = slice(None)
        rows.append(shifts[tuple(cut)].diff(dim=-1 - axis))
    gradient = torch.stack(rows, 2).movedim((1, 2), (-2, -1))
    return torch.linalg.det(gradient + torch.eye(dimensions, dtype=shifts.dtype, device=shifts.device))


def _undone(found: Tensor, increment: Tensor) -> Tensor:
    return displaced(found, increment)


def displaced(images: Tensor, shifts: Tensor, fill: float | None = None) -> Tensor:
    """Return ``images`` (B, C, [K,] J, I) read at the voxels moved by ``shifts`` (B, 2 | 3, [K,] J, I), voxels.

    Beyond its outer voxels an image continues, or is ``fill``. Differentiable.
    """
    flat = images.ndim == 4
    if flat:
        images = images[:, :, None]
        shifts = torch.cat([shifts, torch.zeros_like(shifts[:, :1])], 1)[:, :, None]
    axes = [torch.arange(n, dtype=shifts.dtype, device=shifts.device) for n in shifts.shape[2:]]
    points = torch.stack(torch.meshgrid(*axes, indexing="ij")[::-1]) + shifts
    values = pull(images, points.movedim(1, -1), fill=fill)
    return values[:, :, 0] if flat else values
