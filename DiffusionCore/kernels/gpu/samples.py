"""Kernels of the affine registration: an image and its gradient at many points, and joint histograms.

They do for samples what ``affine.sampling`` and ``affine.similarity`` define.
"""

# pyright: reportGeneralTypeIssues=false
import triton
import triton.language as tl

from DiffusionCore.kernels.gpu.cells import BRICK, locate, slope_at, steps_of
from DiffusionCore.kernels.gpu.launching import kernel

SAMPLES = tl.constexpr(64)  # that one step of a histogram takes up
STEPS = tl.constexpr(16)  # of one program
COUNTED = SAMPLES.value * STEPS.value


@triton.jit
def _row(matrix, x, y, z):
    """Return a row (a, b, c, d) of a matrix times points (x, y, z, 1)."""
    return tl.load(matrix) * x + tl.load(matrix + 1) * y + tl.load(matrix + 2) * z + tl.load(matrix + 3)


@triton.jit
def _reaches(x, size):
    return (x >= -0.5) & (x <= size.to(x.dtype) - 0.5)


@kernel
def read(
    image, size_i, size_j, size_k, matrices, points, total, turn, values, gradient, within,
    POSITION: tl.constexpr, KIND: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """Write the trilinear values of ``image`` (K, J, I) at ``total`` points, and what goes with them.

    Args:
        matrices: (C, 3, 4) from points to VOXEL.
        points: (N, 3).
        turn: (3, 3), a gradient per voxel is multiplied by it from the right.
        values, gradient, within: receive (C, N), (C, N, 3), and 1 or 0 (C, N).
    """
    rows = tl.cdiv(total, BRICK)
    transform, number = tl.program_id(0) // rows, tl.program_id(0) % rows * BRICK + tl.arange(0, BRICK)
    exists = number < total
    p = tl.load(points + 3 * number, mask=exists, other=0).to(POSITION)
    q = tl.load(points + 3 * number + 1, mask=exists, other=0).to(POSITION)
    r = tl.load(points + 3 * number + 2, mask=exists, other=0).to(POSITION)
    matrix = matrices + transform * 12
    x, y, z = _row(matrix, p, q, r), _row(matrix + 4, p, q, r), _row(matrix + 8, p, q, r)
    place, u, v, w = locate(x, y, z, size_i, size_j, size_k, KIND, WIDE)
    along_i, along_j, along_k = steps_of(size_i, size_j, size_k, WIDE)
    value, by_u, by_v, by_w = slope_at(image + place, along_i, along_j, along_k, u, v, w, KIND)
    own = transform.to(tl.int64) * total + number
    holds = _reaches(x, size_i) & _reaches(y, size_j) & _reaches(z, size_k)
    tl.store(values + own, value, mask=exists)
    tl.store(within + own, holds.to(KIND), mask=exists)
    for axis in tl.static_range(3):
        way = by_u * tl.load(turn + axis) + by_v * tl.load(turn + 3 + axis) + by_w * tl.load(turn + 6 + axis)
        tl.store(gradient + 3 * own + axis, way, mask=exists)


@triton.jit
def _spline(t):
    """Return the cubic B-spline at ``t``."""
    t = tl.abs(t)
    near, far = 2 / 3 + t * t * (t / 2 - 1), 2 - t
    return tl.where(t < 1, near, tl.where(t < 2, far * far * far / 6, 0))


@kernel
def count(bins, positions, counted, total, joint, BINS: tl.constexpr, KIND: tl.constexpr):
    """Write the joint histogram of a program's samples to ``joint`` (C, programs, BINS, BINS), rows the fixed image.

    ``bins`` (N,) are the fixed samples, ``positions`` (C, N) the moving ones, ``counted`` (C, N) their weights; BINS is
    a power of 2. A histogram is a product of matrices, so that nothing waits for a place to add to.
    """
    programs = tl.cdiv(total, SAMPLES * STEPS)
    transform, first = tl.program_id(0) // programs, tl.program_id(0) % programs * (SAMPLES * STEPS)
    bin_of = tl.arange(0, BINS)
    table = tl.zeros([BINS, BINS], KIND)
    for step in range(STEPS):
        number = first + step * SAMPLES + tl.arange(0, SAMPLES)
        exists = number < total
        own = transform.to(tl.int64) * total + number
        fixed = tl.load(bins + number, mask=exists, other=0)
        where = tl.load(positions + own, mask=exists, other=0)
        weight = tl.load(counted + own, mask=exists, other=0)
        rows = (bin_of[:, None] == fixed[None, :]).to(KIND)
        columns = _spline(where[:, None] - bin_of[None, :].to(KIND)) * weight[:, None]
        table = tl.dot(rows, columns, table, input_precision="ieee", out_dtype=KIND)
    place = tl.program_id(0).to(tl.int64) * BINS * BINS + bin_of[:, None] * BINS + bin_of[None, :]
    tl.store(joint + place, table)


@kernel
def look_up(bins, positions, counted, total, tables, size, slope):
    """Write the derivative by each moving sample to ``slope`` (C, N), where that by the histogram is ``tables``.

    ``tables`` are (C, size, size); the other arguments are those of ``count``.
    """
    rows = tl.cdiv(total, BRICK)
    transform, number = tl.program_id(0) // rows, tl.program_id(0) % rows * BRICK + tl.arange(0, BRICK)
    exists = number < total
    own = transform.to(tl.int64) * total + number
    where = tl.load(positions + own, mask=exists, other=1)
    fixed = tl.load(bins + number, mask=exists, other=0)
    first = tl.minimum(tl.maximum(tl.floor(where), 1), (size - 3).to(where.dtype))
    t = where - first
    s = 1 - t
    table = tables + (transform * size + fixed) * size + first.to(tl.int32) - 1
    change = tl.load(table + 1) * t * (1.5 * t - 2) - tl.load(table) * s * s * 0.5
    change += tl.load(table + 2) * (t * (1 - 1.5 * t) + 0.5) + tl.load(table + 3) * t * t * 0.5
    tl.store(slope + own, change * tl.load(counted + own, mask=exists, other=0), mask=exists)
