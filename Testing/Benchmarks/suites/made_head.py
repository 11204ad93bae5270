"""A labeled head of any size, made of the ICBM tissue maps, so that no data are needed."""

from __future__ import annotations

import functools

import numpy as np
import torch

from DiffusionCore.interpolation import pull
from DiffusionCore.space import Frame, Grid, Volume
from DiffusionCore.synthesis.subject import Segmentation, Subject
from DiffusionCore.training.anatomy import Tissue, tissue_maps
from DiffusionCore.transforms.base import voxel_centers

_BRIGHTNESS = {
    Tissue.CORTEX: 0.8,
    Tissue.DEEP_GRAY_MEDIAL: 0.9,
    Tissue.DEEP_GRAY_LATERAL: 0.9,
    Tissue.CEREBELLAR_GRAY: 0.8,
    Tissue.WHITE_OUTER: 1.2,
    Tissue.WHITE_INNER: 1.2,
    Tissue.CEREBELLAR_WHITE: 1.2,
    Tissue.BRAIN_STEM: 1.1,
    Tissue.OUTER_FLUID: 0.3,
    Tissue.VENTRICLES: 0.3,
    Tissue.RIM: 0.3,
    Tissue.SKULL: 0.1,
    Tissue.SCALP: 0.9,
}
_LABELED = tuple(Tissue(n) for n in range(Tissue.RIM))
_NOISE = 0.03  # of the brightness of white matter and the like


_maps = functools.cache(tissue_maps)


def made_head(shape: tuple[int, int, int]) -> Subject:
    """Return a head of ``shape`` (K, J, I) voxels, 16 bit, with ten labels of the brain, left and right apart: 20.

    The field of view is always the same, 230 x 266 x 222 mm.

    Raises:
        StorageError: nilearn is not installed, which has the templates.
    """
    maps, source = _maps()
    grid = Grid.from_matrix(_stretched(source, shape), shape[::-1])
    points = source.map(voxel_centers(grid).numpy(), Frame.RAS, Frame.VOXEL)
    shares = pull(torch.from_numpy(maps)[None], torch.from_numpy(points).float()[None])[0].numpy()
    noise = np.random.default_rng(0).normal(0, _NOISE, shape)
    brightness = np.tensordot([_BRIGHTNESS[tissue] for tissue in Tissue], shares, 1) + noise * (shares.sum(0) > 0.1)
    most = shares.argmax(0)
    right = voxel_centers(grid)[..., 0].numpy() > 0
    labeled = (shares.max(0) > 0) & (most < len(_LABELED))
    labels = np.where(labeled, 1 + most + len(_LABELED) * right, 0).astype(np.uint8)
    image = Volume((1000 * brightness.clip(0)).round().astype(np.int16), grid)
    return Subject("head", (image,), (Segmentation(Volume(labels, grid)),))


def _stretched(source: Grid, shape: tuple[int, int, int]) -> np.ndarray:
    """Return the matrix from voxels of ``shape`` to RAS mm that covers what ``source`` covers."""
    ratio = np.array(source.size) / np.array(shape[::-1])
    matrix = source.matrix(Frame.VOXEL, Frame.RAS).copy()
    matrix[:3, 3] = source.map((ratio - 1) / 2, Frame.VOXEL, Frame.RAS)
    matrix[:3, :3] *= ratio
    return matrix
