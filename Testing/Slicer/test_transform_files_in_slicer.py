"""The transform files that the core writes, loaded as 3D Slicer loads them."""

import numpy as np
import pytest
import slicer
import torch
import vtk

from DiffusionCore.space import Frame, Grid
from DiffusionCore.storage.transforms import read_transform, write_transform
from DiffusionCore.transforms import Affine, Chain, Displacement

AXES = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
GRID = Grid((16, 14, 12), (2.0, 2.5, 3.0), (-10.0, 5.0, 7.0), tuple(map(tuple, AXES)))
FIELD = Displacement(3 * torch.randn((3, *GRID.shape), generator=torch.Generator().manual_seed(1)), GRID)
AFFINE = Affine.exponential([0.1, -0.2, 0.3, 5, 6, -7])
TRANSFORMS = {
    "affine": AFFINE,
    "field": FIELD,
    "affine last": Chain((AFFINE, FIELD)),
    "affine first": Chain((FIELD, AFFINE)),
}


def loaded(scene, path):
    """Return the transform of a file, fixed to moving, as the scene has it, its fields interpolated linearly."""
    node, storage = slicer.vtkMRMLTransformNode(), slicer.vtkMRMLTransformStorageNode()
    scene.AddNode(node)
    storage.SetFileName(str(path))
    assert storage.ReadData(node) == 1
    parts = vtk.vtkCollection()
    slicer.vtkMRMLTransformNode.FlattenGeneralTransform(parts, node.GetTransformFromParent())
    for index in range(parts.GetNumberOfItems()):
        if parts.GetItemAsObject(index).IsA("vtkOrientedGridTransform"):
            parts.GetItemAsObject(index).SetInterpolationModeToLinear()
    general = vtk.vtkGeneralTransform()
    node.GetTransformFromWorld(general)
    return general


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("suffix", [".h5", ".tfm", ".nrrd"])
def test_slicer_maps_points_as_the_file_says_inside_the_grid_and_far_outside(scene, tmp_path, name, suffix):
    write_transform(tmp_path / f"transform{suffix}", TRANSFORMS[name], GRID)
    theirs, ours = loaded(scene, tmp_path / f"transform{suffix}"), read_transform(tmp_path / f"transform{suffix}")
    voxels = np.random.default_rng(2).uniform(-0.2, 1.2, (200, 3)) * (np.array(GRID.size) - 1)
    points = np.vstack([GRID.map(voxels, Frame.VOXEL, Frame.RAS), [[900.0, -800.0, 700.0]]])
    expected = ours.map(torch.from_numpy(points)).numpy()
    assert abs(expected - points)[:-1].max() > 1
    mapped = np.array([theirs.TransformPoint(point) for point in points.tolist()])
    assert abs(mapped - expected).max() < 1e-3
