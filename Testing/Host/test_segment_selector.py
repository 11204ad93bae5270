"""The segment selector chooses a segment of the segmentation that is chosen beside it."""

from __future__ import annotations

import pytest
import slicer
from PySide6.QtWidgets import QComboBox

from Testing.Panel.clicking import choose


@pytest.fixture
def selector(scene):
    selector = slicer.qMRMLSegmentSelectorWidget()
    selector.setMRMLScene(scene)
    selector.show()
    yield selector
    selector.delete()


@pytest.fixture
def organs(scene, selector):  # a node that comes later is not chosen by itself
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "organs")
    for name in ("liver", "spleen"):
        node.GetSegmentation().AddEmptySegment(name, name.capitalize())
    return node


@pytest.fixture
def told(selector):
    told = []
    selector.connect("currentSegmentChanged(QString)", told.append)
    return told


def segments(selector):
    box = selector.findChild(QComboBox, "comboBox_Segment")
    return [box.itemText(row) for row in range(box.count)]


def test_the_first_segment_is_chosen_with_the_segmentation(organs, selector, told):
    nodes = []
    selector.connect("currentNodeChanged(vtkMRMLNode*)", nodes.append)
    selector.setCurrentNode(organs)
    assert segments(selector) == ["Liver", "Spleen"]
    assert selector.currentSegmentID() == "liver"
    assert selector.currentNodeID() == organs.GetID()
    assert told == ["liver"]
    assert nodes == [organs]


def test_with_none_enabled_no_segment_is_chosen_first(organs, selector, told):
    selector.noneEnabled = True
    selector.setCurrentNode(organs)
    assert segments(selector) == ["None", "Liver", "Spleen"]
    assert selector.currentSegmentID() == ""
    assert told == []


def test_a_user_chooses_a_segment_and_none(organs, selector, told):
    selector.noneEnabled = True
    selector.setCurrentNode(organs)
    box = selector.findChild(QComboBox, "comboBox_Segment")
    choose(box, "Spleen")
    assert selector.currentSegmentID() == "spleen"
    choose(box, "None")
    assert told == ["spleen", ""]


def test_new_renamed_and_removed_segments_are_followed(organs, selector):
    selector.setCurrentNode(organs)
    selector.setCurrentSegmentID("spleen")
    organs.GetSegmentation().AddEmptySegment("kidney", "Kidney")
    organs.GetSegmentation().GetSegment("liver").SetName("Lobe")
    assert segments(selector) == ["Lobe", "Spleen", "Kidney"]
    assert selector.currentSegmentID() == "spleen"
    organs.GetSegmentation().RemoveSegment("spleen")
    assert selector.currentSegmentID() == "liver"


def test_an_unknown_segment_changes_nothing(organs, selector, told):
    selector.setCurrentNode(organs)
    selector.setCurrentSegmentID("brain")
    assert told == ["liver"]


def test_it_says_why_there_is_nothing_to_choose(scene, selector):
    label = selector._message
    assert label.text.strip() == "No node is selected"
    selector.setCurrentNode(scene.AddNewNodeByClass("vtkMRMLSegmentationNode"))
    assert label.text.strip() == "No segments in segmentation"


def test_removing_the_segmentation_leaves_nothing_to_choose(scene, organs, selector):
    selector.setCurrentNode(organs)
    scene.RemoveNode(organs)
    assert selector.currentNode() is None
    assert segments(selector) == []


def test_it_lies_in_one_row_where_that_is_asked_for(organs, selector):
    selector.setCurrentNode(organs)
    tall = selector.sizeHint.height()
    selector.horizontalLayout = True
    selector.layout().activate()
    assert selector.sizeHint.height() < tall
