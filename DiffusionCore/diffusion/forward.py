"""Forward: the laws of an affine transform that was noised up to a time, drawn in one jump.

A noised image shows ``x -> image(N(x))``, so what a denoiser has to find, the transform that carries points of the
clean image to points of the noised one, is the inverse of the drawn N. All matrices are in RAS mm (or any mm axes)
about the center of the fixed image.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from DiffusionCore.diffusion.schedules import CosineSchedule, Schedule
from DiffusionCore.transforms.affine import Group, algebra_matrix

_CLAMP = 2.5  # deviations
_PUBLISHED_MATRIX = CosineSchedule(65, 0.01, 0.07)
_PUBLISHED_TRANSLATION = CosineSchedule(65, 0.5, 4.0)


class AffineLaw(ABC):
    """The distribution of a noised affine at each of the times 1..``steps``."""

    @property
    @abstractmethod
    def linear(self) -> Schedule:
        """The schedule that stands for the linear part in the reverse process."""

    @property
    @abstractmethod
    def shift(self) -> Schedule:
        """The schedule of the translation, mm."""

    @property
    def steps(self) -> int:
        return self.linear.steps

    @abstractmethod
    def draw(self, times: Tensor, *, generator: torch.Generator) -> Tensor:
        """Return noised transforms N (B, 4, 4), float64, at ``times`` (B,), whole numbers of 1..steps."""

    def draw_times(self, batch: int, *, generator: torch.Generator) -> Tensor:
        """Return uniform times (batch,), int64."""
        return torch.randint(1, self.steps + 1, (batch,), generator=generator, device=generator.device)


@dataclass(frozen=True)
class PublishedAffineLaw(AffineLaw):
    """The law of the published spatial diffusion system, in mm about the center.

    ::

        affine       [I + m G / |G|_2, tau]                   m, tau_k normal, G_ij ~ N(0, 1); |.|_2 the spectral norm
        rigid body   [R_x R_y R_z diag(e^l_1, e^l_2, e^l_3), tau]                    angles (rad), l_k, tau_k normal

    ``m``, the angles and the log-scales have the deviation of ``matrix``, tau that of ``translation``; all are clamped
    at 2.5 deviations. The published "rigid body" scales, too. Here it acts in mm, so that its rotations rotate on any
    grid, where the original works in the normalized coordinates of the image and shears images that are not cubes.

    Attributes:
        matrix: deviations of the linear part.
        translation: deviations of the translation in mm (published: the same numbers in voxels).
        affine_share: probability of the first of the two forms, for each sample.

    Raises:
        ValueError: the schedules differ in length, or I + A could become singular.
    """

    matrix: Schedule = _PUBLISHED_MATRIX
    translation: Schedule = _PUBLISHED_TRANSLATION
    affine_share: float = 0.8

    def __post_init__(self) -> None:
        _check_lengths(self.matrix, self.translation)
        if (most := _CLAMP * self.matrix.total_std()[-1].item()) >= 1:
            raise ValueError(f"I + A is invertible while {_CLAMP} deviations of 'matrix' stay below 1, got {most:.2f}")

    @property
    def linear(self) -> Schedule:
        return self.matrix

    @property
    def shift(self) -> Schedule:
        return self.translation

    def draw(self, times: Tensor, *, generator: torch.Generator) -> Tensor:
        shape = times.shape[0]
        spread = self.matrix.total_std().to(times.device)[times - 1]
        size = spread * _normal(shape, 1, generator=generator)[:, 0].clamp(-_CLAMP, _CLAMP)
        direction = _normal(shape, 3, 3, generator=generator)
        direction = direction / torch.linalg.matrix_norm(direction, 2)[:, None, None]
        affine = torch.eye(3, dtype=torch.float64, device=times.device) + size[:, None, None] * direction
        angles, scales = (
            spread[:, None, None] * _normal(shape, 2, 3, generator=generator).clamp(-_CLAMP, _CLAMP)
        ).unbind(1)
        rigid_body = _turns(angles) * scales.exp()[:, None]
        chosen = torch.rand(shape, generator=generator, device=times.device) < self.affine_share
        tau = _normal(shape, 3, generator=generator).clamp(-_CLAMP, _CLAMP)
        matrices = torch.eye(4, dtype=torch.float64, device=times.device).repeat(shape, 1, 1)
        matrices[:, :3, :3] = torch.where(chosen[:, None, None], affine, rigid_body)
        matrices[:, :3, 3] = self.translation.total_std().to(times.device)[times - 1, None] * tau
        return matrices


@dataclass(frozen=True)
class LieAffineLaw(AffineLaw):
    """exp of a normal element of the Lie algebra (transforms.affine): always invertible, closed in its group.

    Attributes:
        rotation: deviations of each entry of the rotation vector, rad.
        translation: deviations of each entry of the velocity, mm.
        scale: deviations of the log-scales: one number for SIMILARITY, one per axis for AFFINE.
        shear: deviations of the off-diagonal entries of the stretch; AFFINE only.
        group: the group that is noised.

    Raises:
        ValueError: the schedules differ in length.

    Source: our own.
    """

    rotation: Schedule
    translation: Schedule
    scale: Schedule
    shear: Schedule
    group: Group = Group.AFFINE

    def __post_init__(self) -> None:
        _check_lengths(self.rotation, self.translation, self.scale, self.shear)

    @classmethod
    def reaching(
        cls, steps: int, *, rotation: float, translation: float, scale: float, shear: float, group: Group = Group.AFFINE
    ) -> LieAffineLaw:
        """Return the law with these deviations at the last time; the steps grow sevenfold along a squared sine."""
        unit = CosineSchedule(steps, 1.0, 7.0).total_std()[-1].item()
        turn, shift, size, skew = (
            CosineSchedule(steps, last / unit, 7 * last / unit) for last in (rotation, translation, scale, shear)
        )
        return cls(turn, shift, size, skew, group)

    @property
    def linear(self) -> Schedule:
        return self.rotation

    @property
    def shift(self) -> Schedule:
        return self.translation

    def std(self, times: Tensor) -> Tensor:
        """Return the deviations of the algebra's parameters at ``times`` (B,): (B, group), float64."""
        rotation, translation, scale, shear = (
            schedule.total_std().to(times.device)[times - 1, None].expand(-1, 3)
            for schedule in (self.rotation, self.translation, self.scale, self.shear)
        )
        stretch = {Group.RIGID: [], Group.SIMILARITY: [scale[:, :1]], Group.AFFINE: [scale, shear]}[self.group]
        return torch.cat([rotation, translation, *stretch], -1)

    def draw(self, times: Tensor, *, generator: torch.Generator) -> Tensor:
        parameters = self.std(times) * _normal(times.shape[0], self.group, generator=generator)
        return torch.linalg.matrix_exp(algebra_matrix(parameters))


def _check_lengths(*schedules: Schedule) -> None:
    if len({schedule.steps for schedule in schedules}) > 1:
        raise ValueError(f"All schedules of a law need the same steps, got {[s.steps for s in schedules]}")


def _turns(angles: Tensor) -> Tensor:
    """Return R_x R_y R_z (B, 3, 3) of ``angles`` (B, 3), rad."""
    axes = torch.zeros(len(angles), 3, 6, dtype=angles.dtype, device=angles.device)
    axes[..., :3] = torch.diag_embed(angles)
    x, y, z = torch.linalg.matrix_exp(algebra_matrix(axes))[..., :3, :3].unbind(1)
    return x @ y @ z


def _normal(*shape: int, generator: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=generator, dtype=torch.float64, device=generator.device)
