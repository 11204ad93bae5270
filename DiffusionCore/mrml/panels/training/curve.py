"""The loss against the steps, as a plot of Slicer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _

_PIXELS = 180
_MOST_POINTS = 1000  # of a line that is 500 pixels wide
_SMOOTHED = 50  # rows of the log or more: each is then a running mean over _WINDOW of them
_WINDOW = 5
Points = Sequence[tuple[int, float]]


class TrainingCurve:
    """Two lines in a plot: the loss of the training, thin, and that of the checks, thick.

    Its nodes are there once, hidden, and never saved. Before a scene is closed, ``remove`` them; ``show`` makes them
    again.

    Args:
        owner: the name of the module, of whose curves there is one.
        body: the widget that it comes into, at the top; hidden while there is nothing to be shown.

    Attributes:
        view: the plot widget; None until there has been something to be shown.
    """

    def __init__(self, owner: str, body: Any) -> None:
        self._tag, self._body = f"{owner}Training", body
        self.view: Any = None
        self._nodes: dict[str, Any] = {}
        self._shown: Any = None

    def show(self, losses: Points, checks: Points, *, logarithmic: bool) -> None:
        """Show (step, loss) pairs."""
        self._body.setVisible(bool(losses))
        if not losses:
            return
        if self.view is None:
            self.view = slicer.qMRMLPlotView()
            self.view.setFixedHeight(_PIXELS)
            self.view.setToolTip(
                _("The loss against the steps: thin in training, thick in checks on images that it never sees.")
            )
            self._body.layout().insertWidget(0, self.view)
        if not self._nodes:
            self._build()
        if (losses, checks) != self._shown:
            self._shown = (losses, checks)
            self._show_line("Losses", _thinned(_smoothed(losses)))
            self._show_line("Checks", _thinned(checks))
        self._chart.SetYAxisLogScale(logarithmic)

    def _show_line(self, name: str, points: Points) -> None:
        """Show a line; VTK complains about one without points, and draws none of a single one."""
        series = self._nodes[name]
        _fill(self._nodes[f"{name}Table"], points if len(points) != 1 else [*points, *points])
        if bool(points) != self._chart.HasPlotSeriesNodeID(series.GetID()):
            change = self._chart.AddAndObservePlotSeriesNodeID if points else self._chart.RemovePlotSeriesNodeID
            change(series.GetID())

    def remove(self) -> None:
        """Take the nodes out of the scene."""
        if self._nodes:
            self.view.setMRMLPlotViewNode(None)
        for node in reversed(self._nodes.values()):
            if node.GetScene() is not None:
                node.GetScene().RemoveNode(node)
        self._nodes.clear()
        self._shown = None

    def _build(self) -> None:
        """Make the nodes, and have the widget show them."""
        self._chart = self._add("vtkMRMLPlotChartNode", "Chart")
        self._line("Losses", _("Training"), color=(0.35, 0.55, 0.75), width=1, marker="MarkerStyleNone")
        self._line("Checks", _("Checking"), color=(0.75, 0.35, 0.0), width=3, marker="MarkerStyleCircle")
        chart = self._chart
        chart.SetTitleVisibility(False)
        chart.SetXAxisTitle(_("Step"))
        chart.SetYAxisTitle(_("Loss"))
        for set_size in (chart.SetAxisTitleFontSize, chart.SetAxisLabelFontSize, chart.SetLegendFontSize):
            set_size(11)
        # with a parent it is no view of the layout, so no other widget is made for it
        view = self._add("vtkMRMLPlotViewNode", "View", parent=chart)
        view.SetDoPropagatePlotChartSelection(False)
        view.SetPlotChartNodeID(chart.GetID())
        self.view.setMRMLScene(slicer.mrmlScene)
        self.view.setMRMLPlotViewNode(view)

    def _line(self, name: str, text: str, *, color: tuple[float, float, float], width: int, marker: str) -> None:
        table = self._add("vtkMRMLTableNode", f"{name}Table")
        _fill(table, ())
        series = self._add("vtkMRMLPlotSeriesNode", name)
        series.SetName(text)  # stands in the legend
        series.SetAndObserveTableNodeID(table.GetID())
        series.SetXColumnName("step")
        series.SetYColumnName("loss")
        series.SetPlotType(series.PlotTypeScatter)  # of (x, y); a line plot counts rows
        series.SetLineStyle(series.LineStyleSolid)
        series.SetLineWidth(width)
        series.SetMarkerStyle(getattr(series, marker))
        series.SetMarkerSize(6)
        series.SetColor(*color)

    def _add(self, class_name: str, name: str, parent: Any = None) -> Any:
        node = slicer.mrmlScene.CreateNodeByClass(class_name)
        node.UnRegister(None)
        node.SetName(f"{self._tag}{name}")
        node.SetSingletonTag(f"{self._tag}{name}")
        node.SetHideFromEditors(True)
        node.SetSaveWithScene(False)
        if parent is not None:
            node.SetAndObserveParentLayoutNodeID(parent.GetID())
        self._nodes[name] = slicer.mrmlScene.AddNode(node)
        return self._nodes[name]


def _fill(node: Any, points: Points) -> None:
    steps, losses = vtk.vtkIntArray(), vtk.vtkDoubleArray()
    steps.SetName("step")
    losses.SetName("loss")
    for step, loss in points:
        steps.InsertNextValue(step)
        losses.InsertNextValue(loss)
    table = vtk.vtkTable()
    table.AddColumn(steps)
    table.AddColumn(losses)
    node.SetAndObserveTable(table)


def _smoothed(points: Points) -> Points:
    if len(points) < _SMOOTHED:
        return points
    means = []
    for number, (step, _loss) in enumerate(points):
        recent = [loss for _, loss in points[max(0, number + 1 - _WINDOW) : number + 1]]
        means.append((step, sum(recent) / len(recent)))
    return means


def _thinned(points: Points) -> Points:
    """Return at most about _MOST_POINTS of ``points``, evenly, and the last one in any case."""
    apart = -(-len(points) // _MOST_POINTS) or 1
    return points if apart == 1 else [*points[::apart], points[-1]]
