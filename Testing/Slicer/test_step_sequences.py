import math

import numpy as np
import pytest
import slicer
import torch
import vtk
from nodes import (
    LEFT_HANDED,
    OBLIQUE,
    ScriptedStep,
    add_transform,
    add_volume,
    blobs,
    contents,
    from_world,
    smooth_field,
    watch,
)

from DiffusionCore.checks import DiffusionCoreError
from DiffusionCore.mrml.sequences import StepSequence
from DiffusionCore.mrml.tables import metrics_to_node
from DiffusionCore.space import Frame
from DiffusionCore.transforms.affine import Affine

POINT = OBLIQUE.map([(5, 4, 3)], Frame.VOXEL, Frame.RAS)
FIELD_BYTES = math.prod(OBLIQUE.padded(1).size) * 12


def shift(index):
    return Affine.translation((index + 1, 0, 0))


def affine_step(index, count=12):
    return ScriptedStep(index, "search", 1 - index / (count - 1), shift(index))


def field_step(index):
    return ScriptedStep(index, "field", 0.5, smooth_field(OBLIQUE, 0.1 * index))


def fill(steps, transforms):
    for step in transforms:
        steps.append(step, grid=OBLIQUE)


def shown_shift(node):
    return (from_world(node, POINT) - POINT)[0, 0]


def test_steps_are_in_numeric_order(scene):
    steps = StepSequence.create(add_transform(scene))
    fill(steps, [affine_step(index) for index in range(12)])
    indices = [float(steps.sequence.GetNthIndexValue(number)) for number in range(12)]
    assert indices == list(range(12))
    assert (steps.sequence.GetIndexName(), steps.sequence.GetIndexTypeAsString()) == ("step", "numeric")


def test_each_item_knows_its_phase_and_its_time(scene):
    steps = StepSequence.create(add_transform(scene))
    fill(steps, [affine_step(0, 3), affine_step(1, 3), field_step(2)])
    assert [steps.step_of(number) for number in range(3)] == [(0, "search", 1), (1, "search", 0.5), (2, "field", 0.5)]


def test_the_proxy_is_the_very_node_of_the_user(scene):
    output = add_transform(scene, "my result")
    steps = StepSequence.create(output)
    fill(steps, [affine_step(0), field_step(1), affine_step(2)])
    for number in (0, 1, 2, 1):
        steps.select(number)
        assert steps.browser.GetProxyNode(steps.sequence) is output
    assert scene.GetNumberOfNodesByClass("vtkMRMLTransformNode") == 1
    assert output.GetName() == "my result"


def test_items_are_of_the_class_of_the_output(scene):
    steps = StepSequence.create(add_transform(scene))
    fill(steps, [affine_step(0), field_step(1)])
    assert steps.sequence.GetDataNodeClassName() == "vtkMRMLTransformNode"
    assert {steps.sequence.GetNthDataNode(n).GetClassName() for n in range(2)} == {"vtkMRMLTransformNode"}


def test_scrubbing_sets_the_transform_and_fires_once(scene):
    output = add_transform(scene)
    steps = StepSequence.create(output)
    fill(steps, [affine_step(index) for index in range(6)])
    fired = watch(output)
    for number in (2, 0, 5):
        fired.clear()
        steps.select(number)
        assert np.isclose(shown_shift(output), number + 1)
        assert len(fired) == 1


def test_scrubbing_goes_between_matrices_and_fields(scene):
    output = add_transform(scene)
    steps = StepSequence.create(output)
    fill(steps, [affine_step(0), field_step(20)])
    steps.select(0)
    assert output.IsLinear()
    steps.select(1)
    assert not output.IsLinear()
    expected = smooth_field(OBLIQUE, 2).vectors[:, 3, 4, 5].numpy()
    assert np.allclose(from_world(output, POINT) - POINT, expected, atol=1e-5)
    assert output.GetTransformFromParent().GetInterpolationModeAsString() == "Linear"


def test_a_volume_under_the_output_follows_the_slider(scene):
    output, moving = add_transform(scene), add_volume(scene, blobs(LEFT_HANDED))
    moving.SetAndObserveTransformNodeID(output.GetID())
    steps = StepSequence.create(output)
    fill(steps, [affine_step(0), affine_step(1)])
    fired = watch(moving)
    steps.select(0)
    assert fired
    assert moving.GetParentTransformNode() is output


def test_a_new_step_is_shown_at_once(scene):
    output = add_transform(scene)
    steps = StepSequence.create(output)
    for index in range(4):
        steps.append(affine_step(index), grid=OBLIQUE)
        assert np.isclose(shown_shift(output), index + 1)


def test_a_new_step_does_not_disturb_who_looks_at_an_earlier_one(scene):
    output = add_transform(scene)
    steps = StepSequence.create(output)
    fill(steps, [affine_step(0), affine_step(1), affine_step(2)])
    steps.select(1)
    steps.append(affine_step(3), grid=OBLIQUE)
    assert np.isclose(shown_shift(output), 2)
    steps.select(len(steps) - 1)
    steps.append(affine_step(4), grid=OBLIQUE)
    assert np.isclose(shown_shift(output), 5)


def test_attributes_and_references_of_the_user_survive_scrubbing(scene):
    output, volume = add_transform(scene), add_volume(scene, blobs(OBLIQUE))
    output.SetAttribute("Patient", "7")
    output.SetNodeReferenceID(output.GetFixedNodeReferenceRole(), volume.GetID())
    steps = StepSequence.create(output)
    fill(steps, [affine_step(0), affine_step(1)])
    steps.select(0)
    assert output.GetAttribute("Patient") == "7"
    assert output.GetNodeReference("spatialRegistrationFixed") is volume


