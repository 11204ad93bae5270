"""Images between their voxels, and the derivatives by image and points: the kernels of ``reading`` behind torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from DiffusionCore.kernels.gpu import reading
from DiffusionCore.kernels.gpu.cells import bricks, rows
from DiffusionCore.kernels.gpu.launching import is_wide, launch
from DiffusionCore.kernels.gpu.tensors import kind, sizes, working

_BITS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
_UNITS = 62  # bits of a sum of whole numbers, without its sign


@dataclass(frozen=True)
class Points:
    """Points ``where`` (B, 3, N) that are read: absolute, or shifts of a lattice.

    Attributes:
        lattice: the shape (K', J', I') of the lattice, if there is one, and ``first``, the number of its first plane.
        matrices: (1 or B, 3, 4), which take them to the image; None leaves them where they are.
    """

    where: Tensor
    lattice: Sequence[int] | None = None
    first: int = 0
    matrices: Tensor | None = None


def pull(image: Tensor, coordinates: Tensor, fill: float | None) -> Tensor:
    """As ``interpolation.pull``, LINEAR: ``image`` (B, C, K, J, I) at ``coordinates`` (B, K', J', I', 3)."""
    where = coordinates.flatten(1, 3).movedim(-1, 1)
    return _Pull.apply(image, where, None, None, 0, fill).unflatten(2, coordinates.shape[1:4])


def pull_at(image: Tensor, shifts: Tensor) -> Tensor:
    """As ``interpolation.pull_at``: ``image`` (B, C, K, J, I) at its voxels moved by ``shifts`` (B, 3, K, J, I)."""
    shape = shifts.shape[2:]
    return _Pull.apply(image, shifts.flatten(2), None, shape, 0, None).unflatten(2, shape)


def pull_affine(image: Tensor, matrices: Tensor, shifts: Tensor, plane: int, fill: float | None) -> Tensor:
    """As ``interpolation.pull_affine``, LINEAR: ``matrices`` (1 or B, 3, 4), ``shifts`` (B, 3, K', J', I')."""
    shape = shifts.shape[2:]
    return _Pull.apply(image, shifts.flatten(2), matrices, shape, plane, fill).unflatten(2, shape)


def pull_nearest(image: Tensor, coordinates: Tensor, fill: float | None) -> Tensor:
    """As ``interpolation.pull``, NEAREST, for any type of at most 8 bytes."""
    points = Points(coordinates.detach().flatten(1, 3).movedim(-1, 1))
    return _nearest(image.detach(), points, fill).unflatten(2, coordinates.shape[1:4])


def pull_nearest_affine(image: Tensor, matrices: Tensor, shifts: Tensor, plane: int, fill: float | None) -> Tensor:
    """As ``interpolation.pull_affine``, NEAREST, for any type of at most 8 bytes."""
    shape = shifts.shape[2:]
    points = Points(shifts.detach().flatten(2), shape, plane, matrices.detach())
    return _nearest(image.detach(), points, fill).unflatten(2, shape)


class _Pull(torch.autograd.Function):
    """Reads an image (B, C, K, J, I) at ``Points``, of whose attributes there may be derivatives."""

    @staticmethod
    def forward(
        ctx: Any,
        image: Tensor,
        where: Tensor,
        matrices: Tensor | None,
        lattice: Sequence[int] | None,
        first: int,
        fill: float | None,
    ) -> Tensor:
        ctx.save_for_backward(image, where, matrices)
        ctx.layout, ctx.filled = (lattice, first), fill is not None
        out = image.new_empty(*image.shape[:2], where.shape[2])
        points = Points(where.detach(), lattice, first, None if matrices is None else matrices.detach())
        known = (image.detach().contiguous(), _one(fill, image), out)
        _read(reading.pull, points, image.shape, *known, FILLED=ctx.filled, KIND=kind(image))
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        image, where, matrices = ctx.saved_tensors
        (lattice, first), above = ctx.layout, gradients[0].contiguous()
        points = Points(where, lattice, first, matrices)
        by_image = by_where = by_matrices = None
        if ctx.needs_input_grad[0]:
            sums = torch.zeros(image.shape, dtype=working(image), device=image.device)
            by_image = add_by_image(points, above, sums, filled=ctx.filled).to(image.dtype)
        if ctx.needs_input_grad[1] or ctx.needs_input_grad[2]:
            by_where, moments = by_points(image, points, above, filled=ctx.filled, moments=ctx.needs_input_grad[2])
            if moments is not None:
                by_matrices = moments.sum(0, keepdim=True) if len(matrices) == 1 else moments
                by_matrices = by_matrices.to(matrices.dtype)
        return by_image, by_where, by_matrices, None, None, None


def add_by_image(points: Points, above: Tensor, sums: Tensor, *, filled: bool = False) -> Tensor:
    """Return ``sums`` (B, C, K, J, I) plus the derivative by an image where that by its values is ``above`` (B, C, N).

    ``sums`` may be changed. In torch's deterministic mode the same bits come every time.
    """
    exact = torch.are_deterministic_algorithms_enabled()
    units = _units(above) if exact else above
    total = torch.zeros_like(sums, dtype=torch.int64) if exact else sums
    constants = {"FILLED": filled, "EXACT": exact, "KIND": kind(above)}
    _read(reading.pull_by_image, points, sums.shape, above, units, total, **constants)
    return sums + (total / units).to(sums.dtype) if exact else total


def by_points(
    image: Tensor, points: Points, above: Tensor, *, filled: bool = False, moments: bool = False
) -> tuple[Tensor, Tensor | None]:
    """Return the derivatives by ``where`` (B, 3, N), and, with ``moments``, by a matrix of each image (B, 3, 4)."""
    by_where, batch = points.where.new_empty(points.where.shape), len(image)
    shares = above.new_empty(_programs(points) if moments else 0, 3, 4, dtype=torch.float64)
    constants = {"FILLED": filled, "MOMENTS": moments, "KIND": kind(image)}
    _read(reading.pull_by_where, points, image.shape, image.contiguous(), above, by_where, shares, **constants)
    return by_where, shares.unflatten(0, (batch, -1)).sum(1) if moments else None


def _nearest(image: Tensor, points: Points, fill: float | None) -> Tensor:
    bits, beyond = (each.view(_BITS[image.element_size()]) for each in (image.contiguous(), _one(fill, image)))
    out = bits.new_empty(*image.shape[:2], points.where.shape[2])
    _read(reading.pull_nearest, points, image.shape, bits, beyond, out, FILLED=fill is not None)
    return out.view(image.dtype)


def _read(
    kernel: Any,
    points: Points,
    shape: Sequence[int],
    source: Tensor,
    other: Tensor,
    out: Tensor,
    *more: Tensor,
    **constants: Any,
) -> None:
    """Start a kernel of ``reading`` for some points and an image of ``shape`` (B, C, K, J, I)."""
    where, matrices = points.where, points.matrices
    total = where.shape[2]
    along = where.stride(0), where.stride(1), where.stride(2)
    lattice = sizes(points.lattice) if points.lattice else (total, 1, 1)
    known = (where, *along, *lattice, points.first)
    known += (where, 0) if matrices is None else (matrices.contiguous(), 12 if len(matrices) > 1 else 0)
    constants |= {"CHANNELS": shape[1], "LATTICE": points.lattice is not None, "AFFINE": matrices is not None}
    constants |= {"POSITION": kind(where if matrices is None else matrices), "WIDE": is_wide(where, source, out)}
    launch(kernel, _programs(points), *known, source, *sizes(shape), other, out, total, *more, **constants)


def _programs(points: Points) -> int:
    batch, _, total = points.where.shape
    return bricks((batch, *points.lattice)) if points.lattice else rows(batch, total)


def _units(above: Tensor) -> Tensor:
    """Return by what (1,) values up to those of ``above`` (B, C, N) are to be multiplied to be added as whole numbers.

    It is the largest power of 2 with which even N of them are no more than 64 bits hold; NaN if a value is not finite.
    """
    largest = above.abs().amax().double()
    _, exponent = torch.frexp(largest)
    units = torch.ldexp(above.new_ones(1, dtype=torch.float64), _UNITS - above.shape[2].bit_length() - exponent)
    return torch.where(largest.isfinite(), units, torch.nan)


def _one(fill: float | None, like: Tensor) -> Tensor:
    """Return ``fill`` as an element (1,) of the type of ``like``; anything, where there is no fill."""
    return like.detach() if fill is None else like.new_full((1,), fill)
