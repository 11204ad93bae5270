"""Mutual information of samples with a Parzen window, many transforms at a time.

Both windows are cubic B-splines (Thevenaz and Unser, IEEE Trans. Image Processing 9, 2000, eq. 4-8; Mattes et al.,
IEEE Trans. Medical Imaging 22, 2003). The fixed intensities never change, so they are rounded to bins once and their
window is applied to the finished histogram, which is the same at the bin centers and costs nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor

from DiffusionCore.kernels import kernel_for

BINS = 24
_FIRST, _LAST = 1.0, BINS - 2.0  # a window reaches two bins to each side of a value


def bin_positions(values: Tensor) -> Tensor:
    """Return ``values`` (0 is background) as positions on the axis of bins, the brightest 0.1 % clipped."""
    foreground = values[values > 0]
    if not foreground.numel():
        return torch.full_like(values, _FIRST)
    stride = 1 + foreground.numel() // 200_000
    top = torch.quantile(foreground[::stride], 0.999)
    return _FIRST + (_LAST - _FIRST) * (values / top).clamp(0, 1)


def window(positions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return for ``positions`` (...) the first bin touched, the weights (..., 4) of four bins and their derivatives."""
    first = positions.floor().clamp(_FIRST, _LAST - 1)
    t = positions - first
    s, tt = 1 - t, t * t
    weights = [s * s * s / 6, (tt * (3 * t - 6) + 4) / 6, (t * (3 * (t - tt) + 3) + 1) / 6, tt * t / 6]
    slopes = [-s * s / 2, t * (1.5 * t - 2), t * (1 - 1.5 * t) + 0.5, tt / 2]
    return first.long() - 1, torch.stack(weights, -1), torch.stack(slopes, -1)


def joint_histogram(fixed: Tensor, moving: Tensor, counted: Tensor | None = None) -> Tensor:
    """Return the joint histograms (C, BINS, BINS), rows fixed; differentiable with respect to ``moving``.

    Args:
        fixed: the bins (N,) of the fixed samples, int64.
        moving: positions (C, N) of the moving samples on the axis of bins, for C transforms.
        counted: weights (C, N) of the samples, e.g. 0 outside the moving image.
    """
    first, weights, _ = window(moving)
    weights = weights if counted is None else weights * counted[..., None]
    return smooth_fixed(_scatter(_cells(fixed, first), weights, len(moving)))


def mutual_information(joint: Tensor) -> Tensor:
    """Return the mutual information (...,), nat, of the histograms ``joint`` (..., BINS, BINS); empty ones have 0."""
    p = joint / joint.sum((-1, -2), keepdim=True).clamp_min(1e-12)
    return _entropy(p.sum(-1)) + _entropy(p.sum(-2)) - _entropy(p.flatten(-2))


def mutual_information_slope(fixed: Tensor, moving: Tensor, counted: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mutual information (C,) and its derivative (C, N) with respect to each moving sample.

    Arguments as in ``joint_histogram``. The same as autograd through the functions above, several times faster.
    """
    count, look_up = kernels = [kernel_for(name, moving, counted) for name in ("count", "look_up")]
    if all(kernels):
        joint = smooth_fixed(count(fixed, moving, counted, BINS))
    else:
        first, weights, slopes = window(moving)
        cells = _cells(fixed, first)
        joint = smooth_fixed(_scatter(cells, weights * counted[..., None], len(moving)))
    total = joint.sum((-1, -2), keepdim=True).clamp_min(1e-12)
    p = (joint / total).clamp_min(1e-12)
    score = p.log() - p.sum(-1, keepdim=True).log() - p.sum(-2, keepdim=True).log()
    value = (p * score).sum((-1, -2))
    # the window is symmetric, so its adjoint is itself; constants cancel because the slopes sum to 0
    table = smooth_fixed(score) / total
    if all(kernels):
        return value, look_up(fixed, moving, counted, table)
    table = table.flatten()
    return value, (table[cells] * slopes).sum(-1) * counted


def smooth_fixed(joint: Tensor) -> Tensor:
    """Apply the cubic B-spline window along the fixed axis of ``joint`` (..., BINS, BINS)."""
    return _KERNEL.to(joint) @ joint


def _entropy(p: Tensor) -> Tensor:
    return -torch.xlogy(p, p.clamp_min(1e-12)).sum(-1)


def _cells(fixed: Tensor, first: Tensor) -> Tensor:
    """Return the flat indices (C, N, 4) of the bins that each sample touches."""
    start = (torch.arange(len(first), device=first.device)[:, None] * BINS + fixed) * BINS + first
    return start[..., None] + torch.arange(4, device=first.device)


def _scatter(cells: Tensor, weights: Tensor, count: int) -> Tensor:
    flat = torch.zeros(count * BINS * BINS, dtype=weights.dtype, device=weights.device)
    return flat.index_add(0, cells.flatten(), weights.flatten()).view(count, BINS, BINS)


def _kernel() -> Tensor:
    """Return the B-spline smoothing of a histogram; what would leave at an end stays in the last bin."""
    kernel = torch.zeros(BINS, BINS, dtype=torch.float64)
    for offset, weight in ((-1, 1 / 6), (0, 2 / 3), (1, 1 / 6)):
        for b in range(BINS):
            kernel[min(max(b + offset, 0), BINS - 1), b] += weight
    return kernel


_KERNEL = _kernel()
