"""Kernels for images of four channels that lie side by side: a whole pixel is read and blended at once.

The compiler makes vector instructions of loops over voxels only; ``_blend`` says them itself, for any processor. Fields
of three components have a fourth one, 0. Beyond its border an image continues.
"""

# pyright: reportIndexIssue=false, reportCallIssue=false
from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from DiffusionCore.kernels.compilation import compiled
from DiffusionCore.kernels.lanes import LANES, locate

WIDTH = 4  # channels of a pixel


class _Pixels:
    """Writes instructions for the pixels at the corners of a cell."""

    def __init__(self, context, builder, kind) -> None:
        self.context, self.builder, self.kind = context, builder, kind
        self.element = context.get_value_type(kind.dtype)
        self.pixel = ir.VectorType(self.element, WIDTH)

    def at(self, array, place):
        """Return a pointer to the pixel that begins at element ``place`` of an ``array``."""
        data = self.context.make_array(self.kind)(self.context, self.builder, array).data
        return self.builder.bitcast(self.builder.gep(data, [place]), self.pixel.as_pointer())

    def load(self, array, place):
        return self.builder.load(self.at(array, place), align=self.kind.dtype.bitwidth // 8)

    def store(self, value, array, place) -> None:
        self.builder.store(value, self.at(array, place), align=self.kind.dtype.bitwidth // 8)

    def spread(self, number):
        nothing = ir.Constant(self.pixel, ir.Undefined)
        one = self.builder.insert_element(nothing, number, ir.Constant(ir.IntType(32), 0))
        first = ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH)
        return self.builder.shuffle_vector(one, nothing, first)

    def less(self, a, b):
        return self.builder.fsub(a, b, flags=["contract"])

    def add_times(self, a, share, b):
        return self.builder.fadd(a, self.builder.fmul(share, b, flags=["contract"]), flags=["contract"])

    def mix(self, a, b, share):
        return self.add_times(a, share, self.less(b, a))

    def corners(self, start, steps):
        """Return the elements at which the corners of a cell begin, i changing first, then j, then k."""
        along_i, along_j, along_k = (self.builder.extract_value(steps, n) for n in range(3))
        places = [start]
        for step in (along_i, along_j, along_k):
            places += [self.builder.add(place, step) for place in places]
        return places


@intrinsic
def _blend(typing, image, start, steps, u, v, w, out, place):
    """Write the pixel at (u, v, w), 0..1, in the cell whose first corner is element ``start`` of ``image`` to ``out``.

    ``steps`` are the elements from a voxel to the next one along i, j and k.
    """

    def generate(context, builder, signature, arguments):
        image, start, steps, u, v, w, out, place = arguments
        pixels = _Pixels(context, builder, signature.args[0])
        values = [pixels.load(image, corner) for corner in pixels.corners(start, steps)]
        for share in (u, v, w):
            values = [pixels.mix(*values[n : n + 2], pixels.spread(share)) for n in range(0, len(values), 2)]
        pixels.store(values[0], out, place)
        return context.get_dummy_value()

    real, index = image.dtype, types.int64
    return types.void(image, index, types.UniTuple(index, 3), real, real, real, out, index), generate


@intrinsic
def _slopes(typing, image, start, steps, u, v, w, above, place):
    """Return the derivatives by i, j and k of the pixel that ``_blend`` reads, times that at ``place`` of ``above``."""

    def generate(context, builder, signature, arguments):
        image, start, steps, u, v, w, above, place = arguments
        pixels = _Pixels(context, builder, signature.args[0])
        values = [pixels.load(image, corner) for corner in pixels.corners(start, steps)]
        u, v, w = (pixels.spread(share) for share in (u, v, w))
        rises = [pixels.less(values[n + 1], values[n]) for n in range(0, 8, 2)]
        a, b, c, d = (pixels.add_times(values[2 * n], u, rise) for n, rise in enumerate(rises))
        by_i = pixels.mix(pixels.mix(*rises[:2], v), pixels.mix(*rises[2:], v), w)
        by_j = pixels.mix(pixels.less(b, a), pixels.less(d, c), w)
        by_k = pixels.less(pixels.mix(c, d, v), pixels.mix(a, b, v))
        share, sums = pixels.load(above, place), []
        for slope in (by_i, by_j, by_k):
            product = builder.fmul(share, slope)
            first, second, third = (builder.extract_element(product, ir.Constant(ir.IntType(32), n)) for n in range(3))
            sums.append(builder.fadd(builder.fadd(first, second), third))
        return context.make_tuple(builder, signature.return_type, sums)

    real, index = image.dtype, types.int64
    return types.UniTuple(real, 3)(image, index, types.UniTuple(index, 3), real, real, real, above, index), generate


@intrinsic
def _add(typing, out, place, share, above, source):
    """Add ``share`` times the pixel at element ``source`` of ``above`` to that at ``place`` of ``out``."""

    def generate(context, builder, signature, arguments):
        out, place, share, above, source = arguments
        pixels = _Pixels(context, builder, signature.args[0])
        value = pixels.add_times(pixels.load(out, place), pixels.spread(share), pixels.load(above, source))
        pixels.store(value, out, place)
        return context.get_dummy_value()

    return types.void(out, types.int64, out.dtype, above, types.int64), generate


@compiled
def _room(count):
    """Return ``count`` and what is missing to whole vectors."""
    return (count + LANES - 1) // LANES * LANES


@compiled
def _steps(size):
    """Return the elements from a voxel to the next one along i, j and k, where there is one."""
    i, j, k = size
    return WIDTH * min(1, i - 1), WIDTH * i * min(1, j - 1), WIDTH * i * j * min(1, k - 1)


@compiled
def _locate_row(size, count, x, y, z, index, u, v, w):
    """Write the cells of ``count`` points, and the ways in them, to index, u, v, w; all have room for whole vectors."""
    layout = size[0], size[1], size[2], size[0], 0, 0
    for n in range(0, count, LANES):
        locate(x, y, z, n, layout, index, u, v, w)


@compiled
def _read_row(flat, first, size, count, x, y, z, index, u, v, w, out, place):
    """Write the pixels of ``flat`` from element ``first`` at ``count`` points to ``out`` from element ``place``."""
    _locate_row(size, count, x, y, z, index, u, v, w)
    steps = _steps(size)
    for n in range(count):
        _blend(flat, first + WIDTH * np.int64(index[n]), steps, u[n], v[n], w[n], out, place + WIDTH * n)


@compiled
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
    flat, target = image.ravel(), out.ravel()
    room = _room(row)
    x, y, z = np.zeros(room, kind), np.zeros(room, kind), np.zeros(room, kind)
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
    flat, target = field.ravel(), out.ravel()
    x, y, z = np.zeros(room, field.dtype), np.zeros(room, field.dtype), np.zeros(room, field.dtype)
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
                    _add(target, p, kept, flat, p)


@compiled
def reach(field, share, spans, first, last):
    """Write the first and last plane of the cells that planes are taken to ``spans`` (B, K, 2); as ``follow``.

    A task is a plane.
    """
    size_k, flat, kind = field.shape[1], field.ravel(), field.dtype.type
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
    flat, target, given, one = field.ravel(), out.ravel(), above.ravel(), field.dtype.type(1)
    x, y, z = np.zeros(room, field.dtype), np.zeros(room, field.dtype), np.zeros(room, field.dtype)
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
                    by_i, by_j, by_k = _slopes(
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
                        _add(target, corner, near * (one - u[n]), given, source)
                        _add(target, corner + along_i, near * u[n], given, source)
                        _add(target, corner + along_j, far * (one - u[n]), given, source)
                        _add(target, corner + along_j + along_i, far * u[n], given, source)


@compiled
def _between(coarse, fine):
    """Return for each of ``fine`` voxels the two of ``coarse`` ones that its center lies between, and the way."""
    low, high, way = np.empty(fine, np.int64), np.empty(fine, np.int64), np.empty(fine)
    for n in range(fine):
        place = max(0.0, (n + 0.5) * coarse / fine - 0.5)
        low[n] = min(int(place), coarse - 1)
        high[n] = min(low[n] + 1, coarse - 1)
        way[n] = place - low[n]
    return low, high, way


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
