"""A velocity whose exponential, as it is discretized, does not fold."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import adaptive_max_pool3d, max_pool3d

from DiffusionCore.deformable.levels import Level
from DiffusionCore.deformable.smoothing import gaussian
from DiffusionCore.transforms.folding import folded_cells

_PATIENCE = 3  # attempts before the region grows


def unfolded(level: Level, vectors: Tensor) -> Tensor:
    """Return ``vectors`` (3, K, J, I), a velocity of ``level``, smoothed about the cells where its exponential folds.

    A flow never folds, but its exponential on a grid does where it is steep. Attempt after attempt smooths a little;
    the region grows by a voxel to each side every few attempts, so that in the end it would hold everything.
    """
    attempt = 0
    while bool((folded := folded_cells(level.leave(vectors).displacement)).any()):
        reach = 1 + attempt // _PATIENCE
        attempt += 1
        near = adaptive_max_pool3d(folded[None, None].to(vectors), vectors.shape[1:])
        near = max_pool3d(near, 2 * reach + 1, stride=1, padding=reach)[0]
        share = gaussian(near, level.nominal / 2, level.spacing)
        vectors = vectors + share * (gaussian(vectors, level.nominal, level.spacing) - vectors)
    return vectors
