"""Kernels for images of four channels that lie side by side: a whole pixel is read and blended at once.

The compiler makes vector instructions of loops over voxels only; ``cells`` says them itself, for any processor.
Fields of three components have a fourth one, 0. Beyond its border an image continues.
"""

# pyright: reportIndexIssue=false, reportCallIssue=false
from __future__ import annotations

import numpy as np

from DiffusionCore.kernels.cells import WIDTH, add, blend, slopes
from DiffusionCore.kernels.compilation import compiled, part
from DiffusionCore.kernels.lanes import as_row, locate
from DiffusionCore.kernels.vectors import LANES


@part
def _room(count):
    """Return ``count`` and what is missing to whole vectors."""
    return (count + LANES - 1) // LANES * LANES


@part
def _steps(size):
    """Return the elements from a voxel to the next one along i, j and k, where there is one."""
    i, j, k = size
    return WIDTH * min(1, i - 1), WIDTH * i * min(1, j - 1), WIDTH * i * j * min(1, k - 1)


@part
def _locate_row(size, count, x, y, z, index, u, v, w):
    """Write the cells of ``count`` points, and the ways in them, to index, u, v, w; all have room for whole vectors."""
    layout = size[0], size[1], size[2], size[0], 0, 0
    for n in range(0, count, LANES):
        locate(x, y, z, n, layout, index, u, v, w)


@part
def _read_row(flat, first, size, count, x, y, z, index, u, v, w, out, place):
    """Write the pixels of ``flat`` from element ``first`` at ``count`` points to ``out`` from element ``place``."""
    _locate_row(size, count, x, y, z, index, u, v, w)
    steps = _steps(size)
    for n in range(count):
        blend(flat, first + WIDTH * np.int64(index[n]), steps, u[n], v[n], w[n], out, place + WIDTH * n)


@part
def _follow_row(flat, place, share, j, k, count, x, y, z):
    """Write where ``share`` of a field takes the voxels of the row that begins at element ``place`` to x, y, z."""
    kind = flat.dtype.type
    for n in range(count):
        p = place + WIDTH * n
        x[n] = kind(n) + share * flat[p]
        y[n] = kind(j) + share * flat[p + 1]
        z[n] = kind(k) + share * flat[p + 2]


@compiled
def pull(image, where, row, out, first, last):
    """Write ``image`` (B, K, J, I, 4) at points ``where`` (B, N, 3) to ``out`` (B, N, 4); a task is a row of them."""
    _, size_k, size_j, size_i, _ = image.shape
    size, kind = (size_i, size_j, size_k), image.dtype
    total = where.shape[1]
    tasks = (total + row - 1) // row
    flat, target = as_row(image), as_row(out)
    room = _room(row)
    x, y, z = np.empty(room, kind), np.empty(room, kind), np.empty(room, kind)
    u, v, w, index = np.empty(room, kind), np.empty(room, kind), np.empty(room, kind), np.empty(room, np.int32)
    for task in range(first, last):
        batch, start = task // tasks, task % tasks * row
        count = min(row, total - start)
        for n in range(count):
            x[n], y[n], z[n] = where[batch, start + n, 0], where[batch, start + n, 1], where[batch, start + n, 2]
        whole, place = WIDTH * size_i * size_j * size_k * batch, WIDTH * (total * batch + start)
        _read_row(flat, whole, size, count, x, y, z, index, u, v, w, target, place)


@compiled
def follow(field, share, kept, out, first, last):
    """Write ``kept`` * f(x) + f(x + ``share`` * f(x)) of ``field`` (B, K, J, I, 4) to ``out``; a task is a plane."""
    _, size_k, size_j, size_i, _ = field.shape
    size = size_i, size_j, size_k
    room = _room(size_i)
    flat, target = as_row(field), as_row(out)
    x, y, z = np.empty(room, field.dtype), np.empty(room, field.dtype), np.empty(room, field.dtype)
    u, v, w = np.empty(room, field.dtype), np.empty(room, field.dtype), np.empty(room, field.dtype)
    index = np.empty(room, np.int32)
    for task in range(first, last):
        batch, k = task // size_k, task % size_k
        whole = WIDTH * size_i * size_j * size_k * batch
        for j in range(size_j):
            place = whole + WIDTH * size_i * (k * size_j + j)
            _follow_row(flat, place, share, j, k, size_i, x, y, z)
            _read_row(flat, whole, size, size_i, x, y, z, index, u, v, w, target, place)
            if kept != 0:
                for p in range(place, place + WIDTH * size_i, WIDTH):
                    add(target, p, kept, flat, p)


