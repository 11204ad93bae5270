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
from numba.extending import intrinsic

LANES = 8
_INT, _LONG = ir.IntType(32), ir.IntType(64)
_LAYOUT = types.UniTuple(types.int64, 6)  # see ``read``


class _Lanes:
    """Writes instructions for eight numbers at once."""

    def __init__(self, context, builder) -> None:
        self.context, self.builder = context, builder

    def element(self, kind, array, place):
        """Return a pointer to the element ``place`` of an ``array`` of the numba type ``kind``."""
        data = self.context.make_array(kind)(self.context, self.builder, array).data
        return self.builder.gep(data, [place])

    def load(self, kind, array, place):
        vector = ir.VectorType(self.context.get_value_type(kind.dtype), LANES)
        pointer = self.builder.bitcast(self.element(kind, array, place), vector.as_pointer())
        return self.builder.load(pointer, align=kind.dtype.bitwidth // 8)

    def store(self, value, kind, array, place) -> None:
        pointer = self.builder.bitcast(self.element(kind, array, place), value.type.as_pointer())
        self.builder.store(value, pointer, align=kind.dtype.bitwidth // 8)

    def spread(self, number):
        nothing = ir.Constant(ir.VectorType(number.type, LANES), ir.Undefined)
        one = self.builder.insert_element(nothing, number, ir.Constant(_INT, 0))
        return self.builder.shuffle_vector(one, nothing, ir.Constant(ir.VectorType(_INT, LANES), [0] * LANES))

    def add(self, a, b):
        return self.builder.fadd(a, b, flags=["contract"])

    def less(self, a, b):
        return self.builder.fsub(a, b, flags=["contract"])

    def times(self, a, b):
        return self.builder.fmul(a, b, flags=["contract"])

    def mix(self, a, b, share):
        return self.add(a, self.times(share, self.less(b, a)))

    def number(self, value, element):
        """Return integers, one or eight, as numbers of the type ``element``."""
        many = isinstance(value.type, ir.VectorType)
        return self.builder.sitofp(value, ir.VectorType(element, LANES) if many else element)

    def split(self, places, size, element):
        """Return the first voxels of the cells of ``places`` along an axis of ``size`` voxels, and the ways in them.

        What is outside is moved to the outer voxels; what is no number, to the first one.
        """
        builder, own = self.builder, places.type.element
        size = builder.trunc(size, _INT)
        zero = ir.Constant(places.type, [0.0] * LANES)
        top = self.spread(self.number(builder.sub(size, ir.Constant(_INT, 1)), own))
        before = builder.sub(size, ir.Constant(_INT, 2))
        none = ir.Constant(_INT, 0)
        last = self.spread(builder.select(builder.icmp_signed(">", before, none), before, none))
        places = builder.select(builder.fcmp_ordered(">", places, zero), places, zero)
        places = builder.select(builder.fcmp_ordered("<", places, top), places, top)
        cell = builder.fptosi(places, ir.VectorType(_INT, LANES))
        cell = builder.select(builder.icmp_signed("<", cell, last), cell, last)
        way = self.less(places, self.number(cell, own))
        if own != element:
            cast = builder.fptrunc if own == ir.DoubleType() else builder.fpext
            way = cast(way, ir.VectorType(element, LANES))
        return cell, way

    def locate(self, points, layout, element):
        """Return the elements at the first corners of the cells of eight ``points``, and three ways in the cells."""
        builder = self.builder
        parts = [self.split(place, builder.extract_value(layout, n), element) for n, place in enumerate(points)]
        (i, u), (j, v), (k, w) = parts
        rows = self.spread(builder.trunc(builder.extract_value(layout, 1), _INT))
        row = self.spread(builder.trunc(builder.extract_value(layout, 3), _INT))
        index = builder.add(builder.mul(builder.add(builder.mul(k, rows), j), row), i)
        return index, (u, v, w)

    def corners(self, pointer, index, layout, element):
        """Return the values at the corners of eight cells, as four pairs: first, along j, along k, along both."""
        builder = self.builder
        index = [builder.zext(builder.extract_element(index, ir.Constant(_INT, n)), _LONG) for n in range(LANES)]
        along_j, along_k = builder.extract_value(layout, 4), builder.extract_value(layout, 5)
        pair = ir.VectorType(element, 2).as_pointer()
        size = 4 if element == ir.FloatType() else 8
        for step in (None, along_j, along_k, builder.add(along_j, along_k)):
            start = pointer if step is None else builder.gep(pointer, [step])
            parts = [builder.load(builder.bitcast(builder.gep(start, [n]), pair), align=size) for n in index]
            while len(parts) > 1:
                parts = [self._pick(*parts[n : n + 2], 0, 1) for n in range(0, len(parts), 2)]
            yield self._pick(parts[0], parts[0], 0, 2, LANES), self._pick(parts[0], parts[0], 1, 2, LANES)

    def _pick(self, one, other, start, step, count=None):
        """Return every ``step``-th element of both vectors from ``start`` on."""
        count = 2 * one.type.count if count is None else count
        chosen = ir.Constant(ir.VectorType(_INT, count), [start + step * n for n in range(count)])
        return self.builder.shuffle_vector(one, other, chosen)


@intrinsic
def locate(typing, x, y, z, place, layout, index, u, v, w):
    """Write the elements at the first corners of the cells of eight points, from ``place`` on, and the ways in them."""

    def generate(context, builder, signature, arguments):
        kinds, lanes = signature.args, _Lanes(context, builder)
        place, layout = arguments[3], arguments[4]
        points = [lanes.load(kinds[n], arguments[n], place) for n in range(3)]
        element = context.get_value_type(kinds[6].dtype)
        first, ways = lanes.locate(points, layout, element)
        for n, value in enumerate((first, *ways), 5):
            lanes.store(value, kinds[n], arguments[n], place)
        return context.get_dummy_value()

    return types.void(x, y, z, types.int64, _LAYOUT, index, u, v, w), generate


@intrinsic
def read(typing, image, start, x, y, z, place, layout, out, target):
    """Write the values of eight points, from ``place`` of x, y and z on, to ``out`` from ``target`` on.

    The image begins at element ``start``. Its ``layout``: the voxels along i, j and k, the elements of a row (two at
    least), and the elements from a voxel to the next one along j and k, where there is one.
    """

    def generate(context, builder, signature, arguments):
        kinds, lanes = signature.args, _Lanes(context, builder)
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

    The slopes of the points from ``place`` on are added from there on, too.
    """

    def generate(context, builder, signature, arguments):
        kinds, lanes = signature.args, _Lanes(context, builder)
        image, start, x, y, z, place, layout, above, source, *sums = arguments
        element = context.get_value_type(kinds[0].dtype)
        points = [lanes.load(kinds[n], one, place) for n, one in ((2, x), (3, y), (4, z))]
        index, (u, v, w) = lanes.locate(points, layout, element)
        pairs = list(lanes.corners(lanes.element(kinds[0], image, start), index, layout, element))
        rises = [lanes.less(right, left) for left, right in pairs]
        a, b, c, d = (lanes.add(left, lanes.times(u, rise)) for (left, _), rise in zip(pairs, rises, strict=True))
        front, back = lanes.mix(*rises[:2], v), lanes.mix(*rises[2:], v)
        slopes = (
            lanes.mix(front, back, w),
            lanes.mix(lanes.less(b, a), lanes.less(d, c), w),
            lanes.less(lanes.mix(c, d, v), lanes.mix(a, b, v)),
        )
        share = lanes.load(kinds[7], above, source)
        for n, (slope, total) in enumerate(zip(slopes, sums, strict=True), 9):
            lanes.store(
                lanes.add(lanes.load(kinds[n], total, place), lanes.times(share, slope)), kinds[n], total, place
            )
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
        kinds, lanes = signature.args, _Lanes(context, builder)
        vectors, place, component, ends, shares, matrix, scale, out, target = arguments
        rows = []
        for n in range(3):
            row, start = [], builder.add(place, builder.mul(component, ir.Constant(_LONG, n)))
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
