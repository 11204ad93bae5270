"""The metrics of a registration as a table node."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import vtk

if TYPE_CHECKING:
    from DiffusionCore.mrml.sequences import KeptStep


def metrics_to_node(steps: Sequence[KeptStep], node: Any) -> None:
    """Fill a table ``node`` anew with one row per step: step, phase, time and every metric (NaN where it has none)."""
    names = dict.fromkeys(name for step in steps for name in step.metrics)
    columns = {
        "step": _column(vtk.vtkIntArray, [step.index for step in steps]),
        "phase": _column(vtk.vtkStringArray, [step.phase for step in steps]),
        "time": _column(vtk.vtkDoubleArray, [step.time for step in steps]),
        **{name: _column(vtk.vtkDoubleArray, [step.metrics.get(name, math.nan) for step in steps]) for name in names},
    }
    table = vtk.vtkTable()
    for name, column in columns.items():
        column.SetName(name)
        table.AddColumn(column)
    node.SetAndObserveTable(table)


def _column(array_class: Any, values: Sequence[Any]) -> Any:
    array = array_class()
    for value in values:
        array.InsertNextValue(value)
    return array
