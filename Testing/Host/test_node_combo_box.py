"""The node selector behaves as Slicer's does: what it shows, what it chooses by itself, what it tells."""

from __future__ import annotations

import pytest
import slicer
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from Testing.Panel.clicking import choose, choose_with_keys, wait_until, when_asked

VOLUME = "vtkMRMLScalarVolumeNode"


@pytest.fixture
def selector(scene):
    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = [VOLUME]
    selector.setMRMLScene(scene)
    selector.show()
    yield selector
    selector.delete()


@pytest.fixture
def said(selector):
    """Give the names of the nodes that the selector told of, in order."""
    told = []
    selector.connect("currentNodeChanged(vtkMRMLNode*)", lambda node: told.append(node and node.GetName()))
    return told


def add(scene, *names, kind=VOLUME):
    return [scene.AddNewNodeByClass(kind, name) for name in names]


def rows(selector):
    return [selector._combo.itemText(row) for row in range(selector._combo.count)]


def test_it_is_gray_without_a_scene(scene):
    selector = slicer.qMRMLNodeComboBox()
    assert not selector.enabled
    selector.setMRMLScene(scene)
    assert selector.enabled


def test_it_shows_the_nodes_of_its_types_in_the_order_of_the_scene(scene, selector):
    add(scene, "a", "b")
    add(scene, "table", kind="vtkMRMLTableNode")
    add(scene, "c")
    assert [selector.nodeFromIndex(index).GetName() for index in range(selector.nodeCount())] == ["a", "b", "c"]


def test_the_first_node_is_chosen_when_the_scene_comes_and_none_is_when_nodes_come_later(scene, selector):
    first, _ = add(scene, "a", "b")
    assert selector.currentNode() is None
    late = slicer.qMRMLNodeComboBox()
    late.nodeTypes = [VOLUME]
    told = []
    late.connect("currentNodeChanged(vtkMRMLNode*)", told.append)
    late.setMRMLScene(scene)
    assert late.currentNode() is first
    assert told == [first]


def test_with_none_enabled_nothing_is_chosen_when_the_scene_comes(scene):
    add(scene, "a")
    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes, selector.noneEnabled = [VOLUME], True
    selector.setMRMLScene(scene)
    assert selector.currentNode() is None
    assert rows(selector)[:2] == ["None", "a"]


def test_a_selector_that_only_chooses_takes_the_first_node_that_comes(scene, selector, said):
    selector.addEnabled = selector.removeEnabled = False
    add(scene, "a", "b")
    assert selector.currentNode().GetName() == "a"
    assert said == ["a"]


def test_a_node_that_is_asked_for_before_there_is_a_scene_is_chosen_with_it(scene):
    _, wanted = add(scene, "a", "b")
    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = [VOLUME]
    selector.setCurrentNodeID(wanted.GetID())
    selector.setMRMLScene(scene)
    assert selector.currentNode() is wanted


def test_a_node_that_is_not_shown_cannot_be_chosen(scene, selector):
    (volume,) = add(scene, "a")
    (table,) = add(scene, "table", kind="vtkMRMLTableNode")
    selector.setCurrentNode(volume)
    selector.setCurrentNode(table)
    assert selector.currentNodeID == ""


@pytest.mark.parametrize(("removed", "left"), [("a", "b"), ("b", "c"), ("c", "b")])
def test_when_the_chosen_node_goes_a_neighbor_is_chosen(scene, selector, said, removed, left):
    nodes = {node.GetName(): node for node in add(scene, "a", "b", "c")}
    selector.setCurrentNode(nodes[removed])
    scene.RemoveNode(nodes[removed])
    assert selector.currentNode().GetName() == left
    assert said == [removed, left]


def test_when_the_last_node_goes_nothing_is_chosen(scene, selector, said):
    (node,) = add(scene, "a")
    selector.setCurrentNode(node)
    scene.RemoveNode(node)
    assert selector.currentNode() is None
    assert said == ["a", None]


def test_closing_the_scene_leaves_nothing_chosen(scene, selector, said):
    selector.setCurrentNode(add(scene, "a", "b")[1])
    scene.Clear(False)
    assert selector.nodeCount() == 0
    assert selector.currentNode() is None
    assert said[-1] is None


def test_nodes_of_an_imported_scene_are_shown(scene, selector, tmp_path):
    add(scene, "a")
    path = str(tmp_path / "scene.mrml")
    assert slicer.util.saveScene(path)
    scene.Clear(False)
    slicer.util.loadScene(path)
    assert selector.nodeCount() == 1
    assert selector.nodeFromIndex(0).GetName() == "a"


def test_a_node_that_hides_from_editors_is_shown_only_on_demand(scene, selector):
    (node,) = add(scene, "a")
    node.SetHideFromEditors(True)
    assert selector.nodeCount() == 0
    selector.showHidden = True
    assert selector.nodeCount() == 1


def test_children_of_a_type_are_shown_unless_they_are_hidden(scene, selector):
    add(scene, "labels", kind="vtkMRMLLabelMapVolumeNode")
    assert selector.nodeCount() == 1
    selector.hideChildNodeTypes = ["vtkMRMLLabelMapVolumeNode"]
    assert selector.nodeCount() == 0
    selector.hideChildNodeTypes = []
    selector.showChildNodeTypes = False
    assert selector.nodeCount() == 0


def test_an_attribute_filters_and_is_given_to_new_nodes(scene, selector):
    other, marked = add(scene, "other", "marked")
    selector.addAttribute(VOLUME, "Role", "moving")
    assert selector.nodeCount() == 0
    marked.SetAttribute("Role", "moving")
    other.SetAttribute("Role", "fixed")
    assert [selector.nodeFromIndex(0)] == [marked]
    assert selector.addNode().GetAttribute("Role") == "moving"
    selector.removeAttribute(VOLUME, "Role")
    assert selector.nodeCount() == 3


