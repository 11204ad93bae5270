"""The kernels of Triton behind torch functions: what `kernel_for` gives for tensors on a CUDA device.

Nothing here waits for the device or allocates by what is on it, so that a CUDA graph can record it once it has run.
Numbers of half precision are read as they are and computed with in single precision.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch
from torch import Tensor

from DiffusionCore.kernels.gpu import fields, samples, stencils, windows
from DiffusionCore.kernels.gpu.cells import bricks, rows
from DiffusionCore.kernels.gpu.following import flow
from DiffusionCore.kernels.gpu.launching import is_wide, launch
from DiffusionCore.kernels.gpu.pulling import pull, pull_affine, pull_at, pull_nearest, pull_nearest_affine
from DiffusionCore.kernels.gpu.tensors import kind, sizes, working

__all__ = [
    "compare",
    "convolve",
    "count",
    "damp_divergence",
    "determinants",
    "diffuse",
    "flow",
    "look_up",
    "moved_voxels",
    "pull",
    "pull_affine",
    "pull_at",
    "pull_nearest",
    "pull_nearest_affine",
    "read",
]


def moved_voxels(shifts: Tensor, shape: Sequence[int]) -> Tensor:
    """As ``interpolation.moved_voxels``, without derivatives."""
    shifts = shifts.detach().contiguous()
    out = shifts.new_empty(len(shifts), 3, *shape)
    constants = {"POSITION": kind(shifts), "WIDE": is_wide(shifts, out)}
    launch(fields.stretch, bricks(out.shape), shifts, *sizes(shifts.shape), out, *sizes(shape), **constants)
    return out.movedim(1, -1)


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
    image, reference, mean, variance, weights, share = (
        each.detach().contiguous() for each in (image, reference, mean, variance, weights, share)
    )
    batch, size, tasks = len(image), sizes(image.shape), bricks(image.shape)
    sums = torch.empty(batch, 3, *image.shape[2:], dtype=working(image), device=image.device)
    other = torch.empty_like(sums)
    constants = {"WIDTH": window, "KIND": kind(image), "WIDE": is_wide(sums)}

    def add_up(source: Tensor, axis: int, out: Tensor) -> None:
        launch(windows.sum_along, bricks(source.flatten(0, 1).shape), source, out, *size, AXIS=axis, **constants)

    launch(windows.sum_products, tasks, image, reference, sums, *size, **constants)
    add_up(sums, 1, other)
    totals = sums.new_empty(batch, tasks // batch)
    by_weight = weights[0].numel() if len(weights) == batch else 0
    known = (mean, variance, weights, by_weight, share, floor)
    launch(windows.correlate, tasks, other, *known, totals, sums, *size, SLOPE=slope, **constants)
    value = totals.sum(1, dtype=torch.float64).to(image.dtype)
    if not slope:
        return value, None
    parts, out = sums, torch.empty_like(image)
    add_up(parts, 0, other)
    add_up(other, 1, parts)
    launch(windows.derive, tasks, parts, image, reference, out, *size, **constants)
    return value, out


def read(image: Tensor, matrices: Tensor, where: Tensor, turn: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return values (C, N), gradients (C, N, 3) and which points are inside (C, N); see ``samples.read``."""
    shape = len(matrices), len(where)
    out = image.new_empty(shape), image.new_empty(*shape, 3), image.new_empty(shape)
    image, matrices, where, turn = (each.detach().contiguous() for each in (image, matrices, where, turn))
    constants = {"POSITION": kind(where), "KIND": kind(image), "WIDE": is_wide(image)}
    points = (image, *sizes(image.shape), matrices, where, len(where), turn)
    launch(samples.read, rows(*shape), *points, *out, **constants)
    return out


