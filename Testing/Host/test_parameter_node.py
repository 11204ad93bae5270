"""Parameters in a scene. All of it holds over Slicer's own wrapper too: ``test_conformance_with_slicer.py`` runs it."""

# ruff: noqa: E402
from enum import Enum
from pathlib import Path
from typing import Annotated, Optional, Union

import pytest
from slicer_api_host import application

application.start()  # what follows is the Python of the application
import slicer
import vtk
from slicer import vtkMRMLLinearTransformNode, vtkMRMLScalarVolumeNode, vtkMRMLTransformNode
from slicer.parameterNodeWrapper import (
    Choice,
    Decimals,
    Default,
    Exclude,
    Maximum,
    Minimum,
    Validator,
    WithinRange,
    parameterNodeWrapper,
)


class Preset(Enum):
    AUTOMATIC = "Automatic"
    AFFINE = "Affine only"


@parameterNodeWrapper
class Everything:
    first: int
    volume: vtkMRMLScalarVolumeNode
    transform: vtkMRMLTransformNode
    maybe: Optional[vtkMRMLScalarVolumeNode]  # noqa: UP045
    either: Union[int, str] = "text"  # noqa: UP007
    modern: float | None = None
    count: Annotated[int, WithinRange(1, 9)] = 3
    whole: int
    seconds: Annotated[float, Minimum(0), Decimals(2)] = 1.5
    real: float
    flag: bool = True
    name: Annotated[str, Default("head")]
    text: str
    device: Annotated[str, Choice(["auto", "cpu"])] = "auto"
    preset: Preset
    folder: Path
    file: Path = Path("models") / "pose.safetensors"


def stored(node):
    """Return the texts and the node references of a parameter node, each by its name."""
    texts = {name: node.GetParameter(name) for name in node.GetParameterNames()}
    roles = [node.GetNthNodeReferenceRole(index) for index in range(node.GetNumberOfNodeReferenceRoles())]
    return texts, {role: node.GetNodeReferenceID(role) for role in roles if node.GetNodeReferenceID(role)}


@pytest.fixture
def node(scene):
    return scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")


@pytest.fixture
def parameters(node):
    return Everything(node)


@pytest.fixture
def volume(scene):
    return scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "head")


def test_defaults_are_stored_in_the_format_of_slicer(parameters, node):
    texts, references = stored(node)
    assert references == {}
    assert texts == {
        "first": "0",
        "volume": "",
        "transform": "",
        "maybe.1": "True",
        "either.1": "text",
        "modern.1": "True",
        "count": "3",
        "whole": "0",
        "seconds": "1.5",
        "real": "0",
        "flag": "True",
        "name": "head",
        "text": "",
        "device": "auto",
        "preset": "AUTOMATIC",
        "folder": ".",
        "file": str(Path("models/pose.safetensors")),
    }


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("count", 9, "9"),
        ("whole", -12, "-12"),
        ("seconds", 0.1 + 0.2, "0.30000000000000004"),
        ("seconds", 2, "2"),
        ("real", 1e-30, "1e-30"),
        ("real", float("inf"), "inf"),
        ("flag", False, "False"),
        ("name", "a;b \u00e9 \n<c>", "a;b \u00e9 \n<c>"),
        ("text", "", ""),
        ("device", "cpu", "cpu"),
        ("preset", Preset.AFFINE, "AFFINE"),
        ("folder", Path("/data/brains"), str(Path("/data/brains"))),
    ],
)
def test_a_value_is_stored_as_slicer_stores_it_and_comes_back(parameters, node, name, value, text):
    setattr(parameters, name, value)
    assert stored(node)[0][name] == text
    assert getattr(parameters, name) == getattr(Everything(node), name) == value


def test_a_node_is_a_reference_beside_an_empty_text(parameters, node, volume):
    parameters.volume = volume
    assert stored(node)[0]["volume"] == ""
    assert stored(node)[1] == {"volume": volume.GetID()}
    assert parameters.volume is volume
    parameters.volume = None
    assert stored(node)[1] == {}
    assert parameters.volume is None


