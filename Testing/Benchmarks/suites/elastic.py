"""How others deform a labeled case at random: image and labels go through one smooth field, linear and nearest.

Each maker takes an ``image`` (K, J, I) float32 and its ``labels`` (K, J, I) uint8, voxels of ``spacing`` mm, and is
called for one new case after the other. The fields are about as strong and as smooth as ours: 3 mm in the mean, control
points 32 mm apart, or a Gaussian of 12 mm.
"""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Callable, Iterator

import numpy as np
import SimpleITK as sitk
import torch
from numpy.typing import NDArray
from scipy import ndimage

from Testing.Benchmarks.suites.monai_peers import MISSING as MONAI_MISSING
from Testing.Benchmarks.suites.monai_peers import MONAI

_MEAN = 3.0  # mm
_SIGMA = 12.0  # mm, of a Gaussian
_CONTROLS = 32.0  # mm, between control points

TORCHIO = importlib.util.find_spec("torchio") is not None
MISSING = MONAI_MISSING if TORCHIO else {**MONAI_MISSING, "TorchIO": "pip install torchio"}

Maker = Callable[[], object]


def makers(image: NDArray, labels: NDArray, spacing: float) -> Iterator[tuple[str, Maker]]:
    """Yield the name and the maker of everyone who is installed."""
    yield "SimpleITK B-spline", spline_maker(image, labels, spacing)
    yield "scipy, Gaussian fields", gaussian_maker(image, labels, spacing)
    if MONAI:
        yield from monai_makers(image, labels, spacing)
    if TORCHIO:
        yield "TorchIO elastic", torchio_maker(image, labels, spacing)


def gaussian_maker(image: NDArray, labels: NDArray, spacing: float) -> Maker:
    """Return who filters white noise by a Gaussian. Source: Simard et al. (ICDAR 2003), in 3D."""
    random = np.random.default_rng(0)
    places = np.indices(image.shape, dtype=np.float32)

    def make() -> object:
        noise = random.uniform(-1, 1, (3, *image.shape)).astype(np.float32)
        field = np.stack([ndimage.gaussian_filter(each, _SIGMA / spacing, mode="constant") for each in noise])
        field *= _MEAN / spacing / np.linalg.norm(field, axis=0).mean()
        moved = places + field
        return (
            ndimage.map_coordinates(image, moved, order=1, mode="nearest"),
            ndimage.map_coordinates(labels, moved, order=0, mode="nearest"),
        )

    return make


def spline_maker(image: NDArray, labels: NDArray, spacing: float) -> Maker:
    """Return who draws the control points of a cubic B-spline; its field is computed once for image and labels."""
    random = np.random.default_rng(0)
    volume, segmentation = sitk.GetImageFromArray(image), sitk.GetImageFromArray(labels)
    mesh = [max(2, round(n * spacing / _CONTROLS)) for n in volume.GetSize()]

    def make() -> object:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(torch.get_num_threads())
        spline = sitk.BSplineTransformInitializer(volume, mesh, order=3)
        spline.SetParameters(random.normal(0, _MEAN / spacing, len(spline.GetParameters())).tolist())
        field = sitk.TransformToDisplacementField(
            spline, sitk.sitkVectorFloat64, volume.GetSize(), volume.GetOrigin(), volume.GetSpacing()
        )
        moved = sitk.DisplacementFieldTransform(field)
        return (
            sitk.Resample(volume, moved, sitk.sitkLinear),
            sitk.Resample(segmentation, moved, sitk.sitkNearestNeighbor),
        )

    return make


def monai_makers(image: NDArray, labels: NDArray, spacing: float) -> Iterator[tuple[str, Maker]]:
    """Yield MONAI's elastic deformation, and its affine map with a distorted grid."""
    from monai.transforms import Compose, Rand3DElasticd, RandAffined, RandGridDistortiond

    keys, modes = ("image", "labels"), ("bilinear", "nearest")
    case = {"image": torch.from_numpy(image)[None], "labels": torch.from_numpy(labels)[None].float()}
    sigma = _SIGMA / spacing
    strength = _MEAN / spacing * 6 * sigma**1.5  # what the filter leaves of noise, nearly
    elastic = Rand3DElasticd(
        keys, (sigma, sigma), (strength, strength), prob=1.0, mode=modes, padding_mode="border"
    ).set_random_state(0)
    cells = tuple(max(2, round(n * spacing / _CONTROLS)) for n in image.shape)
    distorted = Compose(
        [
            RandAffined(
                keys,
                prob=1.0,
                rotate_range=(0.05,) * 3,
                scale_range=(0.05,) * 3,
                translate_range=(2.0,) * 3,
                mode=modes,
                padding_mode="border",
            ),
            RandGridDistortiond(keys, num_cells=cells, prob=1.0, distort_limit=(-0.1, 0.1), mode=list(modes)),
        ]
    ).set_random_state(0)
    yield "MONAI elastic", lambda: elastic(dict(case))
    yield "MONAI distorted grid", lambda: distorted(dict(case))


def torchio_maker(image: NDArray, labels: NDArray, spacing: float) -> Maker:
    """Return TorchIO's elastic deformation, a B-spline."""
    import torchio

    affine = np.diag([spacing, spacing, spacing, 1.0])
    volume, segmentation = (torch.from_numpy(each.T.copy())[None] for each in (image, labels))
    case = torchio.Subject(
        image=torchio.ScalarImage(tensor=volume, affine=affine),
        labels=torchio.LabelMap(tensor=segmentation, affine=affine),
    )
    points = tuple(max(5, round(n * spacing / _CONTROLS) + 3) for n in image.shape[::-1])
    elastic = torchio.RandomElasticDeformation(points, max_displacement=2 * _MEAN, locked_borders=0)
    seeds = itertools.count()

    def make() -> object:
        torch.manual_seed(next(seeds))
        return elastic(case)

    return make
