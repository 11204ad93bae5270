"""What a widget observes in the scene ends with the widget."""

from __future__ import annotations

import pytest
import slicer
from slicer_api_host.observations import Observations
from vtkmodules.vtkCommonCore import vtkCommand, vtkObject


@pytest.fixture
def owner(application, qt):
    return qt.QObject()


def test_an_event_calls_without_arguments_and_a_scene_event_with_its_node(owner, scene):
    called, observations = [], Observations(owner)
    observations.add(scene, slicer.vtkMRMLScene.NodeAddedEvent, lambda: called.append("added"))
    observations.add_with_node(scene, slicer.vtkMRMLScene.NodeAddedEvent, lambda node: called.append(node))
    node = scene.AddNewNodeByClass("vtkMRMLTextNode")
    assert called == ["added", node]


def test_the_observations_of_one_object_can_end_alone(owner):
    called, observations, first, second = [], Observations(owner), vtkObject(), vtkObject()
    for observed in (first, second):
        observations.add(observed, vtkCommand.ModifiedEvent, lambda observed=observed: called.append(observed))
    observations.end(first)
    first.Modified()
    second.Modified()
    assert called == [second]
    observations.end()
    second.Modified()
    assert called == [second]


def test_all_ends_with_the_owner(owner):
    observations, observed = Observations(owner), vtkObject()
    observations.add(observed, vtkCommand.ModifiedEvent, lambda: None)
    assert observed.HasObserver(vtkCommand.ModifiedEvent)
    owner.delete()
    assert not observed.HasObserver(vtkCommand.ModifiedEvent)


@pytest.mark.parametrize(
    "name",
    [
        "qMRMLNodeComboBox",
        "qMRMLSequenceBrowserSeekWidget",
        "qMRMLSequenceBrowserPlayWidget",
        "qMRMLSegmentSelectorWidget",
        "qSlicerMarkupsPlaceWidget",
        "qMRMLSliderWidget",
    ],
)
def test_a_deleted_widget_leaves_no_observer_in_the_scene(scene, name):
    def observers():
        return str(scene).count("vtkObserver")

    before, widget = observers(), getattr(slicer, name)()
    widget.setMRMLScene(scene)
    widget.delete()
    assert observers() == before
    scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
