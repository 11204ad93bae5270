"""What is drawn in a slice view besides the volumes: each kind by one of Slicer's displayable managers."""

from __future__ import annotations

from typing import Any

import slicer

# The first six are those of every slice view, the others those of the modules.
_MANAGERS = (
    "vtkMRMLVolumeGlyphSliceDisplayableManager",
    "vtkMRMLModelSliceDisplayableManager",
    "vtkMRMLCrosshairDisplayableManager",
    "vtkMRMLOrientationMarkerDisplayableManager",
    "vtkMRMLRulerDisplayableManager",
    "vtkMRMLScalarBarDisplayableManager",
    "vtkMRMLColorLegendDisplayableManager",
    "vtkMRMLMarkupsDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager2D",
    "vtkMRMLTransformsDisplayableManager2D",
)


def use_application_logic(application_logic: Any) -> None:
    """Have the displayable managers of all slice views find the logics of the modules through ``application_logic``."""
    slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance().SetMRMLApplicationLogic(application_logic)


def new_group(renderer: Any) -> Any:
    """Return the displayable managers of a new slice view that is drawn by ``renderer``."""
    factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance()
    for name in _MANAGERS:
        if not factory.IsDisplayableManagerRegistered(name):
            factory.RegisterDisplayableManager(name)
    group = slicer.vtkMRMLDisplayableManagerGroup()
    group.Initialize(factory, renderer)
    return group
