"""The two segments that are to meet, read from their files."""

from __future__ import annotations

from pathlib import Path

from DiffusionCore.checks import VolumeError
from DiffusionCore.deformable.guidance import Guidance
from DiffusionCore.space import Volume


def read_segments(guidance: Guidance | None) -> tuple[Volume, Volume] | None:
    """Return the fixed and the moving target segment of ``guidance``, 1 inside; None without one.

    Raises:
        StorageError: a file cannot be read.
        VolumeError: a label map does not hold the label.
    """
    if guidance is None or guidance.segment is None:
        return None
    target = guidance.segment
    return _segment(target.fixed, target.label, "fixed"), _segment(target.moving, target.label, "moving")


def _segment(path: Path, label: int, name: str) -> Volume:
    from DiffusionCore.storage.volumes import read_volume  # brings SimpleITK, which no other run waits for

    labels = read_volume(path)
    inside = labels.values == label
    if not inside.any():
        raise VolumeError(f"The {name} segmentation holds no label {label}. Choose one that both have.")
    return Volume(inside.astype("uint8"), labels.grid)
