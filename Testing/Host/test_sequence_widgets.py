"""The seek and play widgets drive a sequence browser, and the module Sequences plays it."""

from __future__ import annotations

import pytest
import slicer
import vtk
from PySide6.QtCore import QMetaObject
from PySide6.QtGui import QShortcut

from Testing.Panel.clicking import click, drag_slider, type_text, wait_until


@pytest.fixture
def browser(scene):
    """Give a sequence browser over five transforms; item k moves its proxy by k mm along x."""
    sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "steps")
    sequence.SetIndexName("Step")
    sequence.SetIndexUnit("")
    for number in range(5):
        node, matrix = slicer.vtkMRMLTransformNode(), vtk.vtkMatrix4x4()
        matrix.SetElement(0, 3, number)
        node.SetMatrixTransformToParent(matrix)
        sequence.SetDataNodeAtValue(node, str(number))
    browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", "browser")
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    browser.SetIndexDisplayMode(browser.IndexDisplayAsIndex)
    browser.SetSelectedItemNumber(0)
    return browser


@pytest.fixture
def seek(browser):
    widget = slicer.qMRMLSequenceBrowserSeekWidget()
    widget.setMRMLSequenceBrowserNode(browser)
    widget.resize(400, 40)
    widget.show()
    yield widget
    widget.delete()


@pytest.fixture
def play(browser):
    widget = slicer.qMRMLSequenceBrowserPlayWidget()
    widget.setMRMLSequenceBrowserNode(browser)
    widget.resize(600, 60)
    widget.show()
    yield widget
    widget.delete()


def shift(browser):
    matrix = vtk.vtkMatrix4x4()
    browser.GetProxyNode(browser.GetMasterSequenceNode()).GetMatrixTransformToParent(matrix)
    return matrix.GetElement(0, 3)


def label(widget, name):
    return getattr(widget, name).text


def test_the_seek_widget_says_which_item_of_how_many(browser, seek):
    assert seek.enabled
    assert label(seek, "label_IndexName") == "Step"
    assert label(seek, "label_IndexValue") == "1/5"
    browser.SetSelectedItemNumber(3)
    assert label(seek, "label_IndexValue") == "4/5"
    assert seek.slider().value == 3


def test_the_seek_widget_says_the_value_where_the_browser_asks_for_it(browser, seek):
    browser.SetSelectedItemNumber(2)
    browser.GetMasterSequenceNode().SetIndexUnit("s")
    browser.SetIndexDisplayMode(browser.IndexDisplayAsIndexValue)
    assert label(seek, "label_IndexValue") == "2.00"
    assert label(seek, "label_IndexUnit") == "s"


def test_dragging_the_slider_moves_the_proxy_node(browser, seek):
    drag_slider(seek.slider(), 4)
    assert browser.GetSelectedItemNumber() == 4
    assert shift(browser) == 4


def test_a_new_item_makes_the_slider_longer_and_moves_nothing(browser, seek):
    browser.SetSelectedItemNumber(4)
    browser.GetMasterSequenceNode().SetDataNodeAtValue(slicer.vtkMRMLTransformNode(), "5")
    assert seek.slider().maximum == 5
    assert browser.GetSelectedItemNumber() == 4
    assert label(seek, "label_IndexValue") == "5/6"


def test_the_slider_rests_while_the_browser_records(browser, seek):
    browser.SetRecordingActive(True)
    assert not seek.slider().enabled
    browser.SetRecordingActive(False)
    assert seek.slider().enabled


def test_without_a_browser_both_widgets_are_gray_and_silent(scene):
    seek, play = slicer.qMRMLSequenceBrowserSeekWidget(), slicer.qMRMLSequenceBrowserPlayWidget()
    for widget in (seek, play):
        widget.setMRMLSequenceBrowserNode(None)
        assert not widget.enabled
        widget.setMRMLSequenceBrowserNode(scene.AddNewNodeByClass("vtkMRMLTableNode"))
        assert not widget.enabled
    seek.setSelectedItemNumber(1)
    play.onVcrNext()
    play.setPlaybackEnabled(True)


