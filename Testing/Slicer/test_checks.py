"""What the user is told about a pair before it is registered."""

from __future__ import annotations

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
    contents,
    smooth_field,
    transform_to_node,
)

from DiffusionCore.checks import DiffusionCoreError
from DiffusionCore.mrml import facts
from DiffusionCore.mrml.checks import Severity, findings, overlap
from DiffusionCore.mrml.fixes import FixAction
from DiffusionCore.mrml.request import RegistrationRequest
from DiffusionCore.mrml.run import LiveRun
from DiffusionCore.space import Grid, Volume
from DiffusionCore.transforms.affine import Affine


def said(*arguments, **wishes):
    return [
        (f.severity.name, f.text, f.fix and f.fix.action) for f in findings(RegistrationRequest(*arguments, **wishes))
    ]


def of_components(scene, count):
    node, image = scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "photo"), vtk.vtkImageData()
    image.SetDimensions(14, 11, 9)
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, count)
    node.SetAndObserveImageData(image)
    return node


def test_a_good_pair_needs_no_words(pair):
    assert said(*pair) == []


def test_what_is_missing_is_asked_for(pair):
    assert said(None, None) == [
        ("OPEN", "Select a fixed volume.", None),
        ("OPEN", "Select a moving volume.", None),
    ]
    assert said(pair[0], pair[0]) == [("OPEN", "Fixed and moving are the same volume.", None)]


def test_color_images_are_sent_to_the_module_that_helps(scene, pair):
    text = "Fixed volume has 3 color channels. Use Vector to Scalar Volume first."
    assert said(of_components(scene, 3), pair[1]) == [("ERROR", text, FixAction.OPEN_MODULE)]


def test_images_over_time_are_refused(scene, pair):
    (found,) = said(pair[0], of_components(scene, 20))
    assert found == ("ERROR", "Moving volume has 20 values per voxel (4D). Take one of them out first.", None)


def test_a_single_slice_is_refused(scene, pair):
    grid = Grid((14, 11, 1))
    (found,) = said(add_volume(scene, Volume(np.ones(grid.shape), grid)), pair[1])
    assert found[:2] == ("ERROR", "Fixed volume has 14x11x1 voxels. A 3D volume of at least 4 a side is needed.")


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (-1000, "-1000"), (np.nan, "invalid (NaN)")])
def test_an_empty_image_is_said_to_be_empty(scene, pair, value, text):
    empty = add_volume(scene, Volume(np.full(OBLIQUE.shape, value, np.float32), OBLIQUE))
    assert said(pair[0], empty) == [("ERROR", f"Moving volume is empty: every voxel is {text}.", None)]


def test_a_node_without_an_image_is_refused(scene, pair):
    (found,) = said(scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode"), pair[1])
    assert found[:2] == ("ERROR", "Fixed volume holds no image. Load it again, or choose another one.")


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (1204, "Moving volume has 1204 invalid voxels (NaN). They count as background."),
        (1, "Moving volume has one invalid voxel (NaN). It counts as background."),
    ],
)
def test_invalid_voxels_are_counted_and_allowed(scene, pair, count, text):
    values = blobs(OBLIQUE).values.copy()
    values.ravel()[:count] = np.nan
    values.ravel()[0] = np.inf
    assert said(pair[0], add_volume(scene, Volume(values, OBLIQUE))) == [("WARNING", text, FixAction.ACCEPT)]


def test_volumes_apart_are_told_how_far(scene, pair):
    apart = add_volume(
        scene, Volume(blobs(OBLIQUE).values, OBLIQUE.with_center(OBLIQUE.center + np.array([0, 280, 0])))
    )
    text = "The volumes do not overlap (centers 280 mm apart). They will be aligned at their centers first."
    assert said(pair[0], apart) == [("INFO", text, None)]
    assert said(pair[0], apart, initial=add_transform(scene)) == []


def test_overlap_is_that_of_oblique_boxes():
    box = Grid((10, 10, 10))
    turned = Affine.exponential((0, 0, np.pi / 4, 0, 0, 0)).matrix[:3, :3].numpy()
    oblique = Grid((10, 10, 10), direction=tuple(map(tuple, turned)))
    assert overlap(box, oblique.with_center((11.0, 4.5, 4.5)))  # its corner reaches in
    assert not overlap(box, box.with_center((14.6, 4.5, 4.5)))
    assert not overlap(box, oblique.with_center((13.2, 13.2, 4.5)))  # though the boxes along the axes would overlap


