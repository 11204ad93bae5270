"""Kernels of the affine registration: an image and its gradient at many points, and joint histograms.

They do for samples what ``affine.sampling`` and ``affine.similarity`` define.
"""

# pyright: reportIndexIssue=false, reportCallIssue=false
from __future__ import annotations

import numpy as np

from DiffusionCore.kernels.compilation import compiled, part
from DiffusionCore.kernels.lanes import as_row


@compiled
def read(image, matrices, points, turn, values, gradient, inside, first, last):
    """Write the trilinear values of ``image`` (K, J, I) and what goes with them; a task is a matrix.

    Args:
        image: beyond its border it continues.
        matrices: (C, 3, 4) from points to VOXEL.
        points: (N, 3).
        turn: (3, 3), a gradient per voxel is multiplied by it from the right.
        values, gradient, inside: receive (C, N), (C, N, 3), and 1 or 0 (C, N).
    """
    size_k, size_j, size_i = image.shape
    flat, kind = as_row(image), image.dtype.type
    step_i, step_j, step_k = min(1, size_i - 1), size_i * min(1, size_j - 1), size_i * size_j * min(1, size_k - 1)
    zero, half, one = kind(0), kind(0.5), kind(1)
    top_i, top_j, top_k = kind(size_i - 1), kind(size_j - 1), kind(size_k - 1)
    for task in range(first, last):
        matrix = matrices[task]
        for n in range(len(points)):
            p, q, r = points[n, 0], points[n, 1], points[n, 2]
            x = matrix[0, 0] * p + matrix[0, 1] * q + matrix[0, 2] * r + matrix[0, 3]
            y = matrix[1, 0] * p + matrix[1, 1] * q + matrix[1, 2] * r + matrix[1, 3]
            z = matrix[2, 0] * p + matrix[2, 1] * q + matrix[2, 2] * r + matrix[2, 3]
            within = (x >= -half) & (y >= -half) & (z >= -half)
            within &= (x <= top_i + half) & (y <= top_j + half) & (z <= top_k + half)
            inside[task, n] = one if within else zero
            x = min(x if x > zero else zero, top_i)
            y = min(y if y > zero else zero, top_j)
            z = min(z if z > zero else zero, top_k)
            i, j, k = min(int(x), max(size_i - 2, 0)), min(int(y), max(size_j - 2, 0)), min(int(z), max(size_k - 2, 0))
            u, v, w = x - kind(i), y - kind(j), z - kind(k)
            place = (k * size_j + j) * size_i + i
            a, b = flat[place], flat[place + step_j]
            c, d = flat[place + step_k], flat[place + step_k + step_j]
            da, db = flat[place + step_i] - a, flat[place + step_j + step_i] - b
            dc, dd = flat[place + step_k + step_i] - c, flat[place + step_k + step_j + step_i] - d
            a, b, c, d = a + u * da, b + u * db, c + u * dc, d + u * dd
            front, back = da + v * (db - da), dc + v * (dd - dc)
            by_i, by_j = front + w * (back - front), (b - a) + w * ((d - c) - (b - a))
            near, far = a + v * (b - a), c + v * (d - c)
            by_k = far - near
            values[task, n] = near + w * by_k
            for axis in range(3):
                gradient[task, n, axis] = by_i * turn[0, axis] + by_j * turn[1, axis] + by_k * turn[2, axis]


@part
def _window(position, most):
    """Return the first of four bins that a cubic B-spline about ``position`` reaches, and its place between bins."""
    kind = type(position)
    first = min(max(np.floor(position), kind(1)), kind(most))
    return int(first) - 1, position - first


@compiled
def count(bins, positions, counted, joint, first, last):
    """Add the samples to ``joint`` (C, bins, bins), rows the fixed image; a task is a transform.

    ``bins`` (N,) are the fixed samples, ``positions`` (C, N) the moving ones, ``counted`` (C, N) their weights.
    """
    kind = positions.dtype.type
    sixth, three, four, six = kind(1 / 6), kind(3), kind(4), kind(6)
    for task in range(first, last):
        table = joint[task]
        for n in range(len(bins)):
            start, t = _window(positions[task, n], joint.shape[1] - 3)
            s, weight, row = kind(1) - t, sixth * counted[task, n], table[bins[n]]
            row[start] += weight * s * s * s
            row[start + 1] += weight * (t * t * (three * t - six) + four)
            row[start + 2] += weight * (t * (three * (t - t * t) + three) + kind(1))
            row[start + 3] += weight * t * t * t


@compiled
def look_up(bins, positions, counted, tables, slope, first, last):
    """Write the derivative by each moving sample to ``slope`` (C, N), where that by the histogram is ``tables``.

    ``tables`` are (C, bins, bins); the other arguments are those of ``count``.
    """
    kind = positions.dtype.type
    half, three_halves, two = kind(0.5), kind(1.5), kind(2)
    for task in range(first, last):
        table = tables[task]
        for n in range(len(bins)):
            start, t = _window(positions[task, n], tables.shape[1] - 3)
            s, row = kind(1) - t, table[bins[n]]
            change = row[start + 1] * t * (three_halves * t - two) - row[start] * s * s * half
            change += row[start + 2] * (t * (kind(1) - three_halves * t) + half) + row[start + 3] * t * t * half
            slope[task, n] = change * counted[task, n]
