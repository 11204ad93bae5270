"""Where our Python of the application is stricter than Slicer's, or smaller."""

# ruff: noqa: E402
from typing import Annotated, Any

import pytest
import slicer
import vtk
from slicer_api_host import application
from small_module import loaded_module

application.start()  # what follows is the Python of the application
import qt
from slicer import packaging
from slicer.parameterNodeWrapper import Default, parameterNodeWrapper, parameterPack


@pytest.fixture
def node(scene):
    return scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")


@pytest.mark.parametrize("hint", [list[int], dict[str, int], tuple[int, int], Any, complex, qt.QColor])
def test_a_type_that_cannot_be_stored_is_refused_with_the_class(hint):
    with pytest.raises(TypeError, match="stores no"):
        parameterNodeWrapper(type("Parameters", (), {"__annotations__": {"value": hint}}))


def test_an_annotation_that_means_nothing_is_refused():
    with pytest.raises(TypeError, match="'mm'"):
        parameterNodeWrapper(type("Parameters", (), {"__annotations__": {"size": Annotated[float, "mm"]}}))


def test_a_misspelled_parameter_cannot_be_set(node):
    @parameterNodeWrapper
    class Parameters:
        count: int

    with pytest.raises(AttributeError, match="cuont"):
        Parameters(node).cuont = 3


def test_a_button_that_is_not_checkable_shows_no_bool(node):
    @parameterNodeWrapper
    class Parameters:
        flag: bool

    with pytest.raises(RuntimeError, match="not checkable"):
        Parameters(node).connectParametersToGui({"flag": qt.QPushButton()})


def test_a_node_that_is_in_no_scene_is_refused(node, scene):
    @parameterNodeWrapper
    class Parameters:
        first: int
        volume: slicer.vtkMRMLScalarVolumeNode

    parameters, volume = Parameters(node), scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "head")
    parameters.volume = volume
    with pytest.raises(ValueError, match="in no scene"):
        parameters.volume = slicer.vtkMRMLScalarVolumeNode()
    refused = []

    def set_again(*_):
        with pytest.raises(ValueError, match="'head' is in no scene"):
            parameters.volume = volume
        refused.append(parameters.volume)

    parameters.AddObserver(vtk.vtkCommand.ModifiedEvent, set_again)
    scene.RemoveNode(volume)
    assert refused == [None]


def test_a_whole_number_is_no_bool(node):
    @parameterNodeWrapper
    class Parameters:
        count: int

    parameters = Parameters(node)
    with pytest.raises(ValueError, match="True"):
        parameters.count = True
    assert node.GetParameter("count") == "0"


@pytest.fixture
def developer_mode():
    settings = slicer.app.settings()
    settings.setValue("Developer/DeveloperMode", True)
    settings.setValue("Developer/SelfTestDisplayMessageDelay", 1)
    yield
    settings.remove("Developer/DeveloperMode")


def test_a_developer_reloads_and_tests_by_buttons(developer_mode, scene, tmp_path):
    with loaded_module(tmp_path, "SmallModule") as module:
        widget = module.widget
        named = {button.text: button for button in widget.parent.findChildren(qt.QPushButton)}
        assert widget.developerMode
        named["Test"].click()
        assert module.calls == ["setup", "setUp", "first", "tearDown", "setUp", "second", "tearDown"]
        named["Reload"].click()
        assert module.calls == ["setup"]
        assert module.widget is not widget


@pytest.fixture
def asked(monkeypatch):
    """Use the application as a user does, who answers ``asked["answer"]``; give what was asked, too."""
    asked = {"answer": True, "text": None}

    def answer(text, *_, **__):
        asked["text"] = text
        return asked["answer"]

    monkeypatch.setattr(type(slicer.app), "testingEnabled", lambda _: False)
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", answer)
    return asked


def test_nothing_is_installed_while_the_application_is_tested(monkeypatch):
    monkeypatch.setattr(packaging, "pip_install", lambda *_, **__: pytest.fail("installed"))
    assert slicer.app.testingEnabled()
    assert packaging.pip_ensure(["surely-not-installed>=1"], requester="Tests") is None


def test_what_is_there_is_not_asked_for(asked):
    assert packaging.pip_ensure("numpy>=1 pytest", requester="Tests") is None
    assert asked["text"] is None


def test_a_user_may_decline(asked):
    asked["answer"] = False
    with pytest.raises(RuntimeError, match="declined"):
        packaging.pip_ensure(["numpy", "surely-not-installed>=1"], requester="Tests")
    assert "surely-not-installed>=1" in asked["text"]
    assert "numpy" not in asked["text"]


def test_the_host_installs_nothing_even_if_it_may(asked):
    with pytest.raises(RuntimeError, match="Install surely-not-installed in its environment"):
        packaging.pip_ensure("surely-not-installed")


@pytest.mark.parametrize(
    ("requirements", "there"),
    [
        ("numpy", True),
        ("numpy>=9999", False),
        ("numpy pytest>=1", True),
        (["numpy", "surely-not-installed"], False),
        ("surely-not-installed; python_version < '3'", True),
        ([], True),
    ],
)
def test_what_is_installed_is_known(requirements, there):
    assert packaging.pip_check(requirements) is there


def test_requirements_are_read_from_a_file(tmp_path):
    file = tmp_path / "requirements.txt"
    file.write_text("# why\n\nnumpy>=1\n--pre\nscipy ; python_version > '3'\n", encoding="utf-8")
    assert [one.name for one in packaging.load_requirements(file)] == ["numpy", "scipy"]


def test_a_pack_refuses_what_its_fields_refuse():
    @parameterPack
    class Point:
        x: float = 1.0
        y: Annotated[float, Default(2.0)]

    assert Point() == Point(1.0, y=2.0)
    assert repr(Point(3.0)) == "Point(x=3.0, y=2.0)"
    for refused in (lambda: Point("1"), lambda: Point(1.0, x=2.0), lambda: Point(z=1.0), lambda: Point(1.0, 2.0, 3.0)):
        with pytest.raises(TypeError):
            refused()
    with pytest.raises(AttributeError):
        Point().z = 1.0
