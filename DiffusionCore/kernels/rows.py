"""Where the points of a row are that kernels read at: parts of ``reading`` and ``spreading``.

Points come as ``where`` (B, 3, N), components (i, j, k), a task is a row of ``row`` of them. Without ``matrices``
(0, 3, 4) they are the points themselves. With (1 or B, 3, 4), they are shifts of the voxels of a lattice whose rows
have ``row`` voxels and whose planes, from ``plane`` on, have ``rows`` rows; the points are where a matrix takes the
moved voxels, and have its precision. ``size`` is that of the image (i, j, k). Rows of an image have two voxels at
least; of those that have one, the kernels get two copies.

As for ``lanes``: whoever changes this file changes those that import it, too.
"""

# pyright: reportIndexIssue=false, reportCallIssue=false
from __future__ import annotations

from DiffusionCore.kernels.compilation import part
from DiffusionCore.kernels.lanes import fetch, move
from DiffusionCore.kernels.vectors import LANES

_LINE, _AHEAD = 64, 2**18  # bytes that are brought near at once, and how far before they are needed


@part
def room(row):
    """Return ``row`` and what is missing to whole vectors."""
    return (row + LANES - 1) // LANES * LANES


@part
def layout_of(size, width):
    """Return the layout of an image of ``size`` (i, j, k) for ``lanes``, its rows of ``width`` elements."""
    return size[0], size[1], size[2], width, width * min(1, size[1] - 1), width * size[1] * min(1, size[2] - 1)


@part
def _task(where, row, task):
    """Return the batch, the line, the first point and the number of points of a ``task``."""
    total = where.shape[2]
    lines = (total + row - 1) // row
    batch, line = task // lines, task % lines
    return batch, line, line * row, min(row, total - line * row)


@part
def points(where, matrices, rows, row, plane, task, spots):
    """Write the points of a ``task`` to ``spots`` (3, N) and return its batch, first point and number of points."""
    batch, line, start, count = _task(where, row, task)
    shifts = where[batch, :, start : start + count]
    if len(matrices) == 0:
        for axis in range(3):
            for n in range(count):
                spots[axis, n] = shifts[axis, n]
        return batch, start, count
    m, kind = matrices[batch % len(matrices)], matrices.dtype.type
    j, k = line % rows, line // rows + plane
    x, y, z = (
        kind(m[0, 3] + m[0, 2] * k + m[0, 1] * j),
        kind(m[1, 3] + m[1, 2] * k + m[1, 1] * j),
        kind(m[2, 3] + m[2, 2] * k + m[2, 1] * j),
    )
    numbers = x, m[0, 0], m[0, 1], m[0, 2], y, m[1, 0], m[1, 1], m[1, 2], z, m[2, 0], m[2, 1], m[2, 2]
    whole = count // LANES * LANES if shifts.strides[1] == shifts.itemsize else 0
    for n in range(0, whole, LANES):
        move(shifts[0], shifts[1], shifts[2], n, numbers, spots[0], spots[1], spots[2])
    for axis in range(3):
        begin, by_i, by_j, by_k = (x, y, z)[axis], m[axis, 0], m[axis, 1], m[axis, 2]
        for n in range(whole, count):
            spots[axis, n] = (begin + by_i * (kind(n) + shifts[0, n])) + (by_j * shifts[1, n] + by_k * shifts[2, n])
    return batch, start, count


@part
def fetch_ahead(flat, source, share, start, count):
    """Have the voxels of an image brought near that later points will read; ``share`` are the voxels for each point.

    Points lie about as far in their order as the voxels that they read in theirs, but jump too much for the processor
    to see it. The image begins at element ``source``. Where it is wrong nothing is lost but a few instructions.
    """
    begin = source + _AHEAD // flat.itemsize
    for place in range(begin + int(start * share), begin + int((start + count) * share), _LINE // flat.itemsize):
        fetch(flat, place)


@part
def inside(x, y, z, size):
    """Return whether a point lies in the cells of an image."""
    kind = type(x)
    half = kind(0.5)
    return (
        (x >= -half)
        & (x < kind(size[0]) - half)
        & (y >= -half)
        & (y < kind(size[1]) - half)
        & (z >= -half)
        & (z < kind(size[2]) - half)
    )
