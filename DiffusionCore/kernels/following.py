"""The kernels of numba that follow a field, behind a torch function."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import pad

from DiffusionCore.kernels import pixels
from DiffusionCore.kernels.compilation import divided, number, threads_for


def flow(shifts: Tensor, squarings: int) -> Tensor:
    """As ``transforms.velocity.flow``, of ``shifts`` (B, 3, K, J, I) that are small already; differentiable once."""
    return _Flow.apply(shifts, squarings)  # pyright: ignore[reportReturnType]


class _Flow(torch.autograd.Function):
    """Follows a field by scaling and squaring; the derivative follows it once more, so that nothing else is kept."""

    @staticmethod
    def forward(ctx: Any, shifts: Tensor, squarings: int) -> Tensor:
        ctx.save_for_backward(shifts)
        ctx.steps = ((0.5, 0.0), *((1.0, 1.0),) * squarings)
        field, other = _as_pixels(shifts.detach()), None
        for step in ctx.steps:
            field, other = _followed(field, *step, other), field
        return _as_field(field)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        fields = [_as_pixels(ctx.saved_tensors[0].detach())]
        for step in ctx.steps[:-1]:
            fields.append(_followed(fields[-1], *step))
        slope = _as_pixels(gradients[0])
        out, (batch, planes) = torch.empty_like(slope), slope.shape[:2]
        spans = torch.zeros(batch, planes, 2, dtype=torch.int32)
        parts = min(threads_for(slope.numel()), planes)
        for share, kept in reversed(ctx.steps):
            field = fields.pop()
            numbers = number(share, field), number(kept, field)
            if parts > 1:
                divided(pixels.reach, batch * planes, field.numpy(), numbers[0], spans.numpy())
            known = (field.numpy(), *numbers, slope.numpy(), spans.numpy(), parts)
            divided(pixels.follow_back, parts * batch, *known, out.numpy())
            slope, out = out, slope
        return _as_field(slope), None


def _followed(field: Tensor, share: float, kept: float, out: Tensor | None = None) -> Tensor:
    """Return ``kept`` f(x) + f(x + ``share`` f(x)) of a ``field`` (B, K, J, I, 4), in ``out`` if there is one."""
    out = torch.empty_like(field) if out is None else out  # its pages cost as much as the values
    numbers = number(share, field), number(kept, field)
    divided(pixels.follow, len(field) * field.shape[1], field.numpy(), *numbers, out.numpy())
    return out


def _as_pixels(fields: Tensor) -> Tensor:
    """Return ``fields`` (B, 3, K, J, I) as pixels (B, K, J, I, 4), the fourth component 0."""
    return pad(fields.movedim(1, -1), (0, 1)).contiguous()


def _as_field(field: Tensor) -> Tensor:
    """Return pixels (B, K, J, I, 4) as fields (B, 3, K, J, I)."""
    return field[..., :3].movedim(-1, 1).contiguous()
