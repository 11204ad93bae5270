"""Layouts: what the layout node describes is what is seen; leaving a layout leaves nothing behind."""

from __future__ import annotations

import gc

import pytest
import slicer
from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QApplication, QLabel, QSplitter, QTabWidget, QWidget
from slicer_api_host.views import create_layout_manager
from slicer_api_host.views.layout_builder import build_layout
from slicer_api_host.views.pictures import grab
from view_data import add_blob

Layouts = slicer.vtkMRMLLayoutNode
FIXED_ABOVE_MOVED = 611
VIEW = """<view class="vtkMRMLSliceNode" singletontag="{0}">
  <property name="orientation" action="default">Coronal</property>
  <property name="viewlabel" action="default">{1}</property>
  <property name="viewcolor" action="default">#8C8C8C</property></view>"""


@pytest.fixture
def manager(application, scene):
    manager = application.layoutManager()
    manager.setLayout(Layouts.SlicerLayoutFourUpView)
    manager.viewport().resize(600, 600)
    manager.viewport().show()
    yield manager
    manager.setLayout(Layouts.SlicerLayoutFourUpView)
    manager.viewport().hide()


@pytest.fixture
def above_and_below(manager):
    """Give the manager after a layout of two new views, one above the other, was described and chosen."""
    items = "".join(f"<item>{VIEW.format(tag, tag[0])}</item>" for tag in ("FixedView", "MovedView"))
    node = manager.layoutLogic().GetLayoutNode()
    if not node.IsLayoutDescription(FIXED_ABOVE_MOVED):
        node.AddLayoutDescription(FIXED_ABOVE_MOVED, f'<layout type="vertical">{items}</layout>')
    manager.setLayout(FIXED_ABOVE_MOVED)
    QApplication.processEvents()
    return manager


def seen(manager):
    return {name for name in manager.sliceViewNames() if manager.sliceWidget(name).visible}


@pytest.mark.parametrize(
    ("layout", "names"),
    [
        (Layouts.SlicerLayoutFourUpView, {"Red", "Yellow", "Green"}),
        (Layouts.SlicerLayoutConventionalView, {"Red", "Yellow", "Green"}),
        (Layouts.SlicerLayoutOneUpRedSliceView, {"Red"}),
        (Layouts.SlicerLayoutOneUpGreenSliceView, {"Green"}),
        (Layouts.SlicerLayoutSideBySideView, {"Red", "Yellow"}),
        (Layouts.SlicerLayoutOneUp3DView, set()),
        (Layouts.SlicerLayoutThreeOverThreeView, {"Red", "Yellow", "Green", "Red+", "Yellow+", "Green+"}),
        (Layouts.SlicerLayoutDualMonitorFourUpView, {"Red", "Yellow", "Green"}),
    ],
)
def test_a_standard_layout_shows_its_slices(manager, layout, names):
    manager.layout = layout
    assert manager.layout == layout
    assert seen(manager) == names
    assert {
        name for name in manager.sliceViewNames() if manager.sliceWidget(name).mrmlSliceNode().IsMappedInLayout()
    } == names


def test_the_layout_node_arranges_and_the_change_is_signalled(manager):
    signalled = []
    manager.connect("layoutChanged(int)", signalled.append)
    manager.layoutLogic().GetLayoutNode().SetViewArrangement(Layouts.SlicerLayoutOneUpYellowSliceView)
    manager.disconnect("layoutChanged(int)", signalled.append)
    assert signalled == [Layouts.SlicerLayoutOneUpYellowSliceView]
    assert seen(manager) == {"Yellow"}


def test_a_layout_that_nobody_described_becomes_the_conventional_one(manager):
    manager.setLayout(98765)
    assert manager.layout == Layouts.SlicerLayoutConventionalView


def test_a_described_layout_makes_its_views(above_and_below):
    assert seen(above_and_below) == {"FixedView", "MovedView"}
    upper, lower = (above_and_below.sliceWidget(name) for name in ("FixedView", "MovedView"))
    assert upper.viewLabel == "F"
    assert upper.sliceOrientation == lower.sliceOrientation == "Coronal"
    assert upper.geometry.bottom() < lower.geometry.top()
    assert upper.width == lower.width
    assert abs(upper.height - lower.height) <= 1


def test_linked_views_move_together(above_and_below):
    upper, lower = (above_and_below.sliceWidget(name) for name in ("FixedView", "MovedView"))
    upper.mrmlSliceCompositeNode().SetBackgroundVolumeID(add_blob("fixed").GetID())
    lower.mrmlSliceCompositeNode().SetBackgroundVolumeID(add_blob("moved", shift=3).GetID())
    above_and_below.resetSliceViews()
    upper.sliceController().setSliceOffsetValue(12.0)
    assert lower.sliceLogic().GetSliceOffset() != 12.0
    upper.sliceController().setSliceLink(True)
    upper.sliceController().setHotLinked(True)
    upper.sliceController().setSliceOffsetValue(14.0)
    assert lower.sliceLogic().GetSliceOffset() == 14.0
    upper.sliceController().setSliceLink(False)
    fixed, moved = (grab(widget.sliceView())[:200, :200] for widget in (upper, lower))
    assert (fixed != moved).any()


def test_the_former_layout_returns_with_what_its_views_showed(manager, scene):
    red, volume = manager.sliceWidget("Red"), add_blob("fixed")
    red.mrmlSliceCompositeNode().SetBackgroundVolumeID(volume.GetID())
    red.fitSliceToBackground()
    before = grab(manager.viewport())
    manager.setLayout(Layouts.SlicerLayoutOneUpGreenSliceView)
    assert (grab(manager.viewport()) != before).any()
    assert not red.visible
    manager.setLayout(Layouts.SlicerLayoutFourUpView)
    assert manager.sliceWidget("Red") is red
    assert (grab(manager.viewport()) == before).all()


