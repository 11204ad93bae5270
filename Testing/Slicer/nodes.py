"""What the tests put into a scene: oblique volumes, smooth fields, scripted steps, and independent ways to look."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk
import slicer
import torch
import vtk
from vtk.util import numpy_support

from DiffusionCore.interpolation import Interpolation
from DiffusionCore.jobs.events import StepMade
from DiffusionCore.mrml.transforms import plain_to_node
from DiffusionCore.mrml.volumes import volume_from_node, volume_to_node
from DiffusionCore.space import Frame, Grid, Volume
from DiffusionCore.transforms.affine import Affine
from DiffusionCore.transforms.displacement import Displacement
from DiffusionCore.transforms.plain import to_plain
from DiffusionCore.transforms.resample import resample

LOGIC_FILE = Path(__file__).resolve().parents[2] / "SpatialDiffusion" / "SpatialDiffusionLib" / "Logic.py"
_TURN = Affine.exponential((0.3, -0.2, 0.5, 0, 0, 0)).matrix[:3, :3].numpy()
_LPS = np.diag([-1.0, -1.0, 1.0])
OBLIQUE = Grid((14, 11, 9), (2.0, 2.5, 3.0), (-12.0, 7.0, 20.0), tuple(map(tuple, _TURN)))
LEFT_HANDED = Grid((13, 14, 12), (2.3, 2.0, 2.2), (10.0, 17.0, 25.0), tuple(map(tuple, _TURN @ np.diag([-1.0, 1, 1]))))
POSE = Affine.exponential((0.15, -0.1, 0.1, 3, -2, 2), OBLIQUE.center)


def made(index: int, transform, phase="search", time=0.5, metrics=None, of=None, made_at=0.0) -> StepMade:
    """Return the step that a worker would report."""
    return StepMade(index, of, phase, time, to_plain(transform, OBLIQUE), metrics or {}, made_at)


def blobs(grid: Grid, dtype=np.float32) -> Volume:
    """Return a smooth image without symmetry, the same object in space on every grid."""
    points = grid.map(np.stack(np.meshgrid(*map(np.arange, grid.size), indexing="ij"), -1), Frame.VOXEL, Frame.RAS)
    centers, widths = np.array([[-8, 19, 37], [-2, 14, 31], [-14, 23, 35]]), np.array([6.0, 5.0, 8.0])
    distances = ((points[..., None, :] - centers) ** 2).sum(-1) / widths**2
    return Volume((np.exp(-distances) * [200, 120, 80]).sum(-1).T.astype(dtype), grid)


def smooth_field(grid: Grid, millimeters: float = 3.0) -> Displacement:
    """Return a displacement whose border is not zero."""
    k, j, i = np.meshgrid(*(np.linspace(0, 3, n) for n in grid.shape), indexing="ij")
    vectors = np.stack([np.sin(i + j), np.cos(j - k), np.sin(k + 0.5 * i) + 0.3]) * millimeters
    return Displacement(torch.from_numpy(vectors.astype(np.float32)), grid)


def add_volume(scene, volume: Volume, name="volume", class_name="vtkMRMLScalarVolumeNode"):
    node = scene.AddNewNodeByClass(class_name, name)
    volume_to_node(volume, node)
    return node


def add_transform(scene, name="transform", class_name="vtkMRMLTransformNode"):
    return scene.AddNewNodeByClass(class_name, name)


def transform_to_node(transform, node, grid: Grid = OBLIQUE) -> None:
    plain_to_node(to_plain(transform, grid), node)


def resample_to_node(moving, fixed, transform, output) -> None:
    """Write the ``moving`` volume node through ``transform`` on the grid of the ``fixed`` one into ``output``."""
    volume, grid = volume_from_node(moving), volume_from_node(fixed).grid
    if moving.IsA("vtkMRMLLabelMapVolumeNode"):
        warped = resample(volume, grid, transform, interpolation=Interpolation.NEAREST)
    else:
        warped = resample(volume, grid, transform, fill=float(volume.values.min()))
    volume_to_node(warped, output, display=moving)


def array_of(node) -> np.ndarray:
    image = node.GetImageData()
    return numpy_support.vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1])


def from_world(node, points) -> np.ndarray:
    """Return where MRML takes world points (N, 3) on their way into the transform node."""
    general = vtk.vtkGeneralTransform()
    node.GetTransformFromWorld(general)
    return np.array([general.TransformDoublePoint(*map(float, point)) for point in np.asarray(points)])


def to_sitk(volume: Volume) -> sitk.Image:
    image = sitk.GetImageFromArray(volume.values)
    image.SetSpacing(volume.grid.spacing)
    image.SetOrigin((_LPS @ volume.grid.origin).tolist())
    image.SetDirection((_LPS @ np.array(volume.grid.direction)).ravel().tolist())
    return image


def to_sitk_field(displacement: Displacement) -> sitk.Transform:
    """Return the same displacement as ITK understands it, made without the project's file code."""
    vectors = displacement.vectors.movedim(0, -1).double().numpy() @ _LPS
    image = sitk.GetImageFromArray(vectors, isVector=True)
    image.SetSpacing(displacement.grid.spacing)
    image.SetOrigin((_LPS @ displacement.grid.origin).tolist())
    image.SetDirection((_LPS @ np.array(displacement.grid.direction)).ravel().tolist())
    return sitk.DisplacementFieldTransform(sitk.Cast(image, sitk.sitkVectorFloat64))


def resliced(moving_node, fixed_node, transform_node) -> np.ndarray:
    """Return the moving volume as the slice views show it on the grid of the fixed one (vtkImageReslice)."""
    to_ras, to_ijk, chain = vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4(), vtk.vtkGeneralTransform()
    fixed_node.GetIJKToRASMatrix(to_ras)
    moving_node.GetRASToIJKMatrix(to_ijk)
    inside = vtk.vtkGeneralTransform()
    transform_node.GetTransformFromWorld(inside)
    chain.PostMultiply()
    for part in (to_ras, inside, to_ijk):
        chain.Concatenate(part)
    reslice = vtk.vtkImageReslice()
    reslice.SetInputData(moving_node.GetImageData())
    reslice.SetResliceTransform(chain)
    reslice.SetInterpolationModeToLinear()
    reslice.SetOutputOrigin(0, 0, 0)
    reslice.SetOutputSpacing(1, 1, 1)
    size = fixed_node.GetImageData().GetDimensions()
    reslice.SetOutputExtent(0, size[0] - 1, 0, size[1] - 1, 0, size[2] - 1)
    reslice.SetBackgroundLevel(0)
    reslice.Update()
    return numpy_support.vtk_to_numpy(reslice.GetOutput().GetPointData().GetScalars()).reshape(size[::-1])


def contents(scene) -> list[str]:
    """Return every node of the scene by id, with what identifies its state to a user."""
    nodes = [scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes())]
    return [
        f"{node.GetID()} {node.GetName()} {node.GetTransformNodeID() if node.IsA('vtkMRMLTransformableNode') else ''}"
        for node in nodes
    ]


def watch(node, event=slicer.vtkMRMLTransformableNode.TransformModifiedEvent) -> list:
    """Return a list that grows by one whenever ``event`` fires at ``node``."""
    fired = []
    node.AddObserver(event, lambda *_: fired.append(1))
    return fired


def watch_content(node) -> list:
    """Return a list that grows by one whenever anything about ``node`` changes."""
    fired, events = watch(node, vtk.vtkCommand.ModifiedEvent), node.GetContentModifiedEvents()
    for number in range(events.GetNumberOfValues()):
        node.AddObserver(events.GetValue(number), lambda *_: fired.append(1))
    return fired
