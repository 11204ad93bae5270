import subprocess
import sys

import numpy as np
import pytest
import torch
import vtk
from nodes import (
    LEFT_HANDED,
    LOGIC_FILE,
    OBLIQUE,
    POSE,
    add_transform,
    add_volume,
    array_of,
    contents,
    from_world,
    resliced,
    smooth_field,
    transform_to_node,
    watch,
    watch_content,
)
from scripted_runner import playing, walk

from DiffusionCore.checks import DiffusionCoreError
from DiffusionCore.jobs.events import Failed
from DiffusionCore.mrml.sequences import StepSequence
from DiffusionCore.mrml.volumes import volume_from_node
from DiffusionCore.space import Frame, Volume
from DiffusionCore.transforms.affine import Affine

POINT = OBLIQUE.map([(5, 4, 3)], Frame.VOXEL, Frame.RAS)


def scripted(*transforms):
    """Return what makes a worker that walks through ``transforms``, whatever the images are."""
    return playing(walk(transforms))


def failing(*transforms):
    return playing([*walk(transforms), Failed("The network broke.", "Traceback", len(transforms) - 1)])


WALK = tuple(POSE.fraction(share) for share in (0.25, 0.5, 0.75, 1.0))


def test_importing_the_logic_imports_neither_torch_nor_vtk():
    loaded = "import sys; exec(open(sys.argv[1]).read()); sys.exit('torch' in sys.modules or 'vtk' in sys.modules)"
    subprocess.run([sys.executable, "-c", loaded, str(LOGIC_FILE)], check=True)


def as_it_was(node):
    """Return what an update would change in a transform node."""
    return (
        from_world(node, POINT).tolist(),
        [(name, node.GetAttribute(name)) for name in node.GetAttributeNames()],
        node.GetTransformToParent() is not None
        and bool(node.IsAbstractTransformComputedFromInverse(node.GetTransformFromParent())),
        node.GetNumberOfNodeReferences("spatialRegistrationMoving"),
    )


def test_a_run_leaves_transform_volume_steps_and_table(logic, pair):
    fixed, moving = pair
    result = logic.register(fixed, moving, runnerOf=scripted(*WALK))
    assert np.allclose(from_world(result.transform, POINT), POSE.map(torch.from_numpy(POINT)))
    assert volume_from_node(result.volume).grid.is_close(OBLIQUE)
    error = abs(array_of(result.volume) - array_of(fixed))[2:-2, 2:-2, 2:-2]
    assert error.max() < 0.15 * array_of(fixed).max()
    assert len(result.steps) == result.table.GetNumberOfRows() == 4
    assert result.steps.browser.GetProxyNode(result.steps.sequence) is result.transform
    assert result.transform.GetNodeReference("spatialRegistrationMoving") is moving
    assert result.transform.GetNodeReference("spatialRegistrationFixed") is fixed


def test_outputs_that_are_given_are_used(scene, logic, pair):
    output, volume = add_transform(scene, "mine"), scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "also mine")
    result = logic.register(*pair, output, volume, runnerOf=scripted(*WALK))
    assert result.transform is output
    assert result.volume is volume
    assert (output.GetName(), volume.GetName()) == ("mine", "also mine")
    assert scene.GetNumberOfNodesByClass("vtkMRMLTransformNode") == 1


def test_the_inputs_and_other_nodes_are_untouched(scene, logic, pair):
    fixed, moving = pair
    parent, bystander = add_transform(scene, "parent"), add_transform(scene, "bystander")
    transform_to_node(Affine.translation((1, 2, 3)), parent)
    moving.SetAndObserveTransformNodeID(parent.GetID())
    nodes = (fixed, moving, parent, bystander, fixed.GetDisplayNode(), moving.GetDisplayNode())
    fired = [watch_content(node) for node in nodes]
    arrays, before = (array_of(fixed).copy(), array_of(moving).copy()), contents(scene)
    logic.register(fixed, moving, runnerOf=scripted(*WALK))
    assert contents(scene)[: len(before)] == before
    assert np.array_equal(array_of(fixed), arrays[0])
    assert np.array_equal(array_of(moving), arrays[1])
    assert fired[2:] == [[]] * 4
    assert moving.GetParentTransformNode() is parent


