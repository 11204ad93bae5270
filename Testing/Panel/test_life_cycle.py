"""What a user may do to a run that is under way: leave, delete, close, reload, quit; nothing is left behind."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
import sys
import time
import weakref
from pathlib import Path

import pytest
from clicking import click
from desk import Desk

ROOT = Path(__file__).resolve().parents[2]
SLOW = {"count": 100, "pause": 0.05}


@pytest.fixture
def running(desk, monkeypatch):
    """Give the desk with a run in its third step; its attribute ``pid`` is the worker, with nothing in between."""
    monkeypatch.setattr(shutil, "which", lambda name: None)
    desk.start(**SLOW)
    desk.wait_for_step(3)
    desk.pid = desk.logic.run._runner.pid
    return desk


def is_gone(pid):
    try:
        with open(f"/proc/{pid}/stat") as status:
            return status.read().split(") ")[1][0] == "Z"
    except FileNotFoundError:
        return True


def browsers(scene):
    return scene.GetNumberOfNodesByClass("vtkMRMLSequenceBrowserNode")


def test_a_killed_worker_is_a_sentence_and_the_panel_is_usable(running):
    os.kill(running.pid, signal.SIGKILL)
    running.wait_for_end()
    assert "ended unexpectedly after step" in running.status
    assert running.ui.registerButton.enabled
    assert running.ui.stepsBody.visible
    running.register(count=2)
    assert running.status.startswith("Done in ")


@pytest.mark.parametrize(
    ("role", "button_after"), [("movingVolume", False), ("fixedVolume", False), ("outputTransform", True)]
)
def test_a_deleted_node_ends_the_run_with_its_name(running, scene, role, button_after):
    node = getattr(running.parameters, role)
    scene.RemoveNode(node)
    running.wait_for_end()
    words = {"movingVolume": "moving volume", "fixedVolume": "fixed volume", "outputTransform": "output transform"}
    assert running.status == f"Stopped: the {words[role]} was removed."
    assert running.ui.registerButton.enabled == button_after
    assert browsers(scene) == 0
    assert not running.ui.stepsBody.visible
    running.wait_for(lambda: is_gone(running.pid))


def test_closing_the_scene_ends_the_run_without_a_word(running, scene):
    scene.Clear(False)
    assert running.status == "Load two volumes to start, or try the sample pair."
    assert not running.logic.running
    assert not running.ui.stepsBody.visible
    assert not running.ui.progressBar.visible
    assert not running.ui.undoButton.enabled
    running.wait_for(lambda: is_gone(running.pid))
    running.register(count=2)
    assert running.status.startswith("Done in ")


def test_the_module_can_be_left_and_entered_during_a_run(running):
    running.widget.exit()
    seen = running.logic.run.step
    running.wait_for(lambda: running.logic.run.step >= seen + 3)
    running.widget.enter()
    assert running.ui.registerButton.text == "Stop"
    assert running.status.startswith("Step ")
    running.stop()
    running.wait_for_end()
    assert running.status.startswith("Stopped at step ")


def test_a_run_that_ends_while_the_module_is_left_is_shown_on_return(desk):
    desk.start(count=8, pause=0.05)
    desk.wait_for_step(2)
    desk.widget.exit()
    desk.wait_for(lambda: not desk.logic.running)
    assert desk.parameters is None
    desk.widget.enter()
    assert desk.ui.seekWidget.slider().maximum == 7
    assert desk.ui.outputTransformSelector.currentNode() is desk.logic.run.nodes.transform
    assert desk.ui.registerButton.text == "Register"
    assert desk.ui.undoButton.enabled


def test_leaving_switches_off_what_colors_the_views_and_leaves_the_layers(desk, scene):
    desk.register(count=3)
    before = desk.picture()
    click(desk.ui.colorsButton)
    click(desk.ui.gridButton)
    desk.widget.exit()
    assert (desk.picture() == before).all()
    desk.widget.enter()
    assert not desk.ui.colorsButton.checked
    assert not desk.ui.gridButton.checked


@pytest.mark.parametrize("reloaded", ["SpatialDiffusion", "DeformationSynthesis"])
def test_reloading_either_module_ends_the_run_and_brings_panels_that_work(running, panel_of, kept_modules, reloaded):
    """Classes of two generations are not equal: a panel that is left behind would not know its own runs any more."""
    other = panel_of("DeformationSynthesis")
    {"SpatialDiffusion": running.widget, "DeformationSynthesis": other}[reloaded].self().onReload()
    running.wait_for(lambda: is_gone(running.pid))
    assert not running.logic.running
    running.wait_for(lambda: running.ui.stepsBody.visible)
    assert running.ui.registerButton.text == "Register"
    running.register(count=2)
    assert running.status.startswith("Done in ")
    assert running.logic.run.state is sys.modules["DiffusionCore.mrml.run"].RunState.FINISHED
    assert type(other.self()) is sys.modules["DeformationSynthesis"].DeformationSynthesisWidget


def test_unloading_leaves_no_process_and_no_observer(running, scene):
    from slicer_api_host.modules import unload_module

    pid, logic = running.pid, running.logic
    unload_module("SpatialDiffusion")
    running.wait_for(lambda: is_gone(pid))
    assert not logic.running
    scene.Clear(False)


def test_unloading_leaves_no_panel_and_no_run_in_memory(panel_of, views, scene):
    from slicer_api_host.modules import unload_module

    desk = Desk(panel_of, views, scene)
    desk.register(count=2)
    left = [weakref.ref(desk.panel), weakref.ref(desk.logic.run)]
    unload_module("SpatialDiffusion")
    del desk
    gc.collect()
    assert [each() for each in left] == [None, None]


def test_parameters_that_change_during_a_run_do_not_change_it(running, scene):
    other = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "other")
    request = running.logic.run.request
    running.parameters.movingVolume = other
    running.parameters.seed = 5
    running.stop()
    running.wait_for_end()
    assert running.logic.run.request is request
    assert request.moving.GetName() == "moving"
    assert request.moving.GetParentTransformNode() is running.parameters.outputTransform


def test_ten_runs_leave_the_scene_as_one_does(desk, scene):
    desk.register(count=2)
    nodes = scene.GetNumberOfNodes()
    for _ in range(3):
        desk.register(count=2)
    assert scene.GetNumberOfNodes() == nodes
    assert browsers(scene) == 1


ALONE = """
import sys
sys.path[:0] = {folders!r}
from pathlib import Path
from slicer_api_host.application import start
app = start()
from slicer_api_host.modules import load_module
from nodes_of_panel import add_pair
from clicking import click, wait_until
widget = load_module(Path({module!r})).widgetRepresentation()
widget.show()
widget.enter()
panel = widget.self().panel
panel.parameters.fixedVolume, panel.parameters.movingVolume = add_pair(app.mrmlScene())
click(panel.ui.registerButton)
"""


def said_alone(code):
    """Return what ``code`` prints after Register was pressed, in a process of its own."""
    folders = [str(ROOT), str(ROOT / "Testing" / "Host"), str(ROOT / "Testing" / "Panel")]
    module = str(ROOT / "SpatialDiffusion" / "SpatialDiffusion.py")
    program = ALONE.format(folders=folders, module=module) + code
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_torch_never_comes_into_the_application():
    said = said_alone(
        "wait_until(lambda: not panel.logic.running, 120)\nprint(panel.ui.statusLabel.toolTip, 'torch' in sys.modules)"
    )
    assert said.startswith("Done in ")
    assert said.endswith("False\n")


def test_quitting_leaves_no_process():
    said = said_alone(
        "wait_until(lambda: panel.lastStep is not None, 120)\n"
        "print(panel.logic.run._runner.pid)\n"
        "import qt\n"
        "qt.QTimer.singleShot(0, app.quit)\n"
        "app.exec_()\n"
        "print(panel.logic.running)"
    )
    pid, running = said.split()
    assert running == "False"
    deadline = time.monotonic() + 20
    while not is_gone(int(pid)):
        assert time.monotonic() < deadline
