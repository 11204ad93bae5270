"""A scene with the logics of Slicer around it, out of slicer-core; VTK's errors fail the test that causes them."""

from __future__ import annotations

import importlib.util
import os
import sys

import numpy as np
import pytest
import slicer
import vtk
from nodes import LEFT_HANDED, LOGIC_FILE, OBLIQUE, POSE, add_volume, blobs

from DiffusionCore.transforms.resample import resample

LOGICS = {
    "Volumes": slicer.vtkSlicerVolumesLogic,
    "Transforms": slicer.vtkSlicerTransformLogic,
    "Tables": slicer.vtkSlicerTablesLogic,
    "Sequences": slicer.vtkSlicerSequencesLogic,
    "Markups": slicer.vtkSlicerMarkupsLogic,
    "Plots": slicer.vtkSlicerPlotsLogic,
    "Segmentations": slicer.vtkSlicerSegmentationsModuleLogic,
}


@pytest.fixture(autouse=True)
def vtk_messages():
    """Collect what VTK and MRML report during a test, and fail the test if that is an error or a warning."""
    window, former = vtk.vtkStringOutputWindow(), vtk.vtkOutputWindow.GetInstance()
    vtk.vtkOutputWindow.SetInstance(window)
    yield window
    vtk.vtkOutputWindow.SetInstance(former)
    messages = [message for message in window.GetOutput().split("\n\n\n") if not message.startswith("Info:")]
    assert "".join(messages) == ""


@pytest.fixture
def scene(vtk_messages, tmp_path):
    """Give an empty scene whose application logic and module logics are those of ``logics``."""
    scene = slicer.vtkMRMLScene()
    application = slicer.vtkSlicerApplicationLogic()
    application.SetMRMLScene(scene)
    application.GetColorLogic().SetMRMLScene(scene)
    application.SetModuleLogic("Colors", application.GetColorLogic())
    application.GetColorLogic().AddDefaultColorNodes()
    files = slicer.vtkMRMLRemoteIOLogic()
    files.SetMRMLScene(scene)
    files.GetCacheManager().SetRemoteCacheDirectory(os.fspath(tmp_path))
    files.AddDataIOToScene()
    scene.logics = {"Application": application, "RemoteIO": files}
    for name, logic_class in LOGICS.items():
        logic = scene.logics[name] = logic_class()
        logic.SetMRMLScene(scene)
        if logic.IsA("vtkSlicerModuleLogic"):
            logic.SetMRMLApplicationLogic(application)
        application.SetModuleLogic(name, logic)
    yield scene
    scene.Clear(True)
    vtk.vtkObject.GlobalWarningDisplayOff()  # the logic of the segmentations complains that it is let go
    for logic in scene.logics.values():
        logic.SetMRMLScene(None)
    vtk.vtkObject.GlobalWarningDisplayOn()
    scene.logics.clear()


@pytest.fixture
def logics(scene):
    """Give the application logic and the module logics of ``scene`` by the name of their module."""
    return scene.logics


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture(scope="session")
def logic_class():
    """Give SpatialDiffusionLogic; its package brings the panel too, which needs Qt, so the file is taken alone."""
    specification = importlib.util.spec_from_file_location("spatial_diffusion_logic", LOGIC_FILE)
    module = sys.modules[specification.name] = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module.SpatialDiffusionLogic


@pytest.fixture
def logic(logic_class):
    return logic_class()


@pytest.fixture
def pair(scene):
    """Give a fixed and a moving volume node; the moving object is displaced by POSE."""
    moving = resample(blobs(LEFT_HANDED), LEFT_HANDED, POSE.inverse())
    return add_volume(scene, blobs(OBLIQUE), "fixed"), add_volume(scene, moving, "moving")
