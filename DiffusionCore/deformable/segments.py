"""The two segments that are to meet, read from their files."""

from __future__ import annotations

from pathlib import Path

from DiffusionCore.checks import VolumeError
from DiffusionCore.deformable.guidance import TargetSegment
from DiffusionCore.space import Volume
from DiffusionCore.storage.volumes import read_volume


def read_segments(target: TargetSegment) -> tuple[Volume, Volume]:
    """Return the fixed and the moving segment of ``target``, 1 inside.

    Raises:
        StorageError: a file cannot be read.
        VolumeError: a label map does not hold the label.
    """
    return _segment(target.fixed, target.label, "fixed"), _segment(target.moving, target.label, "moving")


def _segment(path: Path, label: int, name: str) -> Volume:
    labels = read_volume(path)
    inside = labels.values == label
    if not inside.any():
        raise VolumeError(f"The {name} segmentation '{path}' holds no label {label}. Choose one that both have.")
    return Volume(inside.astype("uint8"), labels.grid)
