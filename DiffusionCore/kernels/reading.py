"""Kernels that read images between their voxels: trilinear and nearest, and the adjoints of the former.

Points come as ``where`` (B, 3, N): components (i, j, k), absolute or, ``relative``, as shifts of the voxels of a
lattice whose rows have ``row`` voxels and whose planes have ``rows`` rows. A task is a row of points: first
it is located, then each channel is read along it, which the compiler turns into vector instructions.
"""

# pyright: reportIndexIssue=false
from __future__ import annotations

import numpy as np

from DiffusionCore.kernels.compilation import compiled


@compiled
def _points(where, relative, rows, row, task, x, y, z):
    """Write the points of a ``task`` to x, y, z and return its batch, first point and number of points."""
    total = where.shape[2]
    tasks = (total + row - 1) // row
    batch, line = task // tasks, task % tasks
    start = line * row
    count = min(row, total - start)
    kind = where.dtype.type
    if relative:
        j, k = kind(line % rows), kind(line // rows)
        for n in range(count):
            x[n] = kind(n) + where[batch, 0, start + n]
            y[n] = j + where[batch, 1, start + n]
            z[n] = k + where[batch, 2, start + n]
    else:
        for n in range(count):
            x[n], y[n], z[n] = where[batch, 0, start + n], where[batch, 1, start + n], where[batch, 2, start + n]
    return batch, start, count


@compiled
def _locate(x, y, z, count, size, index, u, v, w):
    """Write the index of the first corner of the cell of each point, and its place in the cell (0..1) to u, v, w.

    ``size`` is (i, j, k). What is outside is moved to the outer voxels; what is no number, to the first one.
    """
    kind, own = x.dtype.type, u.dtype.type
    zero = kind(0)
    top_i, top_j, top_k = kind(size[0] - 1), kind(size[1] - 1), kind(size[2] - 1)
    last_i, last_j, last_k = np.int32(max(size[0] - 2, 0)), np.int32(max(size[1] - 2, 0)), np.int32(max(size[2] - 2, 0))
    size_i, size_j = np.int32(size[0]), np.int32(size[1])
    for n in range(count):
        a, b, c = x[n], y[n], z[n]
        a = a if a > zero else zero
        b = b if b > zero else zero
        c = c if c > zero else zero
        a = a if a < top_i else top_i
        b = b if b < top_j else top_j
        c = c if c < top_k else top_k
        i, j, k = min(np.int32(a), last_i), min(np.int32(b), last_j), min(np.int32(c), last_k)
        u[n], v[n], w[n] = own(a - kind(i)), own(b - kind(j)), own(c - kind(k))
        index[n] = (k * size_j + j) * size_i + i


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
def _read(flat, count, index, u, v, w, steps, out):
    """Write the values of one channel, ``flat``, at located points."""
    i, j, k = steps
    for n in range(count):
        p = np.int64(index[n])
        a = flat[p] + u[n] * (flat[p + i] - flat[p])
        b = flat[p + j] + u[n] * (flat[p + j + i] - flat[p + j])
        c = flat[p + k] + u[n] * (flat[p + k + i] - flat[p + k])
        d = flat[p + k + j] + u[n] * (flat[p + k + j + i] - flat[p + k + j])
        a += v[n] * (b - a)
        c += v[n] * (d - c)
        out[n] = a + w[n] * (c - a)


@compiled
def _steps(size):
    """Return how far the next voxel along i, j and k is in memory; an axis of one voxel has no next one."""
    return min(1, size[0] - 1), size[0] * min(1, size[1] - 1), size[0] * size[1] * min(1, size[2] - 1)


@compiled
def pull(image, where, relative, rows, row, filled, fill, out, first, last):
    """Write ``image`` (B, C, K, J, I) at ``where`` to ``out`` (B, C, N); ``fill`` beyond the image, if ``filled``."""
    size = image.shape[4], image.shape[3], image.shape[2]
    steps = _steps(size)
    x, y, z = np.empty(row, where.dtype), np.empty(row, where.dtype), np.empty(row, where.dtype)
    u, v, w = np.empty(row, image.dtype), np.empty(row, image.dtype), np.empty(row, image.dtype)
    index = np.empty(row, np.int32)
    for task in range(first, last):
        batch, start, count = _points(where, relative, rows, row, task, x, y, z)
        _locate(x, y, z, count, size, index, u, v, w)
        for channel in range(image.shape[1]):
            values = out[batch, channel, start : start + count]
            _read(image[batch, channel].ravel(), count, index, u, v, w, steps, values)
            if filled:
                for n in range(count):
                    if not _inside(x[n], y[n], z[n], size):
                        values[n] = fill


@compiled
def pull_by_where(image, where, relative, rows, row, filled, above, out, first, last):
    """Write the derivative by ``where`` to ``out`` (B, 3, N), where that by the values is ``above`` (B, C, N)."""
    size = image.shape[4], image.shape[3], image.shape[2]
    i, j, k = _steps(size)
    x, y, z = np.empty(row, where.dtype), np.empty(row, where.dtype), np.empty(row, where.dtype)
    u, v, w = np.empty(row, image.dtype), np.empty(row, image.dtype), np.empty(row, image.dtype)
    index = np.empty(row, np.int32)
    flat, voxels, channels = image.ravel(), size[0] * size[1] * size[2], image.shape[1]
    zero = image.dtype.type(0)
    for task in range(first, last):
        batch, start, count = _points(where, relative, rows, row, task, x, y, z)
        _locate(x, y, z, count, size, index, u, v, w)
        for n in range(count):
            by_i = by_j = by_k = zero
            for channel in range(channels):
                p = (batch * channels + channel) * voxels + np.int64(index[n])
                g = above[batch, channel, start + n]
                a, b, c, d = flat[p], flat[p + j], flat[p + k], flat[p + k + j]
                da, db, dc, dd = flat[p + i] - a, flat[p + j + i] - b, flat[p + k + i] - c, flat[p + k + j + i] - d
                a, b, c, d = a + u[n] * da, b + u[n] * db, c + u[n] * dc, d + u[n] * dd
                front, back = da + v[n] * (db - da), dc + v[n] * (dd - dc)
                by_i += g * (front + w[n] * (back - front))
                by_j += g * ((b - a) + w[n] * ((d - c) - (b - a)))
                by_k += g * ((c + v[n] * (d - c)) - (a + v[n] * (b - a)))
            counts = not filled or _inside(x[n], y[n], z[n], size)
            out[batch, 0, start + n] = by_i if counts and 0 < x[n] < size[0] - 1 else zero
            out[batch, 1, start + n] = by_j if counts and 0 < y[n] < size[1] - 1 else zero
            out[batch, 2, start + n] = by_k if counts and 0 < z[n] < size[2] - 1 else zero


@compiled
def pull_by_image(where, relative, rows, row, filled, above, out, first, last):
    """Add the derivative by the image to ``out`` (P, B, C, K, J, I); a task is one of P parts of one batch.

    Several points may meet in a voxel. Each part has a copy of its own, so that no two threads add to one place, and
    the order of the additions is always the same.
    """
    parts, channels = out.shape[0], out.shape[2]
    size = out.shape[5], out.shape[4], out.shape[3]
    i, j, k = _steps(size)
    x, y, z = np.empty(row, where.dtype), np.empty(row, where.dtype), np.empty(row, where.dtype)
    u, v, w = np.empty(row, above.dtype), np.empty(row, above.dtype), np.empty(row, above.dtype)
    index = np.empty(row, np.int32)
    lines = (where.shape[2] + row - 1) // row
    for task in range(first, last):
        batch, part = task // parts, task % parts
        for line in range(lines * part // parts, lines * (part + 1) // parts):
            _, start, count = _points(where, relative, rows, row, batch * lines + line, x, y, z)
            _locate(x, y, z, count, size, index, u, v, w)
            for channel in range(channels):
                flat = out[part, batch, channel].ravel()
                for n in range(count):
                    if filled and not _inside(x[n], y[n], z[n], size):
                        continue
                    p, g = np.int64(index[n]), above[batch, channel, start + n]
                    far = g * w[n]
                    for q, share in ((p, g - far), (p + k, far)):
                        low = share * v[n]
                        for r, rest in ((q, share - low), (q + j, low)):
                            right = rest * u[n]
                            flat[r] += rest - right
                            flat[r + i] += right


@compiled
def pull_nearest(image, where, row, filled, fill, out, first, last):
    """Write the voxels of ``image`` (B, C, K, J, I) whose cells hold the points to ``out`` (B, C, N)."""
    size = image.shape[4], image.shape[3], image.shape[2]
    x, y, z = np.empty(row, where.dtype), np.empty(row, where.dtype), np.empty(row, where.dtype)
    half, zero = where.dtype.type(0.5), where.dtype.type(0)
    top_i, top_j, top_k = size[0] - 1, size[1] - 1, size[2] - 1
    for task in range(first, last):
        batch, start, count = _points(where, False, 0, row, task, x, y, z)
        for n in range(count):
            a, b, c = np.floor(x[n] + half), np.floor(y[n] + half), np.floor(z[n] + half)
            i = min(np.int64(min(a, top_i)), top_i) if a > zero else 0
            j = min(np.int64(min(b, top_j)), top_j) if b > zero else 0
            k = min(np.int64(min(c, top_k)), top_k) if c > zero else 0
            outside = filled and not _inside(x[n], y[n], z[n], size)
            for channel in range(image.shape[1]):
                out[batch, channel, start + n] = fill if outside else image[batch, channel, k, j, i]
