"""Kernels of a field and its neighbors, as ``deformable.smoothing`` and ``transforms`` define it; a task is a plane.

Beyond the borders a field continues by its border values. Loops have one result each, as the compiler vectorizes no
others.
"""

# pyright: reportIndexIssue=false, reportCallIssue=false
from __future__ import annotations

from DiffusionCore.kernels.compilation import compiled, part
from DiffusionCore.kernels.lanes import as_row, determinant
from DiffusionCore.kernels.vectors import LANES


@part
def _pick(field, batch, k, j):
    """Return the row (I,) of ``field`` (N, K, J, I) that is the nearest to row ``j`` of plane ``k``."""
    return field[batch, min(max(k, 0), field.shape[1] - 1), min(max(j, 0), field.shape[2] - 1)]


@compiled
def convolve(field, weights, axis, out, first, last):
    """Write ``field`` (N, K, J, I) convolved along ``axis`` (0: i, 1: j, 2: k) to ``out``.

    ``weights`` are that of the middle, and those of one side, outwards.
    """
    size_k, size_j, size_i = field.shape[1:]
    reach = len(weights) - 1
    for task in range(first, last):
        batch, k = task // size_k, task % size_k
        for j in range(size_j):
            row, source = out[batch, k, j], field[batch, k, j]
            for n in range(size_i):
                row[n] = weights[0] * source[n]
            for distance in range(1, reach + 1):
                weight = weights[distance]
                if axis == 0:
                    low, high = min(distance, size_i), max(size_i - distance, 0)
                    for n in range(low, high):
                        row[n] += weight * (source[n - distance] + source[n + distance])
                    for n in range(low):
                        row[n] += weight * (source[0] + source[min(n + distance, size_i - 1)])
                    for n in range(max(high, low), size_i):
                        row[n] += weight * (source[max(n - distance, 0)] + source[size_i - 1])
                else:
                    by_j, by_k = (distance, 0) if axis == 1 else (0, distance)
                    below, above = _pick(field, batch, k - by_k, j - by_j), _pick(field, batch, k + by_k, j + by_j)
                    for n in range(size_i):
                        row[n] += weight * (below[n] + above[n])


@compiled
def diffuse(field, shares, out, first, last):
    """Write ``field`` (N, K, J, I) plus its second differences times ``shares`` (i, j, k) to ``out``."""
    size_k, size_j, size_i = field.shape[1:]
    along_i, along_j, along_k = shares
    kept = 1 - 2 * (along_i + along_j + along_k)
    for task in range(first, last):
        batch, k = task // size_k, task % size_k
        for j in range(size_j):
            row, source = out[batch, k, j], field[batch, k, j]
            left, right = _pick(field, batch, k, j - 1), _pick(field, batch, k, j + 1)
            front, back = _pick(field, batch, k - 1, j), _pick(field, batch, k + 1, j)
            for n in range(size_i):
                row[n] = kept * source[n] + along_j * (left[n] + right[n])
            for n in range(size_i):
                row[n] += along_k * (front[n] + back[n])
            for n in range(1, size_i - 1):
                row[n] += along_i * (source[n - 1] + source[n + 1])
            row[0] += along_i * (source[0] + source[min(1, size_i - 1)])
            if size_i > 1:
                row[size_i - 1] += along_i * (source[size_i - 2] + source[size_i - 1])


@part
def _add_difference(source, share, row):
    """Add the differences along i of ``source`` (I,) times ``share`` to ``row``."""
    size = len(row)
    for n in range(1, size - 1):
        row[n] += share * (source[n + 1] - source[n - 1])
    if size > 1:
        row[0] += share * (source[1] - source[0])
        row[size - 1] += share * (source[size - 1] - source[size - 2])


@compiled
def diverge(vectors, shares, out, first, last):
    """Write the sum of the differences of ``vectors`` (3, K, J, I) times ``shares`` (i, j, k) to ``out`` (1, ...)."""
    _, size_j, size_i = vectors.shape[1:]
    _, along_j, along_k = shares
    for k in range(first, last):
        for j in range(size_j):
            row = out[0, k, j]
            left, right = _pick(vectors, 1, k, j - 1), _pick(vectors, 1, k, j + 1)
            front, back = _pick(vectors, 2, k - 1, j), _pick(vectors, 2, k + 1, j)
            for n in range(size_i):
                row[n] = along_j * (right[n] - left[n])
            for n in range(size_i):
                row[n] += along_k * (back[n] - front[n])
            _add_difference(vectors[0, k, j], shares[0], row)


