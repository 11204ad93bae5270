"""What kernels share: which voxels are whose, and what an image shows between voxels.

A program works on a brick of voxels: rows of a warp, so that memory is read in whole lines, and a few of them beside
and above each other, as they share the corners of their cells. Offsets have 64 bits where ``WIDE``. ``KIND`` is the
type that is computed in: double precision for doubles, else single.
"""

# pyright: reportGeneralTypeIssues=false
from collections.abc import Sequence

import triton
import triton.language as tl

BRICK_I, BRICK_J, BRICK_K = tl.constexpr(32), tl.constexpr(4), tl.constexpr(2)
BRICK = tl.constexpr(BRICK_I.value * BRICK_J.value * BRICK_K.value)


def bricks(shape: Sequence[int]) -> int:
    """Return how many bricks hold the voxels of images of ``shape`` (N, ..., K, J, I); channels share them."""
    k, j, i = shape[-3:]
    return shape[0] * -(-k // BRICK_K.value) * -(-j // BRICK_J.value) * -(-i // BRICK_I.value)


def rows(batch: int, points: int) -> int:
    """Return how many programs read ``points`` for each of a ``batch``."""
    return batch * -(-points // BRICK.value)


@triton.jit
def voxels_of(task, size_i, size_j, size_k):
    """Return the image of a ``task``, i, j, k of the voxels of its brick, and which of them exist."""
    n = tl.arange(0, BRICK)
    across, down = tl.cdiv(size_i, BRICK_I), tl.cdiv(size_j, BRICK_J)
    i = task % across * BRICK_I + n % BRICK_I
    task = task // across
    j = task % down * BRICK_J + n // BRICK_I % BRICK_J
    task = task // down
    deep = tl.cdiv(size_k, BRICK_K)
    k = task % deep * BRICK_K + n // (BRICK_I * BRICK_J)
    return task // deep, i, j, k, (i < size_i) & (j < size_j) & (k < size_k)


@triton.jit
def offset_of(i, j, k, size_i, size_j, WIDE: tl.constexpr):
    """Return the elements from the first voxel of an image to the voxels i, j, k."""
    if WIDE:
        k = k.to(tl.int64)
    return (k * size_j + j) * size_i + i


@triton.jit
def count_of(size_i, size_j, size_k):
    """Return the voxels of an image; 64 bits, so that what is counted from it has them too."""
    return size_i.to(tl.int64) * size_j * size_k


@triton.jit
def brick_of(size_i, size_j, size_k, WIDE: tl.constexpr):
    """Return where a program works on images of (K, J, I).

    The number of its image, i, j, k of its voxels, which of them exist, the voxels of an image, and the elements from
    the first voxel of an image to its own.
    """
    number, i, j, k, exists = voxels_of(tl.program_id(0), size_i, size_j, size_k)
    return number, i, j, k, exists, count_of(size_i, size_j, size_k), offset_of(i, j, k, size_i, size_j, WIDE)


@triton.jit
def plane_of(size_i, size_j, WIDE: tl.constexpr):
    """Return the elements to the next plane."""
    if WIDE:
        size_i = size_i.to(tl.int64)
    return size_i * size_j


@triton.jit
def steps_of(size_i, size_j, size_k, WIDE: tl.constexpr):
    """Return the elements to the next voxel along i, j and k; an axis of one voxel has no next one."""
    plane = plane_of(size_i, size_j, WIDE)
    return tl.minimum(size_i - 1, 1), size_i * tl.minimum(size_j - 1, 1), plane * tl.minimum(size_k - 1, 1)


@triton.jit
def _cell(x, size, KIND: tl.constexpr):
    """Return the first voxel of the cell of ``x``, and the place in the cell; what is no number is in the first."""
    x = tl.minimum(tl.where(x > 0, x, 0), (size - 1).to(x.dtype))
    first = tl.minimum(x.to(tl.int32), tl.maximum(size - 2, 0))
    return first, (x - first.to(x.dtype)).to(KIND)


@triton.jit
def locate(x, y, z, size_i, size_j, size_k, KIND: tl.constexpr, WIDE: tl.constexpr):
    """Return the offsets of the first corners of the cells of points, and the places u, v, w in the cells.

    What is outside is moved to the outer voxels, so that there is a cell for any point.
    """
    i, u = _cell(x, size_i, KIND)
    j, v = _cell(y, size_j, KIND)
    k, w = _cell(z, size_k, KIND)
    return offset_of(i, j, k, size_i, size_j, WIDE), u, v, w


@triton.jit
def _holds(x, size):
    return (x >= -0.5) & (x < size.to(x.dtype) - 0.5)


@triton.jit
def inside(x, y, z, size_i, size_j, size_k):
    """Return whether points lie in the cells of an image."""
    return _holds(x, size_i) & _holds(y, size_j) & _holds(z, size_k)


@triton.jit
def edges(corner, along_i, along_j, along_k, u, KIND: tl.constexpr):
    """Return the four edges along i of cells whose first ``corner`` is given: a value at u and the difference of each.

    They are the edge of the corner, the next along j, the next along k, and the next along both.
    """
    a, b = tl.load(corner).to(KIND), tl.load(corner + along_j).to(KIND)
    c, d = tl.load(corner + along_k).to(KIND), tl.load(corner + along_k + along_j).to(KIND)
    by_a = tl.load(corner + along_i).to(KIND) - a
    by_b = tl.load(corner + along_j + along_i).to(KIND) - b
    by_c = tl.load(corner + along_k + along_i).to(KIND) - c
    by_d = tl.load(corner + along_k + along_j + along_i).to(KIND) - d
    return a + u * by_a, b + u * by_b, c + u * by_c, d + u * by_d, by_a, by_b, by_c, by_d


@triton.jit
def value_at(corner, along_i, along_j, along_k, u, v, w, KIND: tl.constexpr):
    """Return the trilinear values at u, v, w in cells."""
    a, b, c, d, _, _, _, _ = edges(corner, along_i, along_j, along_k, u, KIND)
    a += v * (b - a)
    c += v * (d - c)
    return a + w * (c - a)


@triton.jit
def slope_at(corner, along_i, along_j, along_k, u, v, w, KIND: tl.constexpr):
    """Return the trilinear values at u, v, w in cells and their derivatives by u, v and w."""
    a, b, c, d, by_a, by_b, by_c, by_d = edges(corner, along_i, along_j, along_k, u, KIND)
    front, back = by_a + v * (by_b - by_a), by_c + v * (by_d - by_c)
    near, far = a + v * (b - a), c + v * (d - c)
    by_v = (b - a) + w * ((d - c) - (b - a))
    return near + w * (far - near), front + w * (back - front), by_v, far - near
