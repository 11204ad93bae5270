"""The host, without a screen, for each of its own tests."""

from __future__ import annotations

import os
import sys

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

# it needs a source tree of Slicer; without one it is not collected, as a skipped test would look like a passed one
collect_ignore = [] if os.environ.get("SLICER_SOURCE_DIR") else ["test_conformance_with_slicer.py"]


@pytest.fixture(autouse=True)
def no_window_outlives_its_test():
    """Delete the windows that a test leaves; all that is alive follows every change of the one scene there is."""
    from PySide6.QtCore import QCoreApplication, QEvent
    from PySide6.QtWidgets import QApplication

    started = QApplication.instance() is not None
    before = QApplication.topLevelWidgets()
    yield
    if not started:  # the windows are those of the application itself
        return
    for window in QApplication.topLevelWidgets():
        if window not in before:
            window.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


@pytest.fixture
def application():
    """Give ``slicer.app``; there is one per process."""
    from slicer_api_host.application import start

    return start()


@pytest.fixture
def scene(application):
    """Give the scene of the application, empty; it is closed afterwards, as a user closes it: singleton nodes stay.

    But for the views of other layouts, which would be drawn from then on.
    """
    scene = application.mrmlScene()
    scene.Clear(False)
    views = _slice_nodes(scene)
    yield scene
    scene.Clear(False)
    for node in _slice_nodes(scene):
        if node not in views:
            scene.RemoveNode(node)


def _slice_nodes(scene):
    count = scene.GetNumberOfNodesByClass("vtkMRMLSliceNode")
    return [scene.GetNthNodeByClass(number, "vtkMRMLSliceNode") for number in range(count)]


@pytest.fixture
def qt(application):
    import qt

    return qt


@pytest.fixture
def ctk(qt):
    import ctk

    return ctk


@pytest.fixture
def slot_errors(monkeypatch):
    """Give the exceptions that were raised in slots and event handlers, which Qt only prints."""
    errors = []
    monkeypatch.setattr(sys, "excepthook", lambda _type, error, _trace: errors.append(error))
    return errors


@pytest.fixture
def show(qt):
    """Give a function that shows a widget and lets Qt lay it out."""

    def show(widget):
        widget.show()
        qt.QApplication.processEvents()
        return widget

    return show


@pytest.fixture
def type_keys(qt):
    """Give a function that types a text into a widget."""
    from PySide6.QtTest import QTest

    def type_keys(widget, text):
        QTest.keyClicks(widget, text)
        qt.QApplication.processEvents()

    return type_keys


@pytest.fixture
def heard():
    """Give a list, and a way to write down the signals of a widget in it: ``heard.follow(box, "toggled(bool)")``."""

    class Heard(list):
        def follow(self, widget, *signals):
            for signal in signals:
                name = signal.partition("(")[0]
                widget.connect(signal, lambda *values, name=name: self.append((name, *values)))

    return Heard()
