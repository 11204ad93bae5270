"""Variants of labeled volumes of the scene, from a script."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from nodes import OBLIQUE, add_volume, array_of, blobs

from DiffusionCore.checks import DiffusionCoreError
from DiffusionCore.jobs.process import ProcessRunner
from DiffusionCore.mrml.labels import common_numbers, reading_labels, segment_colors
from DiffusionCore.mrml.segmentations import labels_to_node
from DiffusionCore.space import Volume
from DiffusionCore.storage.label_names import LabelName

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "DeformationSynthesis"))
from DeformationSynthesisLib.Logic import DeformationSynthesisLogic

NAMES = (LabelName(7, "inside", "#DD8265"), LabelName(300, "core", "#90EE90"))
OFF = {"symmetry": "off"}


@pytest.fixture
def logic(warm_workers):
    logic = DeformationSynthesisLogic()
    logic.runnerOf = ProcessRunner
    yield logic
    logic.close()


def labels():
    values = blobs(OBLIQUE).values
    inside, core = (values > np.percentile(values, percent) for percent in (60, 90))
    return Volume(np.where(core, 300, np.where(inside, 7, 0)).astype(np.int16), OBLIQUE)


def read(node):
    """Return the labels of a segmentation or label map node on the oblique grid."""
    reading = reading_labels(node, OBLIQUE, common_numbers(node))
    while True:
        try:
            next(reading)
        except StopIteration as end:
            return end.value.values


def test_a_segmentation_keeps_its_labels_names_and_colors(scene):
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "labels")
    labels_to_node(labels(), NAMES, node)
    numbers = common_numbers(node)
    assert list(numbers) == ["inside", "core"]
    expected = labels().values
    np.testing.assert_array_equal(read(node) == numbers["core"], expected == 300)
    np.testing.assert_array_equal(read(node) == numbers["inside"], expected == 7)
    assert segment_colors(node) == {"inside": "#DD8265", "core": "#90EE90"}


def test_other_labels_take_the_place_of_those_that_were_there(scene):
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "labels")
    labels_to_node(labels(), NAMES, node)
    identifier = node.GetSegmentation().GetSegmentIdBySegmentName("inside")
    flipped = Volume(labels().values[::-1].copy(), OBLIQUE)
    labels_to_node(flipped, NAMES, node)
    assert node.GetSegmentation().GetSegmentIdBySegmentName("inside") == identifier
    np.testing.assert_array_equal(read(node) > 0, flipped.values > 0)
    labels_to_node(flipped, NAMES[:1], node)
    assert node.GetSegmentation().GetNumberOfSegments() == 1


def test_variants_have_the_geometry_and_type_of_the_case_and_other_contents(scene, logic):
    volume = add_volume(scene, blobs(OBLIQUE, np.int16), "head")
    segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "head labels")
    labels_to_node(labels(), NAMES, segmentation)
    before = array_of(volume).copy()
    (first, first_labels), (second, _) = logic.synthesize(volume, segmentation, 2, 1.0, seed=5, settings=OFF)
    assert (first.GetName(), second.GetName()) == ("head_0000", "head_0001")
    assert array_of(first).dtype == np.int16
    for row in range(3):
        assert first.GetOrigin()[row] == pytest.approx(volume.GetOrigin()[row])
        assert first.GetSpacing()[row] == pytest.approx(volume.GetSpacing()[row])
    assert (array_of(first) != before).mean() > 0.1
    assert (array_of(first) != array_of(second)).any()
    np.testing.assert_array_equal(array_of(volume), before)
    assert list(common_numbers(first_labels)) == ["inside", "core"]
    again = logic.synthesize(volume, segmentation, 1, 1.0, seed=5, settings=OFF)[0][0]
    np.testing.assert_array_equal(array_of(again), array_of(first))


def test_a_label_map_does_as_well(scene, logic):
    volume = add_volume(scene, blobs(OBLIQUE), "head")
    label_map = add_volume(scene, labels(), "labels", "vtkMRMLLabelMapVolumeNode")
    ((_, made),) = logic.synthesize(volume, label_map, settings=OFF)
    segments = made.GetSegmentation()
    assert sorted(segments.GetNthSegment(n).GetLabelValue() for n in range(2)) == [7, 300]


def test_what_is_missing_or_wrong_is_told_and_the_scene_stays(scene, logic):
    volume = add_volume(scene, blobs(OBLIQUE))
    count = scene.GetNumberOfNodes()
    with pytest.raises(DiffusionCoreError, match="Select a segmentation"):
        logic.synthesize(volume, None)
    other = scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "small")
    with pytest.raises(DiffusionCoreError, match="Select a volume"):
        logic.synthesize(None, other)
    scene.RemoveNode(other)
    segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "labels")
    labels_to_node(labels(), NAMES, segmentation)
    with pytest.raises(DiffusionCoreError, match="no such model"):
        logic.synthesize(volume, segmentation, settings={"model": "no such model"})
    scene.RemoveNode(segmentation)
    assert scene.GetNumberOfNodes() <= count + 1  # the display of the segmentation
