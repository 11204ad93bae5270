"""Climb a similarity over the affine group, many starts at a time.

The state is T = T0 exp(d) about the fixed center. Derivatives at d = 0 are written out by hand: the moving gradient
pulled back to the fixed frame, h, gives dI/dd = h . (D y + v) for the point y. One unit of any parameter moves a point
at the radius of the foreground by about 1 mm, so that one step length serves all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from DiffusionCore.affine.sampling import Reading, Sampler
from DiffusionCore.transforms.affine import Group, algebra_matrix

_MEAN, _SQUARE = 0.85, 0.95  # memory of Adam (Kingma and Ba, ICLR 2015); short, a climb has some fifty steps


@dataclass(frozen=True)
class Batch:
    """What one step looks at: ``points`` (N, 3) about the fixed center; the similarity (C,) of a reading there and its
    derivative (C, N)."""

    points: Tensor
    similarity: Callable[[Reading], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Pace:
    """How many steps a climb takes, and the largest change of a parameter in the first and in the last one.

    The ``first`` and ``last`` change are shares of the working spacing; between them they shrink geometrically.
    """

    steps: int
    first: float
    last: float


@dataclass(frozen=True)
class Standing:
    """Where C climbs stand: ``matrices`` (C, 4, 4) from points about the fixed center to moving RAS; ``similarity`` and
    ``overlap``, the share of points inside the moving image, (C,)."""

    matrices: Tensor
    similarity: Tensor
    overlap: Tensor


def climb(
    start: Tensor, batches: Iterator[Batch], moving: Sampler, radius: float, spacing: float, group: Group, pace: Pace
) -> Iterator[Standing]:
    """Yield where the climbs stand before every step and after the last one.

    Args:
        start: matrices (C, 4, 4) from points about the fixed center to moving RAS.
        batches: endless; the similarity is that of the next batch each time.
        radius: of the fixed foreground, mm.
        spacing: of the working volumes, mm.
    """
    matrices = start.double()
    unit = torch.full((group,), 1 / radius, dtype=torch.float64)
    unit[3:6] = 1
    mean, square = torch.zeros(2, len(start), group)
    shrink = (pace.last / pace.first) ** (1 / max(1, pace.steps - 1))
    for step in range(1, pace.steps + 1):
        standing, slope = _look(matrices, next(batches), moving, radius, group)
        yield standing
        mean, square = mean.lerp(slope, 1 - _MEAN), square.lerp(slope**2, 1 - _SQUARE)
        direction = (mean / (1 - _MEAN**step)) / ((square / (1 - _SQUARE**step)).sqrt() + 1e-12)
        length = pace.first * shrink ** (step - 1) * spacing
        matrices = matrices @ torch.linalg.matrix_exp(algebra_matrix(length * unit * direction))
    yield _look(matrices, next(batches), moving, radius, group)[0]


def _look(matrices: Tensor, batch: Batch, moving: Sampler, radius: float, group: Group) -> tuple[Standing, Tensor]:
    """Return the standing of ``matrices`` and the derivative (C, group) of their similarity."""
    reading = moving.read(matrices, batch.points)
    similarity, slope = batch.similarity(reading)
    force = (reading.gradient * slope[..., None]).mT
    moment = torch.cat([force @ batch.points / radius, force.sum(-1, keepdim=True)], -1)
    back = matrices[:, :3, :3].mT.float()  # into the fixed frame, the same for all points
    return Standing(matrices, similarity, reading.inside.mean(-1)), _project(back @ moment, group)


def _project(moment: Tensor, group: Group) -> Tensor:
    """Return the derivative (C, group) from the moments (C, 3, 4) of the forces about the points."""
    m = moment[..., :3]
    turn = torch.stack([m[:, 2, 1] - m[:, 1, 2], m[:, 0, 2] - m[:, 2, 0], m[:, 1, 0] - m[:, 0, 1]], -1)
    stretch = m.diagonal(dim1=-2, dim2=-1)
    shear = torch.stack([m[:, 0, 1] + m[:, 1, 0], m[:, 0, 2] + m[:, 2, 0], m[:, 1, 2] + m[:, 2, 1]], -1)
    parts = {Group.RIGID: [], Group.SIMILARITY: [stretch.sum(-1, keepdim=True)], Group.AFFINE: [stretch, shear]}
    return torch.cat([turn, moment[..., 3], *parts[group]], -1)
