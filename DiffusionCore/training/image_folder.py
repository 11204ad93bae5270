"""A folder of images to train on: NAME.nii.gz with its labels NAME_seg.nii.gz where there are any.

Images in a sub-folder are of the class that it is called by; those at the top have none. A file that cannot be used is
left out and named in the log.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from DiffusionCore.affine.foreground import foreground_mask
from DiffusionCore.checks import DiffusionCoreError, GeometryError, StorageError, VolumeError
from DiffusionCore.images.frame import ImageFrame, Intensities, centered_grid, middle, placed_image, placed_labels
from DiffusionCore.space import Frame, Volume
from DiffusionCore.storage.files import suffix_of
from DiffusionCore.storage.volumes import VOLUME_SUFFIXES, read_volume

LABELS = "_seg"  # behind the name of an image
_MARGIN = 1  # voxels between the objects and the borders of the frame

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class ImageFolder:
    """Images of a folder in one frame.

    Attributes:
        frame: theirs; all that is not asked for is measured.
        names: of the images, without ending, (V,).
        images: (V, 1, K, J, I) float16, the mean of the foreground of each is 1.
        labels: (V, K, J, I) int16, numbers of the labels of the frame, ``unknown_label`` for images without.
        classes: (V,) numbers of the classes of the frame, from 1; 0 for none.
    """

    frame: ImageFrame
    names: tuple[str, ...]
    images: Tensor
    labels: Tensor
    classes: Tensor

    @classmethod
    def read(
        cls,
        folder: Path,
        *,
        spacing: float,
        size: tuple[int, int, int] | None = None,
        multiple: int = 1,
        labelled: bool = True,
    ) -> ImageFolder:
        """Return the images of ``folder`` at ``spacing`` mm, with their labels if ``labelled``.

        Without ``size`` (i, j, k) the frame holds the foreground of all, its sizes rounded up to a ``multiple``.

        Raises:
            StorageError: there is no such folder, or no image in it that can be used.
        """
        cases = list(_cases(folder, labelled))
        if not cases:
            raise StorageError(
                f"No image in '{folder}' can be used. Expected NAME.nii.gz (or .nrrd, .mha), with labels in "
                f"NAME{LABELS}.nii.gz on the same grid if there are any; the log says what is wrong with each file."
            )
        centers = [middle(case.image, case.labels) for case in cases]
        if size is None:
            reach = np.max([_reach(case.image, center) for case, center in zip(cases, centers, strict=True)], 0)
            i, j, k = (multiple * math.ceil((2 * mm / spacing + 2 * _MARGIN) / multiple) for mm in reach)
            size = (i, j, k)
        grid = centered_grid(size, spacing)
        images = torch.cat([placed_image(case.image, grid, at) for case, at in zip(cases, centers, strict=True)])
        maps = [
            None if case.labels is None else placed_labels(case.labels, grid, at)
            for case, at in zip(cases, centers, strict=True)
        ]
        values = np.unique(np.concatenate([[0], *(np.unique(values) for values in maps if values is not None)]))
        kinds = sorted({case.kind for case in cases} - {""})
        frame = ImageFrame(
            size,
            spacing,
            Intensities(_rounded(images.mean()), _rounded(images.std()), _rounded(images.amax())),
            tuple(values.tolist()) if any(values is not None for values in maps) else (),
            tuple(kinds),
        )
        unknown = torch.full(grid.shape, frame.unknown_label)
        labels = [unknown if values is None else frame.label_numbers(values) for values in maps]
        classes = torch.tensor([1 + kinds.index(case.kind) if case.kind else 0 for case in cases])
        names = tuple(case.name for case in cases)
        return cls(frame, names, images.half(), torch.stack(labels).short(), classes)


@dataclass(frozen=True, eq=False)
class _Case:
    name: str
    kind: str
    image: Volume
    labels: Volume | None


def image_files(folder: Path) -> list[Path]:
    """Return the files of images, label maps left out, at any depth below ``folder``, in the order of their paths.

    Raises:
        StorageError: there is no such folder.
    """
    if not folder.is_dir():
        raise StorageError(f"Expected a folder of images, but there is no folder '{folder}'. Check its name.")
    paths = sorted(path for path in folder.rglob("*") if suffix_of(path) in VOLUME_SUFFIXES and path.is_file())
    return [path for path in paths if not _stem(path).endswith(LABELS) and not path.name.startswith(".")]


def labels_of(path: Path) -> Path | None:
    """Return the file of labels that belongs to the image at ``path``; None if there is none."""
    candidates = (path.with_name(f"{_stem(path)}{LABELS}{suffix}") for suffix in VOLUME_SUFFIXES)
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def read_labels(path: Path, image: Volume | None = None) -> Volume:
    """Return the label map at ``path``: whole numbers of at least 0, on the grid of ``image`` if one is given.

    Raises:
        DiffusionCoreError: it cannot be read, holds other numbers, or lies on another grid.
    """
    labels = read_volume(path)
    if image is not None and not labels.grid.is_close(image.grid, tolerance=0.1):
        raise GeometryError(f"The labels '{path}' do not lie on the grid of their image. Resample them to it first.")
    if not np.array_equal(labels.values, np.round(labels.values)) or labels.values.min() < 0:
        raise VolumeError(f"The labels '{path}' must be whole numbers of at least 0.")
    if not labels.values.any():
        raise VolumeError(f"The labels '{path}' are all 0: there is nothing in them.")
    return labels


def _cases(folder: Path, labelled: bool) -> Iterator[_Case]:
    for path in image_files(folder):
        try:
            image = read_volume(path)
            image.require_registrable("training")
            found = labels_of(path) if labelled else None
            labels = None if found is None else read_labels(found, image)
        except DiffusionCoreError as error:
            _log.warning("'%s' was left out. %s", path.name, error)
            continue
        kind = path.parent.relative_to(folder).as_posix()
        yield _Case(_stem(path), "" if kind == "." else kind, image, labels)


def _stem(path: Path) -> str:
    return path.name[: len(path.name) - len(suffix_of(path))]


def _reach(image: Volume, center: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far the foreground reaches from ``center`` along R, A and S (3,), mm."""
    voxels = np.argwhere(foreground_mask(image))[:, ::-1]
    return np.abs(image.grid.map(voxels, Frame.VOXEL, Frame.RAS) - center).max(0)


def _rounded(value: Tensor) -> float:
    return round(float(value), 5)  # as a file of settings shows it
