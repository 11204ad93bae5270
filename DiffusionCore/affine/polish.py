"""Polish: climb the mutual information over the affine group, many starts at a time.

The state is T = T0 exp(d) about the fixed center. Derivatives at d = 0 are written out by hand: the moving gradient pulled
back to the fixed frame, h, gives dI/dd = h . (D y + v) for the point y. Each parameter is in mm at the radius of the foreground.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from DiffusionCore.affine.sampling import Sampler, Samples
from DiffusionCore.affine.similarity import mutual_information_slope
from DiffusionCore.transforms.affine import Group, algebra_matrix


@dataclass(frozen=True)
class PolishSettings:
    """How far and how fast a polish climbs.

    Attributes:
        iterations: steps of the optimizer.
        step: the largest change of a parameter in one step at the beginning, as a share of the working spacing.
        final_step: the same at the end; the steps shrink geometrically.
    """

    iterations: int = 60
    step: float = 0.4
    final_step: float = 0.02


@dataclass(frozen=True)
class Climb:
    """The state of C climbs: ``matrices`` (C, 4, 4) from centered fixed points to moving RAS, and their scores (C,)."""

    matrices: Tensor
    information: Tensor
    overlap: Tensor


def climb(
    start: Tensor, samples: Samples, moving: Sampler, radius: float, spacing: float, group: Group, settings: PolishSettings
) -> Iterator[Climb]:
    """Yield the state before every step and after the last one, with Adam and shrinking steps.

    Args:
        start: matrices (C, 4, 4) from centered fixed points to moving RAS.
        radius: of the fixed foreground, mm: 1 unit of a parameter moves a point at this radius by 1 mm.
        spacing: of the working volumes, mm.
    """
    matrices = start.double()
    scale = _scale(radius, group)
    mean, square = torch.zeros(len(start), group), torch.zeros(len(start), group)
    shrink = (settings.final_step / settings.step) ** (1 / max(1, settings.iterations - 1))
    rate = settings.step * spacing
    for iteration in range(settings.iterations):
        value, slope, overlap = information_and_slope(matrices, samples, moving, radius, group)
        yield Climb(matrices, value, overlap)
        mean = mean.lerp(slope, 0.15)
        square = square.lerp(slope**2, 0.05)
        n = iteration + 1
        change = rate * (mean / (1 - 0.85**n)) / ((square / (1 - 0.95**n)).sqrt() + 1e-12)
        matrices = matrices @ torch.linalg.matrix_exp(algebra_matrix(change.double() * scale))
        rate *= shrink
    value, _, overlap = information_and_slope(matrices, samples, moving, radius, group)
    yield Climb(matrices, value, overlap)


def information_and_slope(
    matrices: Tensor, samples: Samples, moving: Sampler, radius: float, group: Group
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the mutual information (C,), its derivative (C, group) and the share of points inside (C,)."""
    reading = moving.read(matrices, samples.points)
    value, slope = mutual_information_slope(samples.bins, reading.positions, reading.inside)
    force = (reading.gradient * slope[..., None]) @ matrices[:, :3, :3].float()
    moment = force.mT @ torch.cat([samples.points / radius, torch.ones(len(samples.points), 1)], -1)
    return value, _project(moment, group), reading.inside.mean(-1)


def _project(moment: Tensor, group: Group) -> Tensor:
    """Return the derivative (C, group) from the moments (C, 3, 4) of the forces about the points."""
    m = moment[..., :3]
    turn = torch.stack([m[:, 2, 1] - m[:, 1, 2], m[:, 0, 2] - m[:, 2, 0], m[:, 1, 0] - m[:, 0, 1]], -1)
    stretch = m.diagonal(dim1=-2, dim2=-1)
    shear = torch.stack([m[:, 0, 1] + m[:, 1, 0], m[:, 0, 2] + m[:, 2, 0], m[:, 1, 2] + m[:, 2, 1]], -1)
    parts = {Group.RIGID: [], Group.SIMILARITY: [stretch.sum(-1, keepdim=True)], Group.AFFINE: [stretch, shear]}
    return torch.cat([turn, moment[..., 3], *parts[group]], -1)


def _scale(radius: float, group: Group) -> Tensor:
    """Return what one unit of each parameter is in the algebra (rad, mm, log-scale)."""
    scale = torch.full((group,), 1 / radius, dtype=torch.float64)
    scale[3:6] = 1
    return scale
