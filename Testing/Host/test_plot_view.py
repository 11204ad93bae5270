"""Plot views draw the chart of their node, and follow the table it comes from."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import slicer
import slicer.util
import vtk
from PySide6.QtCore import QBuffer
from PySide6.QtWidgets import QApplication, QWidget
from slicer_api_host.ui_loader import QUiLoader
from slicer_api_host.views.pictures import grab
from slicer_api_host.views.plot_view import qMRMLPlotView

CREAM = (255, 253, 246)


@pytest.fixture
def table(scene):
    """Give a table node: steps, a training and a checking loss."""
    table = scene.AddNewNodeByClass("vtkMRMLTableNode", "losses")
    steps = np.arange(1, 41, dtype=float)
    for name, values in (("step", steps), ("training", 1 / steps), ("checking", 1.2 / steps)):
        column = vtk.vtkDoubleArray()
        column.SetName(name)
        for value in values:
            column.InsertNextValue(value)
        table.AddColumn(column)
    return table


def add_series(table, column, color):
    series = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotSeriesNode", column)
    series.SetAndObserveTableNodeID(table.GetID())
    series.SetXColumnName("step")
    series.SetYColumnName(column)
    series.SetPlotType(series.PlotTypeScatter)
    series.SetMarkerStyle(series.MarkerStyleNone)
    series.SetLineWidth(3)
    series.SetColor(*color)
    return series


@pytest.fixture
def chart(table):
    """Give a chart node with one blue series of the table."""
    chart = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotChartNode")
    chart.AddAndObservePlotSeriesNodeID(add_series(table, "training", (0.0, 0.0, 1.0)).GetID())
    chart.SetTitle("Losses")
    chart.SetXAxisTitle("step")
    chart.SetYAxisTitle("loss")
    return chart


@pytest.fixture
def view_node(chart):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotViewNode")
    node.SetPlotChartNodeID(chart.GetID())
    return node


@pytest.fixture
def view(application, scene, view_node):
    view = qMRMLPlotView()
    view.resize(400, 300)
    view.setMRMLScene(scene)
    view.setMRMLPlotViewNode(view_node)
    yield view
    view._close()
    view.delete()


def colored(picture, color):
    """Return where ``picture`` has about the ``color``."""
    return (np.abs(picture.astype(int) - color).max(axis=-1) < 40).nonzero()


BLUE, RED = (0, 0, 255), (255, 0, 0)


def test_a_series_is_drawn_on_slicers_cream(view):
    picture = grab(view)
    assert picture.shape == (300, 400, 3)
    assert (picture == CREAM).all(axis=-1).mean() > 0.4
    rows, columns = colored(picture, BLUE)
    assert len(rows) > 100
    assert rows[columns.argmin()] < rows[columns.argmax()]  # the loss falls


def test_the_picture_follows_a_new_row(view, table):
    before = grab(view)
    table.GetTable().InsertNextBlankRow()
    for column, value in enumerate((41.0, 0.9, 1.0)):
        table.GetTable().SetValue(40, column, value)
    table.GetTable().Modified()
    table.Modified()
    after = grab(view)
    assert (before != after).any()
    rows, columns = colored(after, BLUE)
    assert rows[columns.argmax()] < np.median(rows)  # the curve goes up at its end


def test_series_come_and_go(view, chart, table):
    one = grab(view)
    series = add_series(table, "checking", (1.0, 0.0, 0.0))
    chart.AddAndObservePlotSeriesNodeID(series.GetID())
    assert len(colored(grab(view), RED)[0]) > 100
    chart.RemovePlotSeriesNodeID(series.GetID())
    assert len(colored(grab(view), RED)[0]) == 0
    assert len(colored(grab(view), BLUE)[0]) == pytest.approx(len(colored(one, BLUE)[0]), rel=0.1)


def test_a_change_of_the_series_is_seen(view, chart):
    chart.GetNthPlotSeriesNode(0).SetColor(1.0, 0.0, 0.0)
    picture = grab(view)
    assert len(colored(picture, RED)[0]) > 100
    assert len(colored(picture, BLUE)[0]) == 0


@pytest.mark.parametrize("hide", ["SetTitleVisibility", "SetXAxisTitleVisibility", "SetYAxisTitleVisibility"])
def test_titles_are_written(view, chart, hide):
    with_title = grab(view)
    getattr(chart, hide)(False)
    without = grab(view)
    assert (with_title != without).any()


def test_the_legend_is_written(view, chart):
    chart.SetLegendVisibility(True)
    with_legend = grab(view)
    chart.SetLegendVisibility(False)
    assert (with_legend != grab(view)).any()


def test_an_axis_may_be_logarithmic(view, chart):
    def middle():
        rows, columns = colored(grab(view), BLUE)
        return np.median(rows[np.abs(columns - np.median(columns)) < 3])

    straight = middle()
    chart.SetYAxisLogScale(True)
    assert middle() < straight - 10  # 1 / x hangs below its logarithm


def test_an_axis_may_have_a_range_of_its_own(view, chart):
    chart.SetLegendVisibility(False)
    chart.SetXAxisRangeAuto(False)
    chart.SetXAxisRange(0, 400)
    _, columns = colored(grab(view), BLUE)
    assert columns.max() < 200  # a tenth of the axis, and the margin left of it


def test_a_column_that_is_missing_or_text_is_not_drawn(view, chart):
    series = chart.GetNthPlotSeriesNode(0)
    series.SetYColumnName("no such column")
    assert len(colored(grab(view), BLUE)[0]) == 0
    series.SetYColumnName("training")
    assert len(colored(grab(view), BLUE)[0]) > 100


def test_without_a_chart_nothing_is_drawn(view, view_node, scene):
    view_node.SetPlotChartNodeID(None)
    assert len(colored(grab(view), BLUE)[0]) == 0


def test_the_view_outlives_the_closing_of_the_scene(view, scene):
    scene.Clear(False)
    assert len(colored(grab(view), BLUE)[0]) == 0


def test_a_layout_shows_plots_beside_slices(application, chart):
    manager = application.layoutManager()
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpPlotView)
    assert manager.plotViewCount >= 1
    widget = manager.plotWidget(0)
    assert widget.visible or not manager.viewport().visible
    widget.mrmlPlotViewNode().SetPlotChartNodeID(chart.GetID())
    assert len(colored(grab(widget.plotView()), BLUE)[0]) > 100
    assert widget.viewLabel == "P"
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)


def test_slicer_util_plots_into_the_layout(application, scene):
    manager = application.layoutManager()
    values = np.column_stack([np.arange(20.0), np.arange(20.0) ** 2])
    slicer.util.plot(values, xColumnIndex=0)
    assert manager.plotViewCount >= 1
    picture = grab(manager.plotWidget(0).plotView())
    assert (picture != CREAM).any(axis=-1).mean() > 0.02
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)


UI = b"""<ui version="4.0"><class>Panel</class><widget class="QWidget" name="Panel">
<layout class="QVBoxLayout" name="column"><item><widget class="qMRMLPlotView" name="curve"><property name="minimumSize">
<size><width>0</width><height>180</height></size></property></widget></item></layout></widget></ui>"""


def test_a_panel_may_hold_a_plot_view(application, scene, view_node):
    buffer = QBuffer()
    buffer.setData(UI)
    panel = QUiLoader().load(buffer)
    assert isinstance(panel.curve, slicer.qMRMLPlotView)
    panel.curve.setMRMLScene(scene)
    panel.curve.setMRMLPlotViewNode(view_node)
    panel.resize(400, 220)
    assert len(colored(grab(panel), BLUE)[0]) > 100
    panel.delete()


def test_a_view_that_goes_with_its_panel_leaves_no_window_and_is_not_told_any_more(scene, view_node):
    gone, panel = [], QWidget()
    view = qMRMLPlotView(panel)
    view.setMRMLScene(scene)
    view.setMRMLPlotViewNode(view_node)
    grab(view)
    view.renderWindow().AddObserver("DeleteEvent", lambda *_: gone.append("window"))
    panel.delete()
    view_node.GetPlotChartNode().SetTitle("nobody looks")
    QApplication.processEvents()
    del view
    gc.collect()
    assert gone == ["window"]
