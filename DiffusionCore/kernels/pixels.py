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


@intrinsic
def _blend(typing, image, start, steps, u, v, w, out, place):
    """Write the pixel at (u, v, w), 0..1, in the cell whose first corner is element ``start`` of ``image`` to ``out``.

    ``steps`` are the elements from a voxel to the next one along i, j and k.
    """

    def generate(context, builder, signature, arguments):
        source_type, _, _, _, _, _, target_type, _ = signature.args
        image, start, steps, u, v, w, out, place = arguments
        element = context.get_value_type(source_type.dtype)
        pixel, size = ir.VectorType(element, WIDTH), source_type.dtype.bitwidth // 8
        source = context.make_array(source_type)(context, builder, image).data
        target = context.make_array(target_type)(context, builder, out).data
        along_i, along_j, along_k = (builder.extract_value(steps, n) for n in range(3))

        def spread(number):
            one = builder.insert_element(ir.Constant(pixel, ir.Undefined), number, ir.Constant(ir.IntType(32), 0))
            first = ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH)
            return builder.shuffle_vector(one, ir.Constant(pixel, ir.Undefined), first)

        def mix(a, b, share):
            change = builder.fmul(share, builder.fsub(b, a, flags=["contract"]), flags=["contract"])
            return builder.fadd(a, change, flags=["contract"])

        def voxel(array, offset):
            return builder.bitcast(builder.gep(array, [offset]), pixel.as_pointer())

        def line(offset):
            pair = (voxel(source, offset), voxel(source, builder.add(offset, along_i)))
            return mix(*(builder.load(each, align=size) for each in pair), share_i)

        def plane(offset):
            return mix(line(offset), line(builder.add(offset, along_j)), share_j)

        share_i, share_j, share_k = spread(u), spread(v), spread(w)
        value = mix(plane(start), plane(builder.add(start, along_k)), share_k)
        builder.store(value, voxel(target, place), align=size)
        return context.get_dummy_value()

    real, index = image.dtype, types.int64
    return types.void(image, index, types.UniTuple(index, 3), real, real, real, out, index), generate


@compiled
def _room(count):
    """Return ``count`` and what is missing to whole vectors."""
    return (count + LANES - 1) // LANES * LANES


@compiled
def _read_row(flat, first, size, count, x, y, z, index, u, v, w, out, place):
    """Write the pixels of ``flat`` from element ``first`` at ``count`` points to ``out`` from element ``place``.

    x, y, z and what is written on the way, index, u, v, w, have room for whole vectors.
    """
    i, j, k = size
    layout = i, j, k, i, 0, 0
    for n in range(0, count, LANES):
        locate(x, y, z, n, layout, index, u, v, w)
    steps = WIDTH * min(1, i - 1), WIDTH * i * min(1, j - 1), WIDTH * i * j * min(1, k - 1)
    for n in range(count):
        _blend(flat, first + WIDTH * np.int64(index[n]), steps, u[n], v[n], w[n], out, place + WIDTH * n)


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
    room, kind = _room(size_i), field.dtype.type
    flat, target = field.ravel(), out.ravel()
    x, y, z = np.zeros(room, field.dtype), np.zeros(room, field.dtype), np.zeros(room, field.dtype)
    u, v, w = np.empty(room, field.dtype), np.empty(room, field.dtype), np.empty(room, field.dtype)
    index = np.empty(room, np.int32)
    for task in range(first, last):
        batch, k = task // size_k, task % size_k
        whole = WIDTH * size_i * size_j * size_k * batch
        for j in range(size_j):
            place = whole + WIDTH * size_i * (k * size_j + j)
            for n in range(size_i):
                p = place + WIDTH * n
                x[n] = kind(n) + share * flat[p]
                y[n] = kind(j) + share * flat[p + 1]
                z[n] = kind(k) + share * flat[p + 2]
            _read_row(flat, whole, size, size_i, x, y, z, index, u, v, w, target, place)
            if kept != 0:
                for p in range(place, place + WIDTH * size_i):
                    target[p] += kept * flat[p]


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
