"""Kernels of the derivative by an image that is read between its voxels: the adjoint of ``reading.pull``.

Points, rows and sizes are those of ``rows``.
"""

# pyright: reportIndexIssue=false, reportCallIssue=false
from __future__ import annotations

import numpy as np

from DiffusionCore.kernels.compilation import compiled
from DiffusionCore.kernels.lanes import as_row, locate
from DiffusionCore.kernels.rows import inside, layout_of, points, room
from DiffusionCore.kernels.vectors import LANES


@compiled
def reach(where, size, matrices, rows, row, plane, spans, first, last):
    """Write the first plane of the cells that the points of each line are in, and the last one, to ``spans`` (B, L, 2).

    A task is a line.
    """
    kind = matrices.dtype
    spots = np.empty((3, row), kind)
    z = spots[2, :]
    lines, end = spans.shape[1], max(size[2] - 2, 0)
    for task in range(first, last):
        _, _, count = points(where, matrices, rows, row, plane, task, spots)
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
    layout, kind, own = layout_of(size, out.shape[4]), matrices.dtype, above.dtype
    along_j, along_k = layout[4], layout[5]
    spots = np.empty((3, room(row)), kind)
    x, y, z = spots[0, :], spots[1, :], spots[2, :]
    u, v, w = np.empty(room(row), own), np.empty(room(row), own), np.empty(room(row), own)
    index = np.empty(room(row), np.int32)
    lines = spans.shape[1]
    for task in range(first, last):
        batch, part = task // parts, task % parts
        low, high = size[2] * part // parts, size[2] * (part + 1) // parts
        for line in range(lines):
            nearest, farthest = spans[batch, line]
            if nearest >= high or farthest + 1 < low:
                continue
            alone = nearest >= low and farthest + 1 < high
            _, start, count = points(where, matrices, rows, row, plane, batch * lines + line, spots)
            for n in range(0, count, LANES):
                locate(x, y, z, n, layout, index, u, v, w)
            for channel in range(channels):
                flat = as_row(out[batch, channel])
                for n in range(count):
                    if filled and not inside(x[n], y[n], z[n], size):
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
