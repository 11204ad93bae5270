"""How a transform is drawn over the slices: as a grid of lines that it warps."""

from __future__ import annotations

from typing import Any

_SPACING = 10.0  # mm


def draw_grid(transform: Any, region: Any) -> None:
    """Draw the transform node ``transform`` as a warped grid of 10 mm.

    ``region`` bounds it in 3D views. In a slice view Slicer warps a grid over what the view shows.
    """
    transform.CreateDefaultDisplayNodes()
    display = transform.GetDisplayNode()
    modified = display.StartModify()
    display.SetVisualizationMode(display.VIS_MODE_GRID)
    display.SetGridSpacingMm(_SPACING)
    display.SetAndObserveRegionNode(region)
    display.SetVisibility(True)
    display.SetVisibility2D(True)
    display.EndModify(modified)
