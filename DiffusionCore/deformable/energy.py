"""Refinement of a velocity field down an energy, to which guidance is added: for what a force alone cannot say.

With w the velocity in voxels of its grid, summed over these voxels (s: how alike the images are, mean of both ways)::

    E(w) = similarity sum(1 - s) + smoothness (0.15 sum |grad w|^2 + 0.5 sum (div w)^2) + guidance

The derivative of s by the displacement at x stands for that by w at x (our own shortcut: a direction of descent, in
half of the time that the exact one takes); so it does for a target segment. Adam (Kingma and Ba, ICLR 2015) goes down.
Landmarks are no term: after each of its steps the velocity is drawn to them (``LandmarkPull``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from DiffusionCore.deformable.guidance import Guidance, PreferredDirection
from DiffusionCore.deformable.landmarks import LandmarkPull
from DiffusionCore.deformable.levels import Level
from DiffusionCore.deformable.refinement import Refined, on_plateau
from DiffusionCore.deformable.settings import RefinementSettings
from DiffusionCore.deformable.smoothing import diffused, divergence_damped
from DiffusionCore.space import Grid
from DiffusionCore.transforms.affine import Affine

_RATE, _BETAS, _EPSILON = 0.2, (0.9, 0.99), 1e-3  # of Adam; voxels per iteration
_BENDING, _DIVERGENCE = 0.15, 0.5
_SEGMENT, _DIRECTION = 8.0, 4.0  # what a strength of 1 stands for
_STIFFNESS_OF_IMAGES, _STIFFNESS_OF_SEGMENTS = 1.0, 2.0  # of a strength of 1; these terms have no fixed one
_PER_DAMPING = 1 / 0.25  # the energy of the divergence is meant for the default of its knob


def descend(
    levels: Sequence[Level],
    velocity: Tensor,
    settings: RefinementSettings,
    guidance: Guidance,
    affine: Affine,
    grid: Grid,
    *,
    first: tuple[int, int] = (0, 0),
) -> Iterator[Refined]:
    """Yield the states from ``velocity``, which lies on the level ``first``, after as many iterations there.

    A level ends as in ``refinement.refine``. ``affine`` acts after the velocity; ``grid`` is that of the fixed image.
    """
    level_number, done = first
    for number in range(level_number, len(levels)):
        level, most = levels[number], settings.iterations[number]
        velocity = level.take_over(velocity)
        terms = Energy(level, guidance, divergence=settings.divergence)
        pull = None if guidance.landmarks is None else LandmarkPull(level, guidance.landmarks, affine, grid)
        mean, square = torch.zeros_like(velocity), torch.zeros_like(velocity)
        reached: list[float] = []
        for iteration in range(done + 1, most + 1):
            similarity, slope = terms.slope(velocity)
            reached.append(similarity)
            mean = mean.lerp(slope, 1 - _BETAS[0])
            square = square.lerp(slope.square(), 1 - _BETAS[1])
            count = iteration - done
            corrected = (square / (1 - _BETAS[1] ** count)).sqrt() + _EPSILON
            update = mean / (1 - _BETAS[0] ** count) / corrected
            velocity = velocity - _RATE * level.nominal * update
            velocity = velocity if pull is None else pull.drawn(velocity)
            last = iteration == most or on_plateau(reached, settings)
            yield Refined(number, iteration, velocity, last)
            if last:
                break
        done = 0


class Energy:
    """The energy on one level.

    Args:
        level: of the images and the velocity.
        guidance: what counts, and how much.
        divergence: how much the change of volume counts, as in ``RefinementSettings``.
    """

    def __init__(self, level: Level, guidance: Guidance, *, divergence: float = RefinementSettings.divergence) -> None:
        self._level, self._guidance = level, guidance
        self._divergence = _DIVERGENCE * _PER_DAMPING * divergence

    @property
    def curvature(self) -> float:
        """About the largest second derivative along a component of w: its inverse is a step that stays stable."""
        guidance = self._guidance
        strengths = (
            (_STIFFNESS_OF_IMAGES, guidance.similarity),
            (2 * (12 * _BENDING + 3 * self._divergence), guidance.smoothness),  # 12, 3: of the differences
            (_STIFFNESS_OF_SEGMENTS * _SEGMENT, 0.0 if guidance.segment is None else guidance.segment.strength),
            (2 * _DIRECTION, 0.0 if guidance.direction is None else guidance.direction.strength),
        )
        return sum(stiffness * strength for stiffness, strength in strengths)

    def slope(self, velocity: Tensor) -> tuple[float, Tensor]:
        """Return the similarity, 0 where it does not count, and the derivative of the energy by w (3, K, J, I)."""
        level, guidance = self._level, self._guidance
        shifts = level.flows(velocity)
        coordinates = level.coordinates(shifts)
        per_sum = level.images[0, 0].numel() * level.nominal  # of means per mm: to sums over voxels, per voxel
        similarity, slope = 0.0, torch.zeros_like(velocity)
        if guidance.similarity > 0:
            similarity, rise = level.force(coordinates)
            slope -= guidance.similarity * per_sum * rise
        w, area = velocity / level.nominal, level.nominal**2
        bending = w - diffused(w, area, level.spacing)
        change = w - divergence_damped(w, area, level.spacing)
        slope += 2 * guidance.smoothness * (_BENDING * bending + self._divergence * change)
        if guidance.segment is not None:
            slope -= _SEGMENT * guidance.segment.strength * per_sum * level.segment_force(coordinates)
        if guidance.direction is not None:
            slope += 2 * _DIRECTION * guidance.direction.strength * _across(level, w, guidance.direction)
        return similarity, slope


def _across(level: Level, w: Tensor, preferred: PreferredDirection) -> Tensor:
    """Return the part of ``w`` that is across the preferred direction."""
    axis = np.array(preferred.direction) / math.hypot(*preferred.direction)
    unit = torch.from_numpy(axis @ np.array(level.flow_grid.direction)).to(w)[:, None, None, None]
    return w - unit * (unit * w).sum(0)