def test_the_grid_that_the_user_displays_stays_displayed(scene):
    output = add_transform(scene)
    output.CreateDefaultDisplayNodes()
    display = output.GetDisplayNode()
    display.SetVisibility2D(True)
    steps = StepSequence.create(output)
    fill(steps, [affine_step(0), field_step(1)])
    steps.select(0)
    assert output.GetDisplayNode() is display
    assert output.GetNumberOfDisplayNodes() == 1
    assert display.GetVisibility2D()


def test_edits_of_the_shown_step_do_not_change_the_kept_one(scene):
    output = add_transform(scene)
    steps = StepSequence.create(output)
    fill(steps, [affine_step(0), affine_step(1)])
    output.SetAndObserveTransformFromParent(vtk.vtkTransform())
    steps.select(0)
    steps.select(1)
    assert np.isclose(shown_shift(output), 2)


def test_fields_beyond_the_budget_are_thinned_and_the_newest_stays(scene):
    output = add_transform(scene)
    steps = StepSequence.create(output, budget=5 * FIELD_BYTES)
    for index in range(23):
        steps.append(field_step(index), grid=OBLIQUE)
        assert len(steps) <= 5
        assert steps.step_of(len(steps) - 1)[0] == index
        assert steps.browser.GetSelectedItemNumber() == len(steps) - 1
        expected = smooth_field(OBLIQUE, 0.1 * index).vectors[:, 3, 4, 5].numpy()
        assert np.allclose(from_world(output, POINT) - POINT, expected, atol=1e-5)
    assert [steps.step_of(number)[0] for number in range(len(steps))] == [0, 8, 16, 22]


def test_affine_steps_are_never_thinned(scene):
    steps = StepSequence.create(add_transform(scene), budget=FIELD_BYTES)
    fill(steps, [affine_step(index, 40) for index in range(20)])
    fill(steps, [field_step(index) for index in range(20, 27)])
    assert [steps.step_of(number)[0] for number in range(20)] == list(range(20))
    assert steps.step_of(len(steps) - 1)[0] == 26
    assert len(steps) <= 22


def test_the_sequences_of_an_output_are_found_and_removed(scene):
    before = contents(scene)
    output, other = add_transform(scene), add_transform(scene, "other")
    first, second = StepSequence.create(output), StepSequence.create(other)
    fill(first, [affine_step(0), affine_step(1)])
    fill(second, [affine_step(0)])
    assert [steps.sequence for steps in StepSequence.all_of(output)] == [first.sequence]
    first.remove()
    assert not first.is_present()
    assert StepSequence.all_of(output) == []
    assert np.isclose(shown_shift(output), 2)
    second.remove()
    scene.RemoveNode(output)
    scene.RemoveNode(other)
    assert contents(scene) == before


def test_without_the_module_sequences_the_message_names_it():
    scene = slicer.vtkMRMLScene()
    with pytest.raises(DiffusionCoreError, match="module Sequences is not loaded"):
        StepSequence.create(add_transform(scene))


@pytest.mark.parametrize("kind", ["affine", "field", "both"])
def test_a_saved_scene_brings_everything_back(scene, logics, tmp_path, kind):
    output, moving = add_transform(scene, "result"), add_volume(scene, blobs(LEFT_HANDED), "moving")
    moving.SetAndObserveTransformNodeID(output.GetID())
    steps = StepSequence.create(output)
    makers = {"affine": [affine_step] * 5, "field": [field_step] * 5, "both": [affine_step] * 2 + [field_step] * 3}[
        kind
    ]
    fill(steps, [make(index) for index, make in enumerate(makers)])
    steps.select(3)
    expected, table = from_world(output, POINT), [steps.step_of(number) for number in range(5)]
    assert scene.WriteToMRB(str(tmp_path / "case.mrb"))
    scene.Clear(False)
    assert scene.ReadFromMRB(str(tmp_path / "case.mrb"), True)
    output, moving = scene.GetFirstNodeByName("result"), scene.GetFirstNodeByName("moving")
    (steps,) = StepSequence.all_of(output)
    steps.interpolate_linearly()
    assert [steps.step_of(number) for number in range(len(steps))] == table
    assert steps.browser.GetSelectedItemNumber() == 3
    assert moving.GetParentTransformNode() is output
    assert np.allclose(from_world(output, POINT), expected, atol=1e-5)
    steps.select(4)
    last = makers[4](4).transform
    assert np.allclose(from_world(output, POINT), last.map(torch.from_numpy(POINT)), atol=1e-5)


def test_metrics_become_a_table_with_a_row_per_step(scene):
    node = scene.AddNewNodeByClass("vtkMRMLTableNode", "metrics")
    steps = [
        ScriptedStep(0, "center", 1.0, shift(0), {"mutual information": 0.2}),
        ScriptedStep(1, "polish", 0.0, shift(1), {"mutual information": 0.5, "overlap": 0.9}),
    ]
    metrics_to_node(steps, node)
    metrics_to_node(steps, node)
    assert [node.GetColumnName(i) for i in range(node.GetNumberOfColumns())] == [
        "step", "phase", "time", "mutual information", "overlap",
    ]  # fmt: skip
    assert node.GetNumberOfRows() == 2
    assert [node.GetCellText(row, 1) for row in range(2)] == ["center", "polish"]
    values = node.GetTable()
    assert math.isnan(values.GetValueByName(0, "overlap").ToDouble())
    assert values.GetValueByName(1, "mutual information").ToDouble() == 0.5
