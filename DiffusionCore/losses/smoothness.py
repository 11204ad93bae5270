"""How far a field is from smooth: its squared differences, and their slope by a formula instead of a recorded graph."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import pad

from DiffusionCore.checks import check_shape

_AXES = (4, 3, 2)  # of i, j and k
_Terms = tuple[tuple[tuple[int, ...], float], ...]  # the axes that differences are taken along, one by one; the weight


def gradient_penalty(vectors: Tensor, spacing: tuple[float, float, float]) -> Tensor:
    """Return the mean over the voxels of sum_ab (dv_a / dx_b)^2, (B,), of ``vectors`` (B, 3, K, J, I).

    Differences of neighbors, along axes of more than one voxel; differentiable once. ``spacing`` along (i, j, k) has
    the unit of the vectors: both mm, or both voxels; the result has none. Source: Balakrishnan et al., VoxelMorph (IEEE
    TMI 2019), eq. 7, whose mean over the axes and components (a ninth of this, for cubic voxels) is summed here.
    """
    check_shape(vectors, "B 3 K J I", name="vectors")
    terms = tuple(((axis,), step**-2) for axis, step in zip(_AXES, spacing, strict=True))
    return _SquaredDifferences.apply(vectors, terms)  # pyright: ignore[reportReturnType]


def bending_penalty(vectors: Tensor, spacing: tuple[float, float, float]) -> Tensor:
    """Return the mean over the voxels of sum_abc (d2v_a / dx_b dx_c)^2, (B,), of ``vectors`` (B, 3, K, J, I).

    Differences of the differences of neighbors, where there are enough voxels; differentiable once. An affine field has
    none. With vectors and ``spacing``, along (i, j, k), in mm the unit is 1 / mm^2. Source: the bending energy of
    Rueckert et al., Nonrigid registration using free-form deformations (IEEE TMI 18, 1999), eq. 3.
    """
    check_shape(vectors, "B 3 K J I", name="vectors")
    steps = list(zip(_AXES, spacing, strict=True))
    terms = tuple(
        ((axis, other), (1 if axis == other else 2) * (step * across) ** -2)
        for n, (axis, step) in enumerate(steps)
        for other, across in steps[n:]
    )
    return _SquaredDifferences.apply(vectors, terms)  # pyright: ignore[reportReturnType]


class _SquaredDifferences(torch.autograd.Function):
    """The sum over ``terms`` of the weighted mean square of the differences of ``vectors``, (B,)."""

    @staticmethod
    def forward(ctx: Any, vectors: Tensor, terms: _Terms) -> Tensor:
        ctx.save_for_backward(vectors)
        ctx.terms = terms
        total = vectors.new_zeros(len(vectors))
        for _, share, differences in _differences(vectors, terms):
            total += share * differences.square_().sum((1, 2, 3, 4))
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *above: Tensor) -> tuple[Tensor | None, ...]:
        (vectors,) = ctx.saved_tensors
        slope = torch.zeros_like(vectors)
        for axes, share, differences in _differences(vectors, ctx.terms):
            back = differences.mul_(-2 * share if len(axes) % 2 else 2 * share)
            for axis in axes:  # the adjoint of a difference is the difference backwards, nothing being beyond the ends
                widths = [0] * 6
                widths[2 * (4 - axis)] = widths[2 * (4 - axis) + 1] = 1
                back = pad(back, widths).diff(dim=axis)
            slope += back
        return slope * above[0][:, None, None, None, None], None


def _differences(vectors: Tensor, terms: _Terms) -> Iterator[tuple[tuple[int, ...], float, Tensor]]:
    """Yield the axes of each of the ``terms``, the weight of each place, and the differences, if there are any."""
    for axes, weight in terms:
        differences = vectors
        for axis in axes:
            differences = differences.diff(dim=axis)
        if differences.numel():
            yield axes, weight * vectors.shape[1] * len(vectors) / differences.numel(), differences
