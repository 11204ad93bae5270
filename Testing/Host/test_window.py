"""The window of the host: a panel beside three slice views, and a menu for files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtGui import QImage

HOST = Path(__file__).resolve().parent
IN_WINDOW = f"""
import sys
sys.path[:0] = [{str(HOST)!r}, {str(HOST.parent.parent)!r}]
from slicer_api_host.application import start
start()
import numpy as np
import qt
import slicer
from slicer_api_host.main_window import qSlicerMainWindow
from slicer_api_host.modules import load_module
from Testing.Panel.clicking import when_asked
load_module({str(HOST.parent.parent / "DeformationSynthesis" / "DeformationSynthesis.py")!r})
window = qSlicerMainWindow()
window.show()

def say(*words):
    print(">", *words)

def act(text, path=None):
    actions = {{action.text: action for action in window.findChildren(qt.QAction)}}
    if path:
        when_asked(lambda dialog: (dialog.selectFile(path), dialog.accept()))
    actions[text].trigger()
    return window.statusBar().currentMessage()
"""


def run(*command, **environment):
    return subprocess.run(
        [sys.executable, *map(str, command)],
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen", **environment},
        capture_output=True,
        text=True,
        timeout=180,
    )


def in_window(code):
    """Run ``code`` beside a window of the host, and return the lines that it says; MRML prints some of its own."""
    done = run("-c", IN_WINDOW + code)
    assert done.returncode == 0, done.stderr
    return [line[2:] for line in done.stdout.split("\n") if line.startswith("> ")]


@pytest.mark.parametrize(("theme", "brightness"), [("light", 255), ("dark", 0x32)])
def test_a_panel_opens_beside_the_views_in_the_colors_that_are_asked_for(tmp_path, theme, brightness):
    file = tmp_path / "window.png"
    done = run(HOST, "--gui", "SpatialDiffusion", "--theme", theme, "--picture", file, XDG_CONFIG_HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    picture = QImage(str(file))
    width, height = picture.size().toTuple()
    assert picture.pixelColor(width // 10, height - 60).red() == brightness
    assert picture.pixelColor(width * 2 // 3, height // 2).value() == 0  # an empty slice view is black


@pytest.mark.parametrize("arguments", [["--gui", "Volumes"], ["--theme", "gray"]])
def test_what_there_is_not_is_refused_with_what_there_is(arguments):
    done = run(HOST, *arguments)
    assert done.returncode == 2
    assert "choose from" in done.stderr


def test_without_a_display_it_says_so_in_one_sentence():
    done = run(HOST, "--gui", QT_QPA_PLATFORM="xcb", DISPLAY=":no-such-display")
    assert done.returncode == 1
    assert done.stderr.startswith("There is no display")
    assert done.stderr.count("\n") == 1


def test_scripts_find_the_window_its_status_bar_and_its_modules():
    assert in_window("""
say(slicer.util.mainWindow() is window)
say(slicer.util.showStatusMessage("Done."), window.statusBar().currentMessage())
slicer.util.selectModule("DeformationSynthesis")
say(slicer.util.selectedModule(), slicer.modules.deformationsynthesis.widgetRepresentation().isEntered)
slicer.util.selectModule(slicer.modules.sampledata)
say(slicer.util.selectedModule(), slicer.modules.deformationsynthesis.widgetRepresentation().isEntered)
try:
    slicer.util.selectModule("Volumes")
except RuntimeError as error:
    say(error)
window.close()
say(slicer.modules.sampledata.widgetRepresentation().isEntered)
""") == [
        "True",
        "True Done.",
        "DeformationSynthesis True",
        "SampleData False",
        "there is no module Volumes that shows a panel",
        "False",
    ]


def test_the_menu_loads_a_volume_and_saves_closes_and_loads_a_scene(tmp_path):
    assert in_window(f"""
folder = {str(tmp_path)!r}
slicer.util.saveNode(slicer.util.addVolumeFromArray(np.ones((4, 5, 6), np.int16)), folder + "/ones.nrrd")
slicer.mrmlScene.Clear(False)
say(act("Load volume...", folder + "/ones.nrrd"))
say(act("Save scene...", folder + "/scene.mrb"))
act("Close scene")
say(slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLVolumeNode"))
say(act("Load scene...", folder + "/scene.mrb"))
say(slicer.util.getNode("ones").GetImageData().GetDimensions())
""") == [
        f"Loaded {tmp_path}/ones.nrrd",
        f"Saved {tmp_path}/scene.mrb",
        "0",
        f"Loaded {tmp_path}/scene.mrb",
        "(6, 5, 4)",
    ]


def test_a_file_that_cannot_be_loaded_is_told_in_the_status_bar(tmp_path):
    (tmp_path / "no.nrrd").write_text("no volume", encoding="utf-8")
    (said,) = in_window(f'say(act("Load volume...", {str(tmp_path / "no.nrrd")!r}).splitlines()[0])')
    assert said.startswith("Failed: ")


def test_a_sample_that_cannot_be_made_is_told_in_the_status_bar():
    assert in_window('say(act("Load sample pair"))') == [
        "Failed: the module SpatialDiffusion, which makes it, is not loaded"
    ]


def test_a_canceled_dialog_changes_nothing():
    assert in_window("""
when_asked(lambda dialog: dialog.reject())
say(repr(act("Save scene...")))
""") == ["''"]
