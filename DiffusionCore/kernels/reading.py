"""Kernels that read images between their voxels: trilinear and nearest, and the adjoints of the former.

Points come as ``where`` (B, 3, N), components (i, j, k), a task is a row of ``row`` of them. Without ``matrices``
(0, 3, 4) they are the points themselves. With (1 or B, 3, 4), they are shifts of the voxels of a lattice whose rows
have ``row`` voxels and whose planes, from ``plane`` on, have ``rows`` rows; the points are where a matrix takes the
moved voxels, and have its precision. ``size`` is that of the image (i, j, k). Rows of an image have two voxels at
least; of those that have one, the kernels get two copies.
"""

# pyright: reportIndexIssue=false, reportCallIssue=false
from __future__ import annotations

import numpy as np

from DiffusionCore.kernels.compilation import compiled
from DiffusionCore.kernels.lanes import LANES, locate, read, read_slope


@compiled
def _room(row):
    """Return ``row`` and what is missing to whole vectors."""
    return (row + LANES - 1) // LANES * LANES


@compiled
def _layout(size, width):
    """Return the layout of an image of ``size`` (i, j, k) for ``lanes``, its rows of ``width`` elements."""
    return size[0], size[1], size[2], width, width * min(1, size[1] - 1), width * size[1] * min(1, size[2] - 1)


@compiled
def _task(where, row, task):
    """Return the batch, the line, the first point and the number of points of a ``task``."""
    total = where.shape[2]
    lines = (total + row - 1) // row
    batch, line = task // lines, task % lines
    return batch, line, line * row, min(row, total - line * row)


@compiled
def _take(row, j, k, a, b, c, out):
    """Write what ``row`` (4,) of a matrix makes of the voxels (n, j, k) moved by (a, b, c) to ``out``."""
    kind = out.dtype.type
    start, by_i, by_j, by_k = kind(row[3] + row[2] * k + row[1] * j), kind(row[0]), kind(row[1]), kind(row[2])
    for n in range(len(a)):
        out[n] = (start + by_i * (kind(n) + a[n])) + (by_j * b[n] + by_k * c[n])


@compiled
def _points(where, matrices, rows, row, plane, task, x, y, z):
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
    else:
        matrix, j, k = matrices[batch % len(matrices)], line % rows, line // rows + plane
        _take(matrix[0], j, k, a, b, c, x)
        _take(matrix[1], j, k, a, b, c, y)
        _take(matrix[2], j, k, a, b, c, z)
    return batch, start, count


@compiled
def _inside(x, y, z, size):
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


@compiled
def pull(image, size, where, matrices, rows, row, plane, filled, fill, out, first, last):
    """Write ``image`` (1 or B, C, K, J, I) at the points to ``out`` (B, C, N); ``fill`` beyond it, if ``filled``."""
    channels, voxels = image.shape[1], image[0, 0].size
    layout, flat = _layout(size, image.shape[4]), image.ravel()
    kind = matrices.dtype
    x, y, z = np.zeros(_room(row), kind), np.zeros(_room(row), kind), np.zeros(_room(row), kind)
    values = np.empty(_room(row), image.dtype)
    for task in range(first, last):
        batch, start, count = _points(where, matrices, rows, row, plane, task, x, y, z)
        for channel in range(channels):
            source = (batch % len(image) * channels + channel) * voxels
            for n in range(0, count, LANES):
                read(flat, source, x, y, z, n, layout, values, n)
            target = out[batch, channel, start : start + count]
            for n in range(count):
                target[n] = values[n]
            if filled:
                for n in range(count):
                    target[n] = values[n] if _inside(x[n], y[n], z[n], size) else fill


@compiled
def _mask(slope, places, size, x, y, z, image_size, filled):
    """Set the slope along an axis of ``size`` voxels to 0 where the image is even, or is not read."""
    kind = places.dtype.type
    none, low, top = slope.dtype.type(0), kind(0), kind(size - 1)
    for n in range(len(slope)):
        slope[n] = slope[n] if (places[n] > low) & (places[n] < top) else none
    if filled:
        for n in range(len(slope)):
            slope[n] = slope[n] if _inside(x[n], y[n], z[n], image_size) else none


@compiled
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


