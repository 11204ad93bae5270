"""Tissue maps of a head, made from the ICBM 2009 templates that the nilearn package ships.

The regions inside the tissues are bounded by planes and ellipsoids in ICBM space: rough on purpose, because the
images made from them get random intensities anyway.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from DiffusionCore.checks import StorageError
from DiffusionCore.space import Frame, Grid

CENTER = (0.0, -17.0, 6.0)  # RAS mm of the middle of the ICBM brain: the origin of canonical poses


class Tissue(IntEnum):
    """The channels of a tissue map; RIM, SKULL and SCALP lie outside the brain mask."""

    CORTEX = 0
    DEEP_GRAY_MEDIAL = 1
    DEEP_GRAY_LATERAL = 2
    CEREBELLAR_GRAY = 3
    WHITE_OUTER = 4
    WHITE_INNER = 5
    CEREBELLAR_WHITE = 6
    BRAIN_STEM = 7
    OUTER_FLUID = 8
    VENTRICLES = 9
    RIM = 10
    SKULL = 11
    SCALP = 12


def tissue_maps() -> tuple[NDArray[np.float32], Grid]:
    """Return the shares (tissues, K, J, I) of each tissue in each voxel, and their grid in ICBM RAS mm (2 mm).

    Raises:
        StorageError: nilearn is not installed.
    """
    t1, gray, white, mask, grid = _templates()
    x, y, z = grid.map(np.moveaxis(np.indices(grid.shape)[::-1], 0, -1), Frame.VOXEL, Frame.RAS).transpose(3, 0, 1, 2)
    outside, depth = (np.asarray(ndimage.distance_transform_edt(m, sampling=grid.spacing[::-1])) for m in (~mask, mask))
    cerebellum = (z < -2 + 0.4 * (y + 40) - 0.5 * np.maximum(abs(x) - 10, 0)) & (y < -35)
    stem = (abs(x) < 17) & (y > -46) & (y < -8) & (z < -10) & ~cerebellum
    medial = _ellipsoid(x, y, z, (0, -14, 8), (22, 24, 15))
    lateral = _ellipsoid(abs(x), y, z, (25, 1, 2), (10, 23, 15))
    cerebrum = ~cerebellum & ~stem
    bright = t1 > np.median(t1[white > 0.9])
    fluid = np.clip(1 - gray - white, 0, 1)
    central = _ellipsoid(x, y, z, (0, -12, 10), (34, 52, 28)) & (depth > 16)
    shares = [
        gray * (cerebrum & ~medial & ~lateral),
        gray * (cerebrum & medial),
        gray * (cerebrum & lateral & ~medial),
        gray * cerebellum,
        white * (cerebrum & ~bright),
        white * (cerebrum & bright),
        white * cerebellum,
        (gray + white) * stem,
        fluid * ~central,
        fluid * central,
    ]
    neck = (z < -40) & (y > -75) & (y < 45) & (abs(x) < 55)
    around = [outside <= 4, (outside > 4) & (outside <= 9), (outside > 9) & ((outside <= 17) | neck & (outside <= 60))]
    shares = [s * mask for s in shares] + [s & ~mask for s in around]
    maps = [ndimage.gaussian_filter(s.astype(np.float32), 0.7) for s in shares]
    return np.stack(maps, dtype=np.float32), grid


def _templates() -> tuple[NDArray, NDArray, NDArray, NDArray, Grid]:
    """Return T1, gray matter, white matter and brain mask on one 2 mm grid with a margin for scalp and neck."""
    try:
        from nilearn import datasets
    except ImportError as error:
        raise StorageError(
            "Synthetic heads need the package nilearn, which ships the ICBM template. Install it: pip install nilearn"
        ) from error
    loaders = (
        datasets.load_mni152_template,
        datasets.load_mni152_gm_template,
        datasets.load_mni152_wm_template,
        datasets.load_mni152_brain_mask,
    )
    images = [loader(resolution=2) for loader in loaders]
    t1, gray, white, mask = (np.pad(np.asarray(i.dataobj, np.float32).transpose(2, 1, 0), 8) for i in images)
    grid = Grid.from_matrix(images[0].affine, images[0].shape).padded(8)
    return t1, np.clip(gray, 0, 1), np.clip(white, 0, 1), mask > 0.5, grid


def _ellipsoid(x: NDArray, y: NDArray, z: NDArray, center: tuple, radii: tuple) -> NDArray[np.bool_]:
    scaled = [((a - c) / r) ** 2 for a, c, r in zip((x, y, z), center, radii, strict=True)]
    return scaled[0] + scaled[1] + scaled[2] < 1
