"""Draws a vtkMRMLPlotChartNode and the tables that it refers to with VTK's charts."""

from __future__ import annotations

import math
from typing import Any

import slicer
import vtk

_SERIES = slicer.vtkMRMLPlotSeriesNode
_CHARTS = {  # the plot that draws a series, by its type
    _SERIES.PlotTypeLine: vtk.vtkPlotLine,
    _SERIES.PlotTypeScatter: vtk.vtkPlotLine,
    _SERIES.PlotTypeBar: vtk.vtkPlotBar,
    _SERIES.PlotTypeScatterBar: vtk.vtkPlotBar,
}
_PENS = {
    _SERIES.LineStyleNone: vtk.vtkPen.NO_PEN,
    _SERIES.LineStyleSolid: vtk.vtkPen.SOLID_LINE,
    _SERIES.LineStyleDash: vtk.vtkPen.DASH_LINE,
    _SERIES.LineStyleDot: vtk.vtkPen.DOT_LINE,
    _SERIES.LineStyleDashDot: vtk.vtkPen.DASH_DOT_LINE,
    _SERIES.LineStyleDashDotDot: vtk.vtkPen.DASH_DOT_DOT_LINE,
}
_MARKERS = {
    _SERIES.MarkerStyleNone: vtk.vtkPlotPoints.NONE,
    _SERIES.MarkerStyleCross: vtk.vtkPlotPoints.CROSS,
    _SERIES.MarkerStylePlus: vtk.vtkPlotPoints.PLUS,
    _SERIES.MarkerStyleSquare: vtk.vtkPlotPoints.SQUARE,
    _SERIES.MarkerStyleCircle: vtk.vtkPlotPoints.CIRCLE,
    _SERIES.MarkerStyleDiamond: vtk.vtkPlotPoints.DIAMOND,
}
_BACKGROUND = (255, 253, 246, 255)  # Slicer's charts are dark on cream, whatever the style of the application
_NOT_NUMBERS = (vtk.VTK_STRING, vtk.VTK_BIT)


def new_chart() -> Any:
    """Return an empty vtkChartXY with Slicer's colors."""
    chart = vtk.vtkChartXY()
    chart.GetBackgroundBrush().SetColor(*_BACKGROUND)
    chart.SetShowLegend(True)
    chart.GetTitleProperties().SetFontFamilyToArial()
    return chart


def fill_chart(chart: Any, node: Any) -> None:
    """Have ``chart`` show the vtkMRMLPlotChartNode ``node``; None shows nothing."""
    chart.ClearPlots()
    if node is None:
        chart.SetTitle("")
        return
    for number in range(node.GetNumberOfPlotSeriesNodes()):
        plot = _plot(node.GetNthPlotSeriesNode(number))
        if plot is not None:
            chart.AddPlot(plot)
    font = chart.GetTitleProperties().GetFontFamilyFromString(node.GetFontType() or "Arial")
    chart.SetTitle((node.GetTitle() or "") if node.GetTitleVisibility() else "")
    chart.GetTitleProperties().SetFontFamily(font)
    chart.GetTitleProperties().SetFontSize(node.GetTitleFontSize())
    chart.SetShowLegend(node.GetLegendVisibility())
    chart.GetLegend().GetLabelProperties().SetFontFamily(font)
    chart.GetLegend().GetLabelProperties().SetFontSize(node.GetLegendFontSize())
    for axis in (vtk.vtkAxis.BOTTOM, vtk.vtkAxis.LEFT):
        _set_axis(chart.GetAxis(axis), node, "X" if axis == vtk.vtkAxis.BOTTOM else "Y", font)
    chart.RecalculateBounds()


def _plot(series: Any) -> Any:
    """Return the plot of ``series``; None while its table lacks the columns it names."""
    table = series.GetTableNode().GetTable() if series is not None and series.GetTableNode() is not None else None
    if table is None:
        return None
    heights, places = _column(table, series.GetYColumnName()), _column(table, series.GetXColumnName())
    needs_places = series.IsXColumnRequired()
    if heights is None or (needs_places and places is None):
        return None
    plot = _CHARTS[series.GetPlotType()]()
    plot.SetUseIndexForXSeries(not needs_places)
    plot.SetInputData(table, places.GetName() if needs_places else heights.GetName(), heights.GetName())
    plot.SetLabel(series.GetName() or heights.GetName())
    plot.SetColorF(*series.GetColor())
    plot.SetWidth(series.GetLineWidth())
    plot.GetPen().SetOpacityF(series.GetOpacity())
    plot.GetPen().SetLineType(_PENS[series.GetLineStyle()])
    if plot.IsA("vtkPlotLine"):
        plot.SetMarkerStyle(_MARKERS[series.GetMarkerStyle()])
        plot.SetMarkerSize(series.GetMarkerSize())
    plot.SetTooltipLabelFormat("%l = (%x, %y)" if needs_places else "%l = %y")
    return plot


def _column(table: Any, name: str | None) -> Any:
    column = table.GetColumnByName(name) if name else None
    return None if column is None or column.GetDataType() in _NOT_NUMBERS else column


def _set_axis(axis: Any, node: Any, letter: str, font: int) -> None:
    def get(what: str) -> Any:
        return getattr(node, f"Get{letter}Axis{what}")()

    axis.SetTitle((get("Title") or "") if get("TitleVisibility") else "")
    axis.SetLogScale(bool(get("LogScale")))
    if get("RangeAuto"):
        axis.SetBehavior(vtk.vtkAxis.AUTO)
    else:
        axis.SetBehavior(vtk.vtkAxis.FIXED)
        low, high = get("Range")
        axis.SetUnscaledRange(*(_positive(low, high) if get("LogScale") else (low, high)))
    axis.SetGridVisible(node.GetGridVisibility())
    for properties, size in (
        (axis.GetTitleProperties(), node.GetAxisTitleFontSize()),
        (axis.GetLabelProperties(), node.GetAxisLabelFontSize()),
    ):
        properties.SetFontFamily(font)
        properties.SetFontSize(size)
        properties.BoldOff()


def _positive(low: float, high: float) -> tuple[float, float]:
    """Return a range that a logarithmic axis can show: four decades at most below 0."""
    if high <= 0:
        return 0.1, 1.0
    return (low if low > 0 else math.pow(10, math.log10(high) - 4)), high
