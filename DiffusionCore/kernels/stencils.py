"""Kernels that smooth fields by their neighbors, as ``deformable.smoothing`` defines it; a task is a plane.

Beyond the borders a field continues by its border values. Loops have one result each, as the compiler vectorizes no
others.
"""

# pyright: reportIndexIssue=false
from __future__ import annotations

from DiffusionCore.kernels.compilation import compiled


@compiled
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


@compiled
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
