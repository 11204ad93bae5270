"""Kernels that read images between their voxels: trilinear and nearest, and the adjoints of the former.

Points come as ``where`` (B, 3, N) of any layout: components (i, j, k), absolute, or with ``LATTICE`` as shifts of the
voxels of a lattice (i, j, k) from its plane ``first`` on; else the lattice is N, 1, 1. If AFFINE, ``matrices`` (3, 4),
``by_matrix`` elements apart, take them to the image. Coordinates are computed in ``POSITION``, the rest in ``KIND``.
Images are (B, C, K, J, I), values (B, C, N), both contiguous.
"""

# pyright: reportGeneralTypeIssues=false
import triton
import triton.language as tl

from DiffusionCore.kernels.gpu.cells import (
    BRICK,
    count_of,
    inside,
    locate,
    offset_of,
    slope_at,
    steps_of,
    value_at,
    voxels_of,
)
from DiffusionCore.kernels.gpu.launching import kernel


@triton.jit
def _points(
    where,
    by_batch,
    by_component,
    by_point,
    lattice_i,
    lattice_j,
    lattice_k,
    first,
    POSITION,
    LATTICE: tl.constexpr,
    WIDE,
):
    """Return the batch of a program, the numbers of its points, which of them exist, and where they are."""
    task = tl.program_id(0)
    if LATTICE:
        batch, i, j, k, exists = voxels_of(task, lattice_i, lattice_j, lattice_k)
        number = offset_of(i, j, k, lattice_i, lattice_j, WIDE)
    else:
        tasks = tl.cdiv(lattice_i, BRICK)
        batch, start = task // tasks, task % tasks
        if WIDE:
            start = start.to(tl.int64)
        number = start * BRICK + tl.arange(0, BRICK)
        exists = number < lattice_i
    point = where + batch.to(tl.int64) * by_batch + number * by_point
    x = tl.load(point, mask=exists, other=0).to(POSITION)
    point += by_component
    y = tl.load(point, mask=exists, other=0).to(POSITION)
    point += by_component  # twice as much may not fit into 32 bits
    z = tl.load(point, mask=exists, other=0).to(POSITION)
    if LATTICE:
        x, y, z = x + i.to(POSITION), y + j.to(POSITION), z + (k + first).to(POSITION)
    return batch.to(tl.int64), number, exists, x, y, z


@triton.jit
def _row(matrix, x, y, z):
    """Return a row (a, b, c, d) of a matrix times points (x, y, z, 1)."""
    return tl.load(matrix) * x + tl.load(matrix + 1) * y + tl.load(matrix + 2) * z + tl.load(matrix + 3)


@triton.jit
def _mapped(batch, x, y, z, matrices, by_matrix, AFFINE: tl.constexpr):
    """Return where the matrix of a ``batch`` takes points."""
    if AFFINE:
        matrix = matrices + batch * by_matrix
        x, y, z = _row(matrix, x, y, z), _row(matrix + 4, x, y, z), _row(matrix + 8, x, y, z)
    return x, y, z