@compiled
def pull_by_where(image, size, where, matrices, rows, row, plane, filled, above, out, moments, first, last):
    """Write the derivative by ``where`` to ``out`` (B, 3, N), where that by the values is ``above`` (B, C, N).

    That by the matrices goes to ``moments`` (B, lines, 3, 4), a line being a row of points, unless it is empty.
    """
    channels, voxels = image.shape[1], image[0, 0].size
    layout, flat = _layout(size, image.shape[4]), image.ravel()
    kind, own = matrices.dtype, image.dtype
    x, y, z = np.zeros(_room(row), kind), np.zeros(_room(row), kind), np.zeros(_room(row), kind)
    slopes, shares = np.empty((3, _room(row)), own), np.zeros(_room(row), own)
    by_i, by_j, by_k = slopes[0, :], slopes[1, :], slopes[2, :]
    for task in range(first, last):
        batch, start, count = _points(where, matrices, rows, row, plane, task, x, y, z)
        slopes[:] = 0
        for channel in range(channels):
            source = (batch % len(image) * channels + channel) * voxels
            for n in range(count):
                shares[n] = above[batch, channel, start + n]
            for n in range(0, count, LANES):
                read_slope(flat, source, x, y, z, n, layout, shares, n, by_i, by_j, by_k)
        _mask(by_i[:count], x, size[0], x, y, z, size, filled)
        _mask(by_j[:count], y, size[1], x, y, z, size, filled)
        _mask(by_k[:count], z, size[2], x, y, z, size, filled)
        if len(matrices) == 0:
            for axis in range(3):
                slope, target = slopes[axis], out[batch, axis, start : start + count]
                for n in range(count):
                    target[n] = slope[n]
            continue
        matrix, line = matrices[batch % len(matrices)], start // row
        for axis in range(3):
            target = out[batch, axis, start : start + count]
            a, b, c = own.type(matrix[0, axis]), own.type(matrix[1, axis]), own.type(matrix[2, axis])
            for n in range(count):
                target[n] = a * by_i[n] + b * by_j[n] + c * by_k[n]
        if moments.size:
            a, b, c = where[batch, 0, start:], where[batch, 1, start:], where[batch, 2, start:]
            part = moments[batch, line]
            _add_moments(slopes, start, a[:count], b[:count], c[:count], line % rows, line // rows + plane, part)


@compiled
def reach(where, size, matrices, rows, row, plane, spans, first, last):
    """Write the first plane of the cells that the points of each line are in, and the last one, to ``spans`` (B, L, 2).

    A task is a line.
    """
    kind = matrices.dtype
    x, y, z = np.empty(row, kind), np.empty(row, kind), np.empty(row, kind)
    lines, end = spans.shape[1], max(size[2] - 2, 0)
    for task in range(first, last):
        _, _, count = _points(where, matrices, rows, row, plane, task, x, y, z)
        low, high, none, top = z[0], z[0], kind.type(0), kind.type(end)
        for n in range(count):
            place = z[n] if z[n] > none else none  # what is no number counts as the first plane
            low, high = min(low, place), max(high, place)
        span = spans[task // lines, task % lines]
        span[0] = int(min(low, top)) if low > none else 0
        span[1] = int(min(high, top)) if high > none else 0


@compiled
def pull_by_image(where, size, matrices, rows, row, plane, filled, above, spans, parts, out, first, last):
    """Add the derivative by the image to ``out`` (B, C, K, J, I); a task is one of ``parts`` of the planes of a batch.

    Several points may meet in a voxel. A part goes through all lines that reach its planes (``spans``), and adds what
    falls on these: so the order of the additions is always that of the points, whoever makes them.
    """
    channels, area = out.shape[1], out.shape[3] * out.shape[4]
    layout, kind, own = _layout(size, out.shape[4]), matrices.dtype, above.dtype
    along_j, along_k = layout[4], layout[5]
    x, y, z = np.zeros(_room(row), kind), np.zeros(_room(row), kind), np.zeros(_room(row), kind)
    u, v, w = np.empty(_room(row), own), np.empty(_room(row), own), np.empty(_room(row), own)
    index = np.empty(_room(row), np.int32)
    lines = spans.shape[1]
    for task in range(first, last):
        batch, part = task // parts, task % parts
        low, high = size[2] * part // parts, size[2] * (part + 1) // parts
        for line in range(lines):
            nearest, farthest = spans[batch, line]
            if nearest >= high or farthest + 1 < low:
                continue
            alone = nearest >= low and farthest + 1 < high
            _, start, count = _points(where, matrices, rows, row, plane, batch * lines + line, x, y, z)
            for n in range(0, count, LANES):
                locate(x, y, z, n, layout, index, u, v, w)
            for channel in range(channels):
                flat = out[batch, channel].ravel()
                for n in range(count):
                    if filled and not _inside(x[n], y[n], z[n], size):
                        continue
                    p, g = np.int64(index[n]), above[batch, channel, start + n]
                    far = g * w[n]
                    for q, share in ((p, g - far), (p + along_k, far)):
                        if not alone and not low * area <= q < high * area:
                            continue
                        lower = share * v[n]
                        for r, part_share in ((q, share - lower), (q + along_j, lower)):
                            right = part_share * u[n]
                            flat[np.uint64(r)] += part_share - right
                            flat[np.uint64(r + 1)] += right


@compiled
def pull_nearest(image, size, where, matrices, rows, row, plane, filled, fill, out, first, last):
    """Write the voxels of ``image`` (1 or B, C, K, J, I) whose cells hold the points to ``out`` (B, C, N)."""
    kind = matrices.dtype
    x, y, z = np.empty(row, kind), np.empty(row, kind), np.empty(row, kind)
    index, channels = np.empty(row, np.int32), image.shape[1]
    half, none = kind.type(0.5), kind.type(0)
    top_i, top_j, top_k = kind.type(size[0] - 1), kind.type(size[1] - 1), kind.type(size[2] - 1)
    size_i, size_j = np.int32(image.shape[4]), np.int32(size[1])
    for task in range(first, last):
        batch, start, count = _points(where, matrices, rows, row, plane, task, x, y, z)
        for n in range(count):
            a, b, c = x[n], y[n], z[n]
            a, b, c = a if a > none else none, b if b > none else none, c if c > none else none
            a, b, c = a if a < top_i else top_i, b if b < top_j else top_j, c if c < top_k else top_k
            i, j, k = np.int32(a + half), np.int32(b + half), np.int32(c + half)
            index[n] = (k * size_j + j) * size_i + i
        for channel in range(channels):
            source, target = image[batch % len(image), channel].ravel(), out[batch, channel, start : start + count]
            for n in range(count):
                target[n] = source[np.uint32(index[n])]
            if filled:
                for n in range(count):
                    target[n] = target[n] if _inside(x[n], y[n], z[n], size) else fill