def count(bins: Tensor, positions: Tensor, counted: Tensor, size: int) -> Tensor:
    """Return the joint histograms (C, size, size) that ``affine.similarity`` smoothes along the fixed axis."""
    transforms, total = positions.shape
    programs = -(-total // samples.COUNTED)
    width = 1 << (size - 1).bit_length()
    joint = positions.new_empty(transforms, programs, width, width)
    known = (each.detach().contiguous() for each in (bins, positions, counted))
    launch(samples.count, transforms * programs, *known, total, joint, BINS=width, KIND=kind(positions))
    return joint.sum(1)[:, :size, :size]


def look_up(bins: Tensor, positions: Tensor, counted: Tensor, tables: Tensor) -> Tensor:
    """Return the derivative (C, N) by each sample of what has the derivative ``tables`` by the histograms."""
    slope = torch.empty_like(positions, memory_format=torch.contiguous_format)
    bins, positions, counted, tables = (each.detach().contiguous() for each in (bins, positions, counted, tables))
    total = positions.shape[1]
    launch(samples.look_up, rows(*positions.shape), bins, positions, counted, total, tables, tables.shape[-1], slope)
    return slope


def convolve(field: Tensor, weights: Sequence[Sequence[float]]) -> Tensor:
    """Return ``field`` (N, K, J, I) convolved along i, j and k by ``weights``: the middle, one side."""
    field = field.detach().contiguous()
    constants = {"KIND": kind(field), "WIDE": is_wide(field)}
    for axis, one_side in enumerate(weights):
        out, taps = torch.empty_like(field), _on_device(tuple(one_side), field.device)
        arguments = (field, taps, len(one_side) - 1, out, *sizes(field.shape))
        launch(stencils.convolve, bricks(field.shape), *arguments, AXIS=axis, **constants)
        field = out
    return field


def diffuse(field: Tensor, shares: Sequence[float]) -> Tensor:
    """Return ``field`` (N, K, J, I) plus its second differences along i, j and k times ``shares``."""
    field = field.detach().contiguous()
    out, constants = torch.empty_like(field), {"KIND": kind(field), "WIDE": is_wide(field)}
    launch(stencils.diffuse, bricks(field.shape), field, out, *map(float, shares), *sizes(field.shape), **constants)
    return out


def damp_divergence(vectors: Tensor, amount: float, shares: Sequence[float]) -> Tensor:
    """Return ``vectors`` (3, K, J, I) plus ``amount`` times the gradient of their divergence.

    ``shares`` take the difference of two neighbors of a voxel along i, j and k to a derivative.
    """
    vectors = vectors.detach().contiguous()
    change = torch.empty(1, *vectors.shape[1:], dtype=working(vectors), device=vectors.device)
    out, size, tasks = torch.empty_like(vectors), sizes(vectors.shape), bricks(change.shape)
    constants = {"KIND": kind(vectors), "WIDE": is_wide(vectors)}
    launch(stencils.diverge, tasks, vectors, change, *map(float, shares), *size, **constants)
    launch(stencils.climb, tasks, vectors, change, out, *(amount * each for each in shares), *size, **constants)
    return out


def determinants(vectors: Tensor, matrix: Tensor) -> Tensor:
    """Return det(M + D) / det(M), (K, J, I): D has the differences of ``vectors`` (3, K, J, I) along i, j and k.

    ``matrix`` M (3, 3) is of double precision, its columns from a voxel to the next ones; see
    ``transforms.jacobian_determinant``.
    """
    vectors = vectors.detach().contiguous()
    out, numbers = vectors.new_empty(vectors.shape[1:]), (float(each) for each in matrix.flatten())
    arguments = (vectors, out, *numbers, 1 / float(torch.linalg.det(matrix)), *sizes(vectors.shape))
    constants = {"KIND": kind(vectors), "WIDE": is_wide(vectors)}
    launch(stencils.determine, bricks((1, *out.shape)), *arguments, **constants)
    return out


@functools.lru_cache(maxsize=64)
@torch.inference_mode(False)  # whoever asks first may be in that mode, who asks next may learn
def _on_device(numbers: tuple[float, ...], device: torch.device) -> Tensor:
    """Return ``numbers`` on ``device``; once, as such a copy waits for the device."""
    return torch.tensor(numbers, dtype=torch.float64).to(device)
