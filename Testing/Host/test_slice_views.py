"""Slice views show what the nodes say, as soon as they say it, and no more often than needed."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import slicer
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt, QTimer, qInstallMessageHandler
from PySide6.QtGui import QEnterEvent, QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QApplication
from slicer_api_host.views import off_screen
from slicer_api_host.views.drawn_widget import DrawnWidget
from slicer_api_host.views.pictures import grab
from view_data import add_blob, add_transform, grid_transform, waves

DEADLINE = 20  # s


@pytest.fixture
def manager(application, scene):
    """Give the layout manager with its four views in sight."""
    manager = application.layoutManager()
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    manager.viewport().resize(500, 500)
    manager.viewport().show()
    yield manager
    manager.viewport().hide()


@pytest.fixture
def shown(manager):
    """Give a fixed and a moving volume, the moving one half transparent above the other."""
    fixed, moving = add_blob("fixed"), add_blob("moving", shift=3)
    slicer.util.setSliceViewerLayers(background=fixed, foreground=moving, foregroundOpacity=0.5)
    manager.resetSliceViews()
    return fixed, moving


@pytest.fixture
def red(manager):
    return manager.sliceWidget("Red")


def wait_for(condition):
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, "nothing happened in time"
        QApplication.processEvents()


def changed(before, after):
    """Return how many pixels differ."""
    return int((before != after).any(axis=-1).sum())


def test_a_view_shows_both_layers(shown, red):
    both = grab(red.sliceView())
    slicer.util.setSliceViewerLayers(foreground=None)
    fixed_alone = grab(red.sliceView())
    slicer.util.setSliceViewerLayers(background=None)
    nothing = grab(red.sliceView())
    assert changed(both, fixed_alone) > 1000
    assert changed(fixed_alone, nothing) > 1000
    assert nothing.max() == 0


def test_a_picture_has_the_size_of_its_widget_and_the_gray_of_the_volume(manager, red):
    volume = add_blob("flat")
    values = slicer.util.arrayFromVolume(volume)
    values[:] = np.arange(32)[None, :, None]  # grows with the second index, which points to anterior
    slicer.util.arrayFromVolumeModified(volume)
    volume.GetDisplayNode().AutoWindowLevelOff()
    volume.GetDisplayNode().SetWindowLevelMinMax(0, 31)
    slicer.util.setSliceViewerLayers(background=volume)
    red.fitSliceToBackground()
    picture = grab(red.sliceView())
    size = red.sliceView().size
    assert picture.shape == (size.height(), size.width(), 3)
    assert (picture[..., 0] == picture[..., 1]).all()
    column = picture[:, size.width() // 2, 0].astype(int)
    seen = column[column > 0]
    assert (np.diff(seen) <= 0).all()  # anterior, the bright end, is on top
    assert seen.max() > 240


def test_a_new_transform_above_the_moving_volume_moves_it_in_all_views(manager, shown):
    transform = add_transform(0.0, shown[1])
    views = [manager.sliceWidget(name).sliceView() for name in ("Red", "Yellow", "Green")]
    before = [grab(view) for view in views]
    transform.SetAndObserveTransformFromParent(grid_transform(waves(1.0)))
    assert all(changed(old, grab(view)) > 1000 for old, view in zip(before, views, strict=True))


def test_the_same_transform_gives_the_same_picture(shown, red):
    transform = add_transform(0.0, shown[1])
    before = grab(red.sliceView())
    transform.SetAndObserveTransformFromParent(grid_transform(waves(1.0)))
    assert changed(before, grab(red.sliceView())) > 1000
    transform.SetAndObserveTransformFromParent(grid_transform(waves(0.0)))
    assert changed(before, grab(red.sliceView())) == 0


def test_the_opacity_of_the_foreground_is_seen(shown, red):
    half = grab(red.sliceView())
    red.sliceController().setForegroundOpacity(0.1)
    assert red.mrmlSliceCompositeNode().GetForegroundOpacity() == 0.1
    assert changed(half, grab(red.sliceView())) > 1000


def test_the_grid_of_a_transform_is_drawn_and_goes(shown, red):
    transform = add_transform(0.0, shown[1])
    transform.CreateDefaultDisplayNodes()
    display = transform.GetDisplayNode()
    display.SetVisualizationMode(display.VIS_MODE_GRID)
    display.SetGridSpacingMm(5.0)
    without = grab(red.sliceView())
    display.SetVisibility(True)
    display.SetVisibility2D(True)
    with_grid = grab(red.sliceView())
    assert changed(without, with_grid) > 500
    assert np.ptp(with_grid.astype(int), axis=-1).max() > 100  # the volumes are gray, the grid has colors
    display.SetVisibility(False)
    assert changed(without, grab(red.sliceView())) == 0


def test_a_segmentation_and_a_markup_are_drawn(shown, red):
    plain = grab(red.sliceView())
    points = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode")
    points.CreateDefaultDisplayNodes()
    points.AddControlPoint(red.sliceView().convertXYZToRAS((60, 60, 0)))
    marked = grab(red.sliceView())
    assert changed(plain, marked) > 10
    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    segmentation.CreateDefaultDisplayNodes()
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(shown[0])
    labels = (slicer.util.arrayFromVolume(shown[0]) > 0).astype(np.uint8)
    segment = segmentation.GetSegmentation().AddEmptySegment("ball")
    slicer.util.updateSegmentBinaryLabelmapFromArray(labels, segmentation, segment, shown[0])
    assert changed(marked, grab(red.sliceView())) > 1000


def test_many_changes_make_few_pictures(shown, red):
    window = red.sliceView().renderWindow()
    wait_for(lambda: not red.sliceView()._is_old)
    drawn = []
    tag = window.AddObserver("EndEvent", lambda *_: drawn.append(1))
    for step in range(50):
        red.mrmlSliceCompositeNode().SetForegroundOpacity(step / 50)
    assert not drawn
    wait_for(lambda: drawn)
    wait_for(lambda: not red.sliceView()._is_old)
    window.RemoveObserver(tag)
    assert len(drawn) <= 2


def test_pictures_that_are_only_requested_come_at_intervals(shown, red):
    drawn = []
    tag = red.sliceView().renderWindow().AddObserver("EndEvent", lambda *_: drawn.append(time.monotonic()))
    step = 0

    def change():
        nonlocal step
        step += 1
        red.mrmlSliceCompositeNode().SetForegroundOpacity(step % 100 / 100)
        return len(drawn) > 6

    wait_for(change)
    red.sliceView().renderWindow().RemoveObserver(tag)
    assert np.diff(drawn[1:]).min() > 0.03
    assert step > len(drawn)


def test_other_events_come_between_the_pictures_of_two_views(manager, shown, monkeypatch):
    """Three pictures in a row would keep everything else waiting three times as long."""
    happened = []
    draw = DrawnWidget._draw
    monkeypatch.setattr(DrawnWidget, "_draw", lambda view: happened.append("picture") or draw(view))
    fixed, moving = shown
    wait_for(lambda: "picture" in happened)
    QApplication.processEvents()
    happened.clear()
    beat = QTimer()
    beat.timeout.connect(lambda: happened.append("beat"))
    beat.start(0)
    slicer.util.setSliceViewerLayers(background=moving, foreground=fixed)
    wait_for(lambda: happened.count("picture") >= 3)
    beat.stop()
    assert "picture picture" not in " ".join(happened)


def test_a_view_that_nobody_sees_is_not_drawn(manager, shown, red):
    manager.viewport().hide()
    drawn = []
    window = red.sliceView().renderWindow()
    tag = window.AddObserver("EndEvent", lambda *_: drawn.append(1))
    red.mrmlSliceCompositeNode().SetForegroundOpacity(0.9)
    red.sliceView().forceRender()
    for _ in range(10):
        QApplication.processEvents()
    assert not drawn
    manager.viewport().show()
    wait_for(lambda: drawn)
    window.RemoveObserver(tag)


def test_a_paused_view_keeps_its_picture_until_the_last_pause_ends(application, shown, red):
    before = grab(red.sliceView())
    application.pauseRender()
    application.pauseRender()
    red.mrmlSliceCompositeNode().SetForegroundOpacity(1.0)
    assert changed(before, grab(red.sliceView())) == 0
    application.resumeRender()
    assert changed(before, grab(red.sliceView())) == 0
    application.resumeRender()
    assert changed(before, grab(red.sliceView())) > 1000
    with pytest.raises(RuntimeError, match="not paused"):
        application.resumeRender()


def test_views_outlive_the_closing_of_the_scene(application, manager, shown, red):
    slicer.mrmlScene.Clear(False)
    assert grab(red.sliceView()).max() == 0
    assert manager.sliceWidget("Red") is red
    assert red.mrmlSliceCompositeNode().GetBackgroundVolumeID() is None
    slicer.util.setSliceViewerLayers(background=add_blob("next"))
    manager.resetSliceViews()
    assert grab(red.sliceView()).max() > 100


def test_the_name_in_the_corner_is_written_and_goes(shown, red):
    plain = grab(red.sliceView())
    red.sliceView().cornerAnnotationText = "fixed"
    red.sliceView().scheduleRender()
    assert red.sliceView().cornerAnnotationText == "fixed"
    written = grab(red.sliceView())
    assert changed(plain, written) > 20
    red.sliceView().cornerAnnotation().ClearAllTexts()
    red.sliceView().scheduleRender()
    assert changed(plain, grab(red.sliceView())) == 0


def test_places_of_the_picture_and_of_the_patient_belong_together(shown, red):
    view = red.sliceView()
    place = (12.0, -3.0, red.sliceLogic().GetSliceOffset())
    assert view.convertXYZToRAS(view.convertRASToXYZ(place)) == pytest.approx(place)
    assert view.convertDeviceToXYZ((7, 9)) == pytest.approx((7, 9, 0))


def _send(view, kind, x, y, button, buttons):
    event = QMouseEvent(kind, QPointF(x, y), QPointF(x, y), button, buttons, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(view, event)


def _enter(view):
    QApplication.sendEvent(view, QEnterEvent(QPointF(9, 9), QPointF(9, 9), QPointF(9, 9)))
    _send(view, QEvent.Type.MouseMove, 100, 100, Qt.MouseButton.NoButton, Qt.MouseButton.NoButton)


def _drag(view, button):
    _enter(view)
    _send(view, QEvent.Type.MouseButtonPress, 100, 100, button, button)
    for distance in range(0, 40, 4):
        _send(view, QEvent.Type.MouseMove, 100 + distance, 100 + distance, Qt.MouseButton.NoButton, button)
    _send(view, QEvent.Type.MouseButtonRelease, 136, 136, button, Qt.MouseButton.NoButton)


def _turn_wheel(view, angle):
    turn, none = QPoint(0, angle), Qt.MouseButton.NoButton
    place, keys, phase = QPointF(100, 100), Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase
    QApplication.sendEvent(view, QWheelEvent(place, place, QPoint(), turn, none, keys, phase, False))


def test_the_wheel_goes_through_the_slices_notch_by_notch(shown, red):
    _enter(red.sliceView())
    before, picture = red.sliceLogic().GetSliceOffset(), grab(red.sliceView())
    _turn_wheel(red.sliceView(), 120)
    assert red.sliceLogic().GetSliceOffset() == before + 1
    assert changed(picture, grab(red.sliceView())) > 100
    for _ in range(4):
        _turn_wheel(red.sliceView(), -60)
    assert red.sliceLogic().GetSliceOffset() == before - 1


def test_the_right_button_zooms_and_the_middle_one_moves(shown, red):
    width, place = red.mrmlSliceNode().GetFieldOfView()[0], red.mrmlSliceNode().GetXYZOrigin()
    _drag(red.sliceView(), Qt.MouseButton.RightButton)
    assert red.mrmlSliceNode().GetFieldOfView()[0] < width
    assert red.mrmlSliceNode().GetXYZOrigin() == place
    _drag(red.sliceView(), Qt.MouseButton.MiddleButton)
    assert red.mrmlSliceNode().GetXYZOrigin() != place


def test_the_left_button_changes_the_window_in_that_mode_only(application, shown, red):
    modes, display = application.applicationLogic().GetInteractionNode(), shown[1].GetDisplayNode()
    before = display.GetWindow(), display.GetLevel()
    _drag(red.sliceView(), Qt.MouseButton.LeftButton)
    assert (display.GetWindow(), display.GetLevel()) == before
    modes.SetCurrentInteractionMode(modes.AdjustWindowLevel)
    _drag(red.sliceView(), Qt.MouseButton.LeftButton)
    modes.SetCurrentInteractionMode(modes.ViewTransform)
    assert (display.GetWindow(), display.GetLevel()) != before


def test_a_click_places_a_landmark_where_the_mouse_is(application, shown, red):
    points = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode")
    points.CreateDefaultDisplayNodes()
    selection = application.applicationLogic().GetSelectionNode()
    selection.SetReferenceActivePlaceNodeClassName("vtkMRMLMarkupsFiducialNode")
    selection.SetActivePlaceNodeID(points.GetID())
    modes = application.applicationLogic().GetInteractionNode()
    modes.SetCurrentInteractionMode(modes.Place)
    view = red.sliceView()
    _enter(view)
    _send(view, QEvent.Type.MouseButtonPress, 100, 90, Qt.MouseButton.LeftButton, Qt.MouseButton.LeftButton)
    _send(view, QEvent.Type.MouseButtonRelease, 100, 90, Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton)
    modes.SetCurrentInteractionMode(modes.ViewTransform)
    assert points.GetNumberOfDefinedControlPoints() == 1
    there = view.convertXYZToRAS(view.convertDeviceToXYZ((100, view.height - 1 - 90)))
    assert tuple(points.GetNthControlPointPositionWorld(0)) == pytest.approx(there, abs=0.2)


def test_an_error_while_drawing_is_told_and_the_next_picture_is_drawn(shown, red, monkeypatch, caplog):
    def fail():
        raise ValueError("no picture today")

    wait_for(lambda: not red.sliceView()._is_old)
    said = []
    former = qInstallMessageHandler(lambda _kind, _context, text: said.append(text))
    with monkeypatch.context() as broken:
        broken.setattr(red.sliceView()._off_screen, "render", fail)
        red.sliceView().scheduleRender()
        red.sliceView().repaint()
    assert "no picture today" in caplog.text
    red.sliceView().scheduleRender()
    red.sliceView().repaint()
    qInstallMessageHandler(former)
    assert not [text for text in said if "QPainter" in text]
    assert grab(red.sliceView()).max() > 100


def test_the_display_sees_a_paint_event_per_picture_and_none_when_nothing_changes(shown, red):
    wait_for(lambda: not red.sliceView()._is_old)
    drawn = []
    tag = red.sliceView().renderWindow().AddObserver("EndEvent", lambda *_: drawn.append(1))
    first, second = grab(red.sliceView()), grab(red.sliceView())
    red.sliceView().renderWindow().RemoveObserver(tag)
    assert changed(first, second) == 0
    assert not drawn


def test_no_render_window_outlives_its_view(manager, shown):
    node = slicer.mrmlScene.AddNode(_slice_node("Short-lived"))
    widget = manager.sliceWidget("Short-lived")
    grab(widget)
    gone = []
    widget.sliceView().renderWindow().AddObserver("DeleteEvent", lambda *_: gone.append("window"))
    widget.sliceLogic().AddObserver("DeleteEvent", lambda *_: gone.append("logic"))
    del widget
    slicer.mrmlScene.RemoveNode(node)
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    gc.collect()
    assert sorted(gone) == ["logic", "window"]
    assert "Short-lived" not in manager.sliceViewNames()


def _slice_node(name):
    node = slicer.vtkMRMLSliceNode()
    node.SetName(name)
    node.SetLayoutName(name)
    node.SetSingletonTag(name)
    return node


def _only(*present):
    def load(library):
        if library not in present:
            raise OSError(library)

    return load


@pytest.mark.parametrize(
    ("present", "chosen"),
    [
        (("libEGL.so.1", "libOSMesa.so.8"), "vtkEGLRenderWindow"),
        (("libOSMesa.so.8",), "vtkOSOpenGLRenderWindow"),
    ],
)
def test_a_library_that_draws_off_screen_is_chosen(monkeypatch, present, chosen):
    monkeypatch.setattr(off_screen.sys, "platform", "linux")
    monkeypatch.setenv("VTK_DEFAULT_OPENGL_WINDOW", "")
    monkeypatch.setattr(off_screen.ctypes, "CDLL", _only(*present))
    off_screen.choose_library()
    assert os.environ["VTK_DEFAULT_OPENGL_WINDOW"] == chosen


def test_without_such_a_library_its_package_is_named(monkeypatch):
    monkeypatch.setattr(off_screen.sys, "platform", "linux")
    monkeypatch.setenv("VTK_DEFAULT_OPENGL_WINDOW", "")
    monkeypatch.setattr(off_screen.ctypes, "CDLL", _only())
    with pytest.raises(RuntimeError, match="Debian: libegl1 or libosmesa6"):
        off_screen.choose_library()
    monkeypatch.setenv("VTK_DEFAULT_OPENGL_WINDOW", "vtkWin32OpenGLRenderWindow")
    off_screen.choose_library()
    assert os.environ["VTK_DEFAULT_OPENGL_WINDOW"] == "vtkWin32OpenGLRenderWindow"


def test_views_need_no_display_and_vtk_has_nothing_to_complain_of():
    script = "from slicer_api_host.application import start; from slicer_api_host.views.pictures import grab;"
    script += "print(grab(start().layoutManager().sliceWidget('Red').sliceView()).shape[2])"
    names = ("DISPLAY", "WAYLAND_DISPLAY", "VTK_DEFAULT_OPENGL_WINDOW")
    environment = {name: value for name, value in os.environ.items() if name not in names}
    environment |= {"QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.split() == ["3"]
    assert done.stderr == ""
