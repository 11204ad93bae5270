"""Kernels that read images between their voxels: trilinear and nearest, and the slope by the points of the former.

Points, rows and sizes are those of ``rows``; a task is a row.
"""

# pyright: reportIndexIssue=false, reportCallIssue=false
from __future__ import annotations

import numpy as np

from DiffusionCore.kernels.compilation import compiled, part
from DiffusionCore.kernels.lanes import as_row, locate_nearest, read, read_slope, turn
from DiffusionCore.kernels.rows import fetch_ahead, inside, layout_of, points, room
from DiffusionCore.kernels.vectors import LANES


@compiled
def pull(image, size, where, matrices, rows, row, plane, filled, fill, out, first, last):
    """Write ``image`` (1 or B, C, K, J, I) at the points to ``out`` (B, C, N); ``fill`` beyond it, if ``filled``."""
    channels, voxels, total = image.shape[1], image[0, 0].size, where.shape[2]
    layout, flat, target = layout_of(size, image.shape[4]), as_row(image), as_row(out)
    kind = matrices.dtype
    spots = np.empty((3, room(row)), kind)
    x, y, z = spots[0, :], spots[1, :], spots[2, :]
    rest = np.empty(LANES, image.dtype)
    for task in range(first, last):
        batch, start, count = points(where, matrices, rows, row, plane, task, spots)
        whole = count // LANES * LANES
        for channel in range(channels):
            source = (batch % len(image) * channels + channel) * voxels
            place = (batch * channels + channel) * total + start
            fetch_ahead(flat, source, voxels / total, start, count)
            for n in range(0, whole, LANES):
                read(flat, source, x, y, z, n, layout, target, place + n)
            if whole < count:
                read(flat, source, x, y, z, whole, layout, rest, 0)
                for n in range(whole, count):
                    target[place + n] = rest[n - whole]
            if filled:
                line = target[place : place + count]
                for n in range(count):
                    line[n] = line[n] if inside(x[n], y[n], z[n], size) else fill


@part
def _add_moments(slopes, start, a, b, c, j, k, table):
    """Add the slopes, each times the moved voxels (n, j, k) + (a, b, c) and 1, to a ``table`` (3, 4)."""
    for axis in range(3):
        slope = slopes[axis]
        total = along_i = along_j = along_k = 0.0
        for n in range(len(a)):
            one = np.float64(slope[n])
            total += one
            along_i += one * (n + np.float64(a[n]))
            along_j += one * np.float64(b[n])
            along_k += one * np.float64(c[n])
        table[axis, 0] += along_i
        table[axis, 1] += along_j + j * total
        table[axis, 2] += along_k + k * total
        table[axis, 3] += total


@part
def _turned(matrices, batch, kind):
    """Return the turn of the matrix of a ``batch``, transposed, as nine numbers; without matrices, that of none."""
    one, none = kind.type(1), kind.type(0)
    if len(matrices) == 0:
        return one, none, none, none, one, none, none, none, one
    m = matrices[batch % len(matrices)]
    return (
        kind.type(m[0, 0]), kind.type(m[1, 0]), kind.type(m[2, 0]),
        kind.type(m[0, 1]), kind.type(m[1, 1]), kind.type(m[2, 1]),
        kind.type(m[0, 2]), kind.type(m[1, 2]), kind.type(m[2, 2]),
    )  # fmt: skip


@compiled
def pull_by_where(image, size, where, matrices, rows, row, plane, filled, above, out, moments, first, last):
    """Write the derivative by ``where`` to ``out`` (B, 3, N), where that by the values is ``above`` (B, C, N).

    That by the matrices goes to ``moments`` (B, lines, 3, 4), a line being a row of points, unless it is empty.
    """
    channels, voxels = image.shape[1], image[0, 0].size
    layout, flat = layout_of(size, image.shape[4]), as_row(image)
    kind, own = matrices.dtype, image.dtype
    spots = np.empty((3, room(row)), kind)
    x, y, z = spots[0, :], spots[1, :], spots[2, :]
    slopes, shares = np.empty((3, room(row)), own), np.zeros(LANES, own)
    by_i, by_j, by_k = slopes[0, :], slopes[1, :], slopes[2, :]
    given, total = as_row(above), where.shape[2]
    for task in range(first, last):
        batch, start, count = points(where, matrices, rows, row, plane, task, spots)
        whole = count // LANES * LANES
        slopes[:] = 0
        for channel in range(channels):
            source = (batch % len(image) * channels + channel) * voxels
            place = (batch * channels + channel) * total + start
            fetch_ahead(flat, source, voxels / total, start, count)
            for n in range(0, whole, LANES):
                read_slope(flat, source, x, y, z, n, layout, given, place + n, by_i, by_j, by_k)
            if whole < count:
                for n in range(whole, count):
                    shares[n - whole] = given[place + n]
                read_slope(flat, source, x, y, z, whole, layout, shares, 0, by_i, by_j, by_k)
        if filled:
            for axis in range(3):
                slope = slopes[axis]
                for n in range(count):
                    slope[n] = slope[n] if inside(x[n], y[n], z[n], size) else own.type(0)
        to_i, to_j, to_k = (
            out[batch, 0, start : start + count],
            out[batch, 1, start : start + count],
            out[batch, 2, start : start + count],
        )
        numbers = _turned(matrices, batch, own)
        for n in range(0, whole, LANES):
            turn(by_i, by_j, by_k, n, numbers, to_i, to_j, to_k)
        a, b, c, d, e, f, g, h, i = numbers
        for n in range(whole, count):
            to_i[n] = a * by_i[n] + b * by_j[n] + c * by_k[n]
            to_j[n] = d * by_i[n] + e * by_j[n] + f * by_k[n]
            to_k[n] = g * by_i[n] + h * by_j[n] + i * by_k[n]
        if moments.size:
            line = start // row
            a, b, c = where[batch, 0, start:], where[batch, 1, start:], where[batch, 2, start:]
            table = moments[batch, line]
            _add_moments(slopes, start, a[:count], b[:count], c[:count], line % rows, line // rows + plane, table)


@compiled
def pull_nearest(image, size, where, matrices, rows, row, plane, filled, fill, out, first, last):
    """Write the voxels of ``image`` (1 or B, C, K, J, I) whose cells hold the points to ``out`` (B, C, N)."""
    channels, voxels, total = image.shape[1], image[0, 0].size, where.shape[2]
    layout, flat, target = layout_of(size, image.shape[4]), as_row(image), as_row(out)
    kind = matrices.dtype
    spots = np.empty((3, room(row)), kind)
    x, y, z = spots[0, :], spots[1, :], spots[2, :]
    index = np.empty(room(row), np.int32)
    for task in range(first, last):
        batch, start, count = points(where, matrices, rows, row, plane, task, spots)
        for n in range(0, count, LANES):
            locate_nearest(x, y, z, n, layout, index)
        for channel in range(channels):
            source = np.uint64((batch % len(image) * channels + channel) * voxels)
            place = np.uint64((batch * channels + channel) * total + start)
            for n in range(count):
                target[place + np.uint64(n)] = flat[source + np.uint64(index[n])]
            if filled:
                for n in range(count):
                    if not inside(x[n], y[n], z[n], size):
                        target[place + np.uint64(n)] = fill
