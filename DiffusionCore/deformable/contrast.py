"""Whether two images that are about aligned have one contrast, or the inverse one: whether a line relates them."""

from __future__ import annotations

import torch
from torch import Tensor

from DiffusionCore.losses.box import box_sum

_RIM = 2  # voxels
_BINS = 32
_MOST = 200_000  # voxels that are looked at


def linearity(images: Tensor) -> float:
    """Return which share of what any curve explains of one image by the other a line explains, 0..1.

    That is the squared correlation over the correlation ratio (Roche et al., MICCAI 1998), both ways, the lower one: of
    ``images`` (2, 1, K, J, I), background 0, the voxels inside both foregrounds. Those within two of a background do
    not count: at the rim both get dark, whatever their contrasts. With nothing left, or nothing explained, it is 0.
    """
    background = (images <= 0).any(0, keepdim=True).to(images)
    inside = box_sum(background, 2 * _RIM + 1)[0] == 0
    values = images[:, inside].double()
    values = values[:, :: 1 + values.shape[1] // _MOST]
    if values.shape[1] < _BINS:
        return 0.0
    away = values - values.mean(1, keepdim=True)
    one, other = away.square().sum(1)
    by_line = (away[0] @ away[1]).square() / (one * other).clamp_min(1e-12)
    by_curve = max(_ratio(away[0], values[1]), _ratio(away[1], values[0]))
    return min(1.0, float(by_line) / by_curve) if by_curve > 1e-12 else 0.0


def _ratio(away: Tensor, given: Tensor) -> float:
    """Return the share of the squares of ``away``, whose mean is 0, that its means in bins of ``given`` explain."""
    bins = given.argsort().argsort() * _BINS // len(given)
    sums = torch.bincount(bins, away, minlength=_BINS)
    explained = sums.square() / torch.bincount(bins, minlength=_BINS)
    return float(explained.sum() / away.square().sum().clamp_min(1e-12))
