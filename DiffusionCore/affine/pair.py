"""The working copies of the two images of a registration: made once, shared by search, polish and comparison."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from DiffusionCore.affine.foreground import extent, working_volume
from DiffusionCore.affine.sampling import Sampler, Samples, foreground_points
from DiffusionCore.space import Grid, Volume
from DiffusionCore.transforms.affine import Affine

_HEAD = 75.0  # mm, the radius of a head
_MOST = 2**24  # voxels of a working copy: 64 MB, and the largest index that single precision counts without a gap


@dataclass(frozen=True)
class Level:
    """One working ``spacing`` (mm): the ``fixed`` volume, its ``reader``, and that of the ``moving`` one."""

    fixed: Volume
    reader: Sampler
    moving: Sampler
    spacing: float


class WorkingPair:
    """Both images at several spacings, which are meant for a head and scale with the fixed object.

    An image much larger than the object is copied at a coarser spacing.

    Attributes:
        fixed, moving: where the foregrounds are.
        levels: from the coarsest to the finest.

    Raises:
        VolumeError: an image is constant, contains NaN, or is thinner than 4 voxels.
    """

    def __init__(self, fixed: Volume, moving: Volume, spacings: tuple[float, ...] = (8.0, 4.0, 1.5)) -> None:
        fixed.require_registrable("fixed")
        moving.require_registrable("moving")
        self.fixed, self.moving = extent(fixed), extent(moving)
        self._from_center = Affine.translation(self.fixed.center).matrix
        self._to_center = Affine.translation(-self.fixed.center).matrix
        unit = self.fixed.radius / _HEAD
        levels = []
        for spacing in sorted(spacings):
            fixed, moving = (
                working_volume(image, _affordable(image.grid, spacing * unit)) for image in (fixed, moving)
            )
            levels.append(Level(fixed, Sampler(fixed), Sampler(moving), spacing * unit))
        self.levels = tuple(reversed(levels))

    @property
    def radius(self) -> float:
        """The radius of the fixed foreground, mm."""
        return self.fixed.radius

    def centered(self) -> Affine:
        """Return the translation that takes the center of the fixed foreground to that of the moving one."""
        return Affine.translation(self.moving.center - self.fixed.center)

    def samples(self, level: int, count: int, *, generator: torch.Generator) -> Samples:
        """Return at most ``count`` points of the fixed image at ``level`` about its center."""
        points = foreground_points(self.levels[level].fixed, self.fixed.center, count, generator=generator)
        return Samples(points, self.fixed_positions(level, points).round().long())

    def fixed_positions(self, level: int, points: torch.Tensor) -> torch.Tensor:
        """Return the bin positions (N,) of the fixed image at ``points`` (N, 3) mm about its center."""
        return self.levels[level].reader.read(self.onto([Affine.identity()]), points).positions[0]

    def onto(self, transforms: list[Affine]) -> torch.Tensor:
        """Return the matrices (C, 4, 4) of ``transforms`` for points about the fixed center."""
        return torch.stack([transform.matrix for transform in transforms]) @ self._from_center

    def transforms(self, matrices: torch.Tensor) -> list[Affine]:
        """Return the transforms of matrices (C, 4, 4) for points about the fixed center."""
        return [Affine(matrix) for matrix in matrices @ self._to_center]


def _affordable(grid: Grid, spacing: float) -> float:
    """Return ``spacing`` mm, or the next coarser one at which a copy of ``grid`` has no more than _MOST voxels."""
    while math.prod(math.ceil(e / max(spacing, s)) for e, s in zip(grid.extent, grid.spacing, strict=True)) > _MOST:
        spacing *= 1.05
    return spacing
