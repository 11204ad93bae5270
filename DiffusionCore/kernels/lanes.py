"""Vector instructions of the kernels that read between voxels: eight points at a time, for any processor.

The compiler makes no vector instructions of loops that read from places that are computed. These functions say them in
its own language: two neighbors along i are one load, and all else is done for eight points at once.

The compiler's cache knows a kernel by the file that it stands in: whoever changes this file changes those that import
it, too, or their kernels stay as they were.
"""

# pyright: reportIndexIssue=false, reportCallIssue=false
from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core.imputils import impl_ret_borrowed
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

from DiffusionCore.kernels.vectors import LONG, Lanes

_LAYOUT = types.UniTuple(types.int64, 6)  # see ``read``


@intrinsic
def as_row(typing, array):
    """Return the elements of a contiguous ``array`` as one row; ``ravel`` takes the compiler a tenth of a second."""
    kind = types.Array(array.dtype, 1, "C", readonly=not array.mutable)

    def generate(context, builder, signature, arguments):
        known = context.make_array(array)(context, builder, arguments[0])
        row = context.make_array(kind)(context, builder)
        shape = {"shape": [known.nitems], "strides": [known.itemsize], "itemsize": known.itemsize}
        populate_array(row, data=known.data, **shape, meminfo=known.meminfo, parent=known.parent)
        return impl_ret_borrowed(context, builder, kind, row._getvalue())

    return kind(array), generate


@intrinsic
def fetch(typing, array, place):
    """Have the element ``place`` of an ``array``, or what lies beyond its end, brought near before it is needed."""

    def generate(context, builder, signature, arguments):
        Lanes(context, builder).fetch(signature.args[0], *arguments)
        return context.get_dummy_value()

    return types.void(array, types.int64), generate


@intrinsic
def move(typing, a, b, c, n, matrix, x, y, z):
    """Write where ``matrix`` takes the voxels from ``n`` on of a row, moved by (a, b, c), to x, y, z from ``n`` on.

    ``matrix`` are three times four numbers: what the row begins at, and what is added along i, j and k. The shifts of
    neighbors lie side by side, here and below.
    """

    def generate(context, builder, signature, arguments):
        kinds, lanes = signature.args, Lanes(context, builder)
        n, matrix = arguments[3:5]
        element = context.get_value_type(kinds[5].dtype)
        shifts = [lanes.cast(lanes.load(kinds[axis], arguments[axis], n), element) for axis in range(3)]
        shifts[0] = lanes.add(lanes.number(lanes.from_on(n), element), shifts[0])
        for axis in range(3):
            start, *row = (lanes.spread(builder.extract_value(matrix, 4 * axis + column)) for column in range(4))
            along_i, along_j, along_k = (lanes.times(*pair) for pair in zip(row, shifts, strict=True))
            value = lanes.add(lanes.add(start, along_i), lanes.add(along_j, along_k))
            lanes.store(value, kinds[5 + axis], arguments[5 + axis], n)
        return context.get_dummy_value()

    return types.void(a, b, c, types.int64, types.UniTuple(x.dtype, 12), x, y, z), generate


@intrinsic
def turn(typing, a, b, c, n, matrix, x, y, z):
    """Write the products of ``matrix``, nine numbers row by row, with (a, b, c) to x, y, z; all from ``n`` on."""

    def generate(context, builder, signature, arguments):
        kinds, lanes = signature.args, Lanes(context, builder)
        n, matrix = arguments[3:5]
        vectors = [lanes.load(kinds[axis], arguments[axis], n) for axis in range(3)]
        for axis in range(3):
            row = (lanes.spread(builder.extract_value(matrix, 3 * axis + column)) for column in range(3))
            first, second, third = (lanes.times(*pair) for pair in zip(row, vectors, strict=True))
            lanes.store(lanes.add(lanes.add(first, second), third), kinds[5 + axis], arguments[5 + axis], n)
        return context.get_dummy_value()

    return types.void(a, b, c, types.int64, types.UniTuple(x.dtype, 9), x, y, z), generate


@intrinsic
def locate(typing, x, y, z, place, layout, index, u, v, w):
    """Write the elements at the first corners of the cells of eight points, from ``place`` on, and the ways in them."""

    def generate(context, builder, signature, arguments):
        kinds, lanes = signature.args, Lanes(context, builder)
        place, layout = arguments[3], arguments[4]
        points = [lanes.load(kinds[n], arguments[n], place) for n in range(3)]
        element = context.get_value_type(kinds[6].dtype)
        first, ways = lanes.locate(points, layout, element)
        for n, value in enumerate((first, *ways), 5):
            lanes.store(value, kinds[n], arguments[n], place)
        return context.get_dummy_value()

    return types.void(x, y, z, types.int64, _LAYOUT, index, u, v, w), generate


@intrinsic
def locate_nearest(typing, x, y, z, place, layout, index):
    """Write the elements at the voxels whose cells hold eight points, from ``place`` on, to ``index``."""

    def generate(context, builder, signature, arguments):
        kinds, lanes = signature.args, Lanes(context, builder)
        place, layout, index = arguments[3:]
        points = (lanes.load(kinds[n], arguments[n], place) for n in range(3))
        pairs = zip(points, lanes.sizes(layout, 0, 1, 2), strict=True)
        lanes.store(lanes.index([lanes.nearest(*pair) for pair in pairs], layout), kinds[5], index, place)
        return context.get_dummy_value()

    return types.void(x, y, z, types.int64, _LAYOUT, index), generate


