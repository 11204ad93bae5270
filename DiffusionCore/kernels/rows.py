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
def _take(numbers, a, b, c, first, out):
    """Write what ``numbers``, as of ``move``, make of the voxels from ``first`` on, moved by (a, b, c), to ``out``."""
    kind = out.dtype.type
    start, by_i, by_j, by_k = numbers
    for n in range(first, len(a)):
        out[n] = (start + by_i * (kind(n) + a[n])) + (by_j * b[n] + by_k * c[n])


@part
def points(where, matrices, rows, row, plane, task, x, y, z):
    """Write the points of a ``task`` to x, y, z and return its batch, first point and number of points."""
    batch, line, start, count = _task(where, row, task)
    a, b, c = (
        where[batch, 0, start : start + count],
        where[batch, 1, start : start + count],
        where[batch, 2, start : start + count],
    )
    if len(matrices) == 0:
        for n in range(count):
            x[n] = a[n]
        for n in range(count):
            y[n] = b[n]
        for n in range(count):
            z[n] = c[n]
        return batch, start, count
    m, kind = matrices[batch % len(matrices)], matrices.dtype.type
    j, k = line % rows, line // rows + plane
    along_x = kind(m[0, 3] + m[0, 2] * k + m[0, 1] * j), m[0, 0], m[0, 1], m[0, 2]
    along_y = kind(m[1, 3] + m[1, 2] * k + m[1, 1] * j), m[1, 0], m[1, 1], m[1, 2]
    along_z = kind(m[2, 3] + m[2, 2] * k + m[2, 1] * j), m[2, 0], m[2, 1], m[2, 2]
    whole = count // LANES * LANES if a.strides[0] == a.itemsize else 0
    for n in range(0, whole, LANES):
        move(a, b, c, n, along_x + along_y + along_z, x, y, z)
    if whole < count:
        _take(along_x, a, b, c, whole, x)
        _take(along_y, a, b, c, whole, y)
        _take(along_z, a, b, c, whole, z)
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
