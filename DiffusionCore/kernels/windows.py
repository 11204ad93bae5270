"""Kernels of the squared local correlation (``losses.local_correlation`` has the formula), plane by plane.

Sums over cubes: along i and j of each plane, once, then along k of a ring of planes. Planes have a margin of zeros, so
that a sum along an axis is one loop over everything. There are no running sums: a value depends on nothing but its
cube, whichever thread makes it. Loops have one result each, as the compiler vectorizes no others.
"""

# pyright: reportIndexIssue=false
from __future__ import annotations

import numpy as np

from DiffusionCore.kernels.compilation import compiled, part

_CHANNELS = 3


@part
def _sum(source, step, width, out):
    """Write the sums of ``width`` (odd) elements of ``source`` (N,), ``step`` apart, from each one on to ``out`` (N,).

    The last elements of ``out``, from which there are not as many, are left as they are.
    """
    count = len(source) - step * (width - 1)
    second, third = source[step:], source[2 * step :]
    for n in range(count):
        out[n] = source[n] + second[n] + third[n]
    for offset in range(3, width, 2):
        second, third = source[offset * step :], source[(offset + 1) * step :]
        for n in range(count):
            out[n] += second[n] + third[n]


@part
def _sum_ring(ring, low, high, channel, start, out):
    """Write the sums over the planes ``low`` .. ``high`` of the row that begins at ``start`` to ``out`` (I,)."""
    depth = len(ring)
    line = ring[low % depth, channel, start:]
    for n in range(len(out)):
        out[n] = line[n]
    for plane in range(low + 1, high + 1):
        line = ring[plane % depth, channel, start:]
        for n in range(len(out)):
            out[n] += line[n]


@compiled
def compare(image, reference, mean, variance, weights, share, width, floor, value, parts, first, last):
    """Write what the squared local correlation of ``image`` and its slope are made of; a task is a plane.

    Args:
        image, reference: (B, K, J, I).
        mean, variance: of the cubes of the reference, (B, K, J, I).
        weights: of the centers, (W, K, J, I), W = B or 1.
        share: 1 / voxels in each cube, (K, J, I).
        width: voxels along a side of the cubes, odd, at least 3.
        floor: added to the variances of the image.
        value: receives the weighted sum of each plane (B, K), double precision.
        parts: receives a, b and a Jbar + b Ibar of the formula (B, 3, K, J, I); nothing where it is empty.
    """
    _, size_k, size_j, size_i = image.shape
    reach, stride, kind = width // 2, size_i + width - 1, image.dtype
    padded, lines = np.zeros((size_j + width - 1) * stride, kind), np.zeros((size_j + width - 1) * stride, kind)
    ring = np.empty((width, _CHANNELS, len(padded)), kind)
    sums = np.empty((_CHANNELS + 1, size_i), kind)
    own, spread, cross, ratio = sums[0, :], sums[1, :], sums[2, :], sums[3, :]
    zero, two = kind.type(0), kind.type(2)
    done, before = 0, -1
    for task in range(first, last):
        batch, k = task // size_k, task % size_k
        low, high = max(k - reach, 0), min(k + reach, size_k - 1)
        done = low if batch != before else done
        before = batch
        for plane in range(done, high + 1):
            for channel in range(_CHANNELS):
                for j in range(size_j):
                    row = padded[(j + reach) * stride + reach :]
                    one = image[batch, plane, j]
                    if channel == 0:
                        for n in range(size_i):
                            row[n] = one[n]
                    else:
                        other = one if channel == 1 else reference[batch, plane, j]
                        for n in range(size_i):
                            row[n] = one[n] * other[n]
                _sum(padded, 1, width, lines)
                _sum(lines, stride, width, ring[plane % width, channel])
        done = high + 1
        total = 0.0
        for j in range(size_j):
            for channel in range(_CHANNELS):
                _sum_ring(ring, low, high, channel, j * stride, sums[channel, :])
            portion, weight = share[k, j], weights[batch % len(weights), k, j]
            known, known_spread = mean[batch, k, j], variance[batch, k, j]
            for n in range(size_i):
                own[n] *= portion[n]
            for n in range(size_i):
                covered = spread[n] * portion[n] - own[n] * own[n]
                spread[n] = (covered if covered > zero else zero) + floor
            for n in range(size_i):
                cross[n] = cross[n] * portion[n] - own[n] * known[n]
            for n in range(size_i):
                ratio[n] = cross[n] / (spread[n] * known_spread[n]) * weight[n]
            for n in range(size_i):
                total += cross[n] * ratio[n]
            if parts.size:
                a, b, rest = parts[batch, 0, k, j], parts[batch, 1, k, j], parts[batch, 2, k, j]
                for n in range(size_i):
                    a[n] = two * portion[n] * ratio[n]
                for n in range(size_i):
                    b[n] = -a[n] * cross[n] / spread[n]
                for n in range(size_i):
                    rest[n] = a[n] * known[n] + b[n] * own[n]
        value[batch, k] = total


@compiled
def derive(parts, image, reference, width, out, first, last):
    """Write the slope of the squared local correlation by ``image`` to ``out`` (B, K, J, I), from the ``parts``."""
    _, size_k, size_j, size_i = image.shape
    reach, stride, kind = width // 2, size_i + width - 1, image.dtype
    padded, lines = np.zeros((size_j + width - 1) * stride, kind), np.zeros((size_j + width - 1) * stride, kind)
    ring = np.empty((width, _CHANNELS, len(padded)), kind)
    sums = np.empty((_CHANNELS, size_i), kind)
    by_other, by_one, rest = sums[0, :], sums[1, :], sums[2, :]
    done, before = 0, -1
    for task in range(first, last):
        batch, k = task // size_k, task % size_k
        low, high = max(k - reach, 0), min(k + reach, size_k - 1)
        done = low if batch != before else done
        before = batch
        for plane in range(done, high + 1):
            for channel in range(_CHANNELS):
                for j in range(size_j):
                    row, source = padded[(j + reach) * stride + reach :], parts[batch, channel, plane, j]
                    for n in range(size_i):
                        row[n] = source[n]
                _sum(padded, 1, width, lines)
                _sum(lines, stride, width, ring[plane % width, channel])
        done = high + 1
        for j in range(size_j):
            for channel in range(_CHANNELS):
                _sum_ring(ring, low, high, channel, j * stride, sums[channel, :])
            row, one, other = out[batch, k, j], image[batch, k, j], reference[batch, k, j]
            for n in range(size_i):
                row[n] = other[n] * by_other[n] - rest[n]
            for n in range(size_i):
                row[n] += one[n] * by_one[n]
