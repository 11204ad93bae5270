"""The widgets for two real numbers: ctkDoubleRangeSlider, and ctkRangeWidget with its two spin boxes."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtGui import QMouseEvent, QPaintEvent, QPalette
from PySide6.QtWidgets import QSizePolicy, QSlider, QStyle, QStyleOptionSlider, QStylePainter, QWidget

from slicer_api_host.ctk_widgets.double_spin_box import ctkDoubleSpinBox
from slicer_api_host.ctk_widgets.parts import parent_among, row_of
from slicer_api_host.declare import Property, Signal, Slot, forwarded_property, register, stored_property

_STEPS = 1000  # of the handles on the screen


@register
class ctkDoubleRangeSlider(QWidget):
    """A slider with two handles."""

    minimumValueChanged = Signal(float)
    maximumValueChanged = Signal(float)
    valuesChanged = Signal(float, float)
    rangeChanged = Signal(float, float)
    sliderPressed = Signal()
    sliderReleased = Signal()

    def __init__(self, *arguments: QWidget | Qt.Orientation | None) -> None:
        super().__init__(parent_among(arguments))
        self._ends, self._values = (0.0, 99.0), (0.0, 99.0)
        self._held: int | None = None  # the handle under the mouse
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    @Slot(float, float)
    def setRange(self, minimum: float, maximum: float) -> None:
        ends = (min(minimum, maximum), max(minimum, maximum))
        if ends != self._ends:
            self._ends = ends
            self.rangeChanged.emit(*ends)
        self.setValues(*self._values)
        self.update()

    @Slot(float, float)
    def setValues(self, minimum: float, maximum: float) -> None:
        low, high = sorted(min(max(self._ends[0], value), self._ends[1]) for value in (minimum, maximum))
        before, self._values = self._values, (low, high)
        if before == self._values:
            return
        self.update()
        if before[0] != low:
            self.minimumValueChanged.emit(low)
        if before[1] != high:
            self.maximumValueChanged.emit(high)
        self.valuesChanged.emit(low, high)

    @Slot(float)
    def setMinimumValue(self, value: float) -> None:
        self.setValues(value, max(value, self._values[1]))

    @Slot(float)
    def setMaximumValue(self, value: float) -> None:
        self.setValues(min(value, self._values[0]), value)

    minimum = Property(float, lambda self: self._ends[0], lambda self, end: self.setRange(end, max(end, self._ends[1])))
    maximum = Property(float, lambda self: self._ends[1], lambda self, end: self.setRange(min(end, self._ends[0]), end))
    minimumValue = Property(float, lambda self: self._values[0], setMinimumValue)
    maximumValue = Property(float, lambda self: self._values[1], setMaximumValue)
    singleStep = stored_property(float, "singleStep", 1.0)
    tickInterval = stored_property(float, "tickInterval", 0.0)
    tracking = stored_property(bool, "tracking", True)
    symmetricMoves = stored_property(bool, "symmetricMoves", False)

    def sizeHint(self) -> QSize:
        return QSlider(Qt.Orientation.Horizontal).sizeHint

    def minimumSizeHint(self) -> QSize:
        return QSlider(Qt.Orientation.Horizontal).minimumSizeHint

    def _option(self, handle: int) -> QStyleOptionSlider:
        option = QStyleOptionSlider()
        option.initFrom(self)
        option.orientation = Qt.Orientation.Horizontal
        option.state |= QStyle.StateFlag.State_Horizontal
        option.minimum, option.maximum = 0, _STEPS
        low, high = self._ends
        share = (self._values[handle] - low) / (high - low) if high > low else 0.0
        option.sliderPosition = option.sliderValue = round(share * _STEPS)
        option.subControls = QStyle.SubControl.SC_SliderHandle
        return option

    def _part(self, option: QStyleOptionSlider, part: QStyle.SubControl) -> QRect:
        return self.style().subControlRect(QStyle.ComplexControl.CC_Slider, option, part, self)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QStylePainter(self)
        try:
            handles = [self._option(handle) for handle in (0, 1)]
            groove = self._part(handles[0], QStyle.SubControl.SC_SliderGroove)
            left, right = (self._part(h, QStyle.SubControl.SC_SliderHandle).center().x() for h in handles)
            line = QRect(groove.left(), groove.center().y() - 1, groove.width(), 3)
            painter.fillRect(line, self.palette.color(QPalette.ColorRole.Mid))
            line.setLeft(left)
            line.setRight(right)
            painter.fillRect(line, self.palette.color(QPalette.ColorRole.Highlight))
            for option in handles:
                painter.drawComplexControl(QStyle.ComplexControl.CC_Slider, option)
        finally:
            painter.end()

    def _value_at(self, position: QPoint) -> float:
        handle = self._part(self._option(0), QStyle.SubControl.SC_SliderHandle)
        groove = self._part(self._option(0), QStyle.SubControl.SC_SliderGroove)
        room = max(1, groove.width() - handle.width())
        share = (position.x() - groove.left() - handle.width() / 2) / room
        value = self._ends[0] + min(max(0.0, share), 1.0) * (self._ends[1] - self._ends[0])
        return round(value / self.singleStep) * self.singleStep if self.singleStep > 0 else value

    def mousePressEvent(self, event: QMouseEvent) -> None:
        value = self._value_at(event.position().toPoint())
        self._held = int(abs(value - self._values[1]) < abs(value - self._values[0]))
        self.sliderPressed.emit()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._held is not None:
            value = self._value_at(event.position().toPoint())
            low, high = self._values
            self.setValues(*((min(value, high), high) if self._held == 0 else (low, max(low, value))))

    def mouseReleaseEvent(self, _event: QMouseEvent) -> None:
        self._held = None
        self.sliderReleased.emit()


@register
class ctkRangeWidget(QWidget):
    """A slider with two handles, between two spin boxes."""

    minimumValueChanged = Signal(float)
    maximumValueChanged = Signal(float)
    minimumValueIsChanging = Signal(float)
    maximumValueIsChanging = Signal(float)
    valuesChanged = Signal(float, float)
    rangeChanged = Signal(float, float)

    def __init__(self, *arguments: QWidget | None) -> None:
        super().__init__(parent_among(arguments))
        self._low, self._slider, self._high = ctkDoubleSpinBox(), ctkDoubleRangeSlider(), ctkDoubleSpinBox()
        row_of(self, self._low, self._slider, self._high)
        self._match_range()
        self._match_values()
        self._slider.minimumValueChanged.connect(self._low.setValue)
        self._slider.maximumValueChanged.connect(self._high.setValue)
        self._slider.minimumValueChanged.connect(self.minimumValueChanged)
        self._slider.maximumValueChanged.connect(self.maximumValueChanged)
        self._slider.valuesChanged.connect(self.valuesChanged)
        self._slider.rangeChanged.connect(self.rangeChanged)
        self._low.valueChanged[float].connect(self._slider.setMinimumValue)
        self._high.valueChanged[float].connect(self._slider.setMaximumValue)

    def _match_range(self) -> None:
        for box in (self._low, self._high):
            box._set_range(self._slider.minimum, self._slider.maximum)

    def _match_values(self) -> None:
        self._low.setValue(self._slider.minimumValue)
        self._high.setValue(self._slider.maximumValue)

    def _set_end(self, name: str, end: float) -> None:
        was_blocked = [box.blockSignals(True) for box in (self._low, self._high)]
        setattr(self._slider, name, end)
        self._match_range()
        self._match_values()
        for box, blocked in zip((self._low, self._high), was_blocked, strict=True):
            box.blockSignals(blocked)

    @Slot(float, float)
    def setRange(self, minimum: float, maximum: float) -> None:
        self._set_end("minimum", min(minimum, maximum))
        self._set_end("maximum", max(minimum, maximum))

    @Slot()
    def reset(self) -> None:
        self.setValues(0.0, 0.0)

    @Slot(float)
    def setMinimumValue(self, value: float) -> None:
        self._slider.setMinimumValue(value)

    @Slot(float)
    def setMaximumValue(self, value: float) -> None:
        self._slider.setMaximumValue(value)

    @Slot(float, float)
    def setValues(self, minimum: float, maximum: float) -> None:
        self._slider.setValues(minimum, maximum)

    @Slot(int)
    def setDecimals(self, decimals: int) -> None:
        for box in (self._low, self._high):
            box.setDecimals(decimals)

    minimum = Property(float, lambda self: self._slider.minimum, lambda self, end: self._set_end("minimum", end))
    maximum = Property(float, lambda self: self._slider.maximum, lambda self, end: self._set_end("maximum", end))
    minimumValue = forwarded_property(float, "minimumValue", "_slider")
    maximumValue = forwarded_property(float, "maximumValue", "_slider")
    decimals = Property(int, lambda self: self._low.decimals, setDecimals)
    singleStep = forwarded_property(float, "singleStep", "_slider", "_low", "_high")
    prefix = forwarded_property(str, "prefix", "_low", "_high")
    suffix = forwarded_property(str, "suffix", "_low", "_high")
    spinBoxTextAlignment = forwarded_property(Qt.AlignmentFlag, "alignment", "_low", "_high")
    tickInterval = forwarded_property(float, "tickInterval", "_slider")
    symmetricMoves = forwarded_property(bool, "symmetricMoves", "_slider")
    tracking = stored_property(bool, "tracking", True)
    autoSpinBoxWidth = stored_property(bool, "autoSpinBoxWidth", True)
    spinBoxAlignment = stored_property(Qt.AlignmentFlag, "spinBoxAlignment", Qt.AlignmentFlag.AlignVCenter)
