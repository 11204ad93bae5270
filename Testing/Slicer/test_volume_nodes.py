import gc

import numpy as np
import pytest
import slicer
import vtk
from nodes import (
    LEFT_HANDED,
    OBLIQUE,
    add_transform,
    add_volume,
    array_of,
    blobs,
    resample_to_node,
    smooth_field,
    transform_to_node,
)

from DiffusionCore.checks import GeometryError, VolumeError
from DiffusionCore.mrml import volumes
from DiffusionCore.mrml.volumes import volume_from_node, volume_to_node, writing
from DiffusionCore.space import Frame, Volume
from DiffusionCore.transforms.affine import Affine


@pytest.mark.parametrize("grid", [OBLIQUE, LEFT_HANDED], ids=["oblique", "left-handed"])
def test_volume_survives_the_way_through_a_node(scene, grid):
    volume = blobs(grid)
    result = volume_from_node(add_volume(scene, volume))
    assert np.array_equal(result.values, volume.values)
    assert result.grid.is_close(grid, tolerance=1e-9)
    assert np.sign(np.linalg.det(result.grid.direction)) == np.sign(np.linalg.det(grid.direction))


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "uint16", "int32", "float32", "float64"])
def test_numeric_type_is_kept(scene, dtype):
    values = (np.arange(3 * 4 * 5).reshape(3, 4, 5) % 100).astype(dtype)
    node = add_volume(scene, Volume(values, OBLIQUE.resized((5, 4, 3))))
    assert volume_from_node(node).values.dtype == np.dtype(dtype)
    assert np.array_equal(slicer.util.arrayFromVolume(node), values)


def test_masks_of_truth_values_become_bytes(scene):
    node = add_volume(scene, Volume(blobs(OBLIQUE).values > 50, OBLIQUE))
    assert array_of(node).dtype == np.uint8
    assert set(np.unique(array_of(node))) == {0, 1}


def test_geometry_is_that_of_slicer(scene):
    node = add_volume(scene, blobs(LEFT_HANDED))
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    assert np.allclose(matrix.MultiplyPoint((3, 5, 7, 1))[:3], LEFT_HANDED.map((3, 5, 7), Frame.VOXEL, Frame.RAS))
    assert slicer.util.arrayFromVolume(node).shape == LEFT_HANDED.shape


def test_reading_copies_nothing(scene):
    node = add_volume(scene, blobs(OBLIQUE))
    assert np.shares_memory(volume_from_node(node).values, array_of(node))


def test_what_was_read_outlives_the_image_of_the_node(scene):
    node = add_volume(scene, blobs(OBLIQUE))
    volume = volume_from_node(node)
    node.SetAndObserveImageData(None)
    scene.RemoveNode(node)
    del node
    gc.collect()
    filler = [np.full(OBLIQUE.shape, 7, np.float32) for _ in range(50)]  # would land in memory that was given back
    assert len(filler) == 50
    assert np.array_equal(volume.values, blobs(OBLIQUE).values)


def test_a_volume_is_written_part_by_part_and_appears_at_once(scene, monkeypatch):
    monkeypatch.setattr(volumes, "PART", 4 * 14 * 11 * 2)  # bytes: two slices
    node = add_volume(scene, blobs(LEFT_HANDED))
    former = node.GetImageData()
    seen = [node.GetImageData() is former for _ in writing(blobs(OBLIQUE), node)]
    assert seen == [True] * 5
    assert np.array_equal(array_of(node), blobs(OBLIQUE).values)
    assert volume_from_node(node).grid.is_close(OBLIQUE)


def test_a_linear_parent_moves_the_grid(scene):
    pose = Affine.exponential((0.2, 0.1, -0.3, 5, -8, 3))
    node, parent = add_volume(scene, blobs(OBLIQUE)), add_transform(scene)
    transform_to_node(pose.inverse(), parent)
    node.SetAndObserveTransformNodeID(parent.GetID())
    index = (4, 2, 6)
    expected = pose.matrix.numpy() @ [*OBLIQUE.map(index, Frame.VOXEL, Frame.RAS), 1]
    assert np.allclose(volume_from_node(node).grid.map(index, Frame.VOXEL, Frame.RAS), expected[:3])
    assert volume_from_node(node, below=parent).grid.is_close(OBLIQUE)


