"""The training images in a folder or a manifest: which there are, and whose; no torch.

A folder holds NAME.nii.gz (or .nrrd, .mha, ...), with labels in NAME_seg.nii.gz where there are any. The subject is the
part ``sub-...`` of the path, as BIDS has it, or the name itself; the modality is the sub-folder that the image lies in.

A manifest is a .csv with a header, or a .json list of objects: ``image`` and perhaps ``label``, ``subject``,
``modality``, ``pair`` (images of one pair belong together); paths are relative to it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from DiffusionCore.checks import DiffusionCoreError, GeometryError, StorageError, VolumeError
from DiffusionCore.space import Volume
from DiffusionCore.storage.files import suffix_of
from DiffusionCore.storage.tables import read_rows
from DiffusionCore.storage.volumes import VOLUME_SUFFIXES, read_volume

LABELS = "_seg"  # behind the name of an image
_COLUMNS = ("image", "label", "subject", "modality", "pair")
_TABLES = (".csv", ".json")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Case:
    """An image to train on.

    Attributes:
        image: its file.
        labels: the file of its label map; None if there is none.
        subject: whose image it is.
        modality: its kind, empty if not known.
        pair: the name that it shares with the images that it is paired with, or empty.
    """

    image: Path
    labels: Path | None = None
    subject: str = ""
    modality: str = ""
    pair: str = ""

    @property
    def name(self) -> str:
        """The name of the image, without ending."""
        return _stem(self.image)

    @property
    def files(self) -> tuple[Path, ...]:
        """Image and labels."""
        return (self.image,) if self.labels is None else (self.image, self.labels)

    def read(self) -> tuple[Volume, Volume | None]:
        """Return image and labels.

        Raises:
            DiffusionCoreError: one cannot be read, shows nothing, or does not fit the other.
        """
        image = read_volume(self.image)
        image.require_registrable("training")
        return image, None if self.labels is None else read_labels(self.labels, image)


def find_cases(place: Path) -> list[Case]:
    """Return the cases that a folder, at any depth, or a manifest names, in the order of their paths, or of its rows.

    Raises:
        StorageError: there is no such place, or the manifest cannot be read or has columns that are not known.
    """
    if place.is_dir():
        return [_case(path, place) for path in _image_files(place)]
    if suffix_of(place) in _TABLES and place.is_file():
        return list(_listed(place))
    raise StorageError(
        f"Expected a folder of images, or a manifest (.csv, .json), but there is no folder '{place}'. Check its name."
    )


def usable_volumes(files: Sequence[Path]) -> Iterator[Volume]:
    """Yield the images in ``files``; one that cannot be used is left out and named in the log.

    Raises:
        StorageError: (in the end) there was none.
    """
    count = 0
    for path in files:
        try:
            volume, _ = Case(path).read()
        except DiffusionCoreError as error:
            _log.warning("'%s' was left out. %s", path.name, error)
        else:
            count += 1
            yield volume
    if not count:
        raise StorageError("None of the images can be used; the log says what is wrong with each file.")


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


def _image_files(folder: Path) -> list[Path]:
    paths = sorted(path for path in folder.rglob("*") if suffix_of(path) in VOLUME_SUFFIXES and path.is_file())
    return [path for path in paths if not _stem(path).endswith(LABELS) and not path.name.startswith(".")]


def _case(path: Path, folder: Path) -> Case:
    folders = path.parent.relative_to(folder).parts
    known = [part for part in (*folders, *_stem(path).split("_")) if part.startswith("sub-")]
    modality = "/".join(part for part in folders if not part.startswith(("sub-", "ses-")))
    return Case(path, _labels_of(path), known[0] if known else _stem(path), modality)


def _labels_of(path: Path) -> Path | None:
    candidates = (path.with_name(f"{_stem(path)}{LABELS}{suffix}") for suffix in VOLUME_SUFFIXES)
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _listed(manifest: Path) -> Iterator[Case]:
    for number, row in enumerate(read_rows(manifest, "images"), 1):
        if unknown := [column for column in row if column not in _COLUMNS]:
            raise StorageError(
                f"The manifest '{manifest}' has the column '{unknown[0]}'; known are {', '.join(_COLUMNS)}."
            )
        if "image" not in row:
            raise StorageError(f"The manifest '{manifest}' names no image in row {number}; fill its column 'image'.")
        image = manifest.parent / row["image"]
        labels = manifest.parent / row["label"] if "label" in row else None
        subject = row.get("subject", _stem(image))
        yield Case(image, labels, subject, row.get("modality", ""), row.get("pair", ""))


def _stem(path: Path) -> str:
    return path.name[: len(path.name) - len(suffix_of(path))]