@kernel
def pull(
    where, by_batch, by_component, by_point, lattice_i, lattice_j, lattice_k, first, matrices, by_matrix,
    image, size_i, size_j, size_k, fill, out, total,
    CHANNELS: tl.constexpr, FILLED: tl.constexpr, LATTICE: tl.constexpr, AFFINE: tl.constexpr,
    POSITION: tl.constexpr, KIND: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """Write ``image`` at ``where`` to ``out``, of ``total`` points; beyond the image what ``fill`` has, if FILLED."""
    batch, number, exists, x, y, z = _points(
        where, by_batch, by_component, by_point, lattice_i, lattice_j, lattice_k, first, POSITION, LATTICE, WIDE
    )
    x, y, z = _mapped(batch, x, y, z, matrices, by_matrix, AFFINE)
    place, u, v, w = locate(x, y, z, size_i, size_j, size_k, KIND, WIDE)
    along_i, along_j, along_k = steps_of(size_i, size_j, size_k, WIDE)
    corner = image + batch * CHANNELS * count_of(size_i, size_j, size_k) + place
    target = out + batch * CHANNELS * total + number
    for _ in range(CHANNELS):
        value = value_at(corner, along_i, along_j, along_k, u, v, w, KIND)
        if FILLED:
            value = tl.where(inside(x, y, z, size_i, size_j, size_k), value, tl.load(fill).to(KIND))
        tl.store(target, value, mask=exists)
        corner += count_of(size_i, size_j, size_k)
        target += total


@triton.jit
def _column(matrix, x, y, z):
    """Return a column (a, b, c) of a matrix, whose rows are 4 elements apart, times (x, y, z)."""
    return tl.load(matrix) * x + tl.load(matrix + 4) * y + tl.load(matrix + 8) * z


@triton.jit
def _store_moments(share, slope, x, y, z):
    tl.store(share, tl.sum(slope * x, 0))
    tl.store(share + 1, tl.sum(slope * y, 0))
    tl.store(share + 2, tl.sum(slope * z, 0))
    tl.store(share + 3, tl.sum(slope, 0))


@kernel
def pull_by_where(
    where, by_batch, by_component, by_point, lattice_i, lattice_j, lattice_k, first, matrices, by_matrix,
    image, size_i, size_j, size_k, above, out, total, moments,
    CHANNELS: tl.constexpr, FILLED: tl.constexpr, LATTICE: tl.constexpr, AFFINE: tl.constexpr, MOMENTS: tl.constexpr,
    POSITION: tl.constexpr, KIND: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """Write the derivative by ``where`` to ``out`` (B, 3, N), where that by the values is ``above``.

    With MOMENTS each program writes its share of the derivative by the matrix to ``moments`` (programs, 3, 4).
    """
    batch, number, exists, p, q, r = _points(
        where, by_batch, by_component, by_point, lattice_i, lattice_j, lattice_k, first, POSITION, LATTICE, WIDE
    )
    x, y, z = _mapped(batch, p, q, r, matrices, by_matrix, AFFINE)
    place, u, v, w = locate(x, y, z, size_i, size_j, size_k, KIND, WIDE)
    along_i, along_j, along_k = steps_of(size_i, size_j, size_k, WIDE)
    corner = image + batch * CHANNELS * count_of(size_i, size_j, size_k) + place
    source = above + batch * CHANNELS * total + number
    by_x = tl.zeros([BRICK], KIND)
    by_y, by_z = by_x, by_x
    for _ in range(CHANNELS):
        _, by_u, by_v, by_w = slope_at(corner, along_i, along_j, along_k, u, v, w, KIND)
        g = tl.load(source, mask=exists, other=0).to(KIND)
        by_x += g * by_u
        by_y += g * by_v
        by_z += g * by_w
        corner += count_of(size_i, size_j, size_k)
        source += total
    counts = exists
    if FILLED:
        counts = inside(x, y, z, size_i, size_j, size_k)
    by_x = tl.where(counts & (x > 0) & (x < (size_i - 1).to(POSITION)), by_x, 0)
    by_y = tl.where(counts & (y > 0) & (y < (size_j - 1).to(POSITION)), by_y, 0)
    by_z = tl.where(counts & (z > 0) & (z < (size_k - 1).to(POSITION)), by_z, 0)
    if MOMENTS:
        share = moments + tl.program_id(0).to(tl.int64) * 12
        _store_moments(share, by_x, p, q, r)
        _store_moments(share + 4, by_y, p, q, r)
        _store_moments(share + 8, by_z, p, q, r)
    if AFFINE:
        matrix = matrices + batch * by_matrix
        by_x, by_y, by_z = (
            _column(matrix, by_x, by_y, by_z),
            _column(matrix + 1, by_x, by_y, by_z),
            _column(matrix + 2, by_x, by_y, by_z),
        )
    target = out + batch * 3 * total + number
    tl.store(target, by_x, mask=exists)
    tl.store(target + total, by_y, mask=exists)
    tl.store(target + total + total, by_z, mask=exists)


@triton.jit
def _add(target, value, scale, exists, EXACT: tl.constexpr):
    if EXACT:
        value = value.to(tl.float64) * scale
        value = tl.where(value == value, value, 0).to(tl.int64)  # what is no number makes all of it none later
    tl.atomic_add(target, value, mask=exists, sem="relaxed")


@kernel
def pull_by_image(
    where, by_batch, by_component, by_point, lattice_i, lattice_j, lattice_k, first, matrices, by_matrix,
    above, size_i, size_j, size_k, scale, out, total,
    CHANNELS: tl.constexpr, FILLED: tl.constexpr, LATTICE: tl.constexpr, AFFINE: tl.constexpr, EXACT: tl.constexpr,
    POSITION: tl.constexpr, KIND: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """Add the derivative by the image to ``out``, where that by the values is ``above``.

    Points that meet in a voxel add in any order, which changes the last bits of a sum. Sums of whole numbers are EXACT,
    whatever the order: multiples of 1 / ``scale``.
    """
    batch, number, exists, x, y, z = _points(
        where, by_batch, by_component, by_point, lattice_i, lattice_j, lattice_k, first, POSITION, LATTICE, WIDE
    )
    x, y, z = _mapped(batch, x, y, z, matrices, by_matrix, AFFINE)
    place, u, v, w = locate(x, y, z, size_i, size_j, size_k, KIND, WIDE)
    along_i, along_j, along_k = steps_of(size_i, size_j, size_k, WIDE)
    if FILLED:
        exists = exists & inside(x, y, z, size_i, size_j, size_k)
    units = tl.load(scale)
    corner = out + batch * CHANNELS * count_of(size_i, size_j, size_k) + place
    source = above + batch * CHANNELS * total + number
    for _ in range(CHANNELS):
        g = tl.load(source, mask=exists, other=0).to(KIND)
        far = g * w
        near = g - far
        for edge in tl.static_range(4):
            share = near if edge < 2 else far
            share = share * v if edge % 2 else share - share * v
            voxel = corner + (edge // 2) * along_k + (edge % 2) * along_j
            _add(voxel, share - share * u, units, exists, EXACT)
            _add(voxel + along_i, share * u, units, exists, EXACT)
        corner += count_of(size_i, size_j, size_k)
        source += total


@triton.jit
def _nearest(x, size):
    return tl.minimum(tl.floor(tl.where(x > -0.5, x, -0.5) + 0.5), (size - 1).to(x.dtype)).to(tl.int32)


@kernel
def pull_nearest(
    where, by_batch, by_component, by_point, lattice_i, lattice_j, lattice_k, first, matrices, by_matrix,
    image, size_i, size_j, size_k, fill, out, total,
    CHANNELS: tl.constexpr, FILLED: tl.constexpr, LATTICE: tl.constexpr, AFFINE: tl.constexpr,
    POSITION: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """Write the voxels of ``image`` whose cells hold the points to ``out``, of any type."""
    batch, number, exists, x, y, z = _points(
        where, by_batch, by_component, by_point, lattice_i, lattice_j, lattice_k, first, POSITION, LATTICE, WIDE
    )
    x, y, z = _mapped(batch, x, y, z, matrices, by_matrix, AFFINE)
    place = offset_of(_nearest(x, size_i), _nearest(y, size_j), _nearest(z, size_k), size_i, size_j, WIDE)
    voxel = image + batch * CHANNELS * count_of(size_i, size_j, size_k) + place
    target = out + batch * CHANNELS * total + number
    for _ in range(CHANNELS):
        value = tl.load(voxel)
        if FILLED:
            value = tl.where(inside(x, y, z, size_i, size_j, size_k), value, tl.load(fill))
        tl.store(target, value, mask=exists)
        voxel += count_of(size_i, size_j, size_k)
        target += total
