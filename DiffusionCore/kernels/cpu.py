"""The kernels of numba behind torch functions: what `kernel_for` gives for tensors on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from DiffusionCore.kernels import drawing, points, stencils, windows
from DiffusionCore.kernels.compilation import divided, number
from DiffusionCore.kernels.following import flow
from DiffusionCore.kernels.pulling import pull, pull_affine, pull_at, pull_nearest, pull_nearest_affine

__all__ = [
    "compare",
    "convolve",
    "count",
    "damp_divergence",
    "demons",
    "determinants",
    "diffuse",
    "enlarged",
    "flow",
    "look_up",
    "moved_voxels",
    "painted",
    "pull",
    "pull_affine",
    "pull_at",
    "pull_nearest",
    "pull_nearest_affine",
    "read",
]

_VOXELS = 2**12  # that are painted together


def moved_voxels(shifts: Tensor, shape: Sequence[int]) -> Tensor:
    """As ``interpolation.moved_voxels``, without derivatives."""
    batch, (k, j, i) = len(shifts), shape
    out = shifts.new_empty(batch, k, j, i, 3)
    divided(drawing.stretch, batch * k, shifts.contiguous().numpy(), (i, j, k), out.numpy())
    return out


def enlarged(fields: Tensor, shape: Sequence[int]) -> Tensor:
    """As ``interpolation.enlarged``, without derivatives."""
    out = fields.new_empty(*fields.shape[:2], *shape)
    divided(drawing.enlarge, out.shape[0] * out.shape[1], *_arrays(fields.flatten(0, 1)), out.flatten(0, 1).numpy())
    return out


def painted(shares: Tensor, chosen: Tensor, table: Tensor, images: Tensor) -> Tensor:
    """As ``training.tissue_pool.painted``, into ``images`` (B, C, K, J, I)."""
    bytes_ = shares.flatten(2)
    tasks = len(table) * -(-bytes_.shape[2] // _VOXELS)
    divided(drawing.paint, tasks, *_arrays(bytes_, chosen, table), _VOXELS, images.flatten(2).numpy())
    return images


def demons(fixed: Tensor, moving: Tensor, slopes: Tensor, floor: float, iterations: int, shifts: Tensor) -> Tensor:
    """Return ``shifts`` (B, 3, K, J, I) after so many ``iterations`` of ``deformation.demons``."""
    out = shifts.clone(memory_format=torch.contiguous_format)
    known = _arrays(fixed[:, 0], moving[:, 0], slopes)
    divided(drawing.demons, len(out), *known, number(floor, out), iterations, out.numpy())
    return out


def compare(
    image: Tensor,
    reference: Tensor,
    mean: Tensor,
    variance: Tensor,
    weights: Tensor,
    share: Tensor,
    window: int,
    floor: float,
    *,
    slope: bool,
) -> tuple[Tensor, Tensor | None]:
    """Return the weighted sum (B,) of the squared local correlation of ``image`` (B, 1, K, J, I), and its slope."""
    one = image.detach()[:, 0].contiguous()
    batch, k, j, i = one.shape
    sums = torch.empty(batch, k, dtype=torch.float64)
    parts = image.new_empty(batch, 3, k, j, i) if slope else image.new_empty(0, 3, k, j, i)
    known = (reference[:, 0], mean[:, 0], variance[:, 0], weights[:, 0], share)
    arrays = [each.detach().contiguous().numpy() for each in known]
    divided(
        windows.compare,
        batch * k,
        one.numpy(),
        *arrays,
        window,
        number(floor, image),
        sums.numpy(),
        parts.numpy(),
        pieces=1,
    )
    value = sums.sum(1).to(image.dtype)
    if not slope:
        return value, None
    out = image.new_empty(batch, 1, k, j, i)
    divided(windows.derive, batch * k, parts.numpy(), one.numpy(), arrays[0], window, out[:, 0].numpy(), pieces=1)
    return value, out


def read(image: Tensor, matrices: Tensor, where: Tensor, turn: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return values (C, N), gradients (C, N, 3) and which points are inside (C, N); see ``points.read``."""
    shape = len(matrices), len(where)
    out = image.new_empty(shape), image.new_empty(*shape, 3), image.new_empty(shape)
    known = (each.contiguous().numpy() for each in (image, matrices, where, turn))
    divided(points.read, len(matrices), *known, *(each.numpy() for each in out))
    return out


def count(bins: Tensor, positions: Tensor, counted: Tensor, size: int) -> Tensor:
    """Return the joint histograms (C, size, size) that ``affine.similarity`` smoothes along the fixed axis."""
    joint = positions.new_zeros(len(positions), size, size)
    known = (each.contiguous().numpy() for each in (bins, positions, counted))
    divided(points.count, len(positions), *known, joint.numpy())
    return joint


def look_up(bins: Tensor, positions: Tensor, counted: Tensor, tables: Tensor) -> Tensor:
    """Return the derivative (C, N) by each sample of what has the derivative ``tables`` by the histograms."""
    slope = torch.empty_like(positions)
    known = (each.contiguous().numpy() for each in (bins, positions, counted, tables))
    divided(points.look_up, len(positions), *known, slope.numpy())
    return slope


def convolve(field: Tensor, weights: Sequence[Sequence[float]]) -> Tensor:
    """Return ``field`` (N, K, J, I) convolved along i, j and k by ``weights``: the middle, one side."""
    field = field.detach().contiguous()
    for axis, one_side in enumerate(weights):
        out, taps = torch.empty_like(field), field.new_tensor(one_side)
        divided(stencils.convolve, len(field) * field.shape[1], field.numpy(), taps.numpy(), axis, out.numpy())
        field = out
    return field


def diffuse(field: Tensor, shares: Sequence[float]) -> Tensor:
    """Return ``field`` (N, K, J, I) plus its second differences along i, j and k times ``shares``."""
    out = torch.empty_like(field, memory_format=torch.contiguous_format)
    divided(stencils.diffuse, len(field) * field.shape[1], *_arrays(field, field.new_tensor(shares)), out.numpy())
    return out


def damp_divergence(vectors: Tensor, amount: float, shares: Sequence[float]) -> Tensor:
    """Return ``vectors`` (3, K, J, I) plus ``amount`` times the gradient of their divergence.

    ``shares`` take the difference of two neighbors of a voxel along i, j and k to a derivative.
    """
    along, change = vectors.new_tensor(shares), vectors.new_empty(1, *vectors.shape[1:])
    out = torch.empty_like(vectors, memory_format=torch.contiguous_format)
    divided(stencils.diverge, vectors.shape[1], *_arrays(vectors, along), change.numpy())
    divided(stencils.climb, vectors.shape[1], *_arrays(vectors, change, amount * along), out.numpy())
    return out


def determinants(vectors: Tensor, matrix: Tensor) -> Tensor:
    """Return det(M + D) / det(M), (K, J, I): D has the differences of ``vectors`` (3, K, J, I) along i, j and k.

    ``matrix`` M (3, 3) is of double precision, its columns from a voxel to the next ones; see
    ``transforms.jacobian_determinant``.
    """
    out = vectors.new_empty(vectors.shape[1:])
    divided(stencils.determine, len(out), *_arrays(vectors, matrix), out.numpy())
    return out


def _arrays(*tensors: Tensor) -> list[Any]:
    return [tensor.detach().contiguous().numpy() for tensor in tensors]
