"""The hands of a user for tests of panels: click, choose, type, wait, look."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEventLoop, QPoint, Qt, QTimer
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QSlider, QStyle, QStyleOptionSlider, QWidget

LEFT = Qt.MouseButton.LeftButton


def wait_until(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    """Run the event loop until ``condition`` holds, and return what it gave.

    Raises:
        AssertionError: it did not hold within ``seconds``.
    """
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {getattr(condition, '__doc__', None) or condition}")
        QApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 10)
        time.sleep(0.005)  # what is waited for needs the processor
    return answer


def click(widget: QWidget, position: QPoint | None = None) -> None:
    """Press and release the left button of the mouse on ``widget``, in its middle by default.

    Raises:
        AssertionError: a user could not click it: it is not visible or not enabled.
    """
    _check_reachable(widget)
    QTest.mouseClick(widget, LEFT, Qt.KeyboardModifier.NoModifier, position or widget.rect.center())
    QApplication.processEvents()


def press(widget: QWidget, key: Qt.Key, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    """Press and release a key on ``widget``."""
    _check_reachable(widget)
    QTest.keyClick(widget, key, modifiers)
    QApplication.processEvents()


def type_text(widget: QWidget, text: str) -> None:
    """Replace what stands in a line, a spin box or a text field by ``text``, and leave it with Return."""
    _check_reachable(widget)
    widget.setFocus()
    QTest.keyClick(widget, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClicks(widget, text)
    QTest.keyClick(widget, Qt.Key.Key_Return)
    QApplication.processEvents()


def choose(combo: QWidget, text: str) -> None:
    """Open a combo box, or a node selector, with the mouse and click the row that reads ``text``.

    Raises:
        AssertionError: there is no such row, or it cannot be clicked.
    """
    box = _combo_box(combo)
    view = _open(box)
    index = _row(box, text)
    view.scrollTo(index)
    QTest.mouseMove(view.viewport(), view.visualRect(index).center())
    QTest.mouseClick(view.viewport(), LEFT, Qt.KeyboardModifier.NoModifier, view.visualRect(index).center())
    box.hidePopup()
    QApplication.processEvents()


def choose_with_keys(combo: QWidget, text: str) -> None:
    """Open a combo box with the mouse, go to the row that reads ``text`` with the arrow keys, and press Return."""
    box = _combo_box(combo)
    view, row = _open(box), _row(box, text).row()
    for _ in range(box.count):
        current = view.currentIndex().row()
        if current == row:
            break
        QTest.keyClick(view, Qt.Key.Key_Down if current < row else Qt.Key.Key_Up)
    QTest.keyClick(view, Qt.Key.Key_Return)
    QApplication.processEvents()


def drag_slider(slider: QSlider, value: int) -> None:
    """Drag the handle of a horizontal slider to where it stands for ``value``."""
    _check_reachable(slider)
    option = QStyleOptionSlider()
    slider.initStyleOption(option)
    handle = _handle(slider, option)
    QTest.mousePress(slider, LEFT, Qt.KeyboardModifier.NoModifier, handle)
    option.sliderPosition = value
    QTest.mouseMove(slider, _handle(slider, option))
    QTest.mouseRelease(slider, LEFT, Qt.KeyboardModifier.NoModifier, _handle(slider, option))
    QApplication.processEvents()


def when_asked(answer: Callable[[QWidget], Any], seconds: float = 10.0) -> None:
    """Let ``answer`` deal with the next modal dialog, which holds up whoever opens it."""
    deadline = time.monotonic() + seconds

    def look() -> None:
        dialog = QApplication.activeModalWidget()
        if dialog is not None:
            answer(dialog)
        elif time.monotonic() < deadline:
            QTimer.singleShot(10, look)

    QTimer.singleShot(0, look)


def grab(widget: QWidget) -> NDArray[np.uint8]:
    """Return a picture of ``widget``, (height, width, 3) RGB."""
    QApplication.processEvents()
    picture = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(picture.constBits(), np.uint8).reshape(picture.height(), picture.bytesPerLine())
    return rows[:, : picture.width() * 3].reshape(picture.height(), picture.width(), 3).copy()


def _combo_box(combo: QWidget) -> QComboBox:
    return combo if isinstance(combo, QComboBox) else combo.findChild(QComboBox)


def _open(box: QComboBox) -> QWidget:
    """Open the list of a combo box; it takes no click before the time of a double click is over, made short here."""
    usual = QApplication.doubleClickInterval()
    QApplication.setDoubleClickInterval(1)
    click(box)
    wait_until(lambda: box.view().isVisible())
    time.sleep(0.005)
    QApplication.processEvents()
    QApplication.setDoubleClickInterval(usual)
    return box.view()


def _row(box: QComboBox, text: str) -> Any:
    shown = [box.itemText(row) for row in range(box.count)]
    assert text in shown, f"there is no '{text}' among {shown}"
    return box.model().index(shown.index(text), box.modelColumn, box.rootModelIndex())


def _handle(slider: QSlider, option: QStyleOptionSlider) -> QPoint:
    control = QStyle.ComplexControl.CC_Slider
    return slider.style().subControlRect(control, option, QStyle.SubControl.SC_SliderHandle, slider).center()


def _check_reachable(widget: QWidget) -> None:
    name = widget.objectName or type(widget).__name__
    assert widget.isVisible(), f"a user cannot see {name}"
    assert widget.isEnabled(), f"{name} is disabled"
