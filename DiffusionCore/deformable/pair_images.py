"""What a network that estimates fields is shown of a pair: both images, and the force of their local correlation."""

from __future__ import annotations

import torch
from torch import Tensor

from DiffusionCore.losses import LocalCorrelation, with_gradient

FLOOR = 1e-3  # variance that counts as noise, where the mean of the foreground is 1
_UNIT = (1.0, 1.0, 1.0)  # voxels


def pair_images(fixed: Tensor, moving: Tensor, force_window: int | None) -> Tensor:
    """Return the input of a network: (B, 2, K, J, I), or (B, 5, K, J, I) with a ``force_window``.

    ``fixed`` and ``moving`` are (B, 1, K, J, I), background 0, mean of the foreground 1, the moving image as it is
    warped so far. The force says which way each point should move, along (i, j, k), for both images to become more
    alike: half from the slope of the squared local correlation by the moving image, half from that by the fixed one.
    Its root mean square is 1. Source: our own; the force is that of symmetric normalization (Avants et al., 2008).
    """
    pair = torch.cat([fixed, moving], 1)
    if force_window is None:
        return pair
    force = _force(moving, fixed, force_window) - _force(fixed, moving, force_window)
    size = force.square().mean((1, 2, 3, 4), keepdim=True).sqrt()
    return torch.cat([pair, force / size.clamp_min(1e-12)], 1)


def _force(image: Tensor, reference: Tensor, window: int) -> Tensor:
    """Return the slope (B, 3, K, J, I) of the local correlation by a shift of where ``image`` is read, in voxels."""
    slope = LocalCorrelation(reference, window=window, floor=FLOOR).value_and_slope(image)[1]
    return slope * with_gradient(image, _UNIT)[:, 1:]