def test_an_optional_value_says_by_its_name_which_type_it_is_of(parameters, node, volume):
    parameters.maybe, parameters.either, parameters.modern = volume, 7, 2.5
    texts, references = stored(node)
    assert {name: texts[name] for name in texts if "." in name} == {"maybe.0": "", "either.0": "7", "modern.0": "2.5"}
    assert references == {"maybe.0": volume.GetID()}
    assert (parameters.maybe, parameters.either, parameters.modern) == (volume, 7, 2.5)
    parameters.maybe = None
    assert stored(node)[1] == {}
    assert parameters.maybe is None


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("count", 0, ValueError),
        ("count", 10, ValueError),
        ("count", 2.0, TypeError),
        ("count", None, ValueError),
        ("whole", "3", TypeError),
        ("seconds", -0.1, ValueError),
        ("real", "1.0", TypeError),
        ("flag", 1, TypeError),
        ("name", 3, TypeError),
        ("device", "tpu", ValueError),
        ("preset", "AFFINE", TypeError),
        ("folder", "/data", TypeError),
        ("volume", "head", TypeError),
        ("either", 2.5, TypeError),
    ],
)
def test_a_refused_value_leaves_everything_as_it_was(parameters, node, name, value, error):
    before, events = stored(node), []
    parameters.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: events.append(1))
    with pytest.raises(error):
        setattr(parameters, name, value)
    assert stored(node) == before
    assert getattr(parameters, name) == getattr(Everything(node), name)


def test_a_node_of_another_class_is_refused(parameters, scene, volume):
    with pytest.raises(TypeError):
        parameters.transform = volume
    parameters.transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    assert isinstance(parameters.transform, vtkMRMLLinearTransformNode)


def test_both_ends_of_a_range_are_allowed(node):
    @parameterNodeWrapper
    class Bounds:
        inside: Annotated[float, WithinRange(-1, 1)]
        below: Annotated[float, Maximum(5)]
        odd: Annotated[int, Exclude([2, 4])]

    bounds = Bounds(node)
    bounds.inside, bounds.below = -1, 5
    bounds.inside = 1
    for name, value in (("inside", 1.001), ("inside", float("nan")), ("below", 5.001), ("odd", 4)):
        with pytest.raises(ValueError, match=str(value)):
            setattr(bounds, name, value)


def test_a_module_may_bring_its_own_validator(node):
    class Even(Validator):
        def validate(self, value):
            if value % 2:
                raise ValueError("odd")

    @parameterNodeWrapper()
    class Pairs:
        count: Annotated[int, Even()]

    with pytest.raises(ValueError, match="odd"):
        Pairs(node).count = 3


def test_a_default_out_of_its_own_bounds_is_noticed(node):
    @parameterNodeWrapper
    class Careless:
        count: Annotated[int, Minimum(1)]

    with pytest.raises(ValueError, match="1"):
        Careless(node)


def test_a_default_may_be_made_anew(node):
    made = []

    @parameterNodeWrapper
    class Lazy:
        name: Annotated[str, Default(generator=lambda: made.append(1) or f"name {len(made)}")]

    assert Lazy(node).name == "name 1"
    assert Lazy(node).name == "name 1"


def test_a_text_that_is_no_value_is_an_error(node):
    Everything(node)
    for name, text in (("preset", "GONE"), ("count", "three"), ("seconds", "")):
        former = node.GetParameter(name)
        node.SetParameter(name, text)
        with pytest.raises(ValueError, match=r".*"):
            Everything(node)
        node.SetParameter(name, former)


def test_what_others_set_is_seen_once_the_node_says_so(parameters, node):
    other = Everything(node)
    other.count = 5
    assert parameters.count == 5
    before = node.StartModify()
    other.count = 6
    assert (other.count, parameters.count) == (6, 5)
    node.EndModify(before)
    assert parameters.count == 6


def test_observers_see_the_new_value_and_are_told_once(parameters, volume):
    seen = []
    note = lambda *_: seen.append((parameters.count, parameters.volume))  # noqa: E731
    tag = parameters.AddObserver(vtk.vtkCommand.ModifiedEvent, note)
    parameters.count = 4
    assert seen == [(4, None)]
    with slicer.util.NodeModify(parameters):
        parameters.count = 5
        parameters.volume = volume
    assert seen[1:] == [(5, volume)]
    parameters.RemoveObserver(tag)
    parameters.count = 6
    assert len(seen) == 2


