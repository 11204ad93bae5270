"""The kernels of numba that read between voxels, behind torch functions."""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from DiffusionCore.kernels import pixels, reading, spreading
from DiffusionCore.kernels.compilation import divided, number, threads_for

_ROW = 512  # points that are read together
_BITS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def pull(image: Tensor, coordinates: Tensor, fill: float | None) -> Tensor:
    """As ``interpolation.pull``, LINEAR: ``image`` (B, C, K, J, I) at ``coordinates`` (B, K', J', I', 3)."""
    learns = torch.is_grad_enabled() and (image.requires_grad or coordinates.requires_grad)
    if image.shape[1] == pixels.WIDTH and image.dtype == coordinates.dtype and fill is None and not learns:
        return _pull_pixels(image, coordinates)
    where = coordinates.flatten(1, 3).movedim(-1, 1)
    return _read(image, where, coordinates.new_empty(0, 3, 4), None, fill).unflatten(2, coordinates.shape[1:4])


def pull_at(image: Tensor, shifts: Tensor) -> Tensor:
    """As ``interpolation.pull_at``: ``image`` (B, C, K, J, I) at its voxels moved by ``shifts`` (B, 3, K, J, I)."""
    return pull_affine(image, _identity(shifts.dtype), shifts, 0, None)


def pull_affine(image: Tensor, matrices: Tensor, shifts: Tensor, plane: int, fill: float | None) -> Tensor:
    """As ``interpolation.pull_affine``, LINEAR: ``matrices`` (1 or B, 3, 4), ``shifts`` (B, 3, K', J', I')."""
    moved = _read(image, shifts.flatten(2), matrices, _lattice(shifts, plane), fill)
    return moved.unflatten(2, shifts.shape[2:])


def pull_nearest(image: Tensor, coordinates: Tensor, fill: float | None) -> Tensor:
    """As ``interpolation.pull``, NEAREST, for any type of at most 8 bytes."""
    where = coordinates.detach().flatten(1, 3).movedim(-1, 1)
    return _nearest(image, where, coordinates.new_empty(0, 3, 4), None, fill).unflatten(2, coordinates.shape[1:4])


def pull_nearest_affine(image: Tensor, matrices: Tensor, shifts: Tensor, plane: int, fill: float | None) -> Tensor:
    """As ``interpolation.pull_affine``, NEAREST, for any type of at most 8 bytes."""
    moved = _nearest(image, shifts.detach().flatten(2), matrices.detach(), _lattice(shifts, plane), fill)
    return moved.unflatten(2, shifts.shape[2:])


def _read(
    image: Tensor, where: Tensor, matrices: Tensor, lattice: tuple[int, int, int] | None, fill: float | None
) -> Tensor:
    """Return ``image`` (B, C, K, J, I) at ``where`` (B, 3, N): points, or shifts of a ``lattice``: J', I', first k'."""
    layout = (*_rows(where, lattice), fill is not None)
    learns = torch.is_grad_enabled() and any(each.requires_grad for each in (image, where, matrices))
    return (_Pull.apply if learns else _values)(image, where, matrices, layout, fill)


def _values(image: Tensor, where: Tensor, matrices: Tensor, layout: tuple, fill: float | None) -> Tensor:
    out = image.new_empty(*image.shape[:2], where.shape[2])
    points = (*_readable(image), where.detach().numpy(), matrices.detach().numpy(), *layout)
    divided(reading.pull, _tasks(where, layout[1]), *points, number(fill or 0.0, image), out.numpy())
    return out


