"""The metrics of a registration over its steps, as a chart that Slicer's plot views show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from DiffusionCore.mrml.nodes import add_node

_FIRST = ("step", "phase", "time")  # columns of the table that are no metrics


def metrics_to_chart(table: Any, chart: Any, *, added: Callable[[Any], Any], dropped: Callable[[Any], None]) -> None:
    """Let ``chart`` show every metric in the columns of the table node ``table`` over the steps, a series for each.

    Series that the chart has already are used again. ``added`` is told about each new node, ``dropped`` takes those
    out of the scene that are no longer needed.
    """
    columns = (table.GetColumnName(number) for number in range(table.GetNumberOfColumns()))
    metrics = [name for name in columns if name not in _FIRST]
    chart.SetTitle(chart.GetName())
    chart.SetXAxisTitle("Step")
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
            node = added(add_node(chart.GetScene(), "vtkMRMLPlotSeriesNode", words(metric)))
            node.SetUniqueColor()
            chart.AddAndObservePlotSeriesNodeID(node.GetID())
        node.SetName(words(metric))
        node.SetAndObserveTableNodeID(table.GetID())
        node.SetXColumnName("step")
        node.SetYColumnName(metric)
        node.SetPlotType(node.PlotTypeScatter)
        node.SetMarkerStyle(node.MarkerStyleCircle if table.GetNumberOfRows() < 50 else node.MarkerStyleNone)


def series_of(chart: Any) -> list[Any]:
    """Return the series nodes of a chart node."""
    nodes = [chart.GetNthPlotSeriesNode(number) for number in range(chart.GetNumberOfPlotSeriesNodes())]
    return [node for node in nodes if node is not None]


def words(metric: str) -> str:
    """Return the name of a metric as people write it: "Mutual information" for "mutual_information"."""
    text = metric.replace("_", " ").strip()
    return text[:1].upper() + text[1:]
