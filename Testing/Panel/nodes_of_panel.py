"""Volumes for the tests of the panels: small, smooth, without symmetry."""

from __future__ import annotations

import numpy as np

SIZE = (40, 36, 32)  # i, j, k
SPACING = 4.0  # mm


def ball_values(center, turn=0.0, size=SIZE):
    """Return a soft, flattened ball with a dent, (K, J, I) float32, about ``center`` (mm), ``turn`` degrees about z."""
    k, j, i = np.meshgrid(*(SPACING * (np.arange(n) - n / 2) for n in size[::-1]), indexing="ij")
    across, along, z = i - center[0], j - center[1], k - center[2]
    cosine, sine = np.cos(np.deg2rad(turn)), np.sin(np.deg2rad(turn))
    x, y = cosine * across + sine * along, cosine * along - sine * across
    body = np.exp(-(((x / 34) ** 2 + (y / 44) ** 2 + (z / 28) ** 2) ** 2))
    dent = np.exp(-(((x - 18) / 12) ** 2) - ((y - 22) / 14) ** 2 - ((z - 8) / 12) ** 2)
    return (1000 * body - 500 * dent).clip(0).astype(np.float32)


def add_ball(scene, name="ball", center=(0, 0, 0), turn=0.0):
    """Add a volume node with a ball to ``scene``, and return it."""
    import slicer

    node = slicer.util.addVolumeFromArray(ball_values(center, turn), name=name)
    node.SetSpacing(SPACING, SPACING, SPACING)
    node.SetOrigin(*(-SPACING * n / 2 for n in SIZE))
    return node


def add_pair(scene, shift=(-14, 9, 5), turn=0.0):
    """Add the volumes "fixed" and "moving", which is ``shift`` (mm) away and turned by ``turn`` degrees."""
    return add_ball(scene, "fixed"), add_ball(scene, "moving", shift, turn)


def add_image(name, array):
    """Add a scalar volume node; the last of four axes of ``array`` are its components."""
    import slicer
    from vtk import vtkImageData
    from vtk.util.numpy_support import numpy_to_vtk

    image = vtkImageData()
    image.SetDimensions(array.shape[2], array.shape[1], array.shape[0])
    components = array.shape[3] if array.ndim == 4 else 1
    image.GetPointData().SetScalars(numpy_to_vtk(array.reshape(-1, components), deep=True))
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    node.SetSpacing(SPACING, SPACING, SPACING)
    node.SetAndObserveImageData(image)
    return node