def test_the_transform_is_live_and_the_sequence_grows(scene, logic, pair):
    output, shown, lengths = add_transform(scene), [], []
    fired, transforms = watch(output), [WALK[0], smooth_field(OBLIQUE, 0.5), *WALK]

    def on_step(step):
        expected = transforms[step.index].map(torch.from_numpy(POINT))
        shown.append(np.allclose(from_world(output, POINT), expected, atol=1e-5))
        (steps,) = StepSequence.all_of(output)
        lengths.append(len(steps))
        assert fired
        fired.clear()

    logic.register(*pair, output, runnerOf=scripted(*transforms), onStep=on_step)
    assert shown == [True] * 6
    assert lengths == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("last", ["affine", "field", "chain"])
def test_the_moving_volume_under_the_result_shows_the_resampled_volume(logic, pair, last):
    fixed, moving = pair
    field = smooth_field(OBLIQUE, 0.5)
    result = logic.register(
        fixed, moving, runnerOf=scripted({"affine": POSE, "field": field, "chain": POSE @ field}[last])
    )
    logic.applyTransform(moving, result.transform)
    assert moving.GetParentTransformNode() is result.transform
    seen = resliced(moving, fixed, moving.GetParentTransformNode())
    core = (slice(2, -2),) * 3
    assert abs(seen - array_of(result.volume))[core][seen[core] > 0].max() < 2e-2


def test_a_transform_above_the_moving_volume_stays_below_the_result(scene, logic, pair):
    fixed, moving = pair
    start = add_transform(scene, "start")
    transform_to_node(Affine.exponential((0.1, 0, 0, 5, 0, 0)), start)
    moving.SetAndObserveTransformNodeID(start.GetID())
    result = logic.register(fixed, moving, runnerOf=scripted(POSE))
    logic.applyTransform(moving, result.transform)
    logic.applyTransform(moving, result.transform)
    assert moving.GetParentTransformNode() is start
    assert start.GetParentTransformNode() is result.transform
    seen = resliced(moving, fixed, start)
    assert abs(seen - array_of(result.volume))[seen > 0].max() < 1e-2


def test_a_moving_volume_under_the_output_is_taken_without_it(scene, logic, pair):
    fixed, moving = pair
    worker = scripted(*WALK)
    first = logic.register(fixed, moving, runnerOf=worker)
    former = array_of(first.volume).copy()
    logic.applyTransform(moving, first.transform)
    second = logic.register(fixed, moving, first.transform, runnerOf=worker)
    jobs = [runner.job for runner in worker.runners]
    assert jobs[1].moving.grid.is_close(jobs[0].moving.grid)
    assert jobs[1].initial is None
    assert np.array_equal(array_of(second.volume), former)


def test_a_second_run_into_the_same_output_replaces_its_steps(scene, logic, pair):
    first = logic.register(*pair, runnerOf=scripted(*WALK))
    second = logic.register(*pair, first.transform, first.volume, runnerOf=scripted(*WALK[:2]))
    (steps,) = StepSequence.all_of(second.transform)
    assert steps.browser is second.steps.browser
    assert len(steps) == 2
    assert scene.GetNumberOfNodesByClass("vtkMRMLSequenceNode") == 1


def test_should_stop_keeps_the_last_step(logic, pair):
    seen = []
    result = logic.register(*pair, runnerOf=scripted(*WALK), onStep=seen.append, shouldStop=lambda: len(seen) == 2)
    assert len(result.steps) == result.table.GetNumberOfRows() == 2
    assert np.allclose(from_world(result.transform, POINT), WALK[1].map(torch.from_numpy(POINT)))
    assert volume_from_node(result.volume).grid.is_close(OBLIQUE)


