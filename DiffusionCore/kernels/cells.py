"""Vector instructions of the kernels of ``pixels``: the four channels of a pixel at once, for any processor.

As for ``lanes``: whoever changes this file changes those that import it, too.
"""

# pyright: reportIndexIssue=false, reportCallIssue=false
from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

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
def blend(typing, image, start, steps, u, v, w, out, place):
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
def slopes(typing, image, start, steps, u, v, w, above, place):
    """Return the derivatives by i, j and k of the pixel that ``blend`` reads, times that at ``place`` of ``above``."""

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
def add(typing, out, place, share, above, source):
    """Add ``share`` times the pixel at element ``source`` of ``above`` to that at ``place`` of ``out``."""

    def generate(context, builder, signature, arguments):
        out, place, share, above, source = arguments
        pixels = _Pixels(context, builder, signature.args[0])
        value = pixels.add_times(pixels.load(out, place), pixels.spread(share), pixels.load(above, source))
        pixels.store(value, out, place)
        return context.get_dummy_value()

    return types.void(out, types.int64, out.dtype, above, types.int64), generate
