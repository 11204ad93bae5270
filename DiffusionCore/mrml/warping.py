"""Volume nodes through transforms of the core: for what is computed in Slicer's own process. Needs torch."""

from __future__ import annotations

from typing import Any

from DiffusionCore.interpolation import Interpolation
from DiffusionCore.space import Grid, Volume
from DiffusionCore.transforms.base import Transform
from DiffusionCore.transforms.resample import resample


def warp(node: Any, volume: Volume, transform: Transform, grid: Grid) -> Volume:
    """Return ``volume``, which was read from ``node``, through ``transform`` on ``grid``.

    A label map takes the nearest label, 0 outside; an image is interpolated, its lowest value outside.
    """
    if node.IsA("vtkMRMLLabelMapVolumeNode"):
        return resample(volume, grid, transform, interpolation=Interpolation.NEAREST)
    return resample(volume, grid, transform, fill=float(volume.values.min()))
