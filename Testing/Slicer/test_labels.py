"""Segmentations as integers on the grid of a volume."""

from __future__ import annotations

import numpy as np
import pytest
import vtk
from nodes import LEFT_HANDED, OBLIQUE, add_transform, add_volume, blobs, contents, smooth_field, transform_to_node

from DiffusionCore.checks import DiffusionCoreError, GeometryError, VolumeError
from DiffusionCore.interpolation import Interpolation
from DiffusionCore.jobs.events import Measure
from DiffusionCore.mrml.labels import common_numbers, reading_labels, segment_names, with_names
from DiffusionCore.mrml.preparation import preparing
from DiffusionCore.mrml.request import RegistrationRequest
from DiffusionCore.space import Volume
from DiffusionCore.transforms.affine import Affine
from DiffusionCore.transforms.resample import resample


def result_of(work):
    """Return what a generator returns in the end."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


def organs(grid):
    """Return label 2 in the bright part of the blobs, 5 around it."""
    values = blobs(grid).values
    return Volume(np.where(values > 80, 2, np.where(values > 30, 5, 0)).astype(np.uint8), grid)


def add_labels(scene, volume, name="labels"):
    return add_volume(scene, volume, name, "vtkMRMLLabelMapVolumeNode")


def add_segmentation(scene, volume, names, name="organs"):
    """Return a segmentation of the labels of ``volume``, whose segments are called ``names`` in the order of labels."""
    labels, node = add_labels(scene, volume), scene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    node.SetReferenceImageGeometryParameterFromVolumeNode(labels)
    scene.logics["Segmentations"].ImportLabelmapToSegmentationNode(labels, node)
    for number, segment in enumerate(names):
        node.GetSegmentation().GetNthSegment(number).SetName(segment)
    scene.RemoveNode(labels.GetDisplayNode())
    scene.RemoveNode(labels)
    return node


def read(node, grid, numbers=None, below=None):
    return result_of(reading_labels(node, grid, numbers or common_numbers(node), below=below))


@pytest.mark.parametrize("grid", [OBLIQUE, LEFT_HANDED], ids=["oblique", "left-handed"])
def test_a_label_map_keeps_its_values(scene, grid):
    volume = read(add_labels(scene, organs(grid)), grid)
    assert np.array_equal(volume.values, organs(grid).values)
    assert volume.values.dtype == np.uint8


@pytest.mark.parametrize("grid", [OBLIQUE, LEFT_HANDED], ids=["oblique", "left-handed"])
def test_segments_become_the_numbers_of_their_names(scene, grid):
    node = add_segmentation(scene, organs(grid), ["liver", "skin"])
    assert segment_names(node) == {2: "liver", 5: "skin"}
    values = read(node, grid, {"skin": 7, "liver": 1}).values
    assert np.array_equal(values, np.choose(np.searchsorted([0, 2, 5], organs(grid).values), [0, 1, 7]))


def test_reading_leaves_the_scene_as_it_was(scene):
    node = add_segmentation(scene, organs(OBLIQUE), ["liver", "skin"])
    before, time = contents(scene), node.GetMTime()
    read(node, OBLIQUE)
    assert (contents(scene), node.GetMTime()) == (before, time)


@pytest.mark.parametrize("kind", ["segmentation", "label map"])
def test_labels_are_read_on_any_grid_by_the_nearest_voxel(scene, kind):
    add = {"segmentation": lambda: add_segmentation(scene, organs(OBLIQUE), ["a", "b"])}
    node = add.get(kind, lambda: add_labels(scene, organs(OBLIQUE)))()
    names = {"a": 2, "b": 5} if kind == "segmentation" else {}
    expected = resample(organs(OBLIQUE), LEFT_HANDED, Affine.identity(), interpolation=Interpolation.NEAREST)
    values = read(node, LEFT_HANDED, names).values
    assert (values != expected.values).mean() < 0.001  # half-way between two voxels, either is the nearest
    assert len(np.unique(values)) == 3


def test_labels_on_a_shifted_grid_of_the_same_voxels_are_cut_out(scene):
    larger = OBLIQUE.padded(2)
    values = read(add_labels(scene, organs(OBLIQUE)), larger).values
    assert np.array_equal(values[2:-2, 2:-2, 2:-2], organs(OBLIQUE).values)
    assert values.sum() == organs(OBLIQUE).values.sum()
    back = read(add_labels(scene, Volume(values, larger)), OBLIQUE).values
    assert np.array_equal(back, organs(OBLIQUE).values)


def test_overlapping_segments_lie_in_layers_and_the_later_one_wins(scene):
    node = add_segmentation(scene, organs(OBLIQUE), ["liver", "skin"])
    other = add_segmentation(scene, Volume(np.ones(OBLIQUE.shape, np.uint8), OBLIQUE), ["all"])
    segment = other.GetSegmentation().GetNthSegment(0)
    node.GetSegmentation().AddSegment(segment)
    assert node.GetSegmentation().GetNumberOfLayers("Binary labelmap") == 2
    assert set(np.unique(read(node, OBLIQUE, {"liver": 1, "skin": 2, "all": 3}).values)) == {3}


def test_a_segmentation_of_surfaces_is_converted_in_a_copy(scene):
    node, sphere = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "organs"), vtk.vtkSphereSource()
    sphere.SetCenter(OBLIQUE.center)
    sphere.SetRadius(6)
    sphere.SetThetaResolution(60)
    sphere.SetPhiResolution(60)
    sphere.Update()
    node.GetSegmentation().SetSourceRepresentationName("Closed surface")
    node.AddSegmentFromClosedSurfaceRepresentation(sphere.GetOutput(), "ball", [1, 0, 0])
    assert not node.GetSegmentation().ContainsRepresentation("Binary labelmap")
    values = read(node, OBLIQUE, {"ball": 4}).values
    assert (values == 4).sum() * np.prod(OBLIQUE.spacing) == pytest.approx(4 / 3 * np.pi * 6**3, rel=0.1)
    assert not node.GetSegmentation().ContainsRepresentation("Binary labelmap")


def test_a_linear_transform_moves_the_labels(scene):
    parent, pose = add_transform(scene), Affine.translation((4, 0, 0))
    transform_to_node(pose, parent)
    for node in (add_labels(scene, organs(OBLIQUE)), add_segmentation(scene, organs(OBLIQUE), ["a", "b"])):
        node.SetAndObserveTransformNodeID(parent.GetID())
        expected = resample(organs(OBLIQUE), LEFT_HANDED, pose, interpolation=Interpolation.NEAREST).values
        assert (read(node, LEFT_HANDED, {"a": 2, "b": 5}).values != expected).mean() < 0.001
        assert np.array_equal(read(node, OBLIQUE, {"a": 2, "b": 5}, below=parent).values, organs(OBLIQUE).values)


def test_a_field_above_the_labels_is_refused(scene):
    node, parent = add_labels(scene, organs(OBLIQUE)), add_transform(scene)
    transform_to_node(smooth_field(OBLIQUE), parent)
    node.SetAndObserveTransformNodeID(parent.GetID())
    with pytest.raises(GeometryError, match="not linear"):
        read(node, OBLIQUE)


def test_labels_that_are_none_are_refused(scene):
    with pytest.raises(VolumeError, match="is empty"):
        read(scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "nothing"), OBLIQUE, {"a": 1})
    for values in (organs(OBLIQUE).values + 0.5, organs(OBLIQUE).values.astype(np.int16) - 1):
        with pytest.raises(DiffusionCoreError, match="integers from 0 to 65535"):
            read(add_labels(scene, Volume(values, OBLIQUE)), OBLIQUE)


def test_equal_names_get_equal_numbers_whatever_their_order(scene):
    first = add_segmentation(scene, organs(OBLIQUE), ["liver", "kidney"])
    second = add_segmentation(scene, organs(LEFT_HANDED), ["kidney", "spleen"])
    assert common_numbers(first, second) == {"liver": 1, "kidney": 2, "spleen": 3}


def test_a_segmentation_fits_itself_to_the_values_of_a_label_map(scene):
    labels = add_labels(scene, organs(OBLIQUE))
    assert common_numbers(labels, add_segmentation(scene, organs(OBLIQUE), ["a", "b"])) == {"a": 2, "b": 5}


def test_measures_carry_the_names_of_the_segments():
    measures = [
        Measure("Overlap", "", 0, 1),
        Measure("Overlap of label 2", "", 0.1, 0.2),
        Measure("Folding", "%", 0, 0),
    ]
    assert [m.name for m in with_names(measures, {"liver": 2})] == ["Overlap", "Overlap of liver", "Folding"]


def test_both_segmentations_go_into_the_job_on_the_grids_of_their_volumes(scene, pair):
    request = RegistrationRequest(
        *pair,
        fixed_segmentation=add_segmentation(scene, organs(OBLIQUE), ["liver", "kidney"]),
        moving_segmentation=add_segmentation(scene, organs(LEFT_HANDED), ["kidney", "liver"]),
    )
    prepared = result_of(preparing(request, None))
    job = prepared.job
    assert prepared.label_names == {"liver": 1, "kidney": 2}
    assert job.fixed_labels.grid.is_close(job.fixed.grid)
    assert job.moving_labels.grid.is_close(job.moving.grid)
    assert np.array_equal(job.fixed_labels.values == 1, organs(OBLIQUE).values == 2)
    assert np.array_equal(job.moving_labels.values == 2, organs(LEFT_HANDED).values == 2)


def test_a_label_map_as_moving_volume_goes_as_labels(scene, pair):
    moving = add_labels(scene, organs(LEFT_HANDED))
    job = result_of(preparing(RegistrationRequest(pair[0], moving, make_volume=True), None)).job
    assert np.array_equal(job.moving_labels.values, organs(LEFT_HANDED).values)
    assert not job.want_moved
