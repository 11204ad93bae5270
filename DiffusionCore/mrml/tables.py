"""The metrics of a registration, and what it has reached, as table nodes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import vtk

if TYPE_CHECKING:
    from DiffusionCore.jobs.events import Measure
    from DiffusionCore.mrml.step_items import KeptStep


def metrics_to_node(steps: Sequence[KeptStep], node: Any) -> None:
    """Fill a table ``node`` anew with one row per step: step, phase, time and every metric (NaN where it has none).

    Steps are numbered from 1, as people count.
    """
    names = dict.fromkeys(name for step in steps for name in step.metrics)
    columns = {
        "step": _column(vtk.vtkIntArray, [step.number for step in steps]),
        "phase": _column(vtk.vtkStringArray, [step.phase for step in steps]),
        "time": _column(vtk.vtkDoubleArray, [step.time for step in steps]),
        **{name: _column(vtk.vtkDoubleArray, [step.metrics.get(name, math.nan) for step in steps]) for name in names},
    }
    _fill(node, columns)


def measures_to_node(measures: Sequence[Measure], node: Any, translate: Callable[[str], str] = str) -> None:
    """Fill a table ``node`` anew with the rows Measure | Before | After, as text of two or three digits."""
    called = [translate(m.name) + (f" ({m.unit})" if m.unit else "") for m in measures]
    rows = [(name, digits(m.before), digits(m.after)) for name, m in zip(called, measures, strict=True)]
    names = [translate(name) for name in ("Measure", "Before", "After")]
    _fill(node, {name: _column(vtk.vtkStringArray, [row[n] for row in rows]) for n, name in enumerate(names)})


def digits(value: float | None) -> str:
    """Return ``value`` as in a table: 0.83, 12.5, 140; "" for None, "-" for NaN."""
    if value is None:
        return ""
    if math.isnan(value):
        return "-"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _fill(node: Any, columns: dict[str, Any]) -> None:
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
