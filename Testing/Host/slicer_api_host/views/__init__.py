"""Views for the host: slices and charts, drawn off screen by Slicer's own displayable managers and VTK."""

from __future__ import annotations

from typing import Any

from slicer_api_host.views.displayable_managers import use_application_logic
from slicer_api_host.views.layout_manager import qSlicerLayoutManager


def create_layout_manager(application_logic: Any, scene: Any) -> qSlicerLayoutManager:
    """Return the layout manager of ``scene``, four views; its ``viewport()`` is a widget to place in a window.

    Raises:
        RuntimeError: no library that draws off screen is installed.
    """
    use_application_logic(application_logic)
    manager = qSlicerLayoutManager()
    manager.viewport().resize(820, 820)
    application_logic.SetSliceLogics(manager.mrmlSliceLogics())
    application_logic.SetViewLogics(manager.mrmlViewLogics())
    manager.setMRMLScene(scene)
    manager.setLayout(manager.layoutLogic().GetLayoutNode().SlicerLayoutFourUpView)
    return manager
