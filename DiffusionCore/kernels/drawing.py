"""Kernels of finer grids, and for what training images are made of: smooth noise, painted tissues, first demons.

Loops have one result each, as the compiler vectorizes no others.
"""

# pyright: reportIndexIssue=false, reportCallIssue=false
from __future__ import annotations

import numpy as np

from DiffusionCore.kernels.compilation import compiled, part
from DiffusionCore.kernels.lanes import as_row


@part
def _between(coarse, fine):
    """Return for each of ``fine`` voxels the two of ``coarse`` ones that its center lies between, and the way."""
    low, high, way = np.empty(fine, np.int64), np.empty(fine, np.int64), np.empty(fine)
    for n in range(fine):
        place = max(0.0, (n + 0.5) * coarse / fine - 0.5)
        low[n] = min(int(place), coarse - 1)
        high[n] = min(low[n] + 1, coarse - 1)
        way[n] = place - low[n]
    return low, high, way


@part
def _mix(one, other, way, row):
    """Write ``one`` and ``other`` blended to ``row``: the second one by ``way``."""
    for n in range(len(row)):
        row[n] = one[n] + way * (other[n] - one[n])


@compiled
def enlarge(coarse, out, first, last):
    """Write ``coarse`` (N, K', J', I') between its voxels to ``out`` (N, K, J, I), of the same borders.

    A task is one of N. Axis i goes first, where the rows are few.
    """
    _, size_k, size_j, size_i = out.shape
    _, rows_k, rows_j, rows_i = coarse.shape
    low_i, high_i, way_i = _between(rows_i, size_i)
    low_j, high_j, way_j = _between(rows_j, size_j)
    low_k, high_k, way_k = _between(rows_k, size_k)
    kind = coarse.dtype.type
    wide, plane = np.empty((rows_k, rows_j, size_i), coarse.dtype), np.empty((rows_j, size_i), coarse.dtype)
    for task in range(first, last):
        for k in range(rows_k):
            for j in range(rows_j):
                source, row = coarse[task, k, j], wide[k, j]
                for n in range(size_i):
                    value = source[low_i[n]]
                    row[n] = value + kind(way_i[n]) * (source[high_i[n]] - value)
        for k in range(size_k):
            for j in range(rows_j):
                _mix(wide[low_k[k], j], wide[high_k[k], j], kind(way_k[k]), plane[j])
            for j in range(size_j):
                _mix(plane[low_j[j]], plane[high_j[j]], kind(way_j[j]), out[task, k, j])


@compiled
def paint(shares, chosen, table, row, out, first, last):
    """Write the sums of ``shares`` (P, T, M), bytes, of the ``chosen`` (B,) to ``out`` (B, C, M).

    ``table`` (B, C, T) holds their weights. A task is ``row`` voxels of one of B.
    """
    total = shares.shape[2]
    tasks = (total + row - 1) // row
    zero = table.dtype.type(0)
    for task in range(first, last):
        batch, start = task // tasks, task % tasks * row
        end = min(start + row, total)
        for channel in range(table.shape[1]):
            sums = out[batch, channel, start:end]
            sums[:] = zero
            for tissue in range(table.shape[2]):
                weight = table[batch, channel, tissue]
                if weight != zero:
                    source = shares[chosen[batch], tissue, start:end]
                    for n in range(len(sums)):
                        sums[n] += weight * source[n]


@part
def _pull_to(image, shifts, k, j, index, u, v, w, out):
    """Write row ``j`` of plane ``k`` of ``image`` (K, J, I), moved by ``shifts`` (3, K, J, I), to ``out`` (I,)."""
    size_k, size_j, size_i = image.shape
    kind, flat = image.dtype.type, as_row(image)
    zero = kind(0)
    top_i, top_j, top_k = kind(size_i - 1), kind(size_j - 1), kind(size_k - 1)
    last_i, last_j, last_k = np.int32(max(size_i - 2, 0)), np.int32(max(size_j - 2, 0)), np.int32(max(size_k - 2, 0))
    row, rows = np.int32(size_i), np.int32(size_j)
    along_i, along_j, along_k = min(1, size_i - 1), size_i * min(1, size_j - 1), size_i * size_j * min(1, size_k - 1)
    for n in range(size_i):
        x = min(max(kind(n) + shifts[0, k, j, n], zero), top_i)
        y = min(max(kind(j) + shifts[1, k, j, n], zero), top_j)
        z = min(max(kind(k) + shifts[2, k, j, n], zero), top_k)
        left, front, below = min(np.int32(x), last_i), min(np.int32(y), last_j), min(np.int32(z), last_k)
        u[n], v[n], w[n] = x - kind(left), y - kind(front), z - kind(below)
        index[n] = (below * rows + front) * row + left
    for n in range(size_i):
        p = np.int64(index[n])
        a = flat[p] + u[n] * (flat[p + along_i] - flat[p])
        b = flat[p + along_j] + u[n] * (flat[p + along_j + along_i] - flat[p + along_j])
        p += along_k
        c = flat[p] + u[n] * (flat[p + along_i] - flat[p])
        d = flat[p + along_j] + u[n] * (flat[p + along_j + along_i] - flat[p + along_j])
        a += v[n] * (b - a)
        c += v[n] * (d - c)
        out[n] = a + w[n] * (c - a)


