"""Steer: what the user places and chooses reaches the registration, and says what is missing."""

from __future__ import annotations

import numpy as np
import pytest
from clicking import choose
from nodes_of_panel import add_pair


def landmarks(scene, name, points):
    node = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", name)
    for point in points:
        node.AddControlPoint(*point)
    return node


@pytest.fixture
def steered(desk, scene):
    """Give the desk with a pair and two lists of two landmarks, chosen."""
    desk.choose_pair()
    fixed = landmarks(scene, "fixed points", [(0, 0, 0), (10, 0, 0)])
    moving = landmarks(scene, "moving points", [(1, 2, 3), (12, 2, 3)])
    desk.ui.steerSection.collapsed = False
    choose(desk.ui.fixedLandmarksSelector, "fixed points")
    choose(desk.ui.movingLandmarksSelector, "moving points")
    desk.points = (fixed, moving)
    return desk


def guidance(desk):
    """Return the settings that a run would have, as the worker receives them."""
    from SpatialDiffusionLib.Requests import requestOf

    from DiffusionCore.mrml.preparation import preparing

    work = preparing(requestOf(desk.parameters, desk.panel._preset(), "cpu"), None)
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value.job.settings.get("guidance")


def test_nothing_guides_until_something_is_chosen(desk):
    desk.choose_pair()
    assert guidance(desk) is None


def test_pairs_of_landmarks_and_the_strength_of_their_pull_reach_the_worker(steered):
    steered.ui.pullSlider.setValue(75)
    found = guidance(steered)
    pairs = found["landmarks"]["pairs"]
    assert [pair["fixed"] for pair in pairs] == [[0, 0, 0], [10, 0, 0]]
    assert [pair["moving"] for pair in pairs] == [[1, 2, 3], [12, 2, 3]]
    assert found["landmarks"]["strength"] == pytest.approx(1.5)
    steered.ui.pullSlider.setValue(0)
    assert guidance(steered) is None


def test_smoothness_is_a_power_of_ten(desk):
    desk.choose_pair()
    desk.ui.smoothnessSlider.setValue(0.5)
    assert guidance(desk) == {"smoothness": pytest.approx(10**0.5)}


def test_a_line_gives_the_preferred_direction_once_it_has_two_points(desk, scene):
    desk.choose_pair()
    line = scene.AddNewNodeByClass("vtkMRMLMarkupsLineNode", "along")
    line.AddControlPoint(1, 2, 3)
    desk.ui.steerSection.collapsed = False
    choose(desk.ui.directionSelector, "along")
    assert "needs a line with two points" in desk.ui.noteLabel.text
    assert not desk.ui.registerButton.enabled
    line.AddControlPoint(1, 2, 13)
    desk.panel.refresh()
    assert desk.ui.registerButton.enabled
    assert guidance(desk) == {"smoothness": 1.0, "direction": {"direction": [0, 0, 10], "strength": 1.0}}
    desk.ui.pullSlider.setValue(0)
    assert guidance(desk) is None


def test_lists_of_different_length_are_told_and_nothing_can_be_started(steered):
    _, moving = steered.points
    moving.AddControlPoint(5, 5, 5)
    steered.panel.refresh()
    assert "differ in number: 2 and 3" in steered.ui.noteLabel.text
    assert not steered.ui.registerButton.enabled
    moving.RemoveNthControlPoint(2)
    steered.panel.refresh()
    assert steered.ui.registerButton.enabled


def test_one_list_alone_is_told(steered):
    steered.parameters.movingLandmarks = None
    assert "come in pairs" in steered.ui.noteLabel.text


def test_what_is_placed_is_counted(steered):
    assert "2 fixed and 2 moving landmarks" in steered.ui.steerLabel.text


def test_changes_during_a_run_are_for_the_next_one_and_resuming_says_how_many_landmarks_guide_it(steered):
    steered.start(count=6, pause=0.3)
    steered.wait_for_step(2)
    assert "Takes effect on Register" in steered.ui.steerLabel.text
    steered.ui.pullSlider.setValue(90)
    steered.wait_for(lambda: steered.ui.steerLabel.text == "Changes apply on the next Resume.")
    steered.stop()
    steered.wait_for_end()
    assert "Takes effect on Register" in steered.ui.steerLabel.text
    steered.use("shifts", count=6, pause=0.3)
    steered.ui.resumeButton.click()
    steered.wait_for(lambda: "with 2 landmark pairs" in steered.status)


def test_presets_that_do_not_deform_cannot_be_steered(steered):
    choose(steered.ui.presetSelector, "Rigid only")
    assert not steered.ui.steerBody.visible
    assert "preset that refines" in steered.ui.steerLabel.text
    assert guidance(steered) is None


def test_a_target_organ_is_offered_if_both_segmentations_have_it(desk, scene):
    import slicer

    fixed, moving = desk.choose_pair()
    nodes = []
    for volume, names in ((fixed, ("liver", "spleen")), (moving, ("liver", "heart"))):
        node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", f"{volume.GetName()} organs")
        node.CreateDefaultDisplayNodes()
        node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
        inside = (slicer.util.arrayFromVolume(volume) > 0).astype(np.uint8)
        for name in names:
            segment = node.GetSegmentation().AddEmptySegment(name, name)
            slicer.util.updateSegmentBinaryLabelmapFromArray(inside, node, segment, volume)
        nodes.append(node)
    assert not desk.ui.targetSelector.enabled
    desk.parameters.fixedSegmentation, desk.parameters.movingSegmentation = nodes
    box = desk.ui.targetSelector
    assert [box.itemText(row) for row in range(box.count)] == ["None", "liver"]
    desk.ui.steerSection.collapsed = False
    choose(box, "liver")
    assert desk.parameters.targetSegment == "liver"
    found = guidance(desk)
    assert found["segment"] == {"label": 1, "strength": 1.0}


def test_landmarks_draw_a_real_deformation_and_moving_ones_go_with_the_volume(desk, scene):
    """A real worker: the result takes the fixed landmark nearer to the moving one than the same run without them."""
    add_pair(scene, (0, 0, 0))
    choose(desk.ui.fixedVolumeSelector, "fixed")
    choose(desk.ui.movingVolumeSelector, "moving")
    choose(desk.ui.presetSelector, "Deformable only")
    center = np.zeros(6)
    desk.parameters.fixedVolume.GetRASBounds(center)
    point = center.reshape(3, 2).mean(1)
    fixed = landmarks(scene, "fixed points", [point])
    moving = landmarks(scene, "moving points", [point + np.array((4, 0, 0))])
    desk.parameters.detail = "fast"
    desk.parameters.fixedLandmarks, desk.parameters.movingLandmarks = fixed, moving
    desk.press_register()
    desk.wait_for_end()
    assert desk.status.startswith("Done in "), desk.status
    output = desk.parameters.outputTransform
    assert moving.GetParentTransformNode() is output
    world = [0.0, 0.0, 0.0]
    moving.GetNthControlPointPositionWorld(0, world)
    assert np.linalg.norm(np.array(world) - point) < 2.5  # 4 mm without them
