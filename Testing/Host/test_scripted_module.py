"""A scripted module from its file to its panel. All of it holds over Slicer's own Python too."""

from textwrap import dedent

import pytest
import slicer
from slicer_api_host import application, modules
from small_module import loaded_module

application.start()  # what follows is the Python of the application
from slicer.i18n import tr, translate  # noqa: E402


@pytest.fixture
def module(scene, tmp_path):
    with loaded_module(tmp_path, "SmallModule") as module:
        yield module


def test_a_module_introduces_itself(module):
    assert module.module.title == "A module"
    assert module.module.categories == ("Testing",)
    assert slicer.util.modulePath(module.name) == str(module.file)
    assert getattr(slicer.modules, module.name.lower()) is module.module


def test_resources_lie_beside_the_file(module):
    wanted = str(module.file.parent / "Resources" / "UI" / "form.ui")
    assert module.widget.resourcePath("UI/form.ui") == wanted
    assert getattr(slicer.modules, f"{module.name}Instance").resourcePath("UI/form.ui") == wanted


def test_the_icon_is_taken_from_the_resources(module, tmp_path, qt):
    assert module.module.icon.isNull()
    icons = tmp_path / "WithIcon" / "Resources" / "Icons"
    icons.mkdir(parents=True)
    image = qt.QImage(8, 8, qt.QImage.Format_RGB32)
    image.fill(qt.QColor("red"))
    assert image.save(str(icons / "WithIcon.png"))
    with loaded_module(tmp_path, "WithIcon") as other:
        assert not other.module.icon.isNull()


def test_a_panel_is_set_up_once_and_entered_and_left(module):
    panel = module.module.widgetRepresentation()
    panel.enter()
    panel.exit()
    assert module.module.widgetRepresentation() is panel
    assert module.calls == ["setup", "enter", "exit"]
    assert module.widget.parent is panel
    assert module.widget.moduleName == module.name


def test_unloading_cleans_up(module):
    calls = module.widget and module.calls
    modules.unload_module(module.name)
    assert calls == ["setup", "cleanup"]


def test_the_parameter_node_of_a_module_is_one_node(module, scene):
    logic = module.part("Logic")()
    node = logic.getParameterNode()
    assert node is logic.getParameterNode() is module.part("Logic")().getParameterNode()
    assert node.GetSingletonTag() == node.GetAttribute("ModuleName") == module.name
    assert node.GetClassName() == "vtkMRMLScriptedModuleNode"
    scene.Clear(False)
    assert logic.getParameterNode().GetAttribute("ModuleName") == module.name
    assert logic.getAllParameterNodes() == [logic.getParameterNode()]


def test_a_module_may_have_several_parameter_nodes(module, scene):
    logic = module.part("Logic")()
    logic.isSingletonParameterNode = False
    first, second = (scene.AddNode(logic.createParameterNode()) for _ in range(2))
    scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")
    assert logic.getAllParameterNodes() == [first, second]
    assert logic.getParameterNode() is first
    assert first.GetSingletonTag() is None


def test_a_parameter_node_comes_back_with_its_scene(module, scene, tmp_path):
    logic, path = module.part("Logic")(), str(tmp_path / "scene.mrml")
    logic.getParameterNode().SetParameter("name", "value")
    scene.SetURL(path)
    scene.Commit()
    scene.Clear(False)
    assert logic.getParameterNode().GetParameter("name") == ""
    scene.SetURL(path)
    scene.Connect()
    assert logic.getParameterNode().GetParameter("name") == "value"
    assert len(logic.getAllParameterNodes()) == 1


def test_the_self_test_runs_every_test_between_set_up_and_tear_down(module):
    slicer.selfTests[module.name]()
    assert module.calls == ["setUp", "first", "tearDown", "setUp", "second", "tearDown"]


def test_a_failing_self_test_says_so(module):
    module.part("Test").outcome = False
    with pytest.raises(AssertionError):
        slicer.selfTests[module.name](msec=1)
    del module.python.__dict__[f"{module.name}Test"]
    with pytest.raises(AssertionError, match=f"{module.name}Test"):
        slicer.selfTests[module.name]()


def test_the_application_runs_the_tests_of_a_file_by_its_name(module):
    from slicer.testing import runUnitTest

    runUnitTest(str(module.file.parent), module.name)
    assert [call for call in module.calls if call in ("first", "second")] == ["first", "second"]
    module.part("Test").outcome = False
    with pytest.raises(Exception, match=r"^$"):
        runUnitTest([str(module.file.parent)], module.name)


def test_reloading_takes_the_file_as_it_is_now(module):
    before, calls = module.widget, module.calls
    module.file.write_text(module.file.read_text(encoding="utf-8") + "\nMARK = 1\n", encoding="utf-8")
    before.onReload()
    assert calls == ["setup", "cleanup"]
    assert module.python.MARK == 1
    assert module.widget is getattr(slicer.modules, f"{module.name}Widget")
    assert module.widget is not before
    assert module.calls == ["setup"]


def test_reload_and_test_runs_the_new_tests(module):
    slicer.app.settings().setValue("Developer/SelfTestDisplayMessageDelay", 1)
    module.widget.onReloadAndTest()
    assert module.calls == ["setup", "setUp", "first", "tearDown", "setUp", "second", "tearDown"]


def test_a_user_sees_no_reload_section(module, qt):
    assert not module.widget.developerMode
    assert module.widget.parent.findChildren(qt.QPushButton) == ()


def test_a_widget_without_a_parent_is_a_window(module):
    widget = module.part("Widget")()
    assert widget.parent.visible
    assert widget.parent.mrmlScene() is slicer.mrmlScene
    assert module.calls[-1] == "setup"
    widget.parent.delete()


@pytest.fixture
def french(monkeypatch):
    """Give a table of translations by context and text."""
    table = {}
    monkeypatch.setattr(
        type(slicer.app), "translate", lambda _, context, text, *rest: table.get((context, text), text), raising=False
    )
    return table


def test_texts_are_translated_in_the_context_of_their_file(french, tmp_path):
    french["test_scripted_module", "Ready."] = "Pr\u00eat."
    french["General", "Ready."] = "Tout pr\u00eat."
    assert tr("Ready.") == "Pr\u00eat."
    assert translate("General", "Ready.") == "Tout pr\u00eat."
    package = tmp_path / "SomeLib"
    package.mkdir()
    (package / "__init__.py").touch()
    file = package / "Words.py"
    file.write_text(dedent("""\
        from slicer.i18n import tr as _
        text = _("Ready.")
    """), encoding="utf-8")  # fmt: skip
    french["SomeLib.Words", "Ready."] = "Mots pr\u00eats."
    found = {}
    exec(compile(file.read_text(encoding="utf-8"), str(file), "exec"), found)
    assert found["text"] == "Mots pr\u00eats."


def test_a_translation_with_other_placeholders_is_not_used(french):
    french["test_scripted_module", "{count} of {total} {{x}}"] = "{total} : {count} {{y}}"
    french["test_scripted_module", "{count} files"] = "{nombre} fichiers"
    assert tr("{count} of {total} {{x}}") == "{total} : {count} {{y}}"
    assert tr("{count} files") == "{count} files"
