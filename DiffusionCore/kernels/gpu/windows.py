"""Kernels of the squared local correlation (``losses.local_correlation`` has the formula).

Sums over cubes are made along i, then j, then k; products are made where the first sum reads, and what the sums are for
where the last one ends. There are no running sums: a value depends on nothing but its cube. Beyond the borders is
nothing, as cubes are cut there.
"""

# pyright: reportGeneralTypeIssues=false
import triton
import triton.language as tl

from DiffusionCore.kernels.gpu.cells import brick_of, plane_of
from DiffusionCore.kernels.gpu.launching import kernel


@triton.jit
def _sum(source, position, size, step, exists, WIDTH: tl.constexpr, KIND: tl.constexpr):
    """Return the sums of the WIDTH elements about ``source``, ``step`` apart, that are within an axis of ``size``."""
    total = tl.zeros(exists.shape, KIND)
    for n in range(WIDTH):
        away = n - WIDTH // 2
        there = exists & (position + away >= 0) & (position + away < size)
        total += tl.load(source + away * step, mask=there, other=0).to(KIND)
    return total


@kernel
def sum_products(
    image, reference, out, size_i, size_j, size_k,
    WIDTH: tl.constexpr, KIND: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """Write the sums along i of ``image``, its square, and it times ``reference`` (B, K, J, I) to ``out`` (B, 3)."""
    batch, i, _j, _k, exists, count, place = brick_of(size_i, size_j, size_k, WIDE)
    own = tl.zeros(exists.shape, KIND)
    square, cross = own, own
    for n in range(WIDTH):
        away = n - WIDTH // 2
        there = exists & (i + away >= 0) & (i + away < size_i)
        one = tl.load(image + batch * count + place + away, mask=there, other=0).to(KIND)
        own += one
        square += one * one
        cross += one * tl.load(reference + batch * count + place + away, mask=there, other=0).to(KIND)
    target = out + batch * 3 * count + place
    tl.store(target, own, mask=exists)
    tl.store(target + count, square, mask=exists)
    tl.store(target + 2 * count, cross, mask=exists)


@kernel
def sum_along(
    source, out, size_i, size_j, size_k,
    AXIS: tl.constexpr, WIDTH: tl.constexpr, KIND: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """Write the sums of ``source`` (N, K, J, I) along AXIS (0: i, 1: j) to ``out``."""
    number, i, j, _k, exists, count, place = brick_of(size_i, size_j, size_k, WIDE)
    place += number * count
    if AXIS == 0:
        total = _sum(source + place, i, size_i, 1, exists, WIDTH, KIND)
    else:
        total = _sum(source + place, j, size_j, size_i, exists, WIDTH, KIND)
    tl.store(out + place, total, mask=exists)


@kernel
def correlate(
    sums, mean, variance, weights, by_weight, share, floor, value, parts, size_i, size_j, size_k,
    SLOPE: tl.constexpr, WIDTH: tl.constexpr, KIND: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """Write what the squared local correlation and its slope are made of, from ``sums`` (B, 3, ...) along i and j.

    Args:
        mean, variance: of the cubes of the reference, (B, K, J, I).
        weights: of the centers; those of the next image are ``by_weight`` elements further.
        share: 1 / voxels in each cube, (K, J, I).
        floor: added to the variances of the image.
        value: receives the weighted sum of each program.
        parts: with SLOPE, receives a, b and a Jbar + b Ibar of the formula (B, 3, K, J, I).
    """
    batch, _i, _j, k, exists, count, place = brick_of(size_i, size_j, size_k, WIDE)
    plane = plane_of(size_i, size_j, WIDE)
    source = sums + batch * 3 * count + place
    portion = tl.load(share + place, mask=exists, other=0).to(KIND)
    own = portion * _sum(source, k, size_k, plane, exists, WIDTH, KIND)
    square = portion * _sum(source + count, k, size_k, plane, exists, WIDTH, KIND)
    cross = portion * _sum(source + 2 * count, k, size_k, plane, exists, WIDTH, KIND)
    known = tl.load(mean + batch * count + place, mask=exists, other=0).to(KIND)
    spread = tl.maximum(square - own * own, 0) + floor
    cross -= own * known
    both = spread * tl.load(variance + batch * count + place, mask=exists, other=1).to(KIND)
    ratio = cross / both * tl.load(weights + batch.to(tl.int64) * by_weight + place, mask=exists, other=0).to(KIND)
    tl.store(value + tl.program_id(0), tl.sum(cross * ratio, 0))
    if SLOPE:
        a = 2 * portion * ratio
        b = -a * cross / spread
        target = parts + batch * 3 * count + place
        tl.store(target, a, mask=exists)
        tl.store(target + count, b, mask=exists)
        tl.store(target + 2 * count, a * known + b * own, mask=exists)


@kernel
def derive(
    sums, image, reference, out, size_i, size_j, size_k,
    WIDTH: tl.constexpr, KIND: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """Write the slope by ``image`` to ``out`` (B, K, J, I), from ``sums`` (B, 3, ...) along i and j of the parts."""
    batch, _i, _j, k, exists, count, place = brick_of(size_i, size_j, size_k, WIDE)
    plane = plane_of(size_i, size_j, WIDE)
    source, own = sums + batch * 3 * count + place, batch * count + place
    slope = tl.load(reference + own, mask=exists, other=0) * _sum(source, k, size_k, plane, exists, WIDTH, KIND)
    slope += tl.load(image + own, mask=exists, other=0) * _sum(source + count, k, size_k, plane, exists, WIDTH, KIND)
    slope -= _sum(source + 2 * count, k, size_k, plane, exists, WIDTH, KIND)
    tl.store(out + own, slope, mask=exists)
