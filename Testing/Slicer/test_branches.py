"""Steps that go on from an earlier one: a second sequence that drives the same output."""

import numpy as np
import pytest
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

from DiffusionCore.mrml.sequences import StepSequence
from DiffusionCore.mrml.transforms import bytes_of
from DiffusionCore.space import Frame
from DiffusionCore.transforms.affine import Affine

POINT = OBLIQUE.map([(5, 4, 3)], Frame.VOXEL, Frame.RAS)


def shift(index, millimeters):
    return made(index, Affine.translation((millimeters, 0, 0)), "search", 0.5, {"overlap": millimeters})


def shown_shift(node):
    return (from_world(node, POINT) - POINT)[0, 0]


@pytest.fixture
def output(scene):
    return add_transform(scene, "CT to MR transform")


@pytest.fixture
def two(output):
    """Give five steps, 0 to 4 mm, and a branch from the third of them that goes on with 100 and 101 mm."""
    first = StepSequence.create(output)
    first.extend([shift(index, index) for index in range(5)])
    second = first.branch_from(2)
    second.extend([shift(index, 97 + index) for index in (3, 4)])
    return first, second


def test_a_branch_starts_with_what_was_before_it(output):
    first = StepSequence.create(output)
    first.extend([shift(0, 0), made(1, smooth_field(OBLIQUE)), shift(2, 7)])
    branch = first.branch_from(1)
    assert [branch.step_of(n) for n in range(len(branch))] == [first.step_of(n) for n in range(2)]
    assert branch.shown == 1
    assert np.array_equal(branch.transform_of(1).vectors, first.transform_of(1).vectors)
    assert len(first) == 3


def test_fields_of_a_branch_are_shared_with_the_steps_that_it_comes_from(output):
    first = StepSequence.create(output)
    first.append(made(0, smooth_field(OBLIQUE)))
    branch = first.branch_from(0)
    items = [steps.sequence.GetNthDataNode(0) for steps in (first, branch)]
    assert bytes_of(items[0]) > 0
    assert items[0].GetTransformFromParent() is items[1].GetTransformFromParent()
    assert output.GetTransformFromParent() is not items[0].GetTransformFromParent()


def test_going_to_the_branching_step_changes_nothing_that_is_seen(output):
    first = StepSequence.create(output)
    first.extend([shift(index, index) for index in range(5)])
    first.select(2)
    branch = first.branch_from(2)
    assert shown_shift(output) == pytest.approx(2)
    assert [steps.is_active for steps in (first, branch)] == [False, True]


def test_only_the_active_branch_drives_the_output(two, output):
    first, second = two
    assert shown_shift(output) == pytest.approx(101)
    fired = watch(output)
    first.select(1)
    assert fired == []
    assert shown_shift(output) == pytest.approx(101)
    second.select(0)
    assert shown_shift(output) == pytest.approx(0)


def test_both_branches_can_be_browsed_in_turn(two, output):
    first, second = two
    for _ in range(2):
        for steps, last in ((first, 4), (second, 101)):
            steps.activate()
            steps.select(4)
            assert shown_shift(output) == pytest.approx(last)
            steps.select(1)
            assert shown_shift(output) == pytest.approx(1)
            assert StepSequence.active_of(output).browser is steps.browser


def test_activating_shows_the_selected_step_at_once(two, output):
    first, _ = two
    first.select(3)
    fired = watch(output)
    first.activate()
    assert shown_shift(output) == pytest.approx(3)
    assert len(fired) == 1


def test_the_output_stays_the_very_node_of_the_user(scene, two, output):
    for steps in (*two, *two):
        steps.activate()
        for number in (0, 4, 2):
            steps.select(number)
            assert steps.browser.GetProxyNode(steps.sequence) is output
    assert scene.GetNumberOfNodesByClass("vtkMRMLTransformNode") == 1
    assert output.GetName() == "CT to MR transform"


def test_all_branches_of_an_output_are_found_in_order(scene, two, output):
    StepSequence.create(add_transform(scene, "other"))
    assert [steps.browser for steps in StepSequence.all_of(output)] == [steps.browser for steps in two]


