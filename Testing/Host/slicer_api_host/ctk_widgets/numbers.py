"""The widgets for one real number: ctkDoubleSpinBox, ctkDoubleSlider and both in one, ctkSliderWidget."""

from __future__ import annotations

import enum
import math

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDoubleSpinBox, QHBoxLayout, QSizePolicy, QSlider, QWidget

from slicer_api_host.declare import Property, Signal, Slot, forwarded_property, register, stored_property

_MOST_STEPS = 2**31 - 1


def parent_among(arguments: tuple) -> QWidget | None:
    return next((argument for argument in arguments if isinstance(argument, QWidget)), None)


def row_of(owner: QWidget, *parts: QWidget) -> None:
    """Lay ``parts`` into ``owner`` side by side, without margins."""
    layout = QHBoxLayout(owner)
    layout.setContentsMargins(0, 0, 0, 0)
    for part in parts:
        layout.addWidget(part)


@register
class ctkDoubleSpinBox(QWidget):
    """A spin box that shows its value rounded and keeps it exact."""

    valueChanged = Signal((float,), (str,))
    editingFinished = Signal()
    decimalsChanged = Signal(int)

    class SetMode(enum.IntEnum):
        SetAlways = 0
        SetIfDifferent = 1

    SetAlways, SetIfDifferent = SetMode

    def __init__(self, *arguments: QWidget | int | None) -> None:
        super().__init__(parent_among(arguments))
        self._box = QDoubleSpinBox()
        self._value, self._minimum, self._maximum = 0.0, self._box.minimum, self._box.maximum
        row_of(self, self._box)
        self.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Fixed)
        self._box.valueChanged.connect(self._take_typed)
        self._box.editingFinished.connect(self.editingFinished)

    def _take_typed(self, shown: float) -> None:
        # the exact value and its rounded picture are the same value
        if self._rounded(self._value) == self._rounded(shown):
            return
        ends = [end for end in (self._minimum, self._maximum) if self._rounded(end) == self._rounded(shown)]
        self._value = ends[0] if ends else shown
        self._say()

    def _rounded(self, value: float) -> float:
        return round(value, self._box.decimals)

    def _say(self) -> None:
        self.valueChanged[float].emit(self._value)
        self.valueChanged[str].emit(f"{self._value:.{self._box.decimals}f}")

    def _set_range(self, minimum: float, maximum: float) -> None:
        self._minimum, self._maximum = min(minimum, maximum), max(minimum, maximum)
        self._box.setRange(self._minimum, self._maximum)

    @Slot(float)
    def setValue(self, value: float) -> None:
        self.setValueIfDifferent(value)

    @Slot(float)
    def setValueIfDifferent(self, value: float) -> None:
        value = min(max(self._minimum, float(value)), self._maximum)
        if value == self._value:
            return
        self._value = value
        was_blocked = self._box.blockSignals(True)
        self._box.setValue(value)
        self._box.blockSignals(was_blocked)
        self._say()

    @Slot(float)
    def setValueAlways(self, value: float) -> None:
        self.setValueIfDifferent(value)

    @Slot(int)
    def setDecimals(self, decimals: int) -> None:
        changed = decimals != self._box.decimals
        was_blocked = self._box.blockSignals(True)
        self._box.setDecimals(decimals)
        self._box.setRange(self._minimum, self._maximum)
        self._box.setValue(self._value)
        self._box.blockSignals(was_blocked)
        if changed:
            self.decimalsChanged.emit(decimals)

    @Slot(bool)
    def setReadOnly(self, read_only: bool) -> None:
        self._box.setReadOnly(read_only)

    @Slot()
    def stepUp(self) -> None:
        self._box.stepUp()

    @Slot()
    def stepDown(self) -> None:
        self._box.stepDown()

    value = Property(float, lambda self: self._value, setValue)
    minimum = Property(
        float,
        lambda self: self._minimum,
        lambda self, end: self._set_range(end, max(end, self._maximum)),
    )
    maximum = Property(
        float,
        lambda self: self._maximum,
        lambda self, end: self._set_range(min(end, self._minimum), end),
    )
    decimals = Property(int, lambda self: self._box.decimals, setDecimals)
    singleStep = forwarded_property(float, "singleStep", "_box")
    prefix = forwarded_property(str, "prefix", "_box")
    suffix = forwarded_property(str, "suffix", "_box")
    cleanText = Property(str, lambda self: self._box.cleanText)
    readOnly = forwarded_property(bool, "readOnly", "_box")
    frame = forwarded_property(bool, "frame", "_box")
    alignment = forwarded_property(Qt.AlignmentFlag, "alignment", "_box")
    setMode = stored_property(int, "setMode", int(SetMode.SetIfDifferent))
    invertedControls = stored_property(bool, "invertedControls", False)


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