def test_a_browser_without_a_sequence_leaves_both_gray(scene, seek, play):
    empty = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode")
    for widget in (seek, play):
        widget.setMRMLSequenceBrowserNode(empty)
        assert not widget.enabled
    assert label(seek, "label_IndexValue") == ""


def test_closing_the_scene_does_not_trouble_the_widgets(scene, browser, seek, play):
    scene.Clear(False)
    for widget in (seek, play):
        widget.setMRMLSequenceBrowserNode(None)
        assert not widget.enabled


@pytest.mark.parametrize(
    ("button", "start", "end"),
    [
        ("VcrFirst", 2, 0),
        ("VcrPrevious", 2, 1),
        ("VcrNext", 2, 3),
        ("VcrLast", 2, 4),
        ("VcrNext", 4, 0),
        ("VcrPrevious", 0, 4),
    ],
)
def test_the_buttons_go_through_the_items(browser, play, button, start, end):
    browser.SetSelectedItemNumber(start)
    browser.SetPlaybackLooped(True)
    click(getattr(play, f"pushButton_{button}"))
    assert browser.GetSelectedItemNumber() == end


def test_playing_goes_through_all_items_and_round(application, browser, play):
    seen = []
    browser.AddObserver("ModifiedEvent", lambda *_: seen.append(browser.GetSelectedItemNumber()))
    browser.SetPlaybackLooped(True)
    type_text(play.doubleSpinBox_VcrPlaybackRate, "40")
    assert browser.GetPlaybackRateFps() == 40
    click(play.pushButton_VcrPlayPause)
    wait_until(lambda: set(seen) >= {1, 2, 3, 4} and seen[-1] < 4)
    click(play.pushButton_VcrPlayPause)
    assert not browser.GetPlaybackActive()


def test_playing_without_loop_ends_after_the_last_item_and_rewinds(browser, play):
    seen = []
    browser.AddObserver("ModifiedEvent", lambda *_: seen.append(browser.GetSelectedItemNumber()))
    browser.SetPlaybackRateFps(50)
    browser.SetPlaybackItemSkippingEnabled(False)
    browser.SetPlaybackLooped(False)
    click(play.pushButton_VcrPlayPause)
    wait_until(lambda: not browser.GetPlaybackActive())
    assert set(seen) == {0, 1, 2, 3, 4}
    assert browser.GetSelectedItemNumber() == 0
    assert not play.pushButton_VcrPlayPause.checked


def test_what_the_node_says_is_shown_and_not_said_back(browser, play):
    browser.SetPlaybackLooped(True)
    browser.SetPlaybackRateFps(7)
    assert play.pushButton_VcrLoop.checked
    assert play.doubleSpinBox_VcrPlaybackRate.value == 7
    assert not browser.GetPlaybackActive()


def test_recording_is_offered_only_where_a_sequence_records(browser, play):
    assert not play.pushButton_VcrRecord.isVisible()
    browser.SetRecording(browser.GetMasterSequenceNode(), True)
    browser.Modified()
    assert play.pushButton_VcrRecord.isVisible()
    play.RecordingControlsVisible = False
    assert not play.pushButton_VcrRecord.isVisible()


def test_shortcuts_are_children_and_act(browser, play):
    shortcuts = {s.key.toString(): s for s in play.findChildren(QShortcut)}
    assert set(shortcuts) == {"Ctrl+Shift+Down", "Ctrl+Shift+Left", "Ctrl+Shift+Right"}
    QMetaObject.invokeMethod(shortcuts["Ctrl+Shift+Right"], "activated")
    assert browser.GetSelectedItemNumber() == 1
    QMetaObject.invokeMethod(shortcuts["Ctrl+Shift+Left"], "activated")
    assert browser.GetSelectedItemNumber() == 0
    assert "Ctrl+Shift+Down" in play.pushButton_VcrPlayPause.toolTip


def test_another_shortcut_is_added_and_named(play):
    play.PlayPauseShortcut = "F5"
    assert play.PlayPauseShortcut == "F5"
    assert "F5" in play.pushButton_VcrPlayPause.toolTip
    assert len(play.findChildren(QShortcut)) == 4
