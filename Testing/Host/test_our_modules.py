"""Our own modules in the host: they load, their forms are bound, and a scene keeps their parameters.

All of it holds over Slicer's own Python too: ``test_conformance_with_slicer.py`` runs it.
"""

# ruff: noqa: E402
import enum
import sys
from pathlib import Path
from typing import Annotated, Any, get_args

import pytest
import slicer
from slicer_api_host import application, modules

application.start()  # what follows is the Python of the application
import qt
from slicer.parameterNodeWrapper import Choice, Maximum, Minimum, WithinRange

ROOT = Path(__file__).resolve().parents[2]
MODULES = ("SpatialDiffusion", "DeformationSynthesis")


@pytest.fixture(params=MODULES)
def module(request, scene):
    module = modules.load_module(ROOT / request.param / f"{request.param}.py")
    yield module
    panel = module.widgetRepresentation()
    if panel.isEntered:
        panel.exit()
    modules.unload_module(request.param)


@pytest.fixture
def parameters(module):
    """Give the wrapped parameter node of the module."""
    return getattr(sys.modules[module.name], f"{module.name}Logic")().getParameterNode()


def another_value(parameters: Any, name: str) -> Any:
    """Return a value of the parameter that is not the one it has."""
    former = parameters.getValue(name)
    kind, *notes = get_args(Annotated[parameters.dataType(name), None])
    if isinstance(former, bool):
        return not former
    if isinstance(former, enum.Enum):
        return next(member for member in kind if member is not former)
    if choice := next((note for note in notes if isinstance(note, Choice)), None):
        return next(value for value in choice.choices if value != former)
    if isinstance(former, (int, float)):
        bounds = [note for note in notes if isinstance(note, (WithinRange, Minimum, Maximum))]
        ends = [getattr(note, end) for note in bounds for end in ("minimum", "maximum") if hasattr(note, end)]
        return next(value for value in (*ends, former + 1) if value != former)
    if isinstance(former, (str, Path)):
        return type(former)("something else")
    node = next(one for one in (get_args(kind) or (kind,)) if issubclass(one, slicer.vtkMRMLNode))
    return slicer.mrmlScene.AddNewNodeByClass(node.__name__)


def selectors_of(panel: Any) -> dict[str, Any]:
    """Return the node selectors that are bound to parameters, by the names of these."""
    named = {one.property("SlicerParameterName"): one for one in panel.findChildren(slicer.qMRMLNodeComboBox)}
    return {name: selector for name, selector in named.items() if name}


def test_a_scene_keeps_every_parameter(parameters, module, scene, tmp_path):
    names, path = list(parameters.allParameters), str(tmp_path / "scene.mrml")
    for name in names:
        parameters.setValue(name, another_value(parameters, name))
    former = {name: parameters.getValue(name) for name in names}
    identifiers = {name: value.GetID() for name, value in former.items() if isinstance(value, slicer.vtkMRMLNode)}
    scene.SetURL(path)
    assert scene.Commit()
    scene.Clear(False)
    scene.SetURL(path)
    assert scene.Connect()
    loaded = getattr(sys.modules[module.name], f"{module.name}Logic")().getParameterNode()
    assert {name: loaded.getValue(name) for name in names if name not in identifiers} == {
        name: value for name, value in former.items() if name not in identifiers
    }
    assert {name: loaded.getValue(name).GetID() for name in identifiers} == identifiers


def test_every_widget_with_the_name_of_a_parameter_is_bound_to_it(module, parameters):
    panel = module.widgetRepresentation()
    bound = [widget for widget in panel.findChildren(qt.QWidget) if widget.property("SlicerParameterName")]
    assert bound
    for widget in bound:
        parameters.dataType(widget.property("SlicerParameterName"))


def test_the_form_follows_the_parameters_while_it_is_shown(module, parameters, scene):
    panel = module.widgetRepresentation()
    panel.enter()
    selectors = selectors_of(panel)
    assert selectors
    for name, selector in selectors.items():
        node = another_value(parameters, name)
        selector.setCurrentNode(node)
        assert parameters.getValue(name) is node
    scene.Clear(False)
    fresh = getattr(sys.modules[module.name], f"{module.name}Logic")().getParameterNode()
    assert {fresh.getValue(name) for name in selectors} == {None}
    name, selector = next(iter(selectors.items()))
    node = another_value(fresh, name)
    selector.setCurrentNode(node)
    assert fresh.getValue(name) is node


def test_a_module_can_be_reloaded(module, monkeypatch):
    for name, loaded in list(sys.modules.items()):  # what the reload throws away is needed by other tests
        if name.startswith(("DiffusionCore", *(f"{one}Lib" for one in MODULES))):
            monkeypatch.setitem(sys.modules, name, loaded)
    panel = module.widgetRepresentation()
    before = panel.self()
    before.onReload()
    assert panel.self() is not before
    assert panel.findChildren(slicer.qMRMLNodeComboBox)


@pytest.mark.parametrize("module", ["SpatialDiffusion"], indirect=True)
def test_a_registration_may_start_from_a_linear_transform(module, parameters, scene):
    panel = module.widgetRepresentation()
    panel.enter()
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    selectors_of(panel)["initialTransform"].setCurrentNode(transform)
    assert parameters.initialTransform is transform