def test_a_moving_volume_under_a_transform_starts_there_unless_the_user_ignores_it(scene, pair):
    parent = add_transform(scene, "Transform_3")
    pair[1].SetAndObserveTransformNodeID(parent.GetID())
    text = "Moving volume is under 'Transform_3'. It is used as the initial transform."
    (found,) = findings(RegistrationRequest(*pair))
    assert (found.severity, found.text) == (Severity.INFO, text)
    assert (found.fix.action, found.fix.target) == (FixAction.IGNORE_TRANSFORM, pair[1])
    assert said(*pair, transform=parent) == []  # the output of the run before does not count


def test_a_field_above_a_volume_is_refused_by_name(scene, pair):
    parent = add_transform(scene, "bend")
    transform_to_node(smooth_field(OBLIQUE), parent)
    pair[1].SetAndObserveTransformNodeID(parent.GetID())
    ((severity, text, fix),) = said(*pair)
    assert (severity, fix) == ("ERROR", FixAction.IGNORE_TRANSFORM)
    assert '"moving" lies under the transform "bend", which is not linear. Harden' in text


def test_a_shear_is_refused_and_named_by_where_it_comes_from(scene, pair):
    parent, shear = add_transform(scene, "skew"), Affine.exponential((0, 0, 0, 0, 0, 0, 0, 0, 0, 0.3, 0, 0))
    transform_to_node(shear, parent)
    pair[1].SetAndObserveTransformNodeID(parent.GetID())
    ((severity, text, fix),) = said(*pair)
    assert (severity, fix) == ("ERROR", FixAction.IGNORE_TRANSFORM)
    assert 'the transform "skew" shears it. Harden' in text
    pair[1].SetAndObserveTransformNodeID(None)
    matrix = vtk.vtkMatrix4x4()
    pair[1].GetIJKToRASMatrix(matrix)
    matrix.SetElement(0, 2, matrix.GetElement(0, 2) + 1)
    pair[1].SetIJKToRASMatrix(matrix)
    ((severity, text, fix),) = said(*pair)
    assert (severity, fix) == ("ERROR", None)
    assert '"moving" is sheared, as by a gantry tilt. Resample it' in text


def test_a_label_map_of_another_size_is_refused_and_a_segmentation_of_another_size_is_not(scene, logics, pair):
    smaller = Grid((14, 11, 4))
    values = np.ones(smaller.shape, np.uint8)
    labels = add_volume(scene, Volume(values, smaller), "labels", "vtkMRMLLabelMapVolumeNode")
    text = (
        "Segmentation and volume differ in size: 14x11x4 and 14x11x9. "
        "Select the segmentation that was drawn on this volume."
    )
    assert said(*pair, fixed_segmentation=labels) == [("ERROR", text, None)]
    segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "organs")
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(labels)
    logics["Segmentations"].ImportLabelmapToSegmentationNode(labels, segmentation)
    assert said(*pair, fixed_segmentation=segmentation) == [("WARNING", text, None)]


def test_errors_come_first(scene, pair):
    values = blobs(LEFT_HANDED).values.copy()
    values[0, 0, 0] = np.nan
    holes = add_volume(scene, Volume(values, LEFT_HANDED))
    found = said(holes, pair[1], volume=pair[1])
    assert [severity for severity, *_ in found] == ["ERROR", "WARNING"]


def test_without_the_module_sequences_the_message_names_it():
    scene = slicer.vtkMRMLScene()
    pair = add_volume(scene, blobs(OBLIQUE)), add_volume(scene, blobs(LEFT_HANDED))
    text = "The steps cannot be kept: the module Sequences is not loaded. Enable it."
    assert ("ERROR", text, None) in said(*pair)
    assert said(*pair, keep_steps=False) == []


def test_what_is_an_error_here_does_not_run(scene, pair):
    with pytest.raises(DiffusionCoreError, match="same volume"):
        LiveRun(RegistrationRequest(pair[0], pair[0]))


def test_looking_changes_nothing(scene, pair):
    before = contents(scene)
    said(*pair)
    assert contents(scene) == before


def test_values_are_looked_at_once_until_they_change(scene, pair, monkeypatch):
    looked, look = [], facts._look
    monkeypatch.setattr(facts, "_look", lambda image: looked.append(image) or look(image))
    monkeypatch.setattr(facts, "_known", {})
    for _ in range(3):
        assert said(*pair) == []
    assert len(looked) == 2
    array_of(pair[1])[...] = 5
    pair[1].GetImageData().GetPointData().GetScalars().Modified()
    assert said(*pair)[0][1] == "Moving volume is empty: every voxel is 5."
    assert len(looked) == 3


def test_what_is_remembered_about_images_is_bounded(scene, monkeypatch):
    monkeypatch.setattr(facts, "_known", {})
    for _ in range(40):
        facts.facts_of(add_volume(scene, blobs(OBLIQUE)).GetImageData())
    assert len(facts._known) <= 16
