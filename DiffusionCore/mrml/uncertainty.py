"""Where repeated registrations differ, as a volume node that can be laid over the images."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import slicer

from DiffusionCore.jobs.events import REPEATS, SAMPLES, SIZE, STATED
from DiffusionCore.mrml.displays import add_display, apply_look
from DiffusionCore.mrml.volumes import writing
from DiffusionCore.space import Volume

_COLORS = "vtkMRMLColorTableNodeIron"
_MEANINGS = {
    REPEATS: "Where repeated solutions differ, in mm.",
    SAMPLES: "Where the samples of the deformation differ, in mm. It was not compared with true errors.",
    STATED: "How far points may lie from where they belong, in mm, as errors on synthetic pairs say.",
    SIZE: "How large errors may be, in mm, as errors on synthetic pairs say. It hardly says where they are.",
}


def writing_spread(
    spread: Volume, node: Any, kind: str = REPEATS, translate: Callable[[str], str] = str
) -> Iterator[None]:
    """Write ``spread`` (mm), which is of ``kind`` (``events``), into a scalar volume ``node``, part by part.

    The colors reach from 0 to the largest value, rounded up to 1, 2 or 5 times a power of ten, and stay there: two
    steps, or two views, are never colored by different ranges. The description of the node says what it is, and the
    range, in words that ``translate`` knows.
    """
    top = rounded_up(float(spread.values.max(initial=0)))
    look = {"ColorNodeID": _COLORS, "WindowLevel": (top, top / 2), "AutoWindowLevel": False}
    if node.GetDisplayNode() is None:
        add_display(node, "vtkMRMLScalarVolumeDisplayNode", look)
    apply_look(look, node.GetDisplayNode())
    yield from writing(spread, node)
    unit, quantity = slicer.vtkCodedEntry(), slicer.vtkCodedEntry()
    unit.SetValueSchemeMeaning("mm", "UCUM", "millimeter")
    quantity.SetValueSchemeMeaning("246205007", "SCT", "Quantity")
    node.SetVoxelValueUnits(unit)
    node.SetVoxelValueQuantity(quantity)
    node.SetDescription(translate(f"{_MEANINGS[kind]} The colors reach from 0 to {top:g} mm."))


def rounded_up(value: float) -> float:
    """Return the smallest of ..., 0.1, 0.2, 0.5, 1, 2, 5, 10, ... that is at least ``value``, and at least 0.1."""
    if not value > 0.1:
        return 0.1
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= value * (1 - 1e-9))