def test_a_view_fills_the_viewport_while_it_is_maximized(manager):
    before = manager.sliceWidget("Green").size
    manager.addMaximizedViewNode(manager.sliceWidget("Green").mrmlSliceNode())
    QApplication.processEvents()
    assert seen(manager) == {"Green"}
    assert manager.sliceWidget("Green").size == manager.viewport().size
    manager.removeAllMaximizedViewNodes()
    QApplication.processEvents()
    assert seen(manager) == {"Red", "Yellow", "Green"}
    assert manager.sliceWidget("Green").size == before


def test_a_hidden_view_fits_its_picture_to_its_size_when_it_is_seen_again(manager):
    volume = add_blob("fixed")
    slicer.util.setSliceViewerLayers(background=volume)
    manager.resetSliceViews()
    manager.setLayout(Layouts.SlicerLayoutOneUpRedSliceView)
    manager.viewport().resize(300, 400)
    QApplication.processEvents()
    view = manager.sliceWidget("Red").sliceView()
    assert manager.sliceWidget("Red").mrmlSliceNode().GetDimensions()[:2] == (view.width, view.height)
    assert grab(view).shape == (view.height, view.width, 3)


def test_closing_the_scene_keeps_the_layout_and_its_views(above_and_below):
    slicer.mrmlScene.Clear(False)
    assert above_and_below.layout == FIXED_ABOVE_MOVED
    assert seen(above_and_below) == {"FixedView", "MovedView"}


def test_views_there_are_none_of_are_none(manager):
    assert manager.threeDViewCount == 0
    assert manager.threeDWidget(0) is None
    assert manager.sliceWidget("Blue") is None
    assert manager.plotWidget(99) is None
    slicer.util.resetThreeDViews()


def test_a_view_made_during_a_pause_is_paused_too(application, manager, scene):
    application.pauseRender()
    node = slicer.vtkMRMLSliceNode()
    for set_name in (node.SetName, node.SetLayoutName, node.SetSingletonTag):
        set_name("Late")
    scene.AddNode(node)
    view = manager.sliceWidget("Late").sliceView()
    assert not view._may_draw()
    application.resumeRender()
    assert view._may_draw()
    scene.RemoveNode(node)


def test_a_manager_that_is_closed_leaves_no_window_and_no_logic(application):
    other = slicer.vtkMRMLScene()
    parts = slicer.vtkSlicerApplicationLogic()
    parts.SetMRMLScene(other)
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(other, True)
    manager = create_layout_manager(parts, other)
    create_of_the_application(application)
    grab(manager.viewport())
    gone, views = [], manager.viewWidgets()
    for view in views:
        view.viewWidget().renderWindow().AddObserver("DeleteEvent", lambda *_: gone.append("window"))
        view.sliceLogic().AddObserver("DeleteEvent", lambda *_: gone.append("logic"))
    count = len(views)
    del view, views
    viewport = manager.viewport()
    manager.setMRMLScene(None)
    viewport.delete()
    del viewport, manager
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    gc.collect()
    assert sorted(gone) == ["logic"] * count + ["window"] * count
    assert parts.GetSliceLogics().GetNumberOfItems() == 0


def create_of_the_application(application):
    """Have the displayable managers made from now on work for the application again."""
    from slicer_api_host.views.displayable_managers import use_application_logic

    use_application_logic(application.applicationLogic())


def _labels(description, **several):
    def find_views(element, all_of_them):
        names = several["views"] if all_of_them else [element.get("singletontag")]
        return [QLabel(name) for name in names]

    return build_layout(description, find_views)


def test_a_description_may_nest_split_tab_and_place(application):
    view = '<view class="vtkMRMLSliceNode" singletontag="{}"/>'
    root = _labels(
        f"""<layout type="vertical" split="true">
        <item splitSize="300"><layout type="tab"><item name="first">{view.format("A")}</item>
        <item name="second">{view.format("B")}</item></layout></item>
        <item splitSize="100"><layout type="grid"><item row="1" column="2">{view.format("C")}</item></layout></item>
        </layout>"""
    )
    assert isinstance(root, QSplitter)
    root.resize(200, 405)
    grab(root)
    upper, lower = root.sizes()
    assert upper == pytest.approx(3 * lower, abs=6)
    tabs = root.findChildren(QTabWidget)[0]
    assert [tabs.tabText(number) for number in range(tabs.count)] == ["first", "second"]
    placed = root.widget(1).layout()
    assert placed.itemAtPosition(1, 2).widget().text == "C"


def test_an_item_may_stand_for_all_views_of_a_class(application):
    root = _labels(
        '<layout type="horizontal"><item multiple="true"><view class="vtkMRMLSliceNode"/></item></layout>', views="ABC"
    )
    assert [label.text for label in root.findChildren(QLabel)] == ["A", "B", "C"]


def test_a_lone_view_is_a_layout(application):
    root = _labels('<view class="vtkMRMLSliceNode" singletontag="A"/>')
    assert type(root) is QWidget
    assert [label.text for label in root.findChildren(QLabel)] == ["A"]


@pytest.mark.parametrize(
    ("description", "said"),
    [
        ("<layout", "cannot be read"),
        ('<layout type="round"/>', "'round' is no type of a layout"),
        ("<layout><item><window/></item></layout>", "'window', which is neither"),
    ],
)
def test_a_description_that_makes_no_sense_is_refused(application, description, said):
    with pytest.raises(ValueError, match=said):
        _labels(description)