class _Pull(torch.autograd.Function):
    """Reads as ``_read``; only what learns passes here, as that costs as much as a few thousand voxels."""

    @staticmethod
    def forward(ctx: Any, image: Tensor, where: Tensor, matrices: Tensor, layout: tuple, fill: float | None) -> Tensor:
        ctx.save_for_backward(image, where, matrices)
        ctx.layout = layout
        return _values(image, where, matrices, layout, fill)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        image, where, matrices = (each.detach() for each in ctx.saved_tensors)
        above, tasks = gradients[0].contiguous().numpy(), _tasks(where, ctx.layout[1])
        points = (where.numpy(), matrices.numpy(), *ctx.layout)
        by_image = by_where = by_matrices = None
        if ctx.needs_input_grad[0]:
            by_image = _by_image(image, where, matrices, ctx.layout, above)
        if ctx.needs_input_grad[1] or ctx.needs_input_grad[2]:
            by_where = torch.empty_like(where, memory_format=torch.contiguous_format)
            lines = tasks // len(where) if ctx.needs_input_grad[2] else 0
            moments = torch.zeros(len(where), lines, 3, 4, dtype=torch.float64)
            source = _readable(image)
            divided(reading.pull_by_where, tasks, *source, *points, above, by_where.numpy(), moments.numpy())
            if lines:  # numpy adds in one order, whatever the threads
                total = torch.from_numpy(moments.numpy().sum(1)).to(matrices.dtype)
                by_matrices = total if len(matrices) == len(total) else total.sum(0, keepdim=True)
        return by_image, by_where, by_matrices, None, None


def _by_image(image: Tensor, where: Tensor, matrices: Tensor, layout: tuple, above: Any) -> Tensor:
    """Return the derivative by ``image`` where that by the values read is ``above``."""
    tasks, size = _tasks(where, layout[1]), image.shape[:1:-1]
    points = (where.numpy(), tuple(size), matrices.numpy(), *layout[:3])
    spans = torch.zeros(len(where), tasks // len(where), 2, dtype=torch.int32)
    parts = min(threads_for(image.numel()), size[2])
    if parts > 1:
        divided(spreading.reach, tasks, *points, spans.numpy())
    out = image.new_zeros(*image.shape[:4], max(2, size[0]))
    divided(spreading.pull_by_image, parts * len(image), *points, layout[3], above, spans.numpy(), parts, out.numpy())
    return out if size[0] > 1 else out.sum(-1, keepdim=True)


def _nearest(
    image: Tensor, where: Tensor, matrices: Tensor, lattice: tuple[int, int, int] | None, fill: float | None
) -> Tensor:
    bits = image.detach().contiguous().view(_BITS[image.element_size()])
    out = bits.new_empty(*image.shape[:2], where.shape[2])
    outside = 0 if fill is None else torch.tensor(fill).to(image.dtype).view(bits.dtype).item()
    layout = _rows(where, lattice)
    points = (bits.numpy(), tuple(image.shape[:1:-1]), where.numpy(), matrices.numpy(), *layout)
    divided(reading.pull_nearest, _tasks(where, layout[1]), *points, fill is not None, int(outside), out.numpy())
    return out.view(image.dtype)


def _readable(image: Tensor) -> tuple[Any, tuple[int, ...]]:
    """Return ``image`` as an array with two voxels along i at least, and once if all of a batch are one; its size."""
    one = image.detach()
    one = one[:1] if one.stride(0) == 0 else one
    one = one if one.shape[4] > 1 else one.expand(*one.shape[:4], 2)
    return one.contiguous().numpy(), tuple(image.shape[:1:-1])


@functools.cache
@torch.inference_mode(False)  # whoever asks first may be in that mode, who asks next may learn
def _identity(kind: torch.dtype) -> Tensor:
    return torch.eye(3, 4, dtype=kind)[None]


def _lattice(shifts: Tensor, plane: int) -> tuple[int, int, int]:
    return shifts.shape[3], shifts.shape[4], plane


def _rows(where: Tensor, lattice: tuple[int, int, int] | None) -> tuple[int, int, int]:
    """Return how many rows a plane of points has, how many points a row, and which plane is the first."""
    return lattice or (0, min(_ROW, where.shape[2]), 0)


def _tasks(where: Tensor, row: int) -> int:
    return len(where) * -(-where.shape[2] // row)


def _pull_pixels(image: Tensor, coordinates: Tensor) -> Tensor:
    """Return ``image`` (B, 4, K, J, I) at ``coordinates``; its channels lie side by side, and are best so before."""
    source, where = image.movedim(1, -1).contiguous(), coordinates.flatten(1, 3).contiguous()
    out = source.new_empty(*where.shape[:2], pixels.WIDTH)
    tasks = len(where) * -(-where.shape[1] // _ROW)
    divided(pixels.pull, tasks, source.numpy(), where.numpy(), _ROW, out.numpy())
    return out.view(*coordinates.shape[:4], pixels.WIDTH).movedim(-1, 1)
