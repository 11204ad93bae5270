"""How far a field is from smooth."""

from __future__ import annotations

from torch import Tensor

from DiffusionCore.checks import check_shape


def gradient_penalty(vectors: Tensor, spacing: tuple[float, float, float]) -> Tensor:
    """Return the mean over the voxels of sum_ab (dv_a / dx_b)^2, (B,), of ``vectors`` (B, 3, K, J, I).

    Differences of neighbors, along axes of more than one voxel. ``spacing`` along (i, j, k) has the unit of the
    vectors: both mm, or both voxels; the result has none. Source: Balakrishnan et al., VoxelMorph (IEEE TMI 2019),
    eq. 7, whose mean over the axes and components (a ninth of this, for cubic voxels) is summed here.
    """
    check_shape(vectors, "B 3 K J I", name="vectors")
    total = vectors.new_zeros(len(vectors))
    for axis, step in zip((4, 3, 2), spacing, strict=True):
        if vectors.shape[axis] > 1:
            total = total + (vectors.diff(dim=axis) / step).square().sum(1).mean((1, 2, 3))
    return total
