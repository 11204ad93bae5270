"""Flows of velocities, and their derivatives: the kernels of ``fields`` behind torch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from DiffusionCore.kernels.gpu import fields
from DiffusionCore.kernels.gpu.cells import bricks
from DiffusionCore.kernels.gpu.launching import is_wide, launch
from DiffusionCore.kernels.gpu.pulling import Points, add_by_image, by_points
from DiffusionCore.kernels.gpu.tensors import kind, sizes


def flow(shifts: Tensor, squarings: int) -> Tensor:
    """As ``transforms.velocity.flow``, of ``shifts`` (B, 3, K, J, I) that are small already; differentiable once."""
    return _Flow.apply(shifts, squarings)  # pyright: ignore[reportReturnType]


class _Flow(torch.autograd.Function):
    """Keeps nothing but the shifts: the fields between are computed anew for the derivative."""

    @staticmethod
    def forward(ctx: Any, shifts: Tensor, squarings: int) -> Tensor:
        ctx.save_for_backward(shifts)
        ctx.steps = ((0.5, 0.0), *((1.0, 1.0),) * squarings)
        field = shifts.detach().contiguous()
        for share, kept in ctx.steps:
            field = _followed(field, share, kept)
        return field

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        fields = [ctx.saved_tensors[0].detach().contiguous()]
        for share, kept in ctx.steps[:-1]:
            fields.append(_followed(fields[-1], share, kept))
        slope = gradients[0].contiguous()
        for share, kept in reversed(ctx.steps):
            field = fields.pop()
            moved = field if share == 1 else share * field
            points, above = Points(moved.flatten(2), field.shape[2:]), slope.flatten(2)
            by_where, _ = by_points(field, points, above)
            own = torch.add(kept * slope, by_where.view(field.shape), alpha=share)
            slope = add_by_image(points, above, own)
        return slope, None


def _followed(field: Tensor, share: float, kept: float) -> Tensor:
    """Return ``kept`` f(x) + f(x + ``share`` f(x)) of a ``field`` (B, 3, K, J, I)."""
    out, constants = torch.empty_like(field), {"POSITION": kind(field), "WIDE": is_wide(field)}
    launch(fields.follow, bricks(field.shape), field, out, *sizes(field.shape), share, kept, **constants)
    return out
