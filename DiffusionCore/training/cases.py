"""The training images in a folder or a manifest: which there are, and whose; no torch.

A folder holds NAME.nii.gz (or .nrrd, .mha, ...), with labels in NAME_seg.nii.gz where there are any. The subject is the
part ``sub-...`` of the path, as BIDS has it, or the name itself; the modality is the sub-folder that the image lies in.

A folder of nnU-Net holds imagesTr/NAME_0000.nii.gz, with one number for each channel, and labelsTr/NAME.nii.gz. NAME is
the subject, the channel the modality, by the name that dataset.json gives it. imagesTs is left alone.

A manifest is a .csv with a header, or a .json list of objects: ``image`` and perhaps ``label``, ``subject``,
``modality``, ``pair`` (images of one pair belong together); paths are relative to it.
"""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from DiffusionCore.checks import DiffusionCoreError, GeometryError, StorageError, VolumeError
from DiffusionCore.space import Volume
from DiffusionCore.space.intensities import without_outliers
from DiffusionCore.storage.files import suffix_of
from DiffusionCore.storage.tables import read_rows
from DiffusionCore.storage.volumes import VOLUME_SUFFIXES, read_volume

LABELS = "_seg"  # behind the name of an image
_COLUMNS = ("image", "label", "subject", "modality", "pair")
_TABLES = (".csv", ".json")
_LOOKED_AT = 200  # files of a folder without images

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
        """Return the image, without outliers, and labels.

        Raises:
            DiffusionCoreError: one cannot be read, shows nothing, or does not fit the other.
        """
        image = read_volume(self.image)
        image.require_registrable("training")
        return without_outliers(image), None if self.labels is None else read_labels(self.labels, image)


def find_cases(place: Path) -> list[Case]:
    """Return the cases that a folder, at any depth, or a manifest names, in the order of their paths, or of its rows.

    Raises:
        StorageError: there is no such place, or the manifest (or dataset.json) cannot be read or has columns that are
            not known; a folder holds DICOM files and no image.
    """
    if (place / "imagesTr").is_dir():
        return list(_nnunet(place))
    if place.is_dir():
        found = [_case(path, place) for path in _image_files(place)]
        if not found:
            _refuse_dicom(place)
        return found
    if suffix_of(place) in _TABLES and place.is_file():
        return list(_listed(place))
    raise StorageError(
        f"Expected a folder of images, or a manifest (.csv, .json), but there is no folder '{place}'. Check its name."
    )


def usable_volumes(files: Sequence[Path]) -> Iterator[Volume]:
    """Yield the images in ``files``, as ``usable_cases`` does."""
    return (volume for _, volume in usable_cases([Case(path) for path in files]))


def usable_cases(cases: Sequence[Case]) -> Iterator[tuple[Case, Volume]]:
    """Yield those of ``cases`` whose image can be used, and it; the others are left out and named in the log.

    Raises:
        StorageError: (in the end) there was none.
    """
    count = 0
    for case in cases:
        try:
            volume, _ = replace(case, labels=None).read()
        except DiffusionCoreError as error:
            _log.warning("'%s' was left out. %s", case.image.name, error)
        else:
            count += 1
            yield case, volume
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


def _nnunet(folder: Path) -> Iterator[Case]:
    channels = _channel_names(folder / "dataset.json")
    for path in _image_files(folder / "imagesTr"):
        name, _, number = _stem(path).rpartition("_")
        if name and number.isdecimal():
            labels = (folder / "labelsTr" / f"{name}{suffix}" for suffix in VOLUME_SUFFIXES)
            found = next((candidate for candidate in labels if candidate.is_file()), None)
            yield Case(path, found, name, channels.get(int(number), f"channel {int(number)}"))


def _channel_names(description: Path) -> dict[int, str]:
    """Return the names of the channels in a dataset.json of nnU-Net ("modality" before its version 2)."""
    if not description.is_file():
        return {}
    try:
        values = json.loads(description.read_text(encoding="utf-8"))
        names = values.get("channel_names", values.get("modality", {}))
        return {int(number): str(name) for number, name in names.items()}
    except (OSError, ValueError, AttributeError) as error:
        raise StorageError(
            f"'{description}' cannot be read as the description of a set of nnU-Net: expected an object with "
            '"channel_names", for example {"0": "T1"}. Correct it, or take it away.'
        ) from error


def _refuse_dicom(folder: Path) -> None:
    files = itertools.islice((path for path in sorted(folder.rglob("*")) if path.is_file()), _LOOKED_AT)
    if any(_is_dicom(path) for path in files):
        raise StorageError(
            f"'{folder}' holds DICOM files, whose series have to become volumes first. Load them in 3D Slicer (module "
            "DICOM) and save them as .nrrd or .nii.gz, or use dcm2niix."
        )


def _is_dicom(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


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
