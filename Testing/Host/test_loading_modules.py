"""Scripted modules live in the host as in Slicer: loaded, shown, entered, left, reloaded, unloaded."""

from __future__ import annotations

import sys

import pytest
import slicer
from PySide6.QtCore import QFileInfo
from shiboken6 import isValid

SOURCE = """
from slicer.ScriptedLoadableModule import *
import slicer

CALLS = []

class {name}(ScriptedLoadableModule):
    def __init__(self, parent):
        super().__init__(parent)
        parent.title = "{title}"
        parent.dependencies = {dependencies}
        parent.contributors = ["A. Author"]

    def setup(self):
        CALLS.append("module setup")

class {name}Widget(ScriptedLoadableModuleWidget):
    text = "{text}"

    def setup(self):
        import qt
        super().setup()
        self.logic = {name}Logic()
        self.layout.addWidget(qt.QLabel(self.text))
        CALLS.append("setup")

    def enter(self):
        CALLS.append("enter")

    def exit(self):
        CALLS.append("exit")

    def cleanup(self):
        CALLS.append("cleanup")

class {name}Logic(ScriptedLoadableModuleLogic):
    pass

class {name}Test(ScriptedLoadableModuleTest):
    def runTest(self):
        CALLS.append("test")
"""


@pytest.fixture
def write(tmp_path):
    """Give a function that writes the file of a module and returns its path."""

    def write(name="Small", title="Small", dependencies=(), text="first", source=SOURCE):
        file = tmp_path / f"{name}.py"
        file.write_text(
            source.format(name=name, title=title, dependencies=list(dependencies), text=text), encoding="utf-8"
        )
        return file

    return write


@pytest.fixture
def load(application, scene):
    """Give ``load_module``; what a test loads is unloaded afterwards."""
    from slicer_api_host.modules import load_module, unload_module

    there = set(slicer.util.moduleNames())
    yield load_module
    for name in reversed([name for name in slicer.util.moduleNames() if name not in there]):
        unload_module(name)


def calls(name="Small"):
    return sys.modules[name].CALLS


def test_a_module_is_known_by_its_names(load, write):
    module = load(write())
    assert slicer.modules.small is module
    assert slicer.moduleNames.Small == module.name == "Small"
    assert slicer.modules.SmallInstance.parent is module
    assert slicer.util.getModule("Small") is module
    assert slicer.util.modulePath("Small") == str(write())
    assert (module.title, module.contributors, module.isBuiltIn) == ("Small", ("A. Author",), False)
    assert module.logic() is slicer.app.moduleLogic("Small")
    assert module.mrmlScene() is slicer.mrmlScene
    assert calls() == ["module setup"]


def test_its_panel_is_made_when_it_is_asked_for_and_only_once(load, write):
    module = load(write())
    assert not hasattr(slicer.modules, "SmallWidget")
    widget = module.widgetRepresentation()
    assert module.widgetRepresentation() is widget
    assert widget.self() is slicer.modules.SmallWidget is slicer.util.getModuleWidget("Small")
    assert slicer.util.getModuleLogic("Small") is widget.self().logic
    assert widget.objectName == "SmallModuleWidget"
    assert widget.moduleName == "Small"
    assert calls() == ["module setup", "setup"]


def test_a_panel_is_set_up_before_it_gets_the_scene(load, write):
    source = SOURCE.replace(
        "super().setup()",
        "super().setup()\n        self.parent.mrmlSceneChanged.connect(lambda scene: CALLS.append(scene))",
    )
    load(write(source=source)).widgetRepresentation()
    assert calls() == ["module setup", "setup", slicer.mrmlScene]


def test_a_panel_is_entered_and_left(load, write):
    widget = load(write()).widgetRepresentation()
    assert not widget.isEntered
    widget.enter()
    assert widget.isEntered
    widget.exit()
    assert calls()[-2:] == ["enter", "exit"]
    with pytest.raises(RuntimeError, match="left without being entered"):
        widget.exit()


def test_a_second_panel_can_be_made(load, write):
    module = load(write())
    assert module.createNewWidgetRepresentation() is not module.widgetRepresentation()


def test_unloading_leaves_and_cleans_up_and_forgets(load, write):
    from slicer_api_host.modules import ModuleLoadError, unload_module

    widget = load(write()).widgetRepresentation()
    widget.enter()
    seen = calls()
    unload_module("Small")
    assert seen[-2:] == ["exit", "cleanup"]
    assert not isValid(widget)
    for place, name in (
        (slicer.modules, "small"),
        (slicer.modules, "SmallWidget"),
        (slicer.modules, "SmallInstance"),
        (slicer.moduleNames, "Small"),
    ):
        assert not hasattr(place, name)
    assert "Small" not in slicer.selfTests
    assert slicer.app.moduleLogic("Small") is None
    with pytest.raises(ModuleLoadError, match="not loaded"):
        unload_module("Small")


