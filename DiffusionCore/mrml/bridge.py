"""The bridge between nodes of the scene and values: volumes and transforms.

Every function reads or writes exactly the node that it is given; nothing else in the scene changes.
RAS mm on both sides. A transform node holds T in the direction *from parent*: a volume that is put under the node
shows ``moving(T(x))`` at the world point x.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import slicer
import torch
import vtk
from numpy.typing import NDArray
from torch import Tensor
from vtk.util import numpy_support

from DiffusionCore.checks import GeometryError, VolumeError
from DiffusionCore.interpolation import Interpolation
from DiffusionCore.space import Frame, Grid, Volume
from DiffusionCore.transforms.affine import Affine
from DiffusionCore.transforms.base import Transform, voxel_centers
from DiffusionCore.transforms.displacement import Displacement
from DiffusionCore.transforms.resample import resample
from DiffusionCore.transforms.velocity import Velocity


def volume_from_node(node: Any, *, below: Any = None) -> Volume:
    """Return a copy of the image of a scalar volume ``node`` where it stands in the world.

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
    values = numpy_support.vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1])
    to_ras, above, placement = vtk.vtkMatrix4x4(), vtk.vtkGeneralTransform(), vtk.vtkTransform()
    node.GetIJKToRASMatrix(to_ras)
    parent = node.GetParentTransformNode()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(parent, below, above)
    if not slicer.vtkMRMLTransformNode.IsGeneralTransformLinear(above, placement):
        raise GeometryError(
            f'The volume "{node.GetName()}" lies under the transform "{parent.GetName()}", which is not linear. '
            "Harden that transform on a copy of the volume, or take the volume out of it."
        )
    try:
        grid = Grid.from_matrix(_to_numpy(placement.GetMatrix()) @ _to_numpy(to_ras), image.GetDimensions())
    except GeometryError as error:
        raise GeometryError(f'The volume "{node.GetName()}" cannot be used where it stands. {error}') from error
    return Volume(values.copy(), grid)


def volume_to_node(volume: Volume, node: Any, *, display: Any = None) -> None:
    """Write ``volume`` into a volume ``node``, in its own type; the display of the node stays as it is.

    A node without a display gets the look (window, level, colors) of the volume node ``display``, if one is given.
    """
    node.SetAndObserveImageData(_image(volume.values[..., None]))
    node.SetIJKToRASMatrix(_to_vtk(volume.grid.matrix(Frame.VOXEL, Frame.RAS)))
    if node.GetDisplayNode() is None and node.GetScene() is not None:
        node.CreateDefaultDisplayNodes()
        if display is not None and display.GetDisplayNode() is not None:
            node.GetDisplayNode().CopyContent(display.GetDisplayNode())


def resample_to_node(moving: Any, fixed: Any, transform: Transform, output: Any) -> None:
    """Write the ``moving`` volume node through ``transform`` on the grid of the ``fixed`` one into ``output``."""
    warped = warp(moving, volume_from_node(moving), transform, volume_from_node(fixed).grid)
    volume_to_node(warped, output, display=moving)


def warp(node: Any, volume: Volume, transform: Transform, grid: Grid) -> Volume:
    """Return ``volume``, which was read from ``node``, through ``transform`` on ``grid``.

    A label map takes the nearest label, 0 outside; an image is interpolated, its lowest value outside.
    """
    if node.IsA("vtkMRMLLabelMapVolumeNode"):
        return resample(volume, grid, transform, interpolation=Interpolation.NEAREST)
    return resample(volume, grid, transform, fill=float(volume.values.min()))


def transform_to_node(transform: Transform, node: Any, *, grid: Grid | None = None) -> None:
    """Make ``transform`` the from-parent transform of a vtkMRMLTransformNode, as a new object, so that views follow.

    An affine becomes a matrix. All others become displacements, with one ring of zeros around them: VTK repeats the
    outer vectors for ever, ITK returns zero; with the ring both agree everywhere. A field keeps its own grid, anything
    else (a chain) is sampled on ``grid``.

    Raises:
        ValueError: another class of node, or a transform without a grid of its own and no ``grid`` is given.
    """
    if node.GetClassName() != "vtkMRMLTransformNode":
        raise ValueError(f"'node' must be a vtkMRMLTransformNode, got a {node.GetClassName()}")
    if isinstance(transform, Affine):
        linear = vtk.vtkTransform()
        linear.SetMatrix(_to_vtk(transform.matrix.numpy()))
        node.SetAndObserveTransformFromParent(linear)
        return
    grid = transform.grid if isinstance(transform, Displacement | Velocity) else grid
    if grid is None:
        raise ValueError(f"'grid' must be given to sample a {type(transform).__name__}")
    node.SetAndObserveTransformFromParent(_grid_transform(transform.displacement_on(grid), grid))


def transform_from_node(node: Any, *, grid: Grid | None = None) -> Transform:
    """Return the map from the world to the inside of a transform ``node``, transforms above it included.

    Linear chains become an Affine and a single field the Displacement that it is (zero outside of its grid, while
    VTK repeats the outer vectors; no difference if it ends in zeros). All else is sampled on ``grid``.

    Raises:
        ValueError: the transform has to be sampled and no ``grid`` is given.
    """
    if node.IsTransformToWorldLinear():
        matrix = vtk.vtkMatrix4x4()
        node.GetMatrixTransformFromWorld(matrix)
        return Affine(torch.from_numpy(_to_numpy(matrix)))
    field = node.GetTransformFromParentAs("vtkOrientedGridTransform", False, False)
    stored = field is not None and not node.IsAbstractTransformComputedFromInverse(field) and not field.GetInverseFlag()
    if stored and node.GetParentTransformNode() is None:
        return _displacement(field)
    if grid is None:
        raise ValueError(f"'grid' must be given to sample the transform \"{node.GetName()}\"")
    return _sampled(node, grid)