def test_setting_the_same_value_is_no_change(parameters):
    events = []
    parameters.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: events.append(1))
    parameters.count = parameters.count
    assert events == []


def test_a_node_that_leaves_the_scene_is_none_at_once(parameters, scene, volume):
    events = []
    parameters.volume = volume
    parameters.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: events.append(parameters.volume))
    scene.RemoveNode(volume)
    assert parameters.volume is None
    assert events[-1:] == [None]


def test_observers_see_the_first_parameter_one_change_late_if_others_change_it(scene, node, volume):
    """VTK calls the first observer of a node last. A first parameter that nobody cares for avoids the trap."""

    @parameterNodeWrapper
    class Unlucky:
        volume: vtkMRMLScalarVolumeNode
        same: vtkMRMLScalarVolumeNode

    unlucky, seen = Unlucky(node), []
    unlucky.volume = unlucky.same = volume
    unlucky.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: seen.append((unlucky.volume, unlucky.same)))
    scene.RemoveNode(volume)
    assert seen[0][0] is volume
    assert seen[-1][1] is None
    assert unlucky.volume is unlucky.same is None


def test_values_are_reached_by_name(parameters):
    parameters.setValue("count", 8)
    assert parameters.getValue("count") == parameters.count == 8
    assert parameters.default("count").value == 3
    assert parameters.dataType("whole") is int
    assert Everything.dataType("preset") is Preset
    for call in (
        parameters.getValue,
        parameters.default,
        parameters.dataType,
        lambda name: parameters.setValue(name, 1),
    ):
        with pytest.raises(ValueError, match="nothing"):
            call("nothing")


def test_two_wrappers_share_a_node_by_a_prefix(node):
    first, second = Everything(node), Everything(node, prefix="second.")
    second.count = 7
    assert (first.count, second.count, node.GetParameter("second.count")) == (3, 7, "7")


def test_a_wrapper_that_is_dropped_stops_listening(node):
    Everything(node).count = 4
    node.SetParameter("count", "no number")  # a listener would complain
    assert not node.HasObserver(vtk.vtkCommand.ModifiedEvent)


def test_a_saved_scene_brings_every_parameter_back(parameters, node, scene, volume, tmp_path):
    node.SetSingletonTag("Everything")
    parameters.volume = parameters.maybe = volume
    parameters.preset, parameters.name, parameters.modern = Preset.AFFINE, "a;b \u00e9 & <c>", 0.1
    before = stored(node)
    path = str(tmp_path / "scene.mrml")
    scene.SetURL(path)
    assert scene.Commit()
    scene.RemoveNode(node)  # as a singleton it would outlive the scene
    scene.Clear(False)
    scene.SetURL(path)
    assert scene.Connect()
    loaded = scene.GetSingletonNode("Everything", "vtkMRMLScriptedModuleNode")
    assert stored(loaded) == before
    again = Everything(loaded)
    assert again.volume is again.maybe is slicer.util.getNode("head")
    assert (again.preset, again.name, again.modern) == (Preset.AFFINE, "a;b \u00e9 & <c>", 0.1)


def test_closing_the_scene_resets_a_parameter_node_that_outlives_it(parameters, node, scene, volume):
    node.SetSingletonTag("Everything")
    parameters.count, parameters.volume = 7, volume
    scene.Clear(False)
    assert (parameters.count, parameters.volume) == (3, None)


@pytest.mark.parametrize("taken", ["getValue", "connectGui", "allParameters"])
def test_a_parameter_cannot_take_a_name_of_the_wrapper(taken):
    with pytest.raises(ValueError, match=taken):
        parameterNodeWrapper(type("Greedy", (), {taken: 3, "__annotations__": {taken: int}}))


def test_the_class_keeps_its_name_and_its_methods(node):
    @parameterNodeWrapper
    class Counter:
        """Counts."""

        count: int

        def up(self):
            self.count += 1

    counter = Counter(node)
    counter.up()
    assert counter.count == 1
    assert (Counter.__name__, Counter.__doc__, Counter.__module__) == ("Counter", "Counts.", __name__)
    assert isinstance(counter, Counter)