def test_a_field_above_the_volume_is_refused_by_name(scene):
    node, parent = add_volume(scene, blobs(OBLIQUE), "head"), add_transform(scene, "bend")
    transform_to_node(smooth_field(OBLIQUE), parent)
    node.SetAndObserveTransformNodeID(parent.GetID())
    with pytest.raises(GeometryError, match=r'"head" lies under the transform "bend".*Harden'):
        volume_from_node(node)


def test_a_shear_above_the_volume_is_refused_by_name(scene):
    node, parent = add_volume(scene, blobs(OBLIQUE), "head"), add_transform(scene, "shear")
    transform_to_node(Affine.exponential((0, 0, 0, 0, 0, 0, 0, 0, 0, 0.3, 0, 0)), parent)
    node.SetAndObserveTransformNodeID(parent.GetID())
    with pytest.raises(GeometryError, match='"head" cannot be used'):
        volume_from_node(node)


def test_a_node_without_an_image_is_refused(scene):
    with pytest.raises(VolumeError, match='"empty" holds no image'):
        volume_from_node(scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty"))


def test_a_color_image_is_refused(scene):
    node = scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "photo")
    image = vtk.vtkImageData()
    image.SetDimensions(4, 5, 6)
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 3)
    node.SetAndObserveImageData(image)
    with pytest.raises(VolumeError, match='"photo" has 3 values per voxel'):
        volume_from_node(node)


def test_writing_again_keeps_the_display_of_the_node(scene):
    node = add_volume(scene, blobs(OBLIQUE))
    display = node.GetDisplayNode()
    display.SetAutoWindowLevel(False)
    display.SetWindowLevel(77, 33)
    volume_to_node(blobs(LEFT_HANDED), node)
    assert node.GetDisplayNode() is display
    assert (display.GetWindow(), display.GetLevel()) == (77, 33)


def test_a_resampled_volume_looks_like_the_moving_one_and_lies_like_the_fixed_one(scene):
    fixed, moving = add_volume(scene, blobs(OBLIQUE)), add_volume(scene, blobs(LEFT_HANDED, np.int16))
    moving.GetDisplayNode().SetAutoWindowLevel(False)
    moving.GetDisplayNode().SetWindowLevel(120, 60)
    output = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "output")
    resample_to_node(moving, fixed, Affine.identity(), output)
    result = volume_from_node(output)
    assert result.values.dtype == np.int16
    assert result.grid.is_close(OBLIQUE)
    assert output.GetDisplayNode() is not moving.GetDisplayNode()
    assert (output.GetDisplayNode().GetWindow(), output.GetDisplayNode().GetLevel()) == (120, 60)
    assert abs(result.values - blobs(OBLIQUE).values)[2:-2, 2:-2, 2:-2].max() < 0.1 * result.values.max()


def test_outside_of_the_moving_image_is_its_lowest_value(scene):
    hounsfield = Volume((blobs(LEFT_HANDED).values - 1000).astype(np.int16), LEFT_HANDED)
    fixed, moving = add_volume(scene, blobs(OBLIQUE)), add_volume(scene, hounsfield)
    output = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "output")
    resample_to_node(moving, fixed, Affine.translation((500, 0, 0)), output)
    assert np.unique(array_of(output)).tolist() == [hounsfield.values.min()]


def test_label_maps_keep_their_labels(scene):
    labels = Volume((blobs(LEFT_HANDED).values // 30 * 17).astype(np.uint8), LEFT_HANDED)
    fixed = add_volume(scene, blobs(OBLIQUE))
    moving = add_volume(scene, labels, class_name="vtkMRMLLabelMapVolumeNode")
    output = scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "output")
    resample_to_node(moving, fixed, smooth_field(OBLIQUE), output)
    assert len(np.unique(array_of(output))) > 2
    assert set(np.unique(array_of(output))) <= set(np.unique(labels.values))
