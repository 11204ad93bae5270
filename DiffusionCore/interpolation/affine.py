"""Pull along a grid: an image at the voxels of another grid, moved by shifts and a matrix, in one pass."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from DiffusionCore.checks import check_shape
from DiffusionCore.interpolation.pull import Interpolation, pull
from DiffusionCore.kernels import kernel_for


def pull_affine(
    image: Tensor,
    matrices: Tensor,
    shape: Sequence[int],
    shifts: Tensor | None = None,
    *,
    first: int = 0,
    interpolation: Interpolation = Interpolation.LINEAR,
    fill: float | None = 0.0,
) -> Tensor:
    """Return ``image`` (B, C, K, J, I) at M (x + u(x)) for the voxels x of a grid of ``shape`` (K', J', I').

    As ``pull`` at these points, which kernels never write down: (B, C, K', J', I'). LINEAR is differentiable in the
    image, the matrices and the shifts.

    Args:
        image: as for ``pull``.
        matrices: the M, (1 or B, 3, 4), from voxels of the grid to VOXEL points of the image. The points are computed
            in their precision.
        shape: of the grid, or of a slab of it.
        shifts: the u, (B, 3, K', J', I'), voxels of the grid along (i, j, k); None leaves the voxels where they are.
        first: the number of the slab's first plane in the grid.
        interpolation, fill: as for ``pull``.

    Raises:
        TypeError: LINEAR was asked for an image that is not of floating point.
        ValueError: the shapes do not fit.
    """
    check_shape(image, "B C K J I", name="image")
    check_shape(matrices, "M 3 4", name="matrices")
    if shifts is None:
        shifts = matrices.new_zeros(()).expand(len(image), 3, *shape)
    check_shape(shifts, f"{len(image)} 3 {' '.join(map(str, shape))}", name="shifts")
    if len(matrices) not in (1, len(image)):
        raise ValueError(f"There must be 1 matrix or one per image, {len(image)}, got {len(matrices)}")
    if interpolation is Interpolation.NEAREST:
        if (kernel := kernel_for("pull_nearest_affine", matrices, shifts)) and image.device == matrices.device:
            return kernel(image, matrices, shifts, first, fill)
    elif kernel := kernel_for("pull_affine", image, matrices, shifts):
        return kernel(image, matrices, shifts, first, fill)
    axes = (torch.arange(n, dtype=matrices.dtype, device=matrices.device) for n in shape)
    k, j, i = torch.meshgrid(*axes, indexing="ij")
    moved = (torch.stack([i, j, k + first]) + shifts).flatten(2)
    points = matrices[:, :, :3] @ moved + matrices[:, :, 3:]
    return pull(image, points.unflatten(2, tuple(shape)).movedim(1, -1), interpolation=interpolation, fill=fill)
