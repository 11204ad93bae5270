"""The metrics of a registration over its steps, as a chart that Slicer's plot views show."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from DiffusionCore.mrml.nodes import add_node

_FIRST = ("step", "phase", "time")  # columns of the table that are no metrics
_PERCENT = ("folding",)  # beside them the others, 0 to 1, would be flat lines; the table has them
_LEGEND, _LEGEND_LINE = 0.06, 0.08  # shares of the height of a plot that is as wide as a panel: its edges, a line of it


def metrics_to_chart(
    table: Any,
    chart: Any,
    *,
    added: Callable[[Any], Any],
    dropped: Callable[[Any], None],
    translate: Callable[[str], str] = str,
) -> None:
    """Let ``chart`` show the metrics in the columns of the table node ``table`` over the steps, a series for each.

    Series that the chart has already are used again. ``added`` is told about each new node, ``dropped`` takes those
    out of the scene that are no longer needed. Names pass through ``translate``. The legend, which Slicer draws in the
    upper right corner, has a place of its own above the curves.
    """
    columns = (table.GetColumnName(number) for number in range(table.GetNumberOfColumns()))
    metrics = [name for name in columns if name not in _FIRST + _PERCENT]
    chart.SetTitle(chart.GetName())
    chart.SetXAxisTitle(translate("Step"))
    chart.SetYAxisTitle("")
    chart.SetLegendVisibility(True)
    series = series_of(chart)
    for surplus in series[len(metrics) :]:
        chart.RemovePlotSeriesNodeID(surplus.GetID())
        dropped(surplus)
    for number, metric in enumerate(metrics):
        if number < len(series):
            node = series[number]
        else:
            node = added(add_node(chart.GetScene(), "vtkMRMLPlotSeriesNode", metric))
            node.SetUniqueColor()
            chart.AddAndObservePlotSeriesNodeID(node.GetID())
        node.SetName(translate(words(metric)))
        node.SetAndObserveTableNodeID(table.GetID())
        node.SetXColumnName("step")
        node.SetYColumnName(metric)
        node.SetPlotType(node.PlotTypeScatter)
        node.SetMarkerStyle(node.MarkerStyleCircle if table.GetNumberOfRows() < 50 else node.MarkerStyleNone)
    columns = (table.GetTable().GetColumnByName(metric) for metric in metrics)
    values = [column.GetValue(row) for column in columns for row in range(column.GetNumberOfTuples())]
    _leave_room_for_legend(chart, [value for value in values if math.isfinite(value)], lines=len(metrics))


def _leave_room_for_legend(chart: Any, values: list[float], *, lines: int) -> None:
    """Let the vertical axis of ``chart`` end so far above ``values`` that a legend of so many ``lines`` fits there."""
    chart.SetYAxisRangeAuto(not values)
    if values:
        low, high = min(values), max(values)
        height = (high - low or abs(high) or 1.0) / (1 - _LEGEND - _LEGEND_LINE * lines)
        chart.SetYAxisRange(low - 0.02 * height, low + height)


def series_of(chart: Any) -> list[Any]:
    """Return the series nodes of a chart node."""
    nodes = [chart.GetNthPlotSeriesNode(number) for number in range(chart.GetNumberOfPlotSeriesNodes())]
    return [node for node in nodes if node is not None]


def words(metric: str) -> str:
    """Return the name of a metric as people write it: "Mutual information" for "mutual_information"."""
    text = metric.replace("_", " ").strip()
    return text[:1].upper() + text[1:]