def test_reloading_runs_the_new_source_in_the_same_panel(load, write):
    widget = load(write()).widgetRepresentation()
    first, seen = widget.self(), calls()
    write(text="second")
    slicer.util.reloadScriptedModule("Small")
    assert seen[-1] == "cleanup"
    assert widget.self() is slicer.modules.SmallWidget is not first
    assert widget.self().text == "second"
    assert widget.self().parent is widget
    assert calls() == ["setup"]


def test_cleaning_up_after_a_reload_happens_once(load, write):
    from slicer_api_host.modules import unload_module

    load(write()).widgetRepresentation()
    slicer.util.reloadScriptedModule("Small")
    seen = calls()
    unload_module("Small")
    assert seen == ["setup", "cleanup"]


def test_its_self_test_runs(load, write):
    load(write())
    slicer.selfTests["Small"]()
    assert calls()[-1] == "test"


def test_what_it_depends_on_is_loaded_first(load, write):
    slicer.app.moduleManager().factoryManager().registerModule(QFileInfo(str(write("Base", "Base", ["Volumes"]))))
    load(write(dependencies=["Base", "Transforms"]))
    assert slicer.util.moduleNames()[-2:] == ("Base", "Small")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dependencies": ["Volums"]}, "depends on Volums, but there is no module Volums"),
        ({"title": ""}, "no title"),
        ({"source": "class Other: pass"}, "no class Small"),
    ],
)
def test_a_module_that_slicer_would_not_load_is_refused(load, write, change, message):
    from slicer_api_host.modules import ModuleLoadError

    with pytest.raises(ModuleLoadError, match=message):
        load(write(**change))
    assert "Small" not in slicer.util.moduleNames()
    for place, name in ((slicer.modules, "small"), (slicer.modules, "SmallInstance"), (slicer.moduleNames, "Small")):
        assert not hasattr(place, name)
    assert load(write()).title == "Small"


def test_a_mistake_in_a_module_is_raised_and_leaves_nothing(load, write):
    with pytest.raises(ZeroDivisionError):
        load(write(source="1 / 0"))
    assert "Small" not in sys.modules
    assert load(write()).title == "Small"


def test_a_missing_file_is_refused(load, tmp_path):
    from slicer_api_host.modules import ModuleLoadError

    with pytest.raises(ModuleLoadError, match="there is no file"):
        load(tmp_path / "Nothing.py")


def test_a_module_is_loaded_once_and_not_from_two_files(load, write, tmp_path):
    from slicer_api_host.modules import ModuleLoadError

    file = write()
    assert load(file) is load(file)
    other = tmp_path / "other" / "Small.py"
    other.parent.mkdir()
    other.write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(ModuleLoadError, match="already"):
        load(other)


def test_slicers_own_way_to_load_answers_false_where_it_fails(load, write):
    factory = slicer.app.moduleManager().factoryManager()
    assert not factory.loadModules(["Small"])
    factory.registerModule(QFileInfo(str(write())))
    assert factory.loadModules(["Small"])
    assert factory.isLoaded("Small")


def test_a_module_without_a_widget_class_has_no_panel(load, write):
    module = load(write(source=SOURCE.replace("class {name}Widget(", "class Other(")))
    assert module.widgetRepresentation() is None


def test_loading_and_unloading_is_told(application, load, write):
    from slicer_api_host.modules import unload_module

    told, manager = [], application.moduleManager()
    manager.connect("moduleLoaded(QString)", lambda name: told.append(("loaded", name)))
    manager.connect("moduleAboutToBeUnloaded(QString)", lambda name: told.append(("unloading", name)))
    load(write())
    unload_module("Small")
    assert told == [("loaded", "Small"), ("unloading", "Small")]


@pytest.mark.parametrize(("attribute", "value"), [("tilte", "Small"), ("title", 5), ("dependencies", "Volumes")])
def test_a_module_that_sets_what_is_not_there_or_of_another_type_fails(load, write, attribute, value):
    source = SOURCE.replace('parent.contributors = ["A. Author"]', f"parent.{attribute} = {value!r}")
    with pytest.raises(AttributeError):
        load(write(source=source))


def test_edited_nodes_reach_the_panel(load, write, scene):
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    widget = load(write()).widgetRepresentation()
    assert widget.setEditedNode(node) is False
    assert widget.nodeEditable(node) == 0.0
    source = SOURCE.replace(
        "    def enter(", "    def setEditedNode(self, node, role, context):\n        return True\n\n    def enter("
    )
    from slicer_api_host.modules import unload_module

    unload_module("Small")
    assert load(write(source=source)).widgetRepresentation().setEditedNode(node) is True