def test_who_looked_at_an_earlier_step_still_looks_at_it_at_the_end(scene, logic, pair):
    output = add_transform(scene)

    def on_step(step):
        if step.index == 2:
            StepSequence.all_of(output)[0].select(1)

    result = logic.register(*pair, output, runnerOf=scripted(*WALK), onStep=on_step)
    assert len(result.steps) == 4
    assert result.steps.shown == 1
    assert np.allclose(from_world(output, POINT), WALK[1].map(torch.from_numpy(POINT)))


def test_steps_need_not_be_kept(scene, logic, pair):
    result = logic.register(*pair, runnerOf=scripted(*WALK), keepSteps=False)
    assert result.steps is None
    assert scene.GetNumberOfNodesByClass("vtkMRMLSequenceNode") == 0
    assert np.allclose(from_world(result.transform, POINT), POSE.map(torch.from_numpy(POINT)))


def test_a_label_map_is_resampled_as_labels(scene, logic, pair):
    fixed, moving = pair
    labels = Volume((array_of(moving) // 30 * 5).astype(np.uint8), LEFT_HANDED)
    result = logic.register(
        fixed, add_volume(scene, labels, "labels", "vtkMRMLLabelMapVolumeNode"), runnerOf=scripted(*WALK)
    )
    assert result.volume.IsA("vtkMRMLLabelMapVolumeNode")
    assert set(np.unique(array_of(result.volume))) <= set(np.unique(labels.values))


@pytest.mark.parametrize("given", [True, False], ids=["output given", "output created"])
@pytest.mark.parametrize("last", [0, 2])
def test_an_error_leaves_the_scene_as_it_was(scene, logic, pair, given, last):
    output = add_transform(scene, "mine") if given else None
    if given:
        former = vtk.vtkTransform()
        former.Translate(7, 8, 9)
        output.SetAndObserveTransformToParent(former)
        output.SetAttribute("Patient", "7")
        pair[1].SetAndObserveTransformNodeID(output.GetID())
    before, state = contents(scene), given and as_it_was(output)
    with pytest.raises(DiffusionCoreError, match="The network broke"):
        logic.register(*pair, output, runnerOf=failing(*WALK[:last]))
    assert contents(scene) == before
    assert (given and as_it_was(output)) == state


def test_an_error_of_the_caller_leaves_the_scene_as_it_was(scene, logic, pair):
    before, worker = contents(scene), scripted(*WALK)

    def on_step(step):
        if step.index == 1:
            raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        logic.register(*pair, runnerOf=worker, onStep=on_step)
    assert contents(scene) == before
    assert not worker.runners[0].running
    assert not logic.running


def test_an_error_leaves_the_result_of_a_former_run(scene, logic, pair):
    former = logic.register(*pair, runnerOf=scripted(*WALK))
    before, pixels = sorted(contents(scene)), array_of(former.volume).copy()
    with pytest.raises(DiffusionCoreError):
        logic.register(*pair, former.transform, former.volume, runnerOf=failing(smooth_field(OBLIQUE), *WALK[:2]))
    assert sorted(contents(scene)) == before
    assert np.allclose(from_world(former.transform, POINT), POSE.map(torch.from_numpy(POINT)))
    assert np.array_equal(array_of(former.volume), pixels)
    former.steps.select(0)
    assert np.allclose(from_world(former.transform, POINT), WALK[0].map(torch.from_numpy(POINT)))


@pytest.mark.parametrize("moment", [1, 4])
@pytest.mark.parametrize("role", ["fixed volume", "moving volume", "output transform", "output volume"])
def test_deleting_a_node_ends_the_run_with_its_name(scene, logic, pair, role, moment):
    output, volume = add_transform(scene, "T"), scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "V")
    roles = ("fixed volume", "moving volume", "output transform", "output volume")
    victim = dict(zip(roles, (*pair, output, volume), strict=True))[role]
    seen, before = [], []

    def on_step(step):
        seen.append(step)
        if len(seen) == moment:
            before[:] = [line for line in contents(scene) if not line.startswith(f"{victim.GetID()} ")]
            scene.RemoveNode(victim)

    with pytest.raises(DiffusionCoreError, match=f"Stopped: the {role} was removed"):
        logic.register(*pair, output, volume, runnerOf=scripted(*WALK), onStep=on_step)
    assert len(seen) == moment
    assert contents(scene) == [line for line in before if "Sequence" not in line]


def test_deleting_the_steps_lets_the_run_go_on(scene, logic, pair):
    output = add_transform(scene)

    def on_step(step):
        for steps in StepSequence.all_of(output):
            steps.remove()

    result = logic.register(*pair, output, runnerOf=scripted(*WALK), onStep=on_step)
    assert result.steps is None
    assert np.allclose(from_world(output, POINT), POSE.map(torch.from_numpy(POINT)))


@pytest.mark.parametrize("moment", [1, 4])
def test_closing_the_scene_ends_the_run(scene, logic, pair, moment):
    scene_before, seen = None, []

    def on_step(step):
        nonlocal scene_before
        seen.append(step)
        if len(seen) == moment:
            scene.Clear(False)
            scene_before = contents(scene)

    with pytest.raises(DiffusionCoreError, match="The scene was closed"):
        logic.register(*pair, runnerOf=scripted(*WALK), onStep=on_step)
    assert len(seen) == moment
    assert contents(scene) == scene_before


def test_stopping_before_the_first_step_changes_nothing(scene, logic, pair):
    before = contents(scene)
    with pytest.raises(DiffusionCoreError, match="stopped before its first step"):
        logic.register(*pair, runnerOf=scripted())
    assert contents(scene) == before


def test_a_registration_under_way_is_not_disturbed_by_another(scene, logic, pair):
    def on_step(step):
        with pytest.raises(DiffusionCoreError, match="under way"):
            logic.register(*pair, runnerOf=scripted(*WALK))

    result = logic.register(*pair, runnerOf=scripted(*WALK), onStep=on_step)
    assert len(result.steps) == 4


def put_under(scene, node):
    parent = add_transform(scene, "parent")
    node.SetAndObserveTransformNodeID(parent.GetID())
    return node


BAD = {
    "no fixed": (lambda s, f, m: (None, m), "Select a fixed volume"),
    "no moving": (lambda s, f, m: (f, None), "Select a moving volume"),
    "a transform as input": (lambda s, f, m: (add_transform(s, "T"), m), 'must be a volume of the scene; "T" is not'),
    "the same twice": (lambda s, f, m: (f, f), "Fixed and moving are the same volume"),
    "an empty volume": (
        lambda s, f, m: (f, s.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")),
        "Moving volume holds no image",
    ),
    "an old class": (
        lambda s, f, m: (f, m, add_transform(s, "T", "vtkMRMLLinearTransformNode")),
        '"T" is of the old class',
    ),
    "an output under a parent": (
        lambda s, f, m: (f, m, put_under(s, add_transform(s, "T"))),
        '"T" lies under "parent"',
    ),
    "fixed under the output": (
        lambda s, f, m: (put_under(s, f), m, s.GetFirstNodeByName("parent")),
        '"parent" holds the fixed volume "fixed"',
    ),
    "an input as output": (lambda s, f, m: (f, m, None, m), 'The output volume "moving" is one of the inputs'),
    "a label map as output": (
        lambda s, f, m: (f, m, None, s.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "L")),
        '"L" is not a volume of the same kind',
    ),
    "an output volume under a parent": (
        lambda s, f, m: (f, m, None, put_under(s, s.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "V"))),
        '"V" lies under "parent"',
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_choices_are_named_and_change_nothing(scene, logic, pair, case):
    choose, text = BAD[case]
    arguments = choose(scene, *pair)
    before = contents(scene)
    with pytest.raises(DiffusionCoreError, match=text):
        logic.register(*arguments, runnerOf=scripted(*WALK))
    assert contents(scene) == before
