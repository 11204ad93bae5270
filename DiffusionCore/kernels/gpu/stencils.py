"""Kernels that smooth fields by their neighbors, as ``deformable.smoothing`` defines it.

Beyond the borders a field continues by its border values.
"""

# pyright: reportGeneralTypeIssues=false
import triton
import triton.language as tl

from DiffusionCore.kernels.gpu.cells import brick_of, plane_of
from DiffusionCore.kernels.gpu.launching import kernel


@triton.jit
def _neighbors(source, position, size, step, distance, exists, KIND: tl.constexpr):
    """Return the elements that are ``distance`` below and above ``source`` on an axis of ``size``."""
    below, above = tl.minimum(distance, position), tl.minimum(distance, size - 1 - position)
    lower = tl.load(source - below * step, mask=exists, other=0).to(KIND)
    return lower, tl.load(source + above * step, mask=exists, other=0).to(KIND)


@triton.jit
def _differences(source, count, position, size, step, exists, KIND: tl.constexpr):
    """Return the central differences of three components, one-sided at the borders; 0 along an axis of one voxel."""
    share = 1 / tl.maximum(tl.minimum(position, 1) + tl.minimum(size - 1 - position, 1), 1).to(KIND)
    lower, upper = _neighbors(source, position, size, step, 1, exists, KIND)
    by_x = (upper - lower) * share
    lower, upper = _neighbors(source + count, position, size, step, 1, exists, KIND)
    by_y = (upper - lower) * share
    lower, upper = _neighbors(source + 2 * count, position, size, step, 1, exists, KIND)
    return by_x, by_y, (upper - lower) * share


@kernel
def determine(
    vectors, out, xi, xj, xk, yi, yj, yk, zi, zj, zk, scale, size_i, size_j, size_k,
    KIND: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """Write ``scale`` det(M + D) to ``out`` (K, J, I), D the differences of ``vectors`` (3, K, J, I) along i, j, k.

    The numbers of M have the vectors' components x, y, z as rows, the axes as columns.
    """
    _, i, j, k, exists, count, place = brick_of(size_i, size_j, size_k, WIDE)
    source, plane = vectors + place, plane_of(size_i, size_j, WIDE)
    ax, ay, az = _differences(source, count, i, size_i, 1, exists, KIND)
    bx, by, bz = _differences(source, count, j, size_j, size_i, exists, KIND)
    cx, cy, cz = _differences(source, count, k, size_k, plane, exists, KIND)
    ax, ay, az = ax + xi, ay + yi, az + zi
    bx, by, bz = bx + xj, by + yj, bz + zj
    cx, cy, cz = cx + xk, cy + yk, cz + zk
    total = ax * (by * cz - bz * cy) + ay * (bz * cx - bx * cz) + az * (bx * cy - by * cx)
    tl.store(out + place, scale * total, mask=exists)


@kernel
def convolve(
    field, weights, reach, out, size_i, size_j, size_k,
    AXIS: tl.constexpr, KIND: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """Write ``field`` (N, K, J, I) convolved along AXIS (0: i, 1: j, 2: k) to ``out``.

    ``weights`` are that of the middle and the ``reach`` ones of one side, outwards.
    """
    number, i, j, k, exists, count, place = brick_of(size_i, size_j, size_k, WIDE)
    place += number * count
    position, size, step = i, size_i, 1
    if AXIS == 1:
        position, size, step = j, size_j, size_i
    elif AXIS == 2:
        position, size, step = k, size_k, plane_of(size_i, size_j, WIDE)
    total = tl.load(weights).to(KIND) * tl.load(field + place, mask=exists, other=0).to(KIND)
    for distance in range(1, reach + 1):
        lower, upper = _neighbors(field + place, position, size, step, distance, exists, KIND)
        total += tl.load(weights + distance).to(KIND) * (lower + upper)
    tl.store(out + place, total, mask=exists)


@kernel
def diffuse(
    field, out, along_i, along_j, along_k, size_i, size_j, size_k,
    KIND: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """Write ``field`` (N, K, J, I) plus its second differences along i, j and k times the shares to ``out``."""
    number, i, j, k, exists, count, place = brick_of(size_i, size_j, size_k, WIDE)
    place += number * count
    left, right = _neighbors(field + place, i, size_i, 1, 1, exists, KIND)
    front, back = _neighbors(field + place, j, size_j, size_i, 1, exists, KIND)
    lower, upper = _neighbors(field + place, k, size_k, plane_of(size_i, size_j, WIDE), 1, exists, KIND)
    own = tl.load(field + place, mask=exists, other=0).to(KIND)
    total = own + along_i * (left + right - 2 * own) + along_j * (front + back - 2 * own)
    total += along_k * (lower + upper - 2 * own)
    tl.store(out + place, total, mask=exists)


@kernel
def diverge(
    vectors, out, along_i, along_j, along_k, size_i, size_j, size_k,
    KIND: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """Write the sum of the differences of ``vectors`` (3, K, J, I) times the shares to ``out`` (K, J, I)."""
    _, i, j, k, exists, count, place = brick_of(size_i, size_j, size_k, WIDE)
    left, right = _neighbors(vectors + place, i, size_i, 1, 1, exists, KIND)
    front, back = _neighbors(vectors + count + place, j, size_j, size_i, 1, exists, KIND)
    plane = plane_of(size_i, size_j, WIDE)
    lower, upper = _neighbors(vectors + 2 * count + place, k, size_k, plane, 1, exists, KIND)
    total = along_i * (right - left) + along_j * (back - front) + along_k * (upper - lower)
    tl.store(out + place, total, mask=exists)


@kernel
def climb(
    vectors, change, out, along_i, along_j, along_k, size_i, size_j, size_k,
    KIND: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """Write ``vectors`` (3, K, J, I) plus the differences of ``change`` (K, J, I) times the shares to ``out``."""
    _, i, j, k, exists, count, place = brick_of(size_i, size_j, size_k, WIDE)
    left, right = _neighbors(change + place, i, size_i, 1, 1, exists, KIND)
    front, back = _neighbors(change + place, j, size_j, size_i, 1, exists, KIND)
    lower, upper = _neighbors(change + place, k, size_k, plane_of(size_i, size_j, WIDE), 1, exists, KIND)
    source, target = vectors + place, out + place
    by_i = tl.load(source, mask=exists, other=0).to(KIND) + along_i * (right - left)
    by_j = tl.load(source + count, mask=exists, other=0).to(KIND) + along_j * (back - front)
    by_k = tl.load(source + 2 * count, mask=exists, other=0).to(KIND) + along_k * (upper - lower)
    tl.store(target, by_i, mask=exists)
    tl.store(target + count, by_j, mask=exists)
    tl.store(target + 2 * count, by_k, mask=exists)
