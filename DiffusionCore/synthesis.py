"""Synthesis: new deformations of anatomy. So far random smooth ones, which need no training."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from DiffusionCore.checks import GeometryError
from DiffusionCore.space import Grid
from DiffusionCore.transforms.velocity import Velocity

_SCALES = (12.0, 24.0, 48.0)  # mm, standard deviations of the smoothing: from a gyrus to a lobe
_SPACING = 4.0  # mm, of the field: a third of the smallest scale
_THINNEST = 4  # voxels
_MARGIN = 0.15  # the share of each side over which the motion comes to rest at the border


def random_velocity(
    grid: Grid, strength: float, *, scales: tuple[float, ...] = _SCALES, generator: torch.Generator
) -> Velocity:
    """Return a random stationary velocity field over ``grid`` whose flow moves it by ``strength`` mm in the mean.

    White noise, smoothed at every one of ``scales`` (mm) with equal power, and at rest at the border of the grid. Of
    its flow there is an exact inverse, and it does not fold, up to discretization. Source: our own; several scales of
    smoothed noise as in Zheng et al., Deformation-Recovery Diffusion Model, 2024.

    Raises:
        GeometryError: the grid is so thin that what moves would leave it.
        ValueError: ``strength`` is negative or not finite.
    """
    if not (math.isfinite(strength) and strength >= 0):
        raise ValueError(f"'strength' must be a displacement of at least 0 mm, got {strength}")
    if min(grid.size) < _THINNEST:
        raise GeometryError(f"A deformation needs at least {_THINNEST} voxels along every axis, got {grid.size}.")
    i, j, k = (max(_SPACING, spacing) for spacing in grid.spacing)
    field_grid = grid.with_spacing((i, j, k))
    vectors = np.zeros((3, *field_grid.shape), dtype=np.float32)
    for scale in scales:
        noise = torch.randn(vectors.shape, generator=generator).numpy()
        sigma = [scale / spacing for spacing in reversed(field_grid.spacing)]
        smooth = gaussian_filter(noise, sigma=(0, *sigma), mode="wrap")
        vectors += smooth / np.sqrt(np.mean(smooth**2))
    field = torch.from_numpy(vectors * _rest_at_border(field_grid)) * 0.5
    if strength == 0:
        return Velocity(field * 0, field_grid)
    for _ in range(5):  # the flow is nearly proportional to the velocity: a few corrections meet the strength
        mean = Velocity(field, field_grid).displacement.vectors.norm(dim=0).mean()
        field = field * (strength / float(mean))
    return Velocity(field, field_grid)


def _rest_at_border(grid: Grid) -> np.ndarray:
    """Return a window (K, J, I): 1 inside, 0 at the outer borders, a quarter sine squared between."""
    window = np.ones((), dtype=np.float32)
    for count in grid.shape:
        distance = (np.minimum(np.arange(count), np.arange(count)[::-1]) + 0.5) / max(1.0, _MARGIN * count)
        window = np.multiply.outer(window, np.sin(np.pi / 2 * np.clip(distance, 0, 1)) ** 2)
    return window.astype(np.float32)
