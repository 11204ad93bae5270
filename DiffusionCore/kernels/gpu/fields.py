"""Kernels of fields of shifts (B, 3, K, J, I), in voxels along (i, j, k): following them, and refining their grid."""

# pyright: reportGeneralTypeIssues=false
import triton
import triton.language as tl

from DiffusionCore.kernels.gpu.cells import brick_of, count_of, locate, steps_of, value_at
from DiffusionCore.kernels.gpu.launching import kernel


@kernel
def follow(
    field, out, size_i, size_j, size_k, share, kept,
    POSITION: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """Write ``kept`` * f(x) + f(x + ``share`` * f(x)) of ``field`` to ``out``."""
    batch, i, j, k, exists, count, place = brick_of(size_i, size_j, size_k, WIDE)
    first = batch * 3 * count
    own = first + place
    x = tl.load(field + own, mask=exists, other=0).to(POSITION)
    y = tl.load(field + own + count, mask=exists, other=0).to(POSITION)
    z = tl.load(field + own + 2 * count, mask=exists, other=0).to(POSITION)
    there, u, v, w = locate(
        i.to(POSITION) + share * x, j.to(POSITION) + share * y, k.to(POSITION) + share * z,
        size_i, size_j, size_k, POSITION, WIDE,
    )  # fmt: skip
    along_i, along_j, along_k = steps_of(size_i, size_j, size_k, WIDE)
    corner, target = field + first + there, out + own
    by_x = value_at(corner, along_i, along_j, along_k, u, v, w, POSITION)
    by_y = value_at(corner + count, along_i, along_j, along_k, u, v, w, POSITION)
    by_z = value_at(corner + 2 * count, along_i, along_j, along_k, u, v, w, POSITION)
    tl.store(target, (kept * x + by_x), mask=exists)
    tl.store(target + count, (kept * y + by_y), mask=exists)
    tl.store(target + 2 * count, (kept * z + by_z), mask=exists)


@triton.jit
def _between(n, coarse, fine, POSITION: tl.constexpr):
    """Return where the centers of ``fine`` voxels lie among ``coarse`` ones of the same borders."""
    return (n.to(POSITION) + 0.5) * (coarse.to(POSITION) / fine.to(POSITION)) - 0.5


@kernel
def stretch(
    shifts, coarse_i, coarse_j, coarse_k, out, size_i, size_j, size_k,
    POSITION: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """Write where ``shifts`` (B, 3, K', J', I') take the voxels of a grid of (K, J, I) to ``out`` (B, 3, K, J, I)."""
    batch, i, j, k, exists, count, place = brick_of(size_i, size_j, size_k, WIDE)
    there, u, v, w = locate(
        _between(i, coarse_i, size_i, POSITION), _between(j, coarse_j, size_j, POSITION),
        _between(k, coarse_k, size_k, POSITION), coarse_i, coarse_j, coarse_k, POSITION, WIDE,
    )  # fmt: skip
    along_i, along_j, along_k = steps_of(coarse_i, coarse_j, coarse_k, WIDE)
    coarse = count_of(coarse_i, coarse_j, coarse_k)
    corner = shifts + batch * 3 * coarse + there
    target = out + batch * 3 * count + place
    by_x = value_at(corner, along_i, along_j, along_k, u, v, w, POSITION)
    by_y = value_at(corner + coarse, along_i, along_j, along_k, u, v, w, POSITION)
    by_z = value_at(corner + 2 * coarse, along_i, along_j, along_k, u, v, w, POSITION)
    by_x = i.to(POSITION) + by_x * (size_i.to(POSITION) / coarse_i.to(POSITION))
    by_y = j.to(POSITION) + by_y * (size_j.to(POSITION) / coarse_j.to(POSITION))
    by_z = k.to(POSITION) + by_z * (size_k.to(POSITION) / coarse_k.to(POSITION))
    tl.store(target, by_x, mask=exists)
    tl.store(target + count, by_y, mask=exists)
    tl.store(target + 2 * count, by_z, mask=exists)
