"""ctkSliderWidget."""

from __future__ import annotations

import enum

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QSlider, QWidget

from slicer_api_host.ctk_widgets.double_slider import ctkDoubleSlider
from slicer_api_host.ctk_widgets.double_spin_box import ctkDoubleSpinBox
from slicer_api_host.ctk_widgets.parts import parent_among, row_of
from slicer_api_host.declare import Property, Signal, Slot, forwarded_property, register, stored_property


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
        self._slider._set_range(self._spin.minimum, self._spin.maximum)
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

    def _set_range(self, minimum: float, maximum: float) -> None:
        was_blocked = self._spin.blockSignals(True)
        self._spin._set_range(minimum, maximum)
        self._spin.blockSignals(was_blocked)
        self._slider._set_range(minimum, maximum)

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
    minimum = Property(
        float,
        lambda self: self._slider.minimum,
        lambda self, end: self._set_range(end, max(end, self._slider.maximum)),
    )
    maximum = Property(
        float,
        lambda self: self._slider.maximum,
        lambda self, end: self._set_range(min(end, self._slider.minimum), end),
    )
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
