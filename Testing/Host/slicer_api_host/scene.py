"""The scene of the host and the logics of Slicer's modules around it: all are Slicer's own, out of slicer-core."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import slicer
import vtk

# The modules whose logic slicer-core brings, in the order of their dependencies, and the class of that logic.
LOGICS = {
    "Colors": "vtkSlicerColorLogic",
    "Units": "vtkSlicerUnitsLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "Data": "vtkSlicerDataModuleLogic",
    "Cameras": "vtkSlicerCamerasModuleLogic",
    "ViewControllers": "vtkSlicerViewControllersLogic",
    "Models": "vtkSlicerModelsLogic",
    "Volumes": "vtkSlicerVolumesLogic",
    "Transforms": "vtkSlicerTransformLogic",
    "Markups": "vtkSlicerMarkupsLogic",
    "Segmentations": "vtkSlicerSegmentationsModuleLogic",
    "Sequences": "vtkSlicerSequencesLogic",
    "Tables": "vtkSlicerTablesLogic",
    "Texts": "vtkSlicerTextsLogic",
    "Plots": "vtkSlicerPlotsLogic",
}


@dataclass(frozen=True)
class SceneParts:
    """A scene and what works on it.

    ``vtkMRMLApplicationLogic`` does not keep the logics that Python made alive: without a reference to them here, a
    sequence, for one, would silently stop to move its proxy nodes.

    Attributes:
        scene: the vtkMRMLScene.
        application: the vtkSlicerApplicationLogic.
        files: the vtkMRMLRemoteIOLogic, through which bundles (.mrb) are read.
        modules: the logics of ``LOGICS`` by the name of their module.
    """

    scene: Any
    application: Any
    files: Any
    modules: dict[str, Any]


def make_scene(home: Path) -> SceneParts:
    """Return a scene as Slicer has it after its start; ``home`` is a folder for its cache."""
    scene = slicer.vtkMRMLScene()
    application = slicer.vtkSlicerApplicationLogic()
    application.SetHomeDirectory(str(home))
    application.SetShareDirectory("share")
    (home / "share" / "ColorFiles").mkdir(parents=True, exist_ok=True)
    files = slicer.vtkMRMLRemoteIOLogic()
    files.SetMRMLScene(scene)
    files.GetCacheManager().SetRemoteCacheDirectory(str(home / "cache"))
    files.AddDataIOToScene()
    _add_crosshair(scene)
    application.SetMRMLScene(scene)
    application.SetSliceLogics(vtk.vtkCollection())
    application.SetViewLogics(vtk.vtkCollection())
    modules = {name: _add_logic(name, class_name, scene, application) for name, class_name in LOGICS.items()}
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene, True)
    return SceneParts(scene, application, files, modules)


def _add_crosshair(scene: Any) -> None:
    crosshair = slicer.vtkMRMLCrosshairNode()
    crosshair.SetCrosshairName("default")
    scene.AddNode(crosshair)


def _add_logic(name: str, class_name: str, scene: Any, application: Any) -> Any:
    logic = getattr(slicer, class_name)()
    if name == "Colors":
        application.SetColorLogic(logic)
    logic.SetMRMLApplicationLogic(application)
    application.SetModuleLogic(name, logic)
    logic.SetMRMLScene(scene)
    if name == "Colors":
        logic.AddDefaultColorNodes()
    return logic