def test_removing_one_branch_leaves_the_other_and_the_output(scene, two, output):
    first, second = two
    second.remove()
    assert shown_shift(output) == pytest.approx(101)
    first.activate()
    assert shown_shift(output) == pytest.approx(4)
    first.remove()
    assert [line for line in contents(scene) if "Sequence" in line] == []
    assert output.GetScene() is scene


def test_a_branch_of_a_branch_goes_on_from_there(two, output):
    third = two[1].branch_from(3)
    third.append(shift(4, 1000))
    assert [third.step_of(n).metrics["overlap"] for n in range(5)] == [0, 1, 2, 100, 1000]
    assert shown_shift(output) == pytest.approx(1000)
    assert len(StepSequence.all_of(output)) == 3


@pytest.mark.parametrize("ending", ["mrb", "mrml"])
@pytest.mark.parametrize("active", [0, 1])
@pytest.mark.parametrize("kind", ["affine", "field", "both"])
def test_a_saved_scene_brings_all_branches_and_the_shown_step_back(scene, tmp_path, kind, active, ending):
    output, moving = add_transform(scene, "result"), add_volume(scene, blobs(LEFT_HANDED), "moving")
    moving.SetAndObserveTransformNodeID(output.GetID())
    makers = {"affine": [shift] * 5, "field": [field] * 5, "both": [shift] * 2 + [field] * 3}[kind]
    first = StepSequence.create(output)
    first.extend([make(index, index + 1) for index, make in enumerate(makers)])
    second = first.branch_from(2)
    second.append(makers[3](3, 9))
    branches = (first, second)
    branches[active].activate()
    for steps, number in zip(branches, (1, 3), strict=True):
        steps.select(number)
    expected = from_world(output, POINT)
    said = [[steps.step_of(number) for number in range(len(steps))] for steps in branches]
    save_and_load(scene, tmp_path, ending)
    output, moving = scene.GetFirstNodeByName("result"), scene.GetFirstNodeByName("moving")
    restored = StepSequence.restore(output)
    branches = StepSequence.all_of(output)
    assert [steps.name for steps in branches] == ["result steps", "result steps, from step 3"]
    assert [steps.is_active for steps in branches] == [active == 0, active == 1]
    assert restored.browser is branches[active].browser
    assert [[steps.step_of(number) for number in range(len(steps))] for steps in branches] == said
    assert [steps.shown for steps in branches] == [1, 3]
    assert moving.GetParentTransformNode() is output
    assert np.allclose(from_world(output, POINT), expected, atol=1e-5)
    if not output.IsLinear():
        assert output.GetTransformFromParent().GetInterpolationModeAsString() == "Linear"
    branches[1 - active].activate()
    branches[1 - active].select(0)
    first_step = add_transform(scene)
    fill = StepSequence.create(first_step)
    fill.append(makers[0](0, 1))
    assert np.allclose(from_world(output, POINT), from_world(first_step, POINT), atol=1e-5)


def field(index, strength):
    return made(index, smooth_field(OBLIQUE, 0.1 * strength), "field", 0.5, {"mutual information": 1e-12 * strength})


def save_and_load(scene, folder, ending):
    path = str(folder / f"case.{ending}")
    if ending == "mrb":
        assert scene.WriteToMRB(path)
        scene.Clear(False)
        assert scene.ReadFromMRB(path, True)
        return
    scene.SetURL(path)
    scene.SetRootDirectory(str(folder))
    for index in range(scene.GetNumberOfNodesByClass("vtkMRMLStorableNode")):
        node = scene.GetNthNodeByClass(index, "vtkMRMLStorableNode")
        if node.GetSaveWithScene() and node.AddDefaultStorageNode():
            storage = node.GetStorageNode()
            storage.SetFileName(str(folder / f"{node.GetID()}.{storage.GetDefaultWriteFileExtension()}"))
            assert storage.WriteData(node)
    assert scene.Commit()
    scene.Clear(False)
    scene.SetURL(path)
    assert scene.Connect()
