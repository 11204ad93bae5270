"""Folds of a cortex: sheets of fluid between ribbons of gray and white matter, other ones in every image.

They tell two anatomies apart that a smooth deformation relates: where the folds of one have no counterpart in the
other, nobody can know the deformation but from what lies around. Source: our own.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from DiffusionCore.training.anatomy import Tissue
from DiffusionCore.training.image_batches import smooth_noise

FOLDED = (Tissue.OUTER_FLUID, Tissue.CORTEX, Tissue.WHITE_OUTER)  # what a fold has, from its middle outward
_ALSO = Tissue.WHITE_INNER  # what it replaces beside these
_NODES = (14, 22)  # a side, of the noise whose zeros are the middles of the folds: 10 to 16 mm between two nodes
_FLUID, _GRAY = 0.25, 0.9  # of the deviation of the noise: where fluid and gray matter end
_SOFT = 0.5  # of it: how wide the border between two of them is, about a voxel of 4 mm
_DEEPEST = 0.85  # share of brain around a voxel, some 6 voxels far, where there are no folds any more: some 20 mm deep


def draw_folds(batch: int, size: tuple[int, int, int], *, generator: torch.Generator) -> Tensor:
    """Return noise (batch, 2, K, J, I) of unit variance for the folds of two related images of ``batch`` pairs.

    The two are correlated by a random 0..1, so that main folds may be shared.
    """
    nodes = int(torch.randint(_NODES[0], _NODES[1] + 1, (), generator=generator))
    noise = smooth_noise(batch, size, nodes=nodes, channels=2, generator=generator)
    noise = noise / noise.std((2, 3, 4), keepdim=True)
    shared = torch.rand(batch, 1, 1, 1, generator=generator)
    first, second = noise.unbind(1)
    return torch.stack([first, shared * first + (1 - shared.square()).sqrt() * second], 1)


def folded(volumes: Tensor, shares: Tensor, contrasts: Tensor, noise: Tensor) -> Tensor:
    """Return ``volumes`` (B, 2, K, J, I), sums of ``shares`` by ``contrasts``, with folds where the cortex is.

    Args:
        volumes: intensities of two images of each object.
        shares: of the tissues (B, tissues, K, J, I), in 0..1.
        contrasts: intensities of the tissues (B, 2, tissues).
        noise: (B, 2, K, J, I), as ``draw_folds`` makes it.
    """
    outer = _outer(shares[:, : Tissue.RIM].sum(1, keepdim=True))
    parts = outer * shares[:, [*FOLDED, _ALSO]]
    size = noise.abs()
    fluid, more = (((edge - size) / _SOFT + 0.5).clamp(0, 1) for edge in (_FLUID, _GRAY))
    dark, gray, white, white_inside = (contrasts[:, :, tissue, None, None, None] for tissue in (*FOLDED, _ALSO))
    made = white + more * (gray - white) + fluid * (dark - gray)
    for number, intensity in enumerate((dark, gray, white, white_inside)):
        volumes = volumes + parts[:, number : number + 1] * (made - intensity)
    return volumes


def _outer(brain: Tensor) -> Tensor:
    """Return how strong the folds are, 0..1, where ``brain`` (B, 1, K, J, I) is the share of it in every voxel."""
    around = F.avg_pool3d(F.avg_pool3d(brain, 4), 3, 1, 1)
    around = F.interpolate(around, brain.shape[2:], mode="trilinear")
    return ((_DEEPEST - around) / (_DEEPEST - 0.5)).clamp(0, 1)
