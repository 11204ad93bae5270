"""The inverse of a displacement field, voxel by voxel."""

from __future__ import annotations

import torch
from torch import Tensor

from DiffusionCore.interpolation import pull

_LONGEST_STEP = 2.0  # voxels; keeps a step within the part of the field that it was measured in
_FLAT = 1e-3  # secants flatter than this say nothing about the slope


def invert(forward: Tensor, *, tolerance: float, iterations: int) -> tuple[Tensor, float]:
    """Return the shift w with w(x) + u(x + w(x)) = 0 at every voxel x, and the largest error that is left, in voxels.

    ``forward`` is u, (3, K, J, I) in voxels (i, j, k), continued by its border values; so is w. Every voxel solves its
    own three equations by Broyden's method (Math. Comp. 19, 1965), whose first step is that of the fixed point
    w <- -u(x + w) (Chen et al., Med. Phys. 35, 2008). The fixed point alone needs dozens of steps where the field
    compresses and never ends where it stretches beyond 2; the secants need about eight there. A voxel that is within
    ``tolerance`` rests, the others go on for at most ``iterations`` steps.
    """
    axes = [torch.arange(n, dtype=forward.dtype, device=forward.device) for n in forward.shape[1:]]
    voxels = torch.stack(torch.meshgrid(*axes, indexing="ij")[::-1], -1).view(-1, 3)
    result = -forward.flatten(1).T.contiguous()
    active = torch.arange(len(voxels), device=forward.device)
    shift, error = result.clone(), result + _read(forward, voxels + result)
    slopes = torch.eye(3, dtype=forward.dtype, device=forward.device).repeat(len(voxels), 1, 1)  # d shift / d error
    for _ in range(iterations):
        unsolved = error.norm(dim=-1) > tolerance
        active, voxels, shift, error, slopes = (t[unsolved] for t in (active, voxels, shift, error, slopes))
        if not len(active):
            return _field(result, forward), tolerance
        step = -torch.einsum("nab,nb->na", slopes, error)
        step = step * (_LONGEST_STEP / step.norm(dim=-1, keepdim=True)).clamp_max(1)
        shift = shift + step
        before, error = error, shift + _read(forward, voxels + shift)
        slopes = _broyden(slopes, step, error - before)
        result[active] = shift
    return _field(result, forward), float(error.norm(dim=-1).max())


def _broyden(slopes: Tensor, step: Tensor, change: Tensor) -> Tensor:
    """Return the inverse Jacobians (N, 3, 3) that take ``change`` to ``step`` and are nearest to ``slopes``."""
    guess = torch.einsum("nab,nb->na", slopes, change)
    row = torch.einsum("na,nab->nb", step, slopes)
    secant = (step * guess).sum(-1, keepdim=True)
    known = secant.abs() > _FLAT * step.square().sum(-1, keepdim=True)
    correction = torch.where(known, (step - guess) / secant, 0.0)
    return slopes + correction[:, :, None] * row[:, None]


def _read(field: Tensor, points: Tensor) -> Tensor:
    return pull(field[None], points[None, :, None, None], fill=None)[0, :, :, 0, 0].T


def _field(shift: Tensor, like: Tensor) -> Tensor:
    return shift.T.reshape(like.shape)