@compiled
def climb(vectors, change, shares, out, first, last):
    """Write ``vectors`` (3, K, J, I) plus the differences of ``change`` (1, K, J, I) times ``shares`` to ``out``."""
    _, size_j, size_i = vectors.shape[1:]
    for k in range(first, last):
        for j in range(size_j):
            for axis in range(3):
                row, source = out[axis, k, j], vectors[axis, k, j]
                for n in range(size_i):
                    row[n] = source[n]
            _add_difference(change[0, k, j], shares[0], out[0, k, j])
            for axis in range(1, 3):
                by_j, by_k = (1, 0) if axis == 1 else (0, 1)
                row, share = out[axis, k, j], shares[axis]
                below, above = _pick(change, 0, k - by_k, j - by_j), _pick(change, 0, k + by_k, j + by_j)
                for n in range(size_i):
                    row[n] += share * (above[n] - below[n])


@part
def _row(flat, place, ends, shares, a, b, c):
    """Return the numbers a, b and c plus the differences of one component along i, j and k at one voxel."""
    along_i = a + shares[0] * (flat[place + ends[1]] - flat[place + ends[0]])
    along_j = b + shares[1] * (flat[place + ends[3]] - flat[place + ends[2]])
    return along_i, along_j, c + shares[2] * (flat[place + ends[5]] - flat[place + ends[4]])


@part
def _determinant(flat, place, component, ends, shares, matrix, scale):
    """Return ``scale`` det(M + D) at one voxel; see ``lanes.determinant``."""
    a, b, c = _row(flat, place, ends, shares, matrix[0], matrix[1], matrix[2])
    d, e, f = _row(flat, place + component, ends, shares, matrix[3], matrix[4], matrix[5])
    g, h, i = _row(flat, place + 2 * component, ends, shares, matrix[6], matrix[7], matrix[8])
    return scale * (a * (e * i - f * h) + b * (f * g - d * i) + c * (d * h - e * g))


@compiled
def determine(vectors, matrix, out, first, last):
    """Write det(M + D) / det(M) to ``out`` (K, J, I), D the differences of ``vectors`` (3, K, J, I).

    D and the ``matrix`` M (3, 3), double, have the vectors' components as rows, the axes i, j, k as columns.
    """
    _, size_k, size_j, size_i = vectors.shape
    flat, target, component, kind = as_row(vectors), as_row(out), out.size, vectors.dtype.type
    step_k, half, one = size_j * size_i, kind(0.5), kind(1)
    a, b, c = matrix[0, 0], matrix[0, 1], matrix[0, 2]
    d, e, f = matrix[1, 0], matrix[1, 1], matrix[1, 2]
    g, h, i = matrix[2, 0], matrix[2, 1], matrix[2, 2]
    scale = kind(1 / (a * (e * i - f * h) + b * (f * g - d * i) + c * (d * h - e * g)))
    numbers = kind(a), kind(b), kind(c), kind(d), kind(e), kind(f), kind(g), kind(h), kind(i)
    for k in range(first, last):
        before, after = min(k, 1), min(size_k - 1 - k, 1)
        share_k = half if before + after == 2 else one
        for j in range(size_j):
            left, right = min(j, 1), min(size_j - 1 - j, 1)
            share_j = half if left + right == 2 else one
            start = (k * size_j + j) * size_i
            ends = -1, 1, -left * size_i, right * size_i, -before * step_k, after * step_k
            shares = half, share_j, share_k
            inner = size_i - 1 - LANES  # the first voxel of the last whole vector between the borders
            for n in range(1, inner + LANES if inner > 0 else 1, LANES):
                place = start + min(n, inner)
                determinant(flat, place, component, ends, shares, numbers, scale, target, place)
            for n in range(0, size_i, size_i - 1 if inner > 0 else 1):
                low, high = min(n, 1), min(size_i - 1 - n, 1)
                here = -low, high, ends[2], ends[3], ends[4], ends[5]
                own = half if low + high == 2 else one, share_j, share_k
                target[start + n] = _determinant(flat, start + n, component, here, own, numbers, scale)
