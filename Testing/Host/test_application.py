"""slicer.app, the scene and the files of the host are what scripted modules expect of Slicer."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import slicer
import vtk
from slicer_api_host import application as host
from slicer_api_host.scene import LOGICS

from Testing.Panel.clicking import wait_until

SHIFT = vtk.vtkMatrix4x4()
SHIFT.SetElement(0, 3, 5)
HOST = Path(host.__file__).resolve().parents[1]


def ball(name="ball"):
    values = np.fromfunction(lambda k, j, i: 100 - (k - 5) ** 2 - (j - 6) ** 2 - (i - 7) ** 2, (10, 12, 14))
    node = slicer.util.addVolumeFromArray(values.astype(np.int16), name=name)
    node.SetSpacing(1, 2, 3)
    return node


def in_new_process(code, **environment):
    """Run ``code`` after the path to the host was set, and return what it prints."""
    lines = f"import sys\nsys.path.insert(0, {str(HOST)!r})\n{code}"
    done = subprocess.run(
        [sys.executable, "-c", lines], env={**os.environ, **environment}, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_it_never_calls_itself_slicer(application):
    assert application.applicationName == "Slicer-API host"
    assert application.mainApplicationName != "Slicer"


def test_it_is_started_once(application):
    assert host.start() is application is slicer.app


def test_it_refuses_another_python_once_it_runs(application, tmp_path):
    (tmp_path / "ScriptedLoadableModule.py").touch()
    with pytest.raises(RuntimeError, match="runs already"):
        host.start(tmp_path)


def test_it_refuses_a_folder_without_the_python_of_the_application(application, tmp_path):
    with pytest.raises(RuntimeError, match=r"no ScriptedLoadableModule\.py"):
        host.start(tmp_path)


def test_startup_completed_is_told_once_the_event_loop_runs():
    code = """
from slicer_api_host.application import start
import slicer
start(views=False).connect("startupCompleted()", lambda: print("completed"))
print("started")
slicer.app.processEvents()
"""
    assert in_new_process(code, QT_QPA_PLATFORM="offscreen").split() == ["started", "completed"]


def test_modules_are_cleaned_up_when_the_process_ends(tmp_path):
    file = tmp_path / "Small.py"
    file.write_text(
        "from slicer.ScriptedLoadableModule import *\n"
        "class Small(ScriptedLoadableModule):\n"
        "    def __init__(self, parent):\n"
        "        super().__init__(parent)\n"
        "        parent.title = 'Small'\n"
        "class SmallWidget(ScriptedLoadableModuleWidget):\n"
        "    def cleanup(self):\n"
        "        print('cleaned')\n",
        encoding="utf-8",
    )
    code = f"""
