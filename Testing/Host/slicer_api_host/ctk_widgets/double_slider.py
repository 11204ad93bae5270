"""ctkDoubleSlider."""

from __future__ import annotations

import math

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QSlider, QWidget

from slicer_api_host.ctk_widgets.parts import parent_among, row_of
from slicer_api_host.declare import Property, Signal, Slot, forwarded_property, register, stored_property

_MOST_STEPS = 2**31 - 1


@register
class ctkDoubleSlider(QWidget):
    """A slider over real numbers; dragging moves it by whole single steps."""

    valueChanged = Signal(float)
    sliderMoved = Signal(float)
    sliderPressed = Signal()
    sliderReleased = Signal()
    rangeChanged = Signal(float, float)

    def __init__(self, *arguments: QWidget | Qt.Orientation | None) -> None:
        super().__init__(parent_among(arguments))
        orientation = next((a for a in arguments if isinstance(a, Qt.Orientation)), Qt.Orientation.Vertical)
        self._slider = QSlider(orientation)
        self._value, self._minimum, self._maximum, self._step, self._page = 0.0, 0.0, 99.0, 1.0, 10.0
        row_of(self, self._slider)
        self.setSizePolicy(self._slider.sizePolicy)
        self._slider.valueChanged.connect(self._take_moved)
        self._slider.sliderMoved.connect(lambda position: self.sliderMoved.emit(self._bounded(position * self._step)))
        self._slider.sliderPressed.connect(self.sliderPressed)
        self._slider.sliderReleased.connect(self.sliderReleased)

    def _bounded(self, value: float) -> float:
        return min(max(self._minimum, value), self._maximum)

    def _take_moved(self, position: int) -> None:
        self._value = self._bounded(position * self._step)
        self.valueChanged.emit(self._value)

    def _place(self) -> None:
        """Show range and value on the slider of whole steps, silently."""
        was_blocked = self._slider.blockSignals(True)
        low, high = (self._steps(end, to) for end, to in ((self._minimum, math.floor), (self._maximum, math.ceil)))
        self._slider.setRange(low, high)
        self._slider.setPageStep(max(1, self._steps(self._page, round)))
        self._slider.setValue(self._steps(self._value, round))
        self._slider.blockSignals(was_blocked)

    def _steps(self, value: float, to) -> int:
        return int(to(min(max(-_MOST_STEPS, value / self._step), _MOST_STEPS)))

    @Slot(float, float)
    def _set_range(self, minimum: float, maximum: float) -> None:
        before = (self._minimum, self._maximum)
        self._minimum, self._maximum = min(minimum, maximum), max(minimum, maximum)
        self._place()
        if (self._minimum, self._maximum) != before:
            self.rangeChanged.emit(self._minimum, self._maximum)
        self.setValue(self._value)

    def _set_step(self, step: float) -> None:
        # CTK warns and keeps the former step
        if self._minimum == self._maximum or 0 < step <= self._maximum - self._minimum:
            self._step = step
            self._place()

    def _set_page(self, page: float) -> None:
        self._page = page
        self._place()

    @Slot(float)
    def setValue(self, value: float) -> None:
        value = self._bounded(float(value))
        changed = abs(value - self._value) > self._step * 1e-9
        self._value = value
        self._place()
        if changed:
            self.valueChanged.emit(value)

    @Slot(Qt.Orientation)
    def setOrientation(self, orientation: Qt.Orientation) -> None:
        self._slider.setOrientation(Qt.Orientation(orientation))

    value = Property(float, lambda self: self._value, setValue)
    minimum = Property(
        float,
        lambda self: self._minimum,
        lambda self, end: self._set_range(end, max(end, self._maximum)),
    )
    maximum = Property(
        float,
        lambda self: self._maximum,
        lambda self, end: self._set_range(min(self._minimum, end), end),
    )
    singleStep = Property(float, lambda self: self._step, _set_step)
    pageStep = Property(float, lambda self: self._page, _set_page)
    sliderPosition = Property(
        float,
        lambda self: self._bounded(self._slider.sliderPosition * self._step),
        lambda self, position: self._slider.setSliderPosition(self._steps(position, round)),
    )
    tickInterval = stored_property(float, "tickInterval", 0.0)
    tickPosition = forwarded_property(QSlider.TickPosition, "tickPosition", "_slider")
    tracking = forwarded_property(bool, "tracking", "_slider")
    orientation = forwarded_property(Qt.Orientation, "orientation", "_slider")
    invertedAppearance = forwarded_property(bool, "invertedAppearance", "_slider")
    invertedControls = forwarded_property(bool, "invertedControls", "_slider")
    handleToolTip = stored_property(str, "handleToolTip", "")