@register
class ctkSliderWidget(QWidget):
    """A slider and a spin box for the same number."""

    valueChanged = Signal(float)
    valueIsChanging = Signal(float)
    decimalsChanged = Signal(int)

    class SynchronizeSibling(enum.IntFlag):
        NoSynchronize = 0
        SynchronizeWidth = 1
        SynchronizeDecimals = 2

    NoSynchronize = SynchronizeSibling.NoSynchronize
    SynchronizeWidth = SynchronizeSibling.SynchronizeWidth
    SynchronizeDecimals = SynchronizeSibling.SynchronizeDecimals

    def __init__(self, *arguments: QWidget | None) -> None:
        super().__init__(parent_among(arguments))
        self._slider, self._spin = ctkDoubleSlider(Qt.Orientation.Horizontal), ctkDoubleSpinBox()
        row_of(self, self._slider, self._spin)
        self._slider.maximum = self._spin.maximum
        self._before: float | None = None  # the value that counts while the handle is held and tracking is off
        self._spin.valueChanged[float].connect(self._slider.setValue)
        self._spin.decimalsChanged.connect(self.setDecimals)
        self._slider.sliderPressed.connect(self._hold)
        self._slider.sliderReleased.connect(self._let_go)
        self._slider.valueChanged.connect(self._take)

    def _take(self, value: float) -> None:
        self._spin.setValue(value)
        if not self.tracking:
            self.valueIsChanging.emit(value)
        if self._before is None:
            self.valueChanged.emit(value)

    def _hold(self) -> None:
        if not self.tracking:
            self._before = self._slider.value

    def _let_go(self) -> None:
        before, self._before = self._before, None
        if before is not None and before != self._slider.value:
            self.valueChanged.emit(self._slider.value)

    def _set_minimum(self, minimum: float) -> None:
        self._slider.minimum = minimum
        self._match_range()

    def _set_maximum(self, maximum: float) -> None:
        self._slider.maximum = maximum
        self._match_range()

    def _match_range(self) -> None:
        self._spin._set_range(self._slider.minimum, self._slider.maximum)
        self._spin.setValue(self._slider.value)

    def _set_step(self, step: float) -> None:
        self._slider.singleStep = step
        self._spin.singleStep = self._slider.singleStep

    @Slot()
    def reset(self) -> None:
        self.setValue(0.0)

    @Slot(float)
    def setValue(self, value: float) -> None:
        before, self._before = self._before, None
        self._spin.setValue(value)
        self._before = before

    @Slot(bool)
    def setSpinBoxVisible(self, visible: bool) -> None:
        self._spin.setVisible(visible)

    @Slot(int)
    def setDecimals(self, decimals: int) -> None:
        if decimals != self._spin.decimals:
            self._spin.setDecimals(decimals)
            self.decimalsChanged.emit(decimals)

    value = Property(float, lambda self: self._slider.value if self._before is None else self._before, setValue)
    minimum = Property(float, lambda self: self._slider.minimum, _set_minimum)
    maximum = Property(float, lambda self: self._slider.maximum, _set_maximum)
    singleStep = Property(float, lambda self: self._slider.singleStep, _set_step)
    decimals = Property(int, lambda self: self._spin.decimals, setDecimals)
    pageStep = forwarded_property(float, "pageStep", "_slider")
    tickInterval = forwarded_property(float, "tickInterval", "_slider")
    tickPosition = forwarded_property(QSlider.TickPosition, "tickPosition", "_slider")
    invertedAppearance = forwarded_property(bool, "invertedAppearance", "_slider")
    invertedControls = forwarded_property(bool, "invertedControls", "_slider", "_spin")
    prefix = forwarded_property(str, "prefix", "_spin")
    suffix = forwarded_property(str, "suffix", "_spin")
    spinBoxAlignment = forwarded_property(Qt.AlignmentFlag, "alignment", "_spin")
    spinBoxVisible = Property(bool, lambda self: not self._spin.isHidden(), setSpinBoxVisible)
    tracking = stored_property(bool, "tracking", True)
    popupSlider = stored_property(bool, "popupSlider", False)
    synchronizeSiblings = stored_property(int, "synchronizeSiblings", int(SynchronizeSibling.SynchronizeWidth))
