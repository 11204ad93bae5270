"""The published law of random deformations: on a lattice of 64 cells a side, whatever the image.

Displacements are shares of the edge of the lattice, channels along (i, j, k). Only its central half is seen, so a
lattice cell is 2/64 of the edge of the (cubic) image. Here everything is computed by scaling and squaring, and on the
central 48 cells only: their margin of 8 cells holds the longest path. It is the same law (Testing/Benchmarks/
deformation_sample.py measures both).

Source: Zheng et al., DRDM (Medical Image Analysis 110, 2026), and the settings of its published program.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from DiffusionCore.transforms.velocity import flow

STEPS = 80
LATTICE = 64
SCALES = (64, 32, 16, 8)  # control points a side; the coarser ones, 4 and 2, would be nearly affine
VELOCITY = 4e-5  # of the edge, the deviation of the finest part
NOISE = 0.08  # of the velocity, in the deformation but not in its label
_MOST = 200  # compositions
_KEPT = 48  # lattice cells a side that are integrated


class PublishedFields(NamedTuple):
    """A deformation and its label, voxels of an image of ``size`` a side: (B, 3, size, size, size), along (i, j, k)."""

    deformation: Tensor
    increment: Tensor


def compositions(time: int) -> tuple[int, int]:
    """Return how often the velocity is composed with itself at ``time`` 0..79: in the deformation, in its label.

    The label is the last, small part of the deformation that a network learns to undo.

    Raises:
        ValueError: the time is not in 0..79.
    """
    if not 0 <= time < STEPS:
        raise ValueError(f"The published schedule has the times 0 to {STEPS - 1}, got {time}")
    return min(max(int(2 * time**1.3 // 3), 1), _MOST), int(time**0.6)


def draw_velocity(batch: int, *, share: float = 1.0, generator: torch.Generator) -> Tensor:
    """Return velocities (batch, 3, 64, 64, 64), shares of the edge, ``share`` times as large as the published ones."""
    total = torch.zeros(batch, 3, *[LATTICE] * 3)
    for points in SCALES:
        noise = torch.randn(batch, 3, points, points, points, generator=generator) * (LATTICE / points)
        total += F.interpolate(noise, [LATTICE] * 3, mode="trilinear")
    return share * VELOCITY * total


def published_fields(velocity: Tensor, noise: Tensor | None, time: int, size: int) -> PublishedFields:
    """Return the deformation and the label at ``time`` of ``velocity`` (B, 3, 64, 64, 64), shares of the edge.

    ``noise``, of the same shape, joins the velocity in the deformation alone. n steps of the published program, each
    Psi <- v + Psi(id + v), are n Euler steps along v: exp(n v) up to their error.
    """
    whole, last = compositions(time)
    margin = (LATTICE - _KEPT) // 2
    cut = slice(margin, margin + _KEPT)
    cells = LATTICE * velocity[:, :, cut, cut, cut]
    carried = cells if noise is None else cells + LATTICE * noise[:, :, cut, cut, cut]
    return PublishedFields(_on_image(flow(whole * carried), size), _on_image(flow(last * cells), size))


def _on_image(cells: Tensor, size: int) -> Tensor:
    """Return the central 32 cells of ``cells`` (B, 3, 48, 48, 48), lattice cells, as voxels of an image of ``size``."""
    one = (_KEPT - LATTICE // 2) // 2 - 1  # one more cell all around, for the interpolation at the border
    inner = cells[:, :, one:-one, one:-one, one:-one]
    count = inner.shape[-1]
    ratio = size / (LATTICE // 2)
    return (
        ratio
        * F.interpolate(inner, [round(count * ratio)] * 3, mode="trilinear")[
            ...,
            round(ratio) : round(ratio) + size,
            round(ratio) : round(ratio) + size,
            round(ratio) : round(ratio) + size,
        ]
    )