def interpolate_linearly(node: Any) -> None:
    """Set every displacement field in a transform ``node`` to linear interpolation, and let views follow.

    Fields come back from files with cubic interpolation; ours are made and measured with linear.
    """
    fields = list(_fields(node))
    for field in fields:
        field.SetInterpolationModeToLinear()
    if fields:
        node.TransformModified()


def set_provenance(node: Any, *, fixed: Any, moving: Any) -> None:
    """Record in a transform ``node`` which volume nodes it registers, in the roles that Slicer defines for it."""
    node.SetNodeReferenceID(node.GetFixedNodeReferenceRole(), fixed.GetID())
    node.SetNodeReferenceID(node.GetMovingNodeReferenceRole(), moving.GetID())


def remove_node(node: Any) -> None:
    """Take ``node`` out of its scene together with its display and storage nodes, which Slicer would leave behind."""
    scene = node.GetScene()
    if scene is None or not scene.IsNodePresent(node):
        return
    helpers = []
    if node.IsA("vtkMRMLDisplayableNode"):
        helpers += [node.GetNthDisplayNode(index) for index in range(node.GetNumberOfDisplayNodes())]
    if node.IsA("vtkMRMLStorableNode"):
        helpers += [node.GetNthStorageNode(index) for index in range(node.GetNumberOfStorageNodes())]
    for each in (node, *filter(None, helpers)):
        scene.RemoveNode(each)


def _grid_transform(vectors: Tensor, grid: Grid) -> Any:
    ringed = grid.padded(1)
    values = np.zeros((*ringed.shape, 3), dtype=np.float32)
    values[1:-1, 1:-1, 1:-1] = vectors.movedim(0, -1).numpy()
    image = _image(values)
    image.SetOrigin(ringed.origin)
    image.SetSpacing(ringed.spacing)
    direction = np.eye(4)
    direction[:3, :3] = ringed.direction
    field = slicer.vtkOrientedGridTransform()
    field.SetDisplacementGridData(image)
    field.SetGridDirectionMatrix(_to_vtk(direction))
    field.SetInterpolationModeToLinear()
    return field


def _displacement(field: Any) -> Displacement:
    field.Update()
    image = field.GetDisplacementGrid()
    direction = _to_numpy(field.GetGridDirectionMatrix() or vtk.vtkMatrix4x4())[:3, :3]
    grid = Grid(image.GetDimensions(), image.GetSpacing(), image.GetOrigin(), tuple(map(tuple, direction)))
    stored = numpy_support.vtk_to_numpy(image.GetPointData().GetScalars()).reshape(*grid.shape, 3)
    vectors = stored * np.float32(field.GetDisplacementScale()) + np.float32(field.GetDisplacementShift())
    return Displacement(torch.from_numpy(np.ascontiguousarray(np.moveaxis(vectors, -1, 0), dtype=np.float32)), grid)


def _sampled(node: Any, grid: Grid) -> Displacement:
    from_world = vtk.vtkGeneralTransform()
    node.GetTransformFromWorld(from_world)
    vectors = np.empty((3, *grid.shape), dtype=np.float32)
    for k in range(grid.shape[0]):
        centers = voxel_centers(grid, slice(k, k + 1)).reshape(-1, 3).numpy()
        points, mapped = vtk.vtkPoints(), vtk.vtkPoints()
        points.SetData(numpy_support.numpy_to_vtk(centers, deep=True))
        mapped.SetDataTypeToDouble()
        from_world.TransformPoints(points, mapped)
        moved = numpy_support.vtk_to_numpy(mapped.GetData())
        vectors[:, k] = (moved - centers).T.reshape(3, *grid.shape[1:])
    return Displacement(torch.from_numpy(vectors), grid)


def _fields(node: Any) -> Iterator[Any]:
    """Yield the displacement fields that the node stores, in whichever direction and however nested."""
    parts = vtk.vtkCollection()
    transform = node.GetTransformFromParent()
    if transform is None or node.IsAbstractTransformComputedFromInverse(transform):
        transform = node.GetTransformToParent()
    slicer.vtkMRMLTransformNode.FlattenGeneralTransform(parts, transform)
    for index in range(parts.GetNumberOfItems()):
        if (part := parts.GetItemAsObject(index)).IsA("vtkGridTransform"):
            yield part


def _image(values: NDArray) -> Any:
    """Return a vtkImageData that holds a copy of ``values`` (K, J, I, components)."""
    values = values.astype(np.uint8) if values.dtype == np.bool_ else values
    image = vtk.vtkImageData()
    image.SetDimensions(values.shape[2::-1])
    image.AllocateScalars(numpy_support.get_vtk_array_type(values.dtype), values.shape[3])
    numpy_support.vtk_to_numpy(image.GetPointData().GetScalars()).reshape(values.shape)[...] = values
    return image


def _to_numpy(matrix: Any) -> NDArray[np.float64]:
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def _to_vtk(matrix: NDArray[np.float64]) -> Any:
    result = vtk.vtkMatrix4x4()
    result.DeepCopy(np.asarray(matrix, dtype=np.float64).ravel().tolist())
    return result