from slicer_api_host.application import start
from slicer_api_host.modules import load_module
start()
load_module({str(file)!r}).widgetRepresentation()
"""
    assert in_new_process(code, QT_QPA_PLATFORM="offscreen") == "cleaned"


def test_the_logics_of_slicers_modules_work_on_the_scene(application, scene):
    for name in LOGICS:
        module = getattr(slicer.modules, name.lower())
        assert module.name == name == getattr(slicer.moduleNames, name)
        assert module.logic() is application.moduleLogic(name)
        assert module.logic().GetMRMLScene() is scene
    assert set(LOGICS) <= set(slicer.util.moduleNames())


def test_scrubbing_a_sequence_moves_its_proxy_long_after_the_start(scene):
    sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode")
    for number in range(3):
        text = slicer.vtkMRMLTextNode()
        text.SetText(str(number))
        sequence.SetDataNodeAtValue(text, str(number))
    browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode")
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    for number in (2, 0, 1):
        browser.SetSelectedItemNumber(number)
        assert browser.GetProxyNode(sequence).GetText() == str(number)


def test_the_scene_is_that_of_the_application(application, scene):
    assert slicer.mrmlScene is scene is application.applicationLogic().GetMRMLScene()
    assert scene.GetFirstNodeByClass("vtkMRMLInteractionNode") is not None
    assert scene.GetFirstNodeByClass("vtkMRMLCrosshairNode") is not None


def test_slicers_name_space_holds_only_what_slicer_has_there(application):
    assert not hasattr(slicer, "getNode")
    assert slicer.util.getNode is not None
    assert slicer.qMRMLNodeComboBox is not None
    assert not hasattr(slicer, "ctkComboBox")


def test_a_segmentation_can_be_made_and_shown_as_surface(scene):
    labels = slicer.util.addVolumeFromArray(
        (slicer.util.arrayFromVolume(ball()) > 80).astype(np.uint8), nodeClassName="vtkMRMLLabelMapVolumeNode"
    )
    segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    assert slicer.modules.segmentations.logic().ImportLabelmapToSegmentationNode(labels, segmentation)
    assert segmentation.CreateClosedSurfaceRepresentation()


def test_a_bundle_brings_back_what_was_saved(scene, tmp_path):
    values = slicer.util.arrayFromVolume(ball()).copy()
    path = str(tmp_path / "scene.mrb")
    assert slicer.util.saveScene(path)
    scene.Clear(False)
    slicer.util.loadScene(path)
    node = slicer.util.getNode("ball")
    assert np.array_equal(slicer.util.arrayFromVolume(node), values)
    assert node.GetSpacing() == (1, 2, 3)


@pytest.mark.parametrize("clear", [True, False])
def test_a_scene_is_added_or_takes_the_place_of_the_one_that_is_there(application, scene, tmp_path, clear):
    ball("saved")
    path = str(tmp_path / "scene.mrb")
    assert slicer.util.saveScene(path)
    scene.Clear(False)
    ball("there")
    assert application.coreIOManager().loadScene(path, clear)
    assert (scene.GetFirstNodeByName("there") is None) == clear
    assert scene.GetFirstNodeByName("saved") is not None


def test_a_folder_takes_the_scene_and_its_data(scene, tmp_path):
    ball()
    folder = tmp_path / "scene"
    assert slicer.util.saveScene(str(folder))
    assert {file.suffix for file in folder.rglob("*") if file.is_file()} >= {".mrml", ".nrrd"}


def test_a_scene_that_cannot_be_written_is_told(scene, tmp_path, caplog):
    (tmp_path / "file").touch()
    assert not slicer.util.saveScene(str(tmp_path / "file" / "scene.mrb"))
    assert "Failed to save scene" in caplog.text


@pytest.mark.parametrize("name", ["scene.mrb", "scene.mrml", "volume.nrrd", "transform.h5", "table.tsv", "what.xyz"])
def test_a_file_that_is_not_there_is_an_error(scene, tmp_path, name):
    with pytest.raises(RuntimeError, match="Failed to load"):
        slicer.util.loadNodeFromFile(str(tmp_path / name), None, {})


def test_a_file_that_is_not_a_volume_is_an_error(scene, tmp_path):
    (tmp_path / "no.nrrd").write_text("no volume", encoding="utf-8")
    with pytest.raises(RuntimeError, match="cannot be read"):
        slicer.util.loadVolume(str(tmp_path / "no.nrrd"))
    assert scene.GetNumberOfNodesByClass("vtkMRMLVolumeNode") == 0


def test_a_volume_is_read_as_it_was_written_and_shown(application, scene, tmp_path):
    values, path = slicer.util.arrayFromVolume(ball()).copy(), str(tmp_path / "ball.nrrd")
    assert slicer.util.saveNode(slicer.util.getNode("ball"), path)
    scene.Clear(False)
    node = slicer.util.loadVolume(path, {"name": "again"})
    assert node.GetName() == "again"
    assert np.array_equal(slicer.util.arrayFromVolume(node), values)
    assert application.applicationLogic().GetSelectionNode().GetActiveVolumeID() == node.GetID()


def test_a_label_volume_is_read_as_one(scene, tmp_path):
    path = str(tmp_path / "labels.nrrd")
    assert slicer.util.saveNode(ball(), path)
    assert slicer.util.loadLabelVolume(path).IsA("vtkMRMLLabelMapVolumeNode")


@pytest.mark.parametrize(
    ("class_name", "file", "load", "fill"),
    [
        ("vtkMRMLTransformNode", "transform.h5", "loadTransform", lambda n: n.SetMatrixTransformToParent(SHIFT)),
        ("vtkMRMLMarkupsFiducialNode", "points.mrk.json", "loadMarkups", lambda n: n.AddControlPoint(1, 2, 3)),
        ("vtkMRMLTableNode", "table.tsv", "loadTable", lambda n: n.AddColumn().SetName("Measure")),
        ("vtkMRMLTextNode", "text.txt", "loadText", lambda n: n.SetForceCreateStorageNode(True)),
    ],
)
def test_a_node_is_saved_and_loaded_by_its_type(application, scene, tmp_path, class_name, file, load, fill):
    node, path = scene.AddNewNodeByClass(class_name, "node"), str(tmp_path / file)
    fill(node)
    assert slicer.util.saveNode(node, path)
    assert application.coreIOManager().fileType(path) == application.coreIOManager().fileWriterFileType(node)
    assert getattr(slicer.util, load)(path).IsA(class_name)


def test_a_short_text_that_lives_in_the_scene_is_not_saved_to_a_file(scene, tmp_path):
    node = scene.AddNewNodeByClass("vtkMRMLTextNode", "node")
    node.SetText("said")
    assert not slicer.util.saveNode(node, str(tmp_path / "text.txt"))


def test_what_was_loaded_is_told(application, scene, tmp_path):
    path, told = str(tmp_path / "ball.nrrd"), []
    slicer.util.saveNode(ball(), path)
    application.coreIOManager().newFileLoaded.connect(told.append)
    node = slicer.util.loadVolume(path)
    assert told == [{"fileName": path, "fileType": "VolumeFile", "nodeIDs": [node.GetID()]}]


def test_in_test_mode_questions_are_answered_and_messages_logged_without_a_box(application, caplog):
    caplog.set_level(logging.INFO)
    assert application.testingEnabled()
    slicer.util.confirmOkCancelDisplay("Replace the result?")
    slicer.util.confirmRetryCloseDisplay("Try again?")
    slicer.util.errorDisplay("The disk is full.")
    slicer.util.warningDisplay("Nearly full.")
    assert [r.levelname for r in caplog.records if "full" in r.message] == ["ERROR", "WARNING"]
    assert application.activeModalWidget() is None


def test_without_a_window_there_is_no_status_bar(application):
    assert slicer.util.mainWindow() is None
    assert slicer.util.showStatusMessage("Done.") is False


def test_settings_are_kept_apart_from_those_of_the_user(application, qt):
    application.settings().setValue("Panel/Width", 480)
    assert int(qt.QSettings().value("Panel/Width")) == 480
    assert application.settings().fileName().startswith(application.slicerHome)


def test_the_environment_of_the_start_is_known(application, monkeypatch):
    monkeypatch.setenv("SET_LATER", "1")
    environment = slicer.util.startupEnvironment()
    assert environment["PATH"] == os.environ["PATH"]
    assert "SET_LATER" not in environment


def test_temporary_files_have_a_folder(application):
    folder = slicer.util.tempDirectory()
    assert Path(folder).is_dir()
    assert folder.startswith(application.temporaryPath)


def test_rendering_is_paused_and_resumed(application):
    told = []
    application.connect("renderPaused(bool)", told.append)
    with slicer.util.RenderBlocker():
        assert told == [True]
    assert told == [True, False]


def test_timers_run_while_events_are_processed(application, qt):
    fired = []
    qt.QTimer.singleShot(1, lambda: fired.append(True))
    wait_until(lambda: fired)


@pytest.mark.parametrize("name", ["mainWindow", "restartNow", "scene"])
def test_what_slicers_application_lacks_is_missing_here_too(application, name):
    with pytest.raises(AttributeError):
        getattr(application, name)


def test_a_missing_display_is_told_in_one_sentence():
    code = "from slicer_api_host.application import why_no_display; print(why_no_display())"
    told = in_new_process(code, QT_QPA_PLATFORM="xcb", DISPLAY=":no-such-display")
    assert told.startswith("There is no display")
    assert in_new_process(code, QT_QPA_PLATFORM="offscreen") == ""