@compiled
def reach(field, share, spans, first, last):
    """Write the first and last plane of the cells that planes are taken to ``spans`` (B, K, 2); as ``follow``.

    A task is a plane.
    """
    size_k, flat, kind = field.shape[1], as_row(field), field.dtype.type
    pixels, end = field.shape[2] * field.shape[3], max(size_k - 2, 0)
    for task in range(first, last):
        k = kind(task % size_k)
        low = high = k
        for n in range(pixels):
            z = k + share * flat[WIDTH * (task * pixels + n) + 2]
            low, high = min(low, z), max(high, z)
        span = spans[task // size_k, task % size_k]
        span[0] = min(int(max(low, kind(0))), end) if low < kind(size_k) else end
        span[1] = min(int(max(high, kind(0))), end) if high < kind(size_k) else end


@compiled
def follow_back(field, share, kept, above, spans, parts, out, first, last):
    """Write the derivative by ``field`` of what ``follow`` does to ``out``, where that by its result is ``above``.

    A task is one of ``parts`` of the planes of a batch. It goes through all planes that reach its own (``spans``), so
    that each voxel gets its additions in one order, whoever makes them.
    """
    _, size_k, size_j, size_i, _ = field.shape
    size, room = (size_i, size_j, size_k), _room(size_i)
    flat, target, given, one = as_row(field), as_row(out), as_row(above), field.dtype.type(1)
    x, y, z = np.empty(room, field.dtype), np.empty(room, field.dtype), np.empty(room, field.dtype)
    u, v, w = np.empty(room, field.dtype), np.empty(room, field.dtype), np.empty(room, field.dtype)
    index, steps, plane = np.empty(room, np.int32), _steps(size), size_i * size_j
    along_i, along_j, along_k = steps
    zero, top_i, top_j, top_k = field.dtype.type(0), size_i - 1, size_j - 1, size_k - 1
    for task in range(first, last):
        batch, part = task // parts, task % parts
        low, high = size_k * part // parts, size_k * (part + 1) // parts
        whole = WIDTH * plane * size_k * batch
        for k in range(low, high):
            for j in range(size_j):
                place = whole + WIDTH * size_i * (k * size_j + j)
                _follow_row(flat, place, share, j, k, size_i, x, y, z)
                _locate_row(size, size_i, x, y, z, index, u, v, w)
                for n in range(size_i):
                    p = place + WIDTH * n
                    by_i, by_j, by_k = slopes(
                        flat, whole + WIDTH * np.int64(index[n]), steps, u[n], v[n], w[n], given, p
                    )
                    target[p] = kept * given[p] + (share * by_i if zero < x[n] < top_i else zero)
                    target[p + 1] = kept * given[p + 1] + (share * by_j if zero < y[n] < top_j else zero)
                    target[p + 2] = kept * given[p + 2] + (share * by_k if zero < z[n] < top_k else zero)
                    target[p + 3] = zero
        for k in range(size_k):
            if spans[batch, k, 0] >= high or spans[batch, k, 1] + 1 < low:
                continue
            for j in range(size_j):
                place = whole + WIDTH * size_i * (k * size_j + j)
                _follow_row(flat, place, share, j, k, size_i, x, y, z)
                _locate_row(size, size_i, x, y, z, index, u, v, w)
                for n in range(size_i):
                    p, source = np.int64(index[n]), place + WIDTH * n
                    for side in range(2):
                        level, depth = p + side * (along_k // WIDTH), w[n] if side else one - w[n]
                        if not low * plane <= level < high * plane:
                            continue
                        corner = whole + WIDTH * level
                        near, far = depth * (one - v[n]), depth * v[n]
                        add(target, corner, near * (one - u[n]), given, source)
                        add(target, corner + along_i, near * u[n], given, source)
                        add(target, corner + along_j, far * (one - u[n]), given, source)
                        add(target, corner + along_j + along_i, far * u[n], given, source)
