"""One step back: the scene as it was before a registration, views included."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import torch
import vtk
from nodes import (
    OBLIQUE,
    POSE,
    add_transform,
    add_volume,
    array_of,
    blobs,
    contents,
    from_world,
    made,
    smooth_field,
    transform_to_node,
)
from scripted_runner import playing, walk

from DiffusionCore.jobs.events import Finished, Measure
from DiffusionCore.mrml.request import RegistrationRequest
from DiffusionCore.mrml.run import LiveRun
from DiffusionCore.mrml.sequences import StepSequence
from DiffusionCore.space import Frame, Volume
from DiffusionCore.transforms.affine import Affine

POINT = OBLIQUE.map([(5, 4, 3)], Frame.VOXEL, Frame.RAS)
WALK = tuple(POSE.fraction(share) for share in (0.25, 0.5, 1.0))


def finished(pair, script=None, resume=None, **wishes):
    run = LiveRun(RegistrationRequest(*pair, **wishes), playing(script or walk(WALK)), resume=resume)
    while not run.state.ended:
        run.poll()
    return run


@pytest.fixture
def view(scene):
    view = slicer.vtkMRMLSliceCompositeNode()
    view.SetLayoutName("Red")
    return scene.AddNode(view)


def test_all_that_a_run_added_is_taken_out(scene, pair):
    before = contents(scene)
    spread = Volume(np.ones(OBLIQUE.shape, np.float32), OBLIQUE)
    run = finished(pair, [*walk(WALK), Finished(False, {}, (Measure("Similarity", "", 0, 1),), spread=spread)])
    assert len(contents(scene)) > len(before) + 6
    run.undo()
    assert contents(scene) == before
    assert pair[1].GetParentTransformNode() is None


def test_undo_is_offered_once(scene, pair):
    run = finished(pair)
    assert run.can_undo
    run.undo()
    assert not run.can_undo
    before = contents(scene)
    run.undo()
    assert contents(scene) == before


def test_the_moving_volume_and_its_segmentation_go_back_under_their_transforms(scene, pair):
    start, above = add_transform(scene, "start"), add_transform(scene, "above")
    pair[1].SetAndObserveTransformNodeID(start.GetID())
    start.SetAndObserveTransformNodeID(above.GetID())
    segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "organs")
    run = finished(pair, moving_segmentation=segmentation)
    assert above.GetParentTransformNode() is run.nodes.transform
    assert segmentation.GetParentTransformNode() is run.nodes.transform
    run.undo()
    assert above.GetParentTransformNode() is None
    assert start.GetParentTransformNode() is above
    assert pair[1].GetParentTransformNode() is start
    assert segmentation.GetParentTransformNode() is None


@pytest.mark.parametrize("former", ["matrix", "field", "inverse", "nothing"])
def test_the_output_holds_again_what_it_held(scene, pair, former):
    output = add_transform(scene, "mine")
    if former == "matrix":
        transform_to_node(POSE.inverse(), output)
    elif former == "field":
        transform_to_node(smooth_field(OBLIQUE), output)
    elif former == "inverse":
        translation = vtk.vtkTransform()
        translation.Translate(1, 2, 3)
        output.SetAndObserveTransformToParent(translation)
    output.SetAttribute("Patient", "7")
    before, names = from_world(output, POINT), output.GetAttributeNames()
    run = finished(pair, transform=output)
    assert not np.allclose(from_world(output, POINT), before)
    run.undo()
    assert np.array_equal(from_world(output, POINT), before)
    assert output.GetAttributeNames() == names
    assert output.GetNodeReference("spatialRegistrationMoving") is None


def test_a_matrix_edited_by_hand_comes_back_although_slicer_edits_in_place(scene, pair):
    output, matrix = add_transform(scene), vtk.vtkMatrix4x4()
    matrix.SetElement(0, 3, 5)
    output.SetMatrixTransformToParent(matrix)
    run = finished(pair, transform=output)
    matrix.SetElement(0, 3, 99)
    output.SetMatrixTransformToParent(matrix)
    run.undo()
    assert from_world(output, POINT)[0, 0] == pytest.approx(POINT[0, 0] - 5)


def test_the_output_volume_has_its_former_image_and_place(scene, pair):
    former = Volume(blobs(OBLIQUE.resized((5, 6, 7))).values, OBLIQUE.resized((5, 6, 7)))
    volume = add_volume(scene, former, "mine")
    image = volume.GetImageData()
    run = finished(pair, volume=volume)
    assert volume.GetImageData() is not image
    run.undo()
    assert volume.GetImageData() is image
    assert np.array_equal(array_of(volume), former.values)
    assert volume.GetSpacing() == pytest.approx(former.grid.spacing)


def test_steps_and_branches_come_back_with_the_step_that_was_shown(scene, pair):
    output = add_transform(scene, "CT to MR transform")
    finished(pair, transform=output)
    finished(pair, [made(index, Affine.identity()) for index in (2, 3)], resume=1, transform=output)
    first, _ = StepSequence.all_of(output)
    first.activate()
    first.select(1)
    before, shown = sorted(contents(scene)), from_world(output, POINT)
    run = finished(pair, walk([Affine.translation((50, 0, 0))] * 5), transform=output)
    assert len(StepSequence.all_of(output)) == 1
    run.undo()
    assert sorted(contents(scene)) == before
    assert np.allclose(from_world(output, POINT), shown)
    found = {steps.name: steps for steps in StepSequence.all_of(output)}
    assert {name: (len(steps), steps.is_active) for name, steps in found.items()} == {
        "CT to MR steps": (3, True),
        "CT to MR steps, from step 2": (4, False),
    }
    assert found["CT to MR steps"].shown == 1
    for steps in found.values():
        assert steps.browser.GetProxyNode(steps.sequence) is output
    found["CT to MR steps"].select(2)
    assert np.allclose(from_world(output, POINT), POSE.map(torch.from_numpy(POINT)))


def test_tables_and_curves_come_back(scene, pair):
    output = add_transform(scene)
    first = finished(pair, walk(WALK, {"similarity": 0.1, "overlap": 0.2}), transform=output).nodes
    texts = [first.results.GetCellText(0, column) for column in range(3)]
    run = finished(
        pair, [*walk(WALK[:2], {"similarity": 3}), Finished(False, {}, (Measure("X", "", 8, 9),))], transform=output
    )
    assert first.table.GetNumberOfRows() == 2
    assert first.chart.GetNumberOfPlotSeriesNodes() == 1
    run.undo()
    assert first.table.GetNumberOfRows() == 3
    assert [first.results.GetCellText(0, column) for column in range(3)] == texts
    names = [first.chart.GetNthPlotSeriesNode(n).GetYColumnName() for n in range(2)]
    assert names == ["similarity", "overlap"]
    assert first.chart.GetNthPlotSeriesNode(1).GetTableNode() is first.table


def test_the_views_show_what_they_showed(scene, pair, view):
    view.SetBackgroundVolumeID(pair[1].GetID())
    view.SetForegroundOpacity(0.3)
    run = finished(pair, make_volume=True)
    view.SetBackgroundVolumeID(pair[0].GetID())
    view.SetForegroundVolumeID(run.nodes.volume.GetID())
    view.SetForegroundOpacity(0.9)
    view.SetCompositing(view.Add)
    run.undo()
    assert (view.GetBackgroundVolumeID(), view.GetForegroundVolumeID()) == (pair[1].GetID(), None)
    assert (view.GetForegroundOpacity(), view.GetCompositing()) == (0.3, view.Alpha)


def test_window_level_and_colors_are_those_of_before(scene, pair):
    displays = [node.GetDisplayNode() for node in pair]
    for display in displays:
        display.SetAutoWindowLevel(False)
        display.SetWindowLevel(120, 60)
    run = finished(pair)
    for display, color in zip(displays, ("Green", "Magenta"), strict=True):
        display.SetAndObserveColorNodeID(f"vtkMRMLColorTableNode{color}")
        display.SetWindowLevel(10, 5)
    run.undo()
    for display in displays:
        assert display.GetColorNodeID() == "vtkMRMLColorTableNodeGrey"
        assert (display.GetWindow(), display.GetLevel()) == (120, 60)


def test_what_the_user_has_deleted_since_stays_deleted(scene, pair):
    parent = add_transform(scene, "parent")
    pair[1].SetAndObserveTransformNodeID(parent.GetID())
    run = finished(pair, make_volume=True)
    for node in (parent, run.nodes.volume, run.nodes.table):
        scene.RemoveNode(node)
    run.undo()
    assert pair[1].GetParentTransformNode() is None
    assert not [line for line in contents(scene) if "registered" in line or "metrics" in line or "parent" in line]


def test_nothing_is_offered_after_the_output_is_gone(scene, pair):
    run = finished(pair)
    scene.RemoveNode(run.nodes.transform)
    assert not run.can_undo


def test_a_new_run_cannot_be_mixed_up_with_the_undo_of_the_one_before(scene, logic, pair):
    logic.register(*pair, runnerOf=playing(walk(WALK)))
    first = logic.run
    second = logic.register(*pair, runnerOf=playing(walk(WALK)))
    assert not first.can_undo
    assert logic.canUndo
    logic.undo()
    assert second.transform.GetScene() is None
    assert first.nodes.transform.GetScene() is scene
    assert not logic.canUndo


def test_a_run_that_came_to_nothing_leaves_the_undo_of_the_one_before(scene, logic, pair):
    before = contents(scene)
    logic.register(*pair, runnerOf=playing(walk(WALK)))
    logic.start(RegistrationRequest(*pair))
    assert not logic.canUndo
    logic.run.stop()
    while logic.running:
        logic.poll()
    assert logic.canUndo
    logic.undo()
    assert contents(scene) == before


def test_what_the_display_of_the_output_brought_goes_with_it(scene, pair):
    before = contents(scene)
    run = finished(pair)
    run.nodes.transform.CreateDefaultDisplayNodes()
    run.nodes.transform.GetDisplayNode().GetColorMap()
    assert any("Displacement" in line for line in set(contents(scene)) - set(before))
    run.undo()
    assert contents(scene) == before
