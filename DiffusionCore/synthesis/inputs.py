"""Labeled cases in files, alone or in folders as nnU-Net, the published DRDM, or hands lay them out."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from DiffusionCore.checks import DiffusionCoreError, StorageError
from DiffusionCore.storage.files import suffix_of
from DiffusionCore.storage.label_names import read_label_names
from DiffusionCore.storage.layers import read_layers
from DiffusionCore.storage.volumes import VOLUME_SUFFIXES, read_volume
from DiffusionCore.synthesis.subject import Segmentation, Subject

_MARKS = (
    "_seg",
    "_segmentation",
    "_label",
    "_labels",
    ".seg",
    "_seg.seg",
    "_dseg",
)  # NAME_seg.nii.gz holds the labels of NAME
_AXES = ("x", "y", "z")


@dataclass(frozen=True)
class SubjectFiles:
    """The files of a case: its ``name``, channels, segmentations, and perhaps a table of landmarks."""

    name: str
    images: tuple[Path, ...]
    segmentations: tuple[Path, ...] = ()
    landmarks: Path | None = None

    def read(self) -> Subject:
        """Return the case.

        Raises:
            DiffusionCoreError: a file cannot be read, or does not fit the others; the text names it.
        """
        images = tuple(read_volume(path, slices=1) for path in self.images)
        segmentations = tuple(each for path in self.segmentations for each in _read_segmentations(path))
        points = None if self.landmarks is None else read_points(self.landmarks)
        return Subject(self.name, images, segmentations, points)


def find_subjects(folder: Path) -> list[SubjectFiles]:
    """Return the labeled cases in ``folder``, sorted by name.

    It may hold imagesTr and labelsTr as nnU-Net has them (NAME_0000.nii.gz, and NAME.nii.gz), img and msk as the
    published DRDM has them (NAME.nii.gz and NAME_GT.nii.gz), or NAME.nii.gz beside NAME_seg.nii.gz.

    Raises:
        StorageError: no such folder, or no image with labels in it.
    """
    if not folder.is_dir():
        raise StorageError(f"Expected a folder of labeled cases, but there is no folder '{folder}'.")
    if (folder / "imagesTr").is_dir():
        found = list(_nnunet(folder / "imagesTr", folder / "labelsTr"))
    elif (folder / "img").is_dir():
        found = [
            SubjectFiles(_stem(image), (image,), (mask,))
            for image in _images(folder / "img")
            if (mask := _named(folder / "msk", f"{_stem(image)}_GT")) is not None
        ]
    else:
        found = list(_side_by_side(folder))
    if not found:
        raise StorageError(
            f"'{folder}' holds no labeled case. Needed are NAME.nii.gz beside NAME_seg.nii.gz, or imagesTr and "
            "labelsTr as nnU-Net has them, or img and msk as the published DRDM has them."
        )
    return sorted(found, key=lambda each: each.name)


def read_points(path: Path) -> NDArray[np.float64]:
    """Return the points (N, 3), RAS mm, of a table (.csv) with the columns x, y, z in LPS mm.

    Raises:
        StorageError: the file cannot be read, or a column is missing or no number.
    """
    try:
        with path.open(newline="", encoding="utf-8") as lines:
            rows = [[float(row[axis]) for axis in _AXES] for row in csv.DictReader(lines)]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise StorageError(
            f"The landmarks '{path}' cannot be read; a .csv with the columns x, y, z in LPS mm is needed."
        ) from error
    return np.array(rows).reshape(-1, 3) * (-1, -1, 1)


def name_of(images: Sequence[Path]) -> str:
    """Return what to call a case by its first image."""
    return _stem(images[0]).removesuffix("_0000")


def _nnunet(images: Path, labels: Path) -> Iterator[SubjectFiles]:
    channels: dict[str, list[Path]] = {}
    for path in _images(images):
        name, _, number = _stem(path).rpartition("_")
        if name and number.isdecimal():
            channels.setdefault(name, []).append(path)
    for name, paths in channels.items():
        segmentation = _named(labels, name)
        if segmentation is not None:
            yield SubjectFiles(name, tuple(sorted(paths)), (segmentation,))


def _side_by_side(folder: Path) -> Iterator[SubjectFiles]:
    paths = {_stem(path): path for path in _images(folder)}
    for name, path in paths.items():
        labels = [paths[name + mark] for mark in _MARKS if name + mark in paths]
        if labels:
            yield SubjectFiles(name, (path,), tuple(labels))


def _read_segmentations(path: Path) -> list[Segmentation]:
    """Return the segmentation in a file, or all of its layers."""
    layers = enumerate(read_layers(path))
    try:
        return [Segmentation(volume, read_label_names(path, layer), layer) for layer, volume in layers]
    except DiffusionCoreError as error:
        raise type(error)(f"{error} ({path})") from None


def _images(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if suffix_of(p) in VOLUME_SUFFIXES and not p.name.startswith("."))


def _named(folder: Path, stem: str) -> Path | None:
    return next((folder / f"{stem}{s}" for s in VOLUME_SUFFIXES if (folder / f"{stem}{s}").is_file()), None)


def _stem(path: Path) -> str:
    return path.name[: len(path.name) - len(suffix_of(path))]
