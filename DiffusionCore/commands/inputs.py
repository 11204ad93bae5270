"""What the commands read, checked before any computing starts."""

from __future__ import annotations

import argparse
import csv
import dataclasses
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from DiffusionCore.affine.foreground import foreground_mask
from DiffusionCore.checks import GeometryError, StorageError, VolumeError
from DiffusionCore.report import Pair
from DiffusionCore.space import Frame, Volume
from DiffusionCore.storage.transforms import read_transform
from DiffusionCore.storage.volumes import read_volume
from DiffusionCore.transforms.affine import Affine
from DiffusionCore.transforms.base import Chain, voxel_centers

PAIR_FILES = (
    "fixed",
    "moving",
    "fixed_segmentation",
    "moving_segmentation",
    "initial_transform",
    "landmarks",
    "truth",
)
"""What a pair may consist of: the arguments of ``read_pair``, of the command register, the columns of lists."""

_LANDMARK_COLUMNS = ("fx", "fy", "fz", "mx", "my", "mz")


def files_of(options: argparse.Namespace) -> dict[str, Path]:
    """Return the files of the pair that ``options`` name."""
    return {name: path for name in PAIR_FILES if (path := getattr(options, name, None)) is not None}


def read_pair(
    fixed: Path,
    moving: Path,
    *,
    fixed_segmentation: Path | None = None,
    moving_segmentation: Path | None = None,
    initial_transform: Path | None = None,
    landmarks: Path | None = None,
    truth: Path | None = None,
    seed: int = 0,
) -> Pair:
    """Return the pair that lies in these files; where its ``truth`` is known, with points that ``seed`` chooses.

    Raises:
        DiffusionCoreError: a file cannot be read, an image holds nothing to align, a segmentation does not lie on the
            grid of its image, the initial transform is not affine or moves the images apart.
    """
    fixed_image, moving_image = _read_image(fixed, "fixed"), _read_image(moving, "moving")
    start = None if initial_transform is None else read_affine(initial_transform)
    if start is not None:
        _require_overlap(fixed_image, moving_image, start)
    pair = Pair(
        fixed=fixed_image,
        moving=moving_image,
        fixed_segmentation=_read_segmentation(fixed_segmentation, fixed_image, "fixed"),
        moving_segmentation=_read_segmentation(moving_segmentation, moving_image, "moving"),
        initial=start,
        landmarks=None if landmarks is None else read_landmarks(landmarks),
    )
    if truth is None:
        return pair
    return dataclasses.replace(pair, truth=read_transform(truth), points=foreground_points(fixed_image, seed))


def read_affine(path: Path) -> Affine:
    """Return the affine transform in the file at ``path``; a composition of several is multiplied out."""
    transform = read_transform(path)
    parts = transform.parts if isinstance(transform, Chain) else (transform,)
    if not all(isinstance(part, Affine) for part in parts):
        raise StorageError(f"The transform '{path}' is deformable; an affine one is needed here.")
    product = Affine.identity()
    for part in parts:
        product = Affine(product.matrix @ part.matrix)  # pyright: ignore[reportAttributeAccessIssue]
    return product


def read_landmarks(path: Path) -> NDArray[np.float64]:
    """Return corresponding points (N, 2, 3), RAS mm: fixed, moving.

    The file is a table (.csv) with the columns fx, fy, fz, mx, my, mz in LPS mm, as ITK programs write them.

    Raises:
        StorageError: the file cannot be read, or a column is missing or no number.
    """
    try:
        with path.open(newline="", encoding="utf-8") as lines:
            rows = [[float(row[name]) for name in _LANDMARK_COLUMNS] for row in csv.DictReader(lines)]
    except (OSError, KeyError, TypeError, ValueError) as error:
        needed = f"a .csv with the columns {', '.join(_LANDMARK_COLUMNS)} is needed"
        raise StorageError(f"The landmarks '{path}' cannot be read; {needed}.") from error
    return np.array(rows).reshape(-1, 2, 3) * (-1, -1, 1)


def foreground_points(volume: Volume, seed: int, count: int = 2000) -> NDArray[np.float64]:
    """Return up to ``count`` points (N, 3), RAS mm, drawn from the foreground of ``volume``."""
    voxels = np.argwhere(foreground_mask(volume))[:, ::-1]
    chosen = np.random.default_rng(seed).permutation(len(voxels))[:count]
    return volume.grid.map(voxels[chosen], Frame.VOXEL, Frame.RAS)


def _read_image(path: Path, name: str) -> Volume:
    volume = read_volume(path)
    try:
        volume.require_registrable(name)
    except VolumeError as error:
        raise VolumeError(f"{error} ({path})") from None
    return volume


def _read_segmentation(path: Path | None, image: Volume, name: str) -> Volume | None:
    if path is None:
        return None
    labels = read_volume(path)
    if not labels.grid.is_close(image.grid, tolerance=0.1):
        raise GeometryError(
            f"The {name} segmentation '{path}' does not lie on the grid of the {name} image: its size is "
            f"{labels.grid.size}, that of the image {image.grid.size}, or their spacing, origin or axes differ. "
            "Resample it to the image first."
        )
    if not np.array_equal(labels.values, np.round(labels.values)) or labels.values.min() < 0:
        raise VolumeError(f"The {name} segmentation '{path}' must hold whole numbers of at least 0, one per label.")
    return Volume(labels.values.astype(np.int32), image.grid)


def _require_overlap(fixed: Volume, moving: Volume, initial: Affine) -> None:
    i, j, k = (min(n, 24) for n in fixed.grid.size)
    points = initial.map(voxel_centers(fixed.grid.resized((i, j, k)))).numpy()
    positions = moving.grid.map(points, Frame.RAS, Frame.UNIT)
    if not (abs(positions) <= 1).all(-1).any():
        raise GeometryError(
            "With the initial transform the two images do not overlap. It must map points of the fixed image to points "
            "of the moving image; try its inverse, or leave it out."
        )
