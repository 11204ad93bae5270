"""Volumes and transforms that can be told apart in a picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import slicer.util
import vtk
from numpy.typing import NDArray
from vtk.util.numpy_support import numpy_to_vtk


def add_blob(name: str, shift: float = 0.0, size: int = 32) -> Any:
    """Add and return a volume of ``size`` voxels of 1 mm a side: a ball of waves, ``shift`` voxels off the center."""
    places = np.mgrid[:size, :size, :size] - (size - 1) / 2 + shift
    waves = 500 + 400 * np.sin(places[0] / 3) * np.cos(places[1] / 4) * np.sin(places[2] / 3)
    inside = np.linalg.norm(places, axis=0) < size * 0.4
    volume = slicer.util.addVolumeFromArray((waves * inside).astype(np.float32), name=name)
    volume.CreateDefaultDisplayNodes()
    return volume


def grid_transform(vectors: NDArray[np.float32]) -> Any:
    """Return the vtkOrientedGridTransform of ``vectors`` (K, J, I, 3), RAS mm, on a grid of 1 mm from the origin."""
    image = vtk.vtkImageData()
    image.SetDimensions(*vectors.shape[2::-1])
    image.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(vectors).reshape(-1, 3), deep=True))
    transform = slicer.vtkOrientedGridTransform()
    transform.SetInterpolationModeToLinear()
    transform.SetDisplacementGridData(image)
    return transform


def waves(phase: float, size: int = 32, height: float = 3.0) -> NDArray[np.float32]:
    """Return displacements (size, size, size, 3) of up to ``height`` mm."""
    angles = np.mgrid[:size, :size, :size] * (2 * np.pi / size)
    return (height * np.sin(np.moveaxis(angles, 0, -1) + phase)).astype(np.float32)


def add_transform(phase: float, *nodes: Any) -> Any:
    """Add a transform node of `waves` above ``nodes``; return it."""
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode", "waves")
    transform.SetAndObserveTransformFromParent(grid_transform(waves(phase)))
    for node in nodes:
        node.SetAndObserveTransformNodeID(transform.GetID())
    return transform
