"""The pairs of a benchmark: folders that hold two images, and what is known about them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from DiffusionCore.checks import StorageError
from DiffusionCore.commands.inputs import read_pair
from DiffusionCore.report import Pair
from DiffusionCore.storage.volumes import VOLUME_SUFFIXES


@dataclass(frozen=True)
class Case:
    """One pair on disk.

    Attributes:
        data_set: the first folder below the one that was searched.
        name: the folder of the pair.
        fixed, moving: the images.
        fixed_segmentation, moving_segmentation: their labels, if they are there.
        landmarks: the table of corresponding points, if it is there.
        truth: the transform that should be found, if it is there.
        other_contrast: the images are of different kinds (``pair.json``: a ``kind`` that ends in "modality").
    """

    data_set: str
    name: str
    fixed: Path
    moving: Path
    fixed_segmentation: Path | None
    moving_segmentation: Path | None
    landmarks: Path | None
    truth: Path | None
    other_contrast: bool

    def pair(self) -> Pair:
        """Return the images, and what is known about them.

        Raises:
            DiffusionCoreError: a file cannot be read, an image holds nothing to align, labels do not lie on its grid.
        """
        return read_pair(
            self.fixed,
            self.moving,
            fixed_segmentation=self.fixed_segmentation,
            moving_segmentation=self.moving_segmentation,
            landmarks=self.landmarks,
            truth=self.truth,
        )


def find_cases(folder: Path) -> list[Case]:
    """Return the pairs below ``folder``, in the order of their paths: every folder with an image fixed and one moving.

    Raises:
        StorageError: there is no such folder, or no pair in it.
    """
    if not folder.is_dir():
        raise StorageError(f"There is no folder '{folder}' to look for pairs in.")
    inner = sorted({path.parent for path in folder.rglob("fixed.*")})
    cases = [case for each in inner if (case := _case(each, each.relative_to(folder).parts)) is not None]
    if not cases:
        raise StorageError(f"There is no pair below '{folder}': no folder holds an image 'fixed' and one 'moving'.")
    return cases


def _case(folder: Path, parts: tuple[str, ...]) -> Case | None:
    fixed, moving = (_image(folder, role) for role in ("fixed", "moving"))
    if fixed is None or moving is None:
        return None
    table, truth = folder / "landmarks.csv", folder / "truth.h5"
    return Case(
        parts[0] if parts else folder.name,
        folder.name,
        fixed,
        moving,
        _image(folder, "fixed_seg"),
        _image(folder, "moving_seg"),
        table if table.is_file() else None,
        truth if truth.is_file() else None,
        _is_other_contrast(folder / "pair.json"),
    )


def _image(folder: Path, role: str) -> Path | None:
    return next((path for suffix in VOLUME_SUFFIXES if (path := folder / f"{role}{suffix}").is_file()), None)


def _is_other_contrast(path: Path) -> bool:
    try:
        return json.loads(path.read_text(encoding="utf-8"))["kind"].endswith("modality")
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return False
