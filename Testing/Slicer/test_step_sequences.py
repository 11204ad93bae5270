import math

import numpy as np
import pytest
import slicer
import vtk
from nodes import (
    LEFT_HANDED,
    OBLIQUE,
    add_transform,
    add_volume,
    blobs,
    contents,
    from_world,
    made,
    smooth_field,
    watch,
)

from DiffusionCore.checks import DiffusionCoreError
from DiffusionCore.mrml.sequences import StepSequence
from DiffusionCore.mrml.step_items import KeptStep
from DiffusionCore.space import Frame
from DiffusionCore.transforms.affine import Affine

POINT = OBLIQUE.map([(5, 4, 3)], Frame.VOXEL, Frame.RAS)
FIELD_BYTES = math.prod(OBLIQUE.padded(1).size) * 12


def shift(index):
    return Affine.translation((index + 1, 0, 0))


def affine_step(index, count=12):
    return made(index, shift(index), "search", 1 - index / (count - 1), {"overlap": index / 7})


def field_step(index):
    return made(index, smooth_field(OBLIQUE, 0.1 * index), "field", 0.5, {"mutual information": 1e-12})


def fill(steps, transforms):
    for step in transforms:
        steps.append(step)


def shown_shift(node):
    return (from_world(node, POINT) - POINT)[0, 0]


def test_steps_are_in_numeric_order_and_counted_as_people_count(scene):
    steps = StepSequence.create(add_transform(scene))
    fill(steps, [affine_step(index) for index in range(12)])
    indices = [float(steps.sequence.GetNthIndexValue(number)) for number in range(12)]
    assert indices == list(range(1, 13))
    assert (steps.sequence.GetIndexName(), steps.sequence.GetIndexTypeAsString()) == ("Step", "numeric")
    assert [steps.step_of(number).number for number in (0, 11)] == [1, 12]


def test_each_item_knows_what_the_step_said_about_itself(scene):
    steps = StepSequence.create(add_transform(scene))
    fill(steps, [affine_step(0, 3), affine_step(1, 3), field_step(2)])
    assert [steps.step_of(number) for number in range(3)] == [
        KeptStep(0, "search", 1, {"overlap": 0}),
        KeptStep(1, "search", 0.5, {"overlap": 1 / 7}),
        KeptStep(2, "field", 0.5, {"mutual information": 1e-12}),
    ]


def test_the_transform_of_a_step_comes_back_as_it_was(scene):
    steps = StepSequence.create(add_transform(scene))
    fill(steps, [affine_step(0), field_step(1)])
    assert np.array_equal(steps.transform_of(0).values, shift(0).matrix)
    field = steps.transform_of(1)
    assert np.array_equal(field.vectors, field_step(1).transform.vectors)
    assert field.grid.is_close(OBLIQUE, tolerance=1e-9)


def test_the_nodes_are_named_after_what_they_register(scene):
    steps = StepSequence.create(add_transform(scene, "CT to MR transform"))
    fill(steps, [affine_step(index) for index in range(3)])
    assert steps.name == "CT to MR steps"
    assert steps.branch_from(1).name == "CT to MR steps, from step 2"


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
        steps.append(affine_step(index))
        assert np.isclose(shown_shift(output), index + 1)


def test_a_new_step_does_not_disturb_who_looks_at_an_earlier_one(scene):
    output = add_transform(scene)
    steps = StepSequence.create(output)
    fill(steps, [affine_step(0), affine_step(1), affine_step(2)])
    steps.select(1)
    fired, heard = watch(output), watch(steps.browser, vtk.vtkCommand.ModifiedEvent)
    steps.append(affine_step(3), show=False)
    assert np.isclose(shown_shift(output), 2)
    assert (len(steps), steps.shown, fired) == (4, 1, [])
    assert heard  # the slider learns how long it is
    for number in (3, 0):
        steps.select(number)
        assert np.isclose(shown_shift(output), number + 1)


def test_several_steps_at_once_are_one_update_that_ends_on_the_newest(scene):
    output = add_transform(scene)
    steps = StepSequence.create(output)
    fired = watch(output)
    for batch in ([0, 1, 2], [3], [4, 5]):
        fired.clear()
        steps.extend([affine_step(index) for index in batch])
        assert len(fired) == 1
        assert np.isclose(shown_shift(output), batch[-1] + 1)
    assert len(steps) == 6


def test_an_edit_of_the_output_is_not_undone_by_steps_that_are_not_shown(scene):
    output = add_transform(scene)
    steps = StepSequence.create(output)
    fill(steps, [affine_step(0), affine_step(1)])
    steps.select(0)
    output.SetAndObserveTransformFromParent(vtk.vtkTransform())
    steps.append(affine_step(2), show=False)
    assert np.isclose(shown_shift(output), 0)


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
        steps.append(field_step(index))
        assert len(steps) <= 5
        assert steps.step_of(len(steps) - 1).index == index
        assert steps.browser.GetSelectedItemNumber() == len(steps) - 1
        expected = smooth_field(OBLIQUE, 0.1 * index).vectors[:, 3, 4, 5].numpy()
        assert np.allclose(from_world(output, POINT) - POINT, expected, atol=1e-5)
    assert [steps.step_of(number).index for number in range(len(steps))] == [0, 8, 16, 22]


def test_the_step_that_is_looked_at_is_not_thinned_away(scene):
    output = add_transform(scene)
    steps = StepSequence.create(output, budget=3 * FIELD_BYTES)
    fill(steps, [field_step(index) for index in range(3)])
    steps.select(1)
    for index in range(3, 15):
        steps.append(field_step(index), show=False)
        assert steps.step_of(steps.shown).index == 1
        assert steps.step_of(len(steps) - 1).index == index
    assert len(steps) <= 4
    expected = smooth_field(OBLIQUE, 0.1).vectors[:, 3, 4, 5].numpy()
    assert np.allclose(from_world(output, POINT) - POINT, expected, atol=1e-5)


def test_affine_steps_are_never_thinned(scene):
    steps = StepSequence.create(add_transform(scene), budget=FIELD_BYTES)
    fill(steps, [affine_step(index, 40) for index in range(20)])
    fill(steps, [field_step(index) for index in range(20, 27)])
    assert [steps.step_of(number).index for number in range(20)] == list(range(20))
    assert steps.step_of(len(steps) - 1).index == 26
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
