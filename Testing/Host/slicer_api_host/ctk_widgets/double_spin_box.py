"""ctkDoubleSpinBox."""

from __future__ import annotations

import enum

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDoubleSpinBox, QSizePolicy, QWidget

from slicer_api_host.ctk_widgets.parts import parent_among, row_of
from slicer_api_host.declare import Property, Signal, Slot, forwarded_property, register, stored_property


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
        self.setValue(self._value)

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
