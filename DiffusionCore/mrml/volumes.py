"""Images between volume nodes and values; no torch.

Reading hands out the memory of the node itself, because a copy of a large volume would hold up the windows of Slicer;
writing can be done part by part for the same reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray
from vtk.util import numpy_support

from DiffusionCore.checks import GeometryError, VolumeError
from DiffusionCore.mrml.displays import add_display, look_of
from DiffusionCore.mrml.matrices import to_numpy, to_vtk
from DiffusionCore.space import Frame, Grid, Volume

PART = 8 * 2**20  # bytes that are copied at a time: a few ms


def volume_from_node(node: Any, *, below: Any = None) -> Volume:
    """Return the image of a scalar volume ``node`` where it stands in the world.

    The values are the memory of the node, kept alive as long as they are used: do not write into them.
    Linear transforms above the node are respected: they move the grid. With ``below``, a transform node above this
    one, only what lies between counts: the volume as ``below`` receives it.

    Raises:
        VolumeError: there is no image, or one of several components (color, vectors).
        GeometryError: a transform above is not linear, or the voxels would no longer be rectangular.
    """
    image = node.GetImageData()
    if image is None or image.GetPointData().GetScalars() is None or image.GetNumberOfPoints() == 0:
        raise VolumeError(f'The volume "{node.GetName()}" holds no image. Load it again, or choose another one.')
    if (components := image.GetNumberOfScalarComponents()) != 1:
        raise VolumeError(
            f'The volume "{node.GetName()}" has {components} values per voxel; an image of one value is needed. '
            "Convert it with the module Vector to Scalar Volume."
        )
    return Volume(values_of(image), grid_of(node, below=below))


def grid_of(node: Any, *, below: Any = None) -> Grid:
    """Return the grid of a volume ``node`` where it stands in the world, or as ``below`` receives it.

    Raises:
        GeometryError: a transform above is not linear, or the voxels would no longer be rectangular.
    """
    to_ras, above, placement = vtk.vtkMatrix4x4(), vtk.vtkGeneralTransform(), vtk.vtkTransform()
    node.GetIJKToRASMatrix(to_ras)
    parent = node.GetParentTransformNode()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(parent, below, above)
    if not slicer.vtkMRMLTransformNode.IsGeneralTransformLinear(above, placement):
        raise GeometryError(
            f'The volume "{node.GetName()}" lies under the transform "{parent.GetName()}", which is not linear. '
            "Harden that transform on a copy of the volume, or take the volume out of it."
        )
    size = node.GetImageData().GetDimensions()
    try:
        return Grid.from_matrix(to_numpy(placement.GetMatrix()) @ to_numpy(to_ras), size)
    except GeometryError as error:
        if abs(to_numpy(placement.GetMatrix()) - np.eye(4)).max() > 0:
            raise GeometryError(
                f'The volume "{node.GetName()}" cannot be used where it stands: the transform "{parent.GetName()}" '
                "shears it. Harden that transform on a copy of the volume, or take the volume out of it."
            ) from error
        raise GeometryError(
            f'The volume "{node.GetName()}" is sheared, as by a gantry tilt. Resample it on a straight grid first.'
        ) from error


def volume_to_node(volume: Volume, node: Any, *, display: Any = None) -> None:
    """Write ``volume`` into a volume ``node``, in its own type; the display of the node stays as it is.

    A node without a display gets the look (window, level, colors) of the volume node ``display``, if one is given.
    """
    for _ in writing(volume, node, display=display):
        pass


def writing(volume: Volume, node: Any, *, display: Any = None) -> Iterator[None]:
    """Write as ``volume_to_node`` does, but yield after each part; the node changes at the end, all at once."""
    values = volume.values.astype(np.uint8) if volume.values.dtype == np.bool_ else volume.values
    image = new_image(values.shape, values.dtype)
    target = values_of(image)
    step = max(1, PART * values.shape[0] // max(1, values.nbytes))
    for start in range(0, values.shape[0], step):
        target[start : start + step] = values[start : start + step]
        yield
    like = display.GetDisplayNode() if display is not None else None
    if node.GetDisplayNode() is None and node.GetScene() is not None and like is not None:
        add_display(node, like.GetClassName(), look_of(like))
    node.SetAndObserveImageData(image)
    node.SetIJKToRASMatrix(to_vtk(volume.grid.matrix(Frame.VOXEL, Frame.RAS)))
    if node.GetDisplayNode() is None and node.GetScene() is not None:
        node.CreateDefaultDisplayNodes()


def new_image(shape: tuple[int, ...], dtype: Any, components: int = 1) -> Any:
    """Return a vtkImageData of ``shape`` (K, J, I) whose values are still to be filled in."""
    image = vtk.vtkImageData()
    image.SetDimensions(shape[::-1])
    image.AllocateScalars(numpy_support.get_vtk_array_type(np.dtype(dtype)), components)
    return image


def values_of(image: Any) -> NDArray:
    """Return the memory of a vtkImageData, (K, J, I), or (K, J, I, components) if there are several."""
    values = numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
    return values.reshape(*image.GetDimensions()[::-1], *values.shape[1:])
