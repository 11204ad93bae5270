"""The widget that places points: its buttons are the place mode of the scene, for one markups node."""

from __future__ import annotations

import pytest
import slicer

from Testing.Panel.clicking import click


@pytest.fixture
def points(scene):
    node = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "points")
    node.CreateDefaultDisplayNodes()
    return node


@pytest.fixture
def widget(scene, points):
    widget = slicer.qSlicerMarkupsPlaceWidget()
    widget.setMRMLScene(scene)
    widget.setCurrentNode(points)
    widget.show()
    yield widget
    widget.delete()


@pytest.fixture
def told(widget):
    told = []
    widget.connect("activeMarkupsPlaceModeChanged(bool)", told.append)
    return told


def is_placing(application):
    interaction = application.applicationLogic().GetInteractionNode()
    return interaction.GetCurrentInteractionMode() == interaction.Place


def test_the_button_starts_and_ends_placing_points_of_the_node(application, widget, points, told):
    click(widget.placeButton())
    assert is_placing(application)
    assert widget.placeModeEnabled
    assert slicer.modules.markups.logic().GetActiveListID() == points.GetID()
    click(widget.placeButton())
    assert not is_placing(application)
    assert told == [True, False]


def test_placing_for_another_node_is_not_placing_for_this_one(application, scene, widget, told):
    other = slicer.qSlicerMarkupsPlaceWidget()
    other.setMRMLScene(scene)
    other.setCurrentNode(scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode"))
    widget.setPlaceModeEnabled(True)
    other.setPlaceModeEnabled(True)
    assert is_placing(application)
    assert (widget.placeModeEnabled, other.placeModeEnabled) == (False, True)
    assert not widget.placeButton().checked
    assert told == [True, False]


def test_leaving_the_place_mode_elsewhere_is_shown(application, widget, told):
    widget.setPlaceModeEnabled(True)
    interaction = application.applicationLogic().GetInteractionNode()
    interaction.SetCurrentInteractionMode(interaction.ViewTransform)
    assert not widget.placeButton().checked
    assert told == [True, False]


@pytest.mark.parametrize(
    ("option", "persistent"), [("ForcePlaceSingleMarkup", False), ("ForcePlaceMultipleMarkups", True)]
)
def test_one_or_many_points_can_be_forced(widget, option, persistent):
    widget.setPlaceModePersistency(not persistent)
    widget.placeMultipleMarkups = getattr(slicer.qSlicerMarkupsPlaceWidget, option)
    widget.setPlaceModeEnabled(True)
    assert widget.placeModePersistency is persistent


def test_the_bin_deletes_the_last_point_and_is_gray_without_points(widget, points):
    assert not widget.deleteButton().enabled
    points.AddControlPoint(1, 2, 3)
    points.AddControlPoint(4, 5, 6)
    click(widget.deleteButton())
    assert points.GetNumberOfControlPoints() == 1
    assert tuple(points.GetNthControlPointPosition(0)) == (1, 2, 3)
    widget.deleteAllPoints()
    assert not widget.deleteButton().enabled


def test_where_the_number_is_fixed_the_last_position_is_unset_instead(widget, points):
    points.AddControlPoint(1, 2, 3)
    points.SetFixedNumberOfControlPoints(True)
    widget.modifyLastPoint()
    assert points.GetNumberOfControlPoints() == 1
    assert points.GetNthControlPointPositionStatus(0) == points.PositionUndefined


def test_the_place_button_rests_when_all_points_are_placed(widget, points):
    points.SetMaximumNumberOfControlPoints(1)
    points.SetRequiredNumberOfControlPoints(1)
    points.AddControlPoint(1, 2, 3)
    assert not widget.placeButton().enabled


def test_the_color_is_that_of_the_node(widget, points, qt):
    widget.nodeColor = qt.QColor(255, 0, 0)
    assert points.GetDisplayNode().GetSelectedColor() == (1, 0, 0)
    points.GetDisplayNode().SetSelectedColor(0, 0, 1)
    assert widget.nodeColor.name() == "#0000ff"


def test_without_a_node_or_a_scene_all_is_gray(scene, widget, told):
    widget.setPlaceModeEnabled(True)
    widget.setCurrentNode(None)
    assert not widget.placeButton().enabled
    assert told == [True, False]
    widget.setPlaceModeEnabled(True)
    assert not widget.placeModeEnabled
    widget.setCurrentNode(scene.AddNewNodeByClass("vtkMRMLTableNode"))
    assert widget.currentNode() is None


def test_closing_the_scene_does_not_trouble_it(scene, widget):
    widget.setPlaceModeEnabled(True)
    scene.Clear(False)
    widget.setCurrentNode(None)
    assert not widget.placeButton().enabled
