"""Demons: a small registration without any training, for a network to start from; no gradient passes through it.

It is crude, but the best single cue of how an anatomy was deformed: beside it a network has not to learn to register,
only to judge a registration (with it alone, scaled, half of the variance of random velocities is found).

Source: Thirion (Medical Image Analysis 2, 1998); coarse to fine, with binomial smoothing, our own.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from DiffusionCore.interpolation import enlarged, moved_voxels, pull, pull_at
from DiffusionCore.kernels import kernel_for
from DiffusionCore.networks.recovery import FINEST, demons_force, slopes

_POOLED = (2 * FINEST, FINEST)  # voxels that become one, on each level
_ITERATIONS = 24  # a level
_FLOOR = 0.01  # under the square of a force, in squared intensities


@torch.no_grad()
def demons(images: Tensor, template: Tensor) -> Tensor:
    """Return displacements u (B, 3, K/2, J/2, I/2), voxels of their own: images(x + u) look like the ``template``.

    Args:
        images: (B, 1, K, J, I), mean of the foreground 1, sides multiples of 4.
        template: (B, 1, K, J, I), likewise.
    """
    found = None
    for pooled in _POOLED:
        fixed, moving = (F.avg_pool3d(x, pooled) for x in (template, images))
        steep = slopes(fixed)
        shifts = torch.zeros_like(steep) if found is None else 2 * enlarged(found, fixed.shape[2:])
        found = _followed(fixed, moving, steep, shifts)
    assert found is not None
    return found


def registered(images: Tensor, template: Tensor) -> tuple[Tensor, Tensor]:
    """Return ``images`` as ``demons`` bring them to the ``template`` (1, 1, K, J, I), and the displacements."""
    shifts = demons(images, template.expand_as(images))
    return pull(images, moved_voxels(shifts, images.shape[2:]), fill=None), shifts


def _followed(fixed: Tensor, moving: Tensor, steep: Tensor, shifts: Tensor) -> Tensor:
    """Return ``shifts`` (B, 3, K, J, I) after the iterations of one level; ``steep`` are the slopes of ``fixed``."""
    if kernel := kernel_for("demons", moving, shifts):
        return kernel(fixed, moving, steep, _FLOOR, _ITERATIONS, shifts)
    for _ in range(_ITERATIONS):
        shifts = _smoothed(shifts - demons_force(pull_at(moving, shifts) - fixed, steep, _FLOOR))
    return shifts


def _smoothed(field: Tensor) -> Tensor:
    """Return ``field`` (B, C, K, J, I) under binomial weights 1 2 1 along every axis; borders continue."""
    for axis in (2, 3, 4):
        first, last = field.narrow(axis, 0, 1), field.narrow(axis, field.shape[axis] - 1, 1)
        longer = torch.cat([first, field, last], axis)
        pairs = longer.narrow(axis, 0, field.shape[axis] + 1) + longer.narrow(axis, 1, field.shape[axis] + 1)
        field = (pairs.narrow(axis, 0, field.shape[axis]) + pairs.narrow(axis, 1, field.shape[axis])) / 4
    return field
