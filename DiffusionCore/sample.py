"""A pair of images with a known answer, made on the spot.

The fixed image is the ICBM 152 average brain (2009, symmetric, skull-stripped) that the nilearn package brings along.
The moving image is a copy of it, moved by a hidden affine transform and seen by another scanner: thick slices of
another orientation, other contrast, uneven brightness, noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from DiffusionCore.checks import DiffusionCoreError
from DiffusionCore.interpolation import Interpolation
from DiffusionCore.space import Frame, Grid, Volume
from DiffusionCore.transforms.affine import Affine
from DiffusionCore.transforms.resample import resample

LABELS = {1: "left gray matter", 2: "right gray matter", 3: "left white matter", 4: "right white matter", 5: "fluid"}

_ROTATION = math.radians(70)
_SHIFT = 25.0  # mm
_SCALE = 1.08
_SHEAR = 0.03
_SLICE = 3  # thin samples averaged into one thick slice
_MOVING_SPACING = (1.2, 1.2, 2.4)
_MARGIN = 12.0  # mm of background around the moving brain


@dataclass(frozen=True)
class Sample:
    """Two images of one brain and what a registration of them should find.

    Attributes:
        fixed, moving: the images; the background is 0 in both.
        fixed_segmentation, moving_segmentation: the tissues of ``LABELS`` on the grids of the images.
        truth: the hidden transform, fixed -> moving, RAS mm.
        points: RAS mm of points inside the fixed brain, (N, 3): where the error is measured.
    """

    fixed: Volume
    moving: Volume
    fixed_segmentation: Volume
    moving_segmentation: Volume
    truth: Affine
    points: NDArray[np.float64]


def make_sample(seed: int = 0, *, resolution: int = 1) -> Sample:
    """Return the pair that ``seed`` draws; ``resolution`` is the voxel size of the fixed image, mm.

    Raises:
        DiffusionCoreError: the nilearn package, which brings the template, is not installed.
    """
    generator = np.random.default_rng(seed)
    fixed, segmentation = _template(resolution)
    foreground = np.argwhere(fixed.values > 0)[:, ::-1]
    points = fixed.grid.map(generator.choice(foreground, 2000, replace=False), Frame.VOXEL, Frame.RAS)
    truth = _hidden_transform(points.mean(0), generator)

    thick = _moving_grid(truth.map(torch.from_numpy(points)).numpy(), generator)
    thin = thick.resized((*thick.size[:2], thick.size[2] * _SLICE))
    recolored = Volume(_other_contrast(fixed.values), fixed.grid)
    seen = resample(recolored, thin, truth.inverse()).values.reshape(-1, _SLICE, *thick.shape[1:]).mean(1)
    labels = resample(segmentation, thick, truth.inverse(), interpolation=Interpolation.NEAREST)
    acquired = _scanner(seen, thick, generator) * (labels.values > 0)
    moving = Volume(acquired.round().astype(np.int16), thick)
    return Sample(fixed, moving, segmentation, labels, truth, points)


def _template(resolution: int) -> tuple[Volume, Volume]:
    """Return the T1 template, int16 0..255, and its tissues, uint8."""
    try:
        from nilearn import datasets
    except ImportError as error:
        raise DiffusionCoreError(
            "The sample needs the package 'nilearn', which brings the ICBM template. Install it: pip install nilearn"
        ) from error
    image = datasets.load_mni152_template(resolution=resolution)
    gray, white = (
        np.asarray(load(resolution=resolution).dataobj, dtype=np.float32).T
        for load in (datasets.load_mni152_gm_template, datasets.load_mni152_wm_template)
    )
    values = (np.asarray(image.dataobj, dtype=np.float32).T * 255).round().clip(0).astype(np.int16)
    grid = Grid.from_matrix(image.affine, image.shape)
    right = grid.origin[0] + grid.spacing[0] * np.arange(grid.size[0]) > 0  # the template lies along the axes
    tissue = np.select([(white >= 0.5) & (white >= gray), gray >= 0.5], [3 + right, 1 + right], 5)
    return Volume(values, grid), Volume((tissue * (values > 0)).astype(np.uint8), grid)


def _hidden_transform(center: NDArray, generator: np.random.Generator) -> Affine:
    """Return a turn by 70 degrees about an oblique axis, after 8 % of scale and some shear, with a shift of 25 mm."""
    axis, shift = (_direction(generator) for _ in range(2))
    stretch = [*np.full(3, math.log(_SCALE) * generator.choice([-1, 1])), *generator.normal(0, _SHEAR, 3)]
    turned = Affine.exponential([*(_ROTATION * axis), 0, 0, 0], center)
    stretched = Affine.exponential([*np.zeros(6), *stretch], center)
    return Affine(Affine.translation(_SHIFT * shift).matrix @ turned.matrix @ stretched.matrix)


def _direction(generator: np.random.Generator) -> NDArray[np.float64]:
    vector = generator.normal(size=3)
    return vector / np.linalg.norm(vector)


def _moving_grid(points: NDArray, generator: np.random.Generator) -> Grid:
    """Return an oblique grid of thick slices that holds ``points`` (N, 3), RAS mm, with a margin."""
    tilt = Affine.exponential([*(math.radians(20) * _direction(generator)), 0, 0, 0]).matrix[:3, :3].numpy()
    along = points @ tilt
    low, high = along.min(0) - _MARGIN, along.max(0) + _MARGIN
    i, j, k = (math.ceil(length / s) for length, s in zip(high - low, _MOVING_SPACING, strict=True))
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = tilt * _MOVING_SPACING, tilt @ low
    return Grid.from_matrix(matrix, (i, j, k))


def _other_contrast(values: NDArray) -> NDArray[np.float32]:
    """Return the T1 values (0..255) as a T2-like scan shows them: fluid bright, white matter dark, background 0."""
    bright = np.interp(values, [1, 60, 110, 150, 190, 255], [760, 700, 520, 400, 260, 200])
    return np.where(values > 0, bright, 0).astype(np.float32)


def _scanner(values: NDArray, grid: Grid, generator: np.random.Generator) -> NDArray[np.float64]:
    """Return ``values`` (K, J, I) with a smooth bias (about 30 %) and Rician noise of 20 (3 % of the brightest)."""
    weights = generator.normal(0, 0.12, (3, 2))
    axes = [np.linspace(-1, 1, n) for n in grid.shape]
    k, j, i = (odd * np.sin(a) + even * np.cos(2 * a) for (odd, even), a in zip(weights, axes, strict=True))
    bias = np.exp(k[:, None, None] + j[:, None] + i)
    noise = generator.normal(0, 20, (2, *grid.shape))
    return np.hypot(values * bias + noise[0], noise[1])