@part
def _average(before, middle, after, out):
    """Write the rows under the weights 1 2 1 to ``out``."""
    quarter = out.dtype.type(0.25)
    for n in range(len(out)):
        out[n] = quarter * (before[n] + after[n]) + (quarter + quarter) * middle[n]


@compiled
def demons(fixed, moving, slopes, floor, iterations, shifts, first, last):
    """Let ``shifts`` (B, 3, K, J, I) follow the forces from ``moving`` to ``fixed`` (B, K, J, I); a task is one of B.

    ``slopes`` (B, 3, K, J, I) are those of ``fixed``. Each of the ``iterations`` takes away the forces and smooths.
    """
    _, _, size_k, size_j, size_i = shifts.shape
    half, quarter = shifts.dtype.type(0.5), shifts.dtype.type(0.25)
    one, other = np.empty(shifts.shape[1:], shifts.dtype), np.empty(shifts.shape[1:], shifts.dtype)
    seen, share = np.empty(size_i, shifts.dtype), np.empty(size_i, shifts.dtype)
    u, v, w = np.empty(size_i, shifts.dtype), np.empty(size_i, shifts.dtype), np.empty(size_i, shifts.dtype)
    index = np.empty(size_i, np.int32)
    for task in range(first, last):
        found = shifts[task]
        for _ in range(iterations):
            for k in range(size_k):
                for j in range(size_j):
                    _pull_to(moving[task], found, k, j, index, u, v, w, seen)
                    target = fixed[task, k, j]
                    g, h, i = slopes[task, 0, k, j], slopes[task, 1, k, j], slopes[task, 2, k, j]
                    for n in range(size_i):
                        d = seen[n] - target[n]
                        share[n] = d / (g[n] * g[n] + h[n] * h[n] + i[n] * i[n] + d * d + floor)
                    for axis in range(3):
                        row, source, steep = one[axis, k, j], found[axis, k, j], slopes[task, axis, k, j]
                        for n in range(size_i):
                            row[n] = source[n] - share[n] * steep[n]
            for axis in range(3):
                for k in range(size_k):
                    before, after = max(k - 1, 0), min(k + 1, size_k - 1)
                    for j in range(size_j):
                        _average(one[axis, before, j], one[axis, k, j], one[axis, after, j], other[axis, k, j])
                for k in range(size_k):
                    for j in range(size_j):
                        row = seen
                        before, after = max(j - 1, 0), min(j + 1, size_j - 1)
                        _average(other[axis, k, before], other[axis, k, j], other[axis, k, after], row)
                        target = found[axis, k, j]
                        for n in range(1, size_i - 1):
                            target[n] = quarter * (row[n - 1] + row[n + 1]) + half * row[n]
                        target[0] = quarter * (row[0] + row[min(1, size_i - 1)]) + half * row[0]
                        target[size_i - 1] = (
                            quarter * (row[max(size_i - 2, 0)] + row[size_i - 1]) + half * row[size_i - 1]
                        )


@compiled
def stretch(shifts, size, out, first, last):
    """Write where ``shifts`` (B, 3, K', J', I') take the voxels of a grid of ``size`` (i, j, k) to ``out``.

    Both grids have the same borders; ``out`` (B, K, J, I, 3) are its voxels. A task is a plane of it.
    """
    size_i, size_j, size_k = size
    _, _, coarse_k, coarse_j, coarse_i = shifts.shape
    kind = shifts.dtype.type
    line = np.empty(coarse_i, shifts.dtype)
    low_i, high_i, way_i = _between(coarse_i, size_i)
    low_j, high_j, way_j = _between(coarse_j, size_j)
    low_k, high_k, way_k = _between(coarse_k, size_k)
    ratio = size_i / coarse_i, size_j / coarse_j, size_k / coarse_k
    for task in range(first, last):
        batch, k = task // size_k, task % size_k
        back = kind(way_k[k])
        for j in range(size_j):
            side = kind(way_j[j])
            row = out[batch, k, j]
            for axis in range(3):
                front, rear = shifts[batch, axis, low_k[k]], shifts[batch, axis, high_k[k]]
                a, b, c, d = front[low_j[j]], front[high_j[j]], rear[low_j[j]], rear[high_j[j]]
                scale = kind(ratio[axis])
                for n in range(coarse_i):
                    near, far = a[n] + side * (b[n] - a[n]), c[n] + side * (d[n] - c[n])
                    line[n] = scale * (near + back * (far - near))
                start = kind(k if axis == 2 else j if axis == 1 else 0)
                for n in range(size_i):
                    value = line[low_i[n]]
                    row[n, axis] = start + value + kind(way_i[n]) * (line[high_i[n]] - value)
            for n in range(size_i):
                row[n, 0] += kind(n)
