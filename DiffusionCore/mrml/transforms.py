"""Plain transforms between values and transform nodes; no torch.

RAS mm on both sides. A transform node holds T in the direction *from parent*: a volume that is put under the node
shows ``moving(T(x))`` at the world point x.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import slicer
import vtk
from vtk.util import numpy_support

from DiffusionCore.mrml.matrices import to_numpy, to_vtk
from DiffusionCore.mrml.volumes import new_image, values_of
from DiffusionCore.space import Frame, Grid
from DiffusionCore.space.plain import Composite, Field, Matrix, PlainTransform


def plain_to_node(transform: PlainTransform, node: Any) -> None:
    """Make ``transform`` the from-parent transform of a vtkMRMLTransformNode, as a new object, so that views follow.

    A field gets one ring of zeros around it: VTK repeats the outer vectors for ever, ITK returns zero; with the ring
    both agree everywhere.

    Raises:
        ValueError: another class of node.
    """
    if node.GetClassName() != "vtkMRMLTransformNode":
        raise ValueError(f"'node' must be a vtkMRMLTransformNode, got a {node.GetClassName()}")
    node.SetAndObserveTransformFromParent(_to_vtk(transform))


def plain_from_node(node: Any, *, grid: Grid | None = None) -> PlainTransform:
    """Return the map from the world to the inside of a transform ``node``, transforms above it included.

    Linear chains become a Matrix, a single field the Field that it is, and one with linear maps after it a Composite
    (zero outside of its grid, while VTK repeats the outer vectors; no difference if it ends in zeros). All else is
    sampled on ``grid``.

    Raises:
        ValueError: the transform has to be sampled and no ``grid`` is given.
    """
    if node.IsTransformToWorldLinear():
        matrix = vtk.vtkMatrix4x4()
        node.GetMatrixTransformFromWorld(matrix)
        return Matrix(to_numpy(matrix))
    if node.GetParentTransformNode() is None and (known := _from_vtk(node)) is not None:
        return known
    if grid is None:
        raise ValueError(f"'grid' must be given to sample the transform \"{node.GetName()}\"")
    return _sampled(node, grid)


def without_ring(transform: PlainTransform) -> PlainTransform:
    """Return ``transform`` as it was before ``plain_to_node`` put a ring of zeros around its field."""
    match transform:
        case Field():
            return Field(transform.vectors[1:-1, 1:-1, 1:-1], transform.grid.padded(-1))
        case Composite():
            return Composite(transform.matrix, without_ring(transform.field))
    return transform


def interpolate_linearly(node: Any) -> None:
    """Set every displacement field in a transform ``node`` to linear interpolation, and let views follow.

    Fields come back from files with cubic interpolation; ours are made and measured with linear.
    """
    fields = list(_fields(node))
    for field in fields:
        field.SetInterpolationModeToLinear()
    if fields:
        node.TransformModified()


def bytes_of(node: Any) -> int:
    """Return how much memory the displacement fields in a transform ``node`` take."""
    images = [field.GetDisplacementGrid() for field in _fields(node)]
    return sum(i.GetNumberOfPoints() * i.GetNumberOfScalarComponents() * i.GetScalarSize() for i in images)


def set_provenance(node: Any, *, fixed: Any, moving: Any) -> None:
    """Record in a transform ``node`` which volume nodes it registers, in the roles that Slicer defines for it."""
    node.SetNodeReferenceID(node.GetFixedNodeReferenceRole(), fixed.GetID())
    node.SetNodeReferenceID(node.GetMovingNodeReferenceRole(), moving.GetID())


def stands_under(node: Any, transform: Any) -> bool:
    """Return whether the transform node ``transform`` is somewhere above ``node``; False for None."""
    parent = node.GetParentTransformNode()
    if parent is None or transform is None:
        return False
    return parent is transform or bool(parent.IsTransformNodeMyParent(transform))


def put_under(node: Any, transform: Any) -> None:
    """Put ``node`` under ``transform``; the transforms that it lies under already stay below that one."""
    top = top_of(node, below=transform)
    if top is not transform:
        top.SetAndObserveTransformNodeID(transform.GetID())


def top_of(node: Any, *, below: Any = None) -> Any:
    """Return the uppermost of ``node`` and the transforms above it; ``below``, if that is one of them."""
    top = node
    while top is not below and top.GetParentTransformNode() is not None:
        top = top.GetParentTransformNode()
    return top


def _to_vtk(transform: PlainTransform) -> Any:
    match transform:
        case Matrix():
            linear = vtk.vtkTransform()
            linear.SetMatrix(to_vtk(transform.values))
            return linear
        case Field():
            return _grid_transform(transform)
        case Composite():
            both = vtk.vtkGeneralTransform()
            both.PostMultiply()  # what is added acts after what is there
            both.Concatenate(_to_vtk(transform.field))
            both.Concatenate(_to_vtk(transform.matrix))
            return both


def _from_vtk(node: Any) -> PlainTransform | None:
    """Return what the node stores from its parent: a field, or one with linear maps after it; None for all else."""
    stored = node.GetTransformFromParent()
    if stored is None or node.IsAbstractTransformComputedFromInverse(stored):
        return None
    parts = vtk.vtkCollection()
    slicer.vtkMRMLTransformNode.FlattenGeneralTransform(parts, stored)
    first, *after = [parts.GetItemAsObject(index) for index in range(parts.GetNumberOfItems())] or [None]
    if first is None or not first.IsA("vtkOrientedGridTransform") or first.GetInverseFlag():
        return None
    if not all(part.IsA("vtkLinearTransform") for part in after):
        return None
    matrix = np.eye(4)
    for part in after:
        matrix = to_numpy(part.GetMatrix()) @ matrix
    return Composite(Matrix(matrix), _field(first)) if after else _field(first)


def _grid_transform(transform: Field) -> Any:
    ringed = transform.grid.padded(1)
    image = new_image(ringed.shape, np.float32, components=3)
    values = values_of(image)
    values[[0, -1]] = values[:, [0, -1]] = values[:, :, [0, -1]] = 0
    values[1:-1, 1:-1, 1:-1] = transform.vectors
    image.SetOrigin(ringed.origin)
    image.SetSpacing(ringed.spacing)
    direction = np.eye(4)
    direction[:3, :3] = ringed.direction
    field = slicer.vtkOrientedGridTransform()
    field.SetDisplacementGridData(image)
    field.SetGridDirectionMatrix(to_vtk(direction))
    field.SetInterpolationModeToLinear()
    return field


def _field(field: Any) -> Field:
    field.Update()
    image = field.GetDisplacementGrid()
    direction = to_numpy(field.GetGridDirectionMatrix() or vtk.vtkMatrix4x4())[:3, :3]
    grid = Grid(image.GetDimensions(), image.GetSpacing(), image.GetOrigin(), tuple(map(tuple, direction)))
    scale, shift = np.float32(field.GetDisplacementScale()), np.float32(field.GetDisplacementShift())
    return Field(values_of(image) * scale + shift, grid)


def _sampled(node: Any, grid: Grid) -> Field:
    from_world = vtk.vtkGeneralTransform()
    node.GetTransformFromWorld(from_world)
    vectors = np.empty((*grid.shape, 3), dtype=np.float32)
    j, i = np.meshgrid(*map(np.arange, grid.shape[1:]), indexing="ij")
    for k in range(grid.shape[0]):
        centers = grid.map(np.stack([i, j, np.full_like(i, k)], axis=-1).reshape(-1, 3), Frame.VOXEL, Frame.RAS)
        points, mapped = vtk.vtkPoints(), vtk.vtkPoints()
        points.SetData(numpy_support.numpy_to_vtk(centers, deep=True))
        mapped.SetDataTypeToDouble()
        from_world.TransformPoints(points, mapped)
        vectors[k] = (numpy_support.vtk_to_numpy(mapped.GetData()) - centers).reshape(*grid.shape[1:], 3)
    return Field(vectors, grid)


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