def test_a_renamed_node_is_shown_by_its_new_name(scene, selector):
    (node,) = add(scene, "a")
    node.SetName("b")
    assert rows(selector)[0] == "b"


def test_the_rows_below_the_nodes_name_what_can_be_done(scene, selector):
    selector.renameEnabled = True
    assert rows(selector)[1:] == [
        "Rename current Volume",
        "Create new Volume",
        "Create new Volume as...",
        "Delete current Volume",
    ]
    selector.setNodeTypeLabel("Image", VOLUME)
    assert "Create new Image" in rows(selector)
    assert selector._combo.defaultText == "Select a Image"


def test_changing_what_can_be_done_leaves_the_choice(scene, selector, said):
    selector.setCurrentNode(add(scene, "a", "b")[1])
    selector.addEnabled = False
    selector.noneEnabled = True
    selector.noneDisplay = "No volume"
    assert selector.currentNode().GetName() == "b"
    assert said == ["b"]
    assert rows(selector)[0] == "No volume"


def test_a_user_chooses_with_the_mouse(scene, selector, said):
    add(scene, "a", "b")
    activated = []
    selector.connect("nodeActivated(vtkMRMLNode*)", lambda node: activated.append(node.GetName()))
    choose(selector, "b")
    assert said == ["b"]
    assert activated == ["b"]


def test_a_user_chooses_with_the_keys(scene, selector, said):
    add(scene, "a", "b")
    choose_with_keys(selector, "b")
    assert said == ["b"]


def test_a_user_creates_a_node(scene, selector, said):
    selector.baseName = "moved"
    created = []
    selector.connect("nodeAddedByUserAction(vtkMRMLNode*)", created.append)
    choose(selector, "Create new Volume")
    assert said == ["moved"]
    assert created == [selector.currentNode()]
    choose(selector, "Create new Volume")
    assert said == ["moved", "moved_1"]


def test_a_user_deletes_the_chosen_node(scene, selector):
    selector.setCurrentNode(add(scene, "a")[0])
    choose(selector, "Delete current Volume")
    assert scene.GetNumberOfNodesByClass(VOLUME) == 0


def test_a_user_renames_the_chosen_node(scene, selector):
    selector.renameEnabled = True
    (node,) = add(scene, "a")
    selector.setCurrentNode(node)

    def answer(dialog):
        QTest.keyClicks(dialog.focusWidget(), "b")
        QTest.keyClick(dialog, Qt.Key.Key_Return)

    when_asked(answer)
    choose(selector, "Rename current Volume")
    assert node.GetName() == "b"


def test_the_tab_key_passes_it_over_as_in_slicer(scene, selector, qt):
    panel = qt.QWidget()
    rows = qt.QVBoxLayout(panel)
    before, after = qt.QLineEdit(), qt.QLineEdit()
    for widget in (before, selector, after):
        rows.addWidget(widget)
    panel.show()
    before.setFocus()
    QTest.keyClick(before, Qt.Key.Key_Tab)
    assert panel.focusWidget() is after
    selector.setParent(None)


def test_a_row_below_the_nodes_is_never_chosen(scene, selector, said):
    add(scene, "a")
    choose_with_keys(selector, "Delete current Volume")
    assert selector.currentNode() is None or selector.currentNode().GetName() == "a"
    assert "Delete current Volume" not in said


def test_an_action_of_the_module_is_offered(application, scene, selector, qt):
    done, action = [], qt.QAction("Flip", selector)
    action.connect("triggered()", lambda: done.append(True))
    selector.addMenuAction(action)
    choose(selector, "Flip")
    assert done == [True]


def test_only_a_class_of_its_types_can_be_made(scene, selector):
    assert selector.addNode("vtkMRMLTableNode") is None
    assert selector.addNode(VOLUME).GetName() == "Volume"


def test_a_deleted_selector_no_longer_follows_the_scene(application, scene, selector):
    other = slicer.qMRMLNodeComboBox()
    other.nodeTypes = [VOLUME]
    other.setMRMLScene(scene)
    other.delete()
    add(scene, "a")
    wait_until(lambda: selector.nodeCount() == 1)


@pytest.mark.parametrize("name", ["setNodeTypes", "setNoneEnabled", "setAddEnabled", "setBaseName", "nodes", "model"])
def test_what_is_no_slot_in_slicer_does_not_exist(selector, name):
    with pytest.raises(AttributeError):
        getattr(selector, name)


def test_a_name_that_is_misspelled_is_refused(selector):
    with pytest.raises(AttributeError):
        selector.nodeType = VOLUME


def test_a_ui_file_sets_its_properties(application, tmp_path):
    file = tmp_path / "panel.ui"
    file.write_text(
        """<ui version="4.0"><widget class="QWidget" name="panel"><layout class="QVBoxLayout" name="rows"><item>
        <widget class="qMRMLNodeComboBox" name="selector">
        <property name="nodeTypes"><stringlist><string>vtkMRMLTransformNode</string></stringlist></property>
        <property name="noneEnabled"><bool>true</bool></property>
        <property name="noneDisplay"><string>Nowhere</string></property>
        </widget></item></layout></widget></ui>""",
        encoding="utf-8",
    )
    panel = slicer.util.loadUI(str(file))
    selector = slicer.util.childWidgetVariables(panel).selector
    assert selector.nodeTypes == ("vtkMRMLTransformNode",)
    assert selector.noneEnabled
    assert selector.noneDisplay == "Nowhere"
