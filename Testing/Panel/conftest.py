"""The panels in the Slicer-API host, without a screen: one host per process; per test an empty scene, a fresh panel."""

from __future__ import annotations

import importlib
import os
import stat
import sys
from pathlib import Path

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
ROOT = Path(__file__).resolve().parents[2]
TRAINER = ROOT / "Testing" / "Core" / "line_trainer.py"
sys.path.insert(0, str(ROOT / "Testing" / "Host"))


@pytest.fixture(scope="session")
def app():
    """Give ``slicer.app``; there is one per process."""
    from slicer_api_host.application import start

    return start()


@pytest.fixture
def scene(app):
    """Give ``slicer.mrmlScene``, empty; what the test leaves in it goes, the parameters of modules too."""
    _clear(app.mrmlScene())
    yield app.mrmlScene()
    _clear(app.mrmlScene())
    app.processEvents()


def _clear(scene):
    """Close the scene, and forget the parameter nodes, which as singletons outlive it."""
    scene.Clear(False)
    while (node := scene.GetFirstNodeByClass("vtkMRMLScriptedModuleNode")) is not None:
        scene.RemoveNode(node)


@pytest.fixture
def panel_of(app, scene):
    """Give a function that loads a module of this repository by its name, shows its panel and returns the widget of it.

    The widget is entered; ``.self()`` is the Python object behind it. After the test the module is left and unloaded.
    """
    import slicer
    from slicer_api_host.modules import load_module, unload_module

    loaded = []

    def panel(name, width=480, height=900):
        module = load_module(ROOT / name / f"{name}.py")
        loaded.append(name)
        widget = module.widgetRepresentation()
        widget.resize(width, height)
        widget.show()
        widget.enter()
        app.processEvents()
        return widget

    yield panel
    for name in loaded:
        if hasattr(slicer.modules, name.lower()):  # the test may have unloaded it
            unload_module(name)
    app.processEvents()


@pytest.fixture
def library(app, monkeypatch):
    """Give a function that imports a file of SpatialDiffusionLib by its name."""
    monkeypatch.syspath_prepend(str(ROOT / "SpatialDiffusion"))
    return lambda name: importlib.import_module(f"SpatialDiffusionLib.{name}")


@pytest.fixture
def kept_modules():
    """Bring back after the test what a reload throws away, and throw away what it brought: they do not go together."""

    def ours():
        packages = ("DiffusionCore", "SpatialDiffusionLib", "DeformationSynthesisLib")
        return {name: module for name, module in sys.modules.items() if name.split(".")[0] in packages}

    before = ours()
    yield
    for name in ours():
        del sys.modules[name]
    sys.modules.update(before)


@pytest.fixture
def views(app):
    """Give the layout manager with three slice views, and a place for a fourth one, in sight."""
    import slicer

    manager = app.layoutManager()
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    manager.viewport().resize(501, 548)
    manager.viewport().show()
    app.processEvents()
    yield manager
    manager.viewport().hide()


@pytest.fixture
def desk(panel_of, views, scene, warm_workers, monkeypatch):
    """Give the panel SpatialDiffusion beside three views; the models that it lists are the shipped ones."""
    from desk import Desk

    monkeypatch.setenv("SPATIALDIFFUSION_MODELS", str(ROOT / "no such folder"))
    desk = Desk(panel_of, views, scene)
    yield desk
    desk.close()


@pytest.fixture
def python_slicer(tmp_path, warm_python, monkeypatch):
    """Put a program PythonSlicer on the path, which trains a tiny recipe; give a function that changes its settings.

    With ``script=None`` it is the plain one, and trains the real recipes.
    """
    from training_window import ENDLESS

    program = tmp_path / "bin" / "PythonSlicer"
    program.parent.mkdir()

    def set_up(*settings, script=TRAINER):
        started = " ".join(f"'{part}'" for part in (warm_python.program, script) if part is not None)
        changed = " ".join(f"'{setting}'" for setting in settings)
        trains = f'[ "$3" = train ] && exec {started} "$@" {changed}'
        program.write_text(f"#!/bin/sh\n{trains}\nexec '{warm_python.program}' \"$@\"\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)

    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("SPATIALDIFFUSION_MODELS", str(tmp_path / "models"))
    set_up(*ENDLESS)
    return set_up


@pytest.fixture
def host_of(app, scene, python_slicer, monkeypatch):
    """Give a function that opens the section Training in a window; its training ends with the test."""
    monkeypatch.syspath_prepend(str(ROOT / "SpatialDiffusion"))
    from training_window import TrainingWindow

    hosts = []

    def open_section(recipes=None):
        hosts.append(TrainingWindow(scene, app, recipes))
        return hosts[-1]

    yield open_section
    for host in hosts:
        if host.section.running:
            host.section.run.kill()
        if host.window is not None:
            host.close()


@pytest.fixture
def host(host_of):
    return host_of()
