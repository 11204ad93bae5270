"""Landmarks that are to meet: which of them a deformation can follow, and how it is drawn to them."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from DiffusionCore.deformable.guidance import Landmarks
from DiffusionCore.deformable.levels import Level
from DiffusionCore.interpolation import pull
from DiffusionCore.space import Frame, Grid
from DiffusionCore.transforms.affine import Affine

_PATH = (0.0, 0.5, 1.0)  # where on its way a point is drawn


def followed(landmarks: Landmarks, grid: Grid, affine: Affine) -> NDArray[np.bool_]:
    """Return which pairs (N,) a deformation of the fixed ``grid`` before ``affine`` can bring together.

    Both points must lie in the fixed image, the moving one as ``affine`` brings it there: beyond, nothing deforms.
    """
    return _inside(_fixed(landmarks), grid) & _inside(_needed(landmarks, affine), grid)


class LandmarkPull:
    """Draws a velocity of ``level`` so that the landmarks of the fixed ``grid`` meet through ``affine``.

    With e_n what is missing at landmark n and G a Gaussian of ``reach`` mm about the way that the point takes::

        v(x) += s / (1 + s) sum_n G_n(x) e_n / max(1, sum_n G_n(x))

    for a strength s. That is a step of the proximal kind: however strong, it does not overshoot, and what contradicts
    itself is met half way (our own).
    """

    def __init__(self, level: Level, landmarks: Landmarks, affine: Affine, grid: Grid) -> None:
        self._level = level
        chosen, flow_grid = followed(landmarks, grid, affine), level.flow_grid
        points = flow_grid.map(_fixed(landmarks)[chosen], Frame.RAS, Frame.VOXEL)
        targets = flow_grid.map(_needed(landmarks, affine)[chosen], Frame.RAS, Frame.VOXEL)
        self._points, self._shifts = (torch.from_numpy(p).to(level.images) for p in (points, targets - points))
        self._voxel = torch.tensor(level.spacing).to(level.images)
        self._reach = max(landmarks.reach, 0.5 * level.nominal)
        self._share = landmarks.strength / (1 + landmarks.strength)

    def drawn(self, velocity: Tensor) -> Tensor:
        """Return ``velocity`` (3, K, J, I), mm along the axes of its grid, drawn once."""
        if not len(self._points) or not self._share:
            return velocity
        shift = self._level.shift(velocity)
        moved = pull(shift, self._points[None, :, None, None], fill=None)[0, :, :, 0, 0].T
        missing = (self._shifts - moved) * self._voxel
        update, total = torch.zeros_like(velocity), torch.zeros_like(velocity[0])
        for way in _PATH:
            i, j, k = self._near(self._points + way * moved, velocity.shape[:0:-1])
            plane = (j[:, :, None] * i[:, None]).flatten(1) / len(_PATH)
            update += ((missing.T[:, None] * k.T) @ plane).view_as(update)
            total += (k.T @ plane).view_as(total)
        return velocity + self._share * update / total.clamp_min(1)

    def _near(self, points: Tensor, size: tuple[int, ...]) -> list[Tensor]:
        """Return the Gaussians about VOXEL ``points`` (N, 3) along (i, j, k), each (N, voxels)."""
        axes = [torch.arange(n).to(points) for n in size]
        away = [(axis - points[:, n, None]) * self._voxel[n] / self._reach for n, axis in enumerate(axes)]
        return [(-0.5 * a.square()).exp() for a in away]


def _fixed(landmarks: Landmarks) -> NDArray[np.float64]:
    return np.array([pair.fixed for pair in landmarks.pairs])


def _needed(landmarks: Landmarks, affine: Affine) -> NDArray[np.float64]:
    """Return where the fixed points (N, 3) must be taken before ``affine``, RAS mm."""
    return affine.inverse().map(torch.tensor([pair.moving for pair in landmarks.pairs], dtype=torch.float64)).numpy()


def _inside(points: NDArray[np.float64], grid: Grid) -> NDArray[np.bool_]:
    return np.all(np.abs(grid.map(points, Frame.RAS, Frame.UNIT)) <= 1, axis=-1)
