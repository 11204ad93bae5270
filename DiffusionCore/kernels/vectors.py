"""Instructions for eight numbers at once, in the compiler's own language: what ``lanes`` is written in.

As for ``lanes``: whoever changes this file changes those that import it, too, and those that import these.
"""

# pyright: reportIndexIssue=false, reportCallIssue=false
from __future__ import annotations

from llvmlite import ir

LANES = 8
INT, LONG = ir.IntType(32), ir.IntType(64)


class Lanes:
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

    def fetch(self, kind, array, place) -> None:
        byte, how = ir.IntType(8).as_pointer(), [ir.Constant(INT, n) for n in (0, 3, 1)]  # to be read, soon, data
        known = self.builder.module.globals.get("llvm.prefetch.p0")
        kinds = ir.FunctionType(ir.VoidType(), [byte, INT, INT, INT])
        prefetch = known or ir.Function(self.builder.module, kinds, "llvm.prefetch.p0")
        self.builder.call(prefetch, [self.builder.bitcast(self.element(kind, array, place), byte), *how])

    def store(self, value, kind, array, place) -> None:
        pointer = self.builder.bitcast(self.element(kind, array, place), value.type.as_pointer())
        self.builder.store(value, pointer, align=kind.dtype.bitwidth // 8)

    def spread(self, number):
        nothing = ir.Constant(ir.VectorType(number.type, LANES), ir.Undefined)
        one = self.builder.insert_element(nothing, number, ir.Constant(INT, 0))
        return self.builder.shuffle_vector(one, nothing, ir.Constant(ir.VectorType(INT, LANES), [0] * LANES))

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

    def cast(self, numbers, element):
        """Return eight ``numbers`` in the type ``element``."""
        if numbers.type.element == element:
            return numbers
        cast = self.builder.fpext if element == ir.DoubleType() else self.builder.fptrunc
        return cast(numbers, ir.VectorType(element, LANES))

    def from_on(self, first):
        """Return the integers from ``first`` on."""
        steps = ir.Constant(ir.VectorType(INT, LANES), list(range(LANES)))
        return self.builder.add(self.spread(self.builder.trunc(first, INT)), steps)

    def where(self, chosen, numbers):
        """Return ``numbers`` where they are ``chosen``, else 0."""
        return self.builder.select(chosen, numbers, ir.Constant(numbers.type, [0.0] * LANES))

    def ends(self, size, kind):
        """Return the first and the last place on an axis of ``size`` voxels, of the type ``kind``."""
        last = self.builder.sub(size, ir.Constant(INT, 1))
        return ir.Constant(kind, [0.0] * LANES), self.spread(self.number(last, kind.element))

    def between(self, places, size):
        """Return which ``places`` lie between the outer voxels of an axis of ``size`` voxels."""
        first, last = self.ends(size, places.type)
        above, below = self.builder.fcmp_ordered(">", places, first), self.builder.fcmp_ordered("<", places, last)
        return self.builder.and_(above, below)

    def within(self, places, size):
        """Return ``places`` on an axis of ``size`` voxels; outer ones at the outer voxels, no numbers at the first."""
        builder = self.builder
        zero, top = self.ends(size, places.type)
        places = builder.select(builder.fcmp_ordered(">", places, zero), places, zero)
        return builder.select(builder.fcmp_ordered("<", places, top), places, top)

    def split(self, places, size, element):
        """Return the first voxels of the cells of ``places`` along an axis of ``size`` voxels, and the ways in them."""
        builder = self.builder
        before = builder.sub(size, ir.Constant(INT, 2))
        none = ir.Constant(INT, 0)
        last = self.spread(builder.select(builder.icmp_signed(">", before, none), before, none))
        places = self.within(places, size)
        cell = builder.fptosi(places, ir.VectorType(INT, LANES))
        cell = builder.select(builder.icmp_signed("<", cell, last), cell, last)
        way = self.less(places, self.number(cell, places.type.element))
        return cell, self.cast(way, element)

    def nearest(self, places, size):
        """Return the voxels whose cells hold ``places`` along an axis of ``size`` voxels."""
        half = ir.Constant(places.type, [0.5] * LANES)
        return self.builder.fptosi(self.add(self.within(places, size), half), ir.VectorType(INT, LANES))

    def index(self, voxels, layout):
        """Return the elements of an image of this ``layout`` at ``voxels`` (i, j, k)."""
        i, j, k = voxels
        rows, row = (self.spread(size) for size in self.sizes(layout, 1, 3))
        return self.builder.add(self.builder.mul(self.builder.add(self.builder.mul(k, rows), j), row), i)

    def sizes(self, layout, *places):
        return [self.builder.trunc(self.builder.extract_value(layout, n), INT) for n in places]

    def locate(self, points, layout, element):
        """Return the elements at the first corners of the cells of eight ``points``, and three ways in the cells."""
        sizes = self.sizes(layout, 0, 1, 2)
        cells, ways = zip(*(self.split(*pair, element) for pair in zip(points, sizes, strict=True)), strict=True)
        return self.index(cells, layout), ways

    def corners(self, pointer, index, layout, element):
        """Return the values at the corners of eight cells, as four pairs: first, along j, along k, along both."""
        builder = self.builder
        index = [builder.zext(builder.extract_element(index, ir.Constant(INT, n)), LONG) for n in range(LANES)]
        along_j, along_k = builder.extract_value(layout, 4), builder.extract_value(layout, 5)
        pair = ir.VectorType(element, 2).as_pointer()
        size = 4 if element == ir.FloatType() else 8
        for step in (None, along_j, along_k, builder.add(along_j, along_k)):
            start = pointer if step is None else builder.gep(pointer, [step])
            parts = [builder.load(builder.bitcast(builder.gep(start, [n]), pair), align=size) for n in index]
            first, second, third, fourth = (self._join(*parts[n : n + 2]) for n in range(0, LANES, 2))
            even, odd = self._join(first, third), self._join(second, fourth)
            # so that each half of a register keeps its lanes: one instruction
            chosen = [n for half in (0, 4) for whole in (0, LANES) for n in (whole + half, whole + half + 2)]
            yield tuple(self._pick(even, odd, [n + side for n in chosen]) for side in (0, 1))

    def _join(self, one, other):
        return self._pick(one, other, range(2 * one.type.count))

    def _pick(self, one, other, chosen):
        """Return the elements of both vectors, one after the other, whose numbers are ``chosen``."""
        chosen = list(chosen)
        numbers = ir.Constant(ir.VectorType(INT, len(chosen)), chosen)
        return self.builder.shuffle_vector(one, other, numbers)
