"""The table view shows a table node, follows it, copies and edits it."""

from __future__ import annotations

import pytest
import slicer
import vtk
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

HORIZONTAL, VERTICAL = Qt.Orientation.Horizontal, Qt.Orientation.Vertical


@pytest.fixture
def table(scene):
    node = scene.AddNewNodeByClass("vtkMRMLTableNode", "result")
    for name, array in (
        ("Measure", vtk.vtkStringArray()),
        ("Before", vtk.vtkDoubleArray()),
        ("Kept", vtk.vtkBitArray()),
    ):
        array.SetName(name)
        node.AddColumn(array)
    for row in (("similarity", "0.52", "1"), ("folding", "0.1", "0")):
        number = node.AddEmptyRow()
        for column, text in enumerate(row):
            node.SetCellText(number, column, text)
    node.SetUseColumnTitleAsColumnHeader(True)
    node.SetUseFirstColumnAsRowHeader(True)
    return node


@pytest.fixture
def view(table):
    view = slicer.qMRMLTableView()
    view.setMRMLTableNode(table)
    view.show()
    yield view
    view.delete()


def shown(view):
    model = view.model()
    return [
        [model.index(row, column).data() for column in range(model.columnCount())] for row in range(model.rowCount())
    ]


def headers(view, orientation, count):
    return [view.model().headerData(section, orientation) for section in range(count)]


def test_it_shows_cells_titles_and_units(view, table):
    assert view.mrmlTableNode() is table
    assert [row[0] for row in shown(view)] == ["0.52", "0.1"]
    assert headers(view, VERTICAL, 2) == ["similarity", "folding"]
    table.SetColumnUnitLabel("Before", "mm")
    table.SetColumnTitle("Before", "Before it")
    assert headers(view, HORIZONTAL, 2) == ["Before it [mm]", "Kept"]


def test_bits_are_boxes_to_check(view, table):
    boxes = [view.model().index(row, 1) for row in range(2)]
    assert [box.data(Qt.ItemDataRole.CheckStateRole) for box in boxes] == [
        Qt.CheckState.Checked.value,
        Qt.CheckState.Unchecked.value,
    ]
    view.model().setData(boxes[1], Qt.CheckState.Checked.value, Qt.ItemDataRole.CheckStateRole)
    assert table.GetCellText(1, 2) == "1"


def test_without_titles_the_names_are_the_first_row(view, table):
    table.SetUseColumnTitleAsColumnHeader(False)
    table.SetUseFirstColumnAsRowHeader(False)
    assert shown(view)[0] == ["Measure", "Before", "Kept"]
    assert headers(view, HORIZONTAL, 3) == ["A", "B", "C"]
    assert headers(view, VERTICAL, 3) == ["1", "2", "3"]


def test_it_follows_the_node(view, table):
    table.SetCellText(0, 1, "0.6")
    assert shown(view)[0][0] == "0.6"
    table.AddEmptyRow()
    assert len(shown(view)) == 3
    table.RemoveAllColumns()
    assert shown(view) == []


def test_an_edit_reaches_the_node(view, table):
    assert view.model().setData(view.model().index(0, 0), "0.9")
    assert table.GetCellText(0, 1) == "0.9"


def test_a_locked_table_cannot_be_edited(view, table):
    table.SetLocked(True)
    flags = [view.model().index(0, column).flags() for column in range(2)]
    assert not flags[0] & Qt.ItemFlag.ItemIsEditable
    assert not flags[1] & Qt.ItemFlag.ItemIsUserCheckable


def test_the_chosen_cells_are_copied_parted_by_tabs(application, view):
    view.selectAll()
    QTest.keyClick(view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert application.clipboard().text() == "0.52\t1\n0.1\t0"
    view.clearSelection()
    view.copySelection()
    assert application.clipboard().text() == "0.52\t1\n0.1\t0"


@pytest.mark.parametrize("nothing", ["none", "other"])
def test_without_a_table_it_is_empty(scene, view, nothing):
    view.setMRMLTableNode(None if nothing == "none" else scene.AddNewNodeByClass("vtkMRMLTextNode"))
    assert view.mrmlTableNode() is None
    assert shown(view) == []


def test_closing_the_scene_does_not_trouble_it(scene, view):
    scene.Clear(False)
    view.setMRMLTableNode(None)
    assert shown(view) == []