@intrinsic
def read(typing, image, start, x, y, z, place, layout, out, target):
    """Write the values of eight points, from ``place`` of x, y and z on, to ``out`` from ``target`` on.

    The image begins at element ``start``. Its ``layout``: the voxels along i, j and k, the elements of a row (two at
    least), and the elements from a voxel to the next one along j and k, where there is one.
    """

    def generate(context, builder, signature, arguments):
        kinds, lanes = signature.args, Lanes(context, builder)
        image, start, x, y, z, place, layout, out, target = arguments
        element = context.get_value_type(kinds[0].dtype)
        points = [lanes.load(kinds[n], one, place) for n, one in ((2, x), (3, y), (4, z))]
        index, (u, v, w) = lanes.locate(points, layout, element)
        corners = lanes.corners(lanes.element(kinds[0], image, start), index, layout, element)
        a, b, c, d = (lanes.mix(*pair, u) for pair in corners)
        value = lanes.mix(lanes.mix(a, b, v), lanes.mix(c, d, v), w)
        lanes.store(value, kinds[7], out, target)
        return context.get_dummy_value()

    number = types.int64
    return types.void(image, number, x, y, z, number, _LAYOUT, out, number), generate


@intrinsic
def read_slope(typing, image, start, x, y, z, place, layout, above, source, by_i, by_j, by_k):
    """Add the slopes at eight points, times ``above`` from ``source`` on, to ``by_i``, ``by_j``, ``by_k``; as ``read``.

    The slopes of the points from ``place`` on are added from there on, too. Beyond the outer voxels there is none.
    """

    def generate(context, builder, signature, arguments):
        kinds, lanes = signature.args, Lanes(context, builder)
        image, start, x, y, z, place, layout, above, source, *sums = arguments
        element = context.get_value_type(kinds[0].dtype)
        points = [lanes.load(kinds[n], one, place) for n, one in ((2, x), (3, y), (4, z))]
        index, (u, v, w) = lanes.locate(points, layout, element)
        pairs = list(lanes.corners(lanes.element(kinds[0], image, start), index, layout, element))
        rises = [lanes.less(right, left) for left, right in pairs]
        a, b, c, d = (lanes.add(left, lanes.times(u, rise)) for (left, _), rise in zip(pairs, rises, strict=True))
        front, back = lanes.mix(*rises[:2], v), lanes.mix(*rises[2:], v)
        slopes = [
            lanes.mix(front, back, w),
            lanes.mix(lanes.less(b, a), lanes.less(d, c), w),
            lanes.less(lanes.mix(c, d, v), lanes.mix(a, b, v)),
        ]
        share, sizes = lanes.load(kinds[7], above, source), lanes.sizes(layout, 0, 1, 2)
        for axis, (slope, total) in enumerate(zip(slopes, sums, strict=True)):
            slope = lanes.where(lanes.between(points[axis], sizes[axis]), lanes.times(share, slope))
            kind = kinds[9 + axis]
            lanes.store(lanes.add(lanes.load(kind, total, place), slope), kind, total, place)
        return context.get_dummy_value()

    number = types.int64
    return types.void(image, number, x, y, z, number, _LAYOUT, above, number, by_i, by_j, by_k), generate


@intrinsic
def determinant(typing, vectors, place, component, ends, shares, matrix, scale, out, target):
    """Write ``scale`` det(M + D) at eight voxels from element ``place`` on to ``out`` from ``target`` on.

    D are the differences along i, j and k of three components that lie ``component`` elements apart: the elements at
    ``ends``, the lower and the upper one along each axis as seen from a voxel, times ``shares``. M are the nine numbers
    of ``matrix``, row by row.
    """

    def generate(context, builder, signature, arguments):
        kinds, lanes = signature.args, Lanes(context, builder)
        vectors, place, component, ends, shares, matrix, scale, out, target = arguments
        rows = []
        for n in range(3):
            row, start = [], builder.add(place, builder.mul(component, ir.Constant(LONG, n)))
            for axis in range(3):
                low, high = (
                    lanes.load(kinds[0], vectors, builder.add(start, builder.extract_value(ends, 2 * axis + side)))
                    for side in (0, 1)
                )
                share = lanes.spread(builder.extract_value(shares, axis))
                fixed = lanes.spread(builder.extract_value(matrix, 3 * n + axis))
                row.append(lanes.add(fixed, lanes.times(share, lanes.less(high, low))))
            rows.append(row)
        (a, b, c), (d, e, f), (g, h, i) = rows
        first = lanes.times(a, lanes.less(lanes.times(e, i), lanes.times(f, h)))
        second = lanes.times(b, lanes.less(lanes.times(f, g), lanes.times(d, i)))
        third = lanes.times(c, lanes.less(lanes.times(d, h), lanes.times(e, g)))
        value = lanes.times(lanes.spread(scale), lanes.add(first, lanes.add(second, third)))
        lanes.store(value, kinds[7], out, target)
        return context.get_dummy_value()

    real, number = vectors.dtype, types.int64
    numbers = types.UniTuple(number, 6), types.UniTuple(real, 3), types.UniTuple(real, 9), real
    return types.void(vectors, number, number, *numbers, out, number), generate
