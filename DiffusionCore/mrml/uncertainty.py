"""Where repeated registrations differ, as a volume node that can be laid over the images."""

from __future__ import annotations

import math
from typing import Any

import slicer

from DiffusionCore.mrml.volumes import volume_to_node
from DiffusionCore.space import Volume

_COLORS = "vtkMRMLColorTableNodeIron"


def spread_to_node(spread: Volume, node: Any) -> float:
    """Write ``spread`` (mm) into a scalar volume ``node``; return the upper end of its range of colors, mm.

    The colors reach from 0 to the largest value, rounded up to 1, 2 or 5 times a power of ten, and stay there: two
    steps, or two views, are never colored by different ranges. The description of the node says the range in words.
    """
    volume_to_node(spread, node)
    top = rounded_up(float(spread.values.max(initial=0)))
    display = node.GetDisplayNode()
    display.SetAndObserveColorNodeID(_COLORS)
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(0.0, top)
    unit, quantity = slicer.vtkCodedEntry(), slicer.vtkCodedEntry()
    unit.SetValueSchemeMeaning("mm", "UCUM", "millimeter")
    quantity.SetValueSchemeMeaning("246205007", "SCT", "Quantity")
    node.SetVoxelValueUnits(unit)
    node.SetVoxelValueQuantity(quantity)
    node.SetDescription(f"Where repeated solutions differ, in mm. The colors reach from 0 to {top:g} mm.")
    return top


def rounded_up(value: float) -> float:
    """Return the smallest of ..., 0.1, 0.2, 0.5, 1, 2, 5, 10, ... that is at least ``value``, and at least 0.1."""
    if not value > 0.1:
        return 0.1
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= value * (1 - 1e-9))
