"""The published way to compute random deformations, written down again from its description: many small steps."""

from __future__ import annotations

import torch.nn.functional as F

from DiffusionCore.deformation.published import LATTICE, PublishedFields, compositions
from DiffusionCore.interpolation import pull_at


def composed_fields(velocity, noise, time, size):
    """As ``published_fields``: Psi <- v + Psi(id + v), n times on the whole lattice; then up to twice the image, cut.

    The published program takes img/64 for the size of a lattice cell in voxels; 2 img/64 is what geometry says.
    """
    cells = LATTICE * velocity
    carried = cells if noise is None else cells + pull_at(LATTICE * noise, cells)
    whole, last = compositions(time)
    return PublishedFields(*(_on_image(_repeated(v, n), size) for v, n in ((carried, whole), (cells, last))))


def _repeated(step, count):
    field = 0 * step
    for _ in range(count):
        field = step + pull_at(field, step)
    return field


def _on_image(cells, size):
    double = 2 * size / LATTICE * F.interpolate(cells, [2 * size] * 3, mode="trilinear")
    inner = slice(size // 2, size // 2 + size)
    return double[..., inner, inner, inner]
