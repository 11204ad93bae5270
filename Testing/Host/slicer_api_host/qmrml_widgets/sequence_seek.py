"""qMRMLSequenceBrowserSeekWidget: which item of a sequence is shown, as a slider."""

from __future__ import annotations

from typing import Any

import slicer
from PySide6.QtCore import Qt
from PySide6.QtGui import QFontDatabase
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QSlider, QWidget
from vtkmodules.vtkCommonCore import vtkCommand

from slicer_api_host.declare import Slot, register
from slicer_api_host.observations import Observations
from slicer_api_host.qmrml_widgets.scene_widgets import qMRMLWidget


@register
class qMRMLSequenceBrowserSeekWidget(qMRMLWidget):
    """The name of the index, a slider, and 7/15 or the value of the index; gray while the browser records."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._node: Any = None
        self._observations = Observations(self)
        self._name, self._slider = _label("label_IndexName"), QSlider(Qt.Orientation.Horizontal)
        self._value, self._unit = _label("label_IndexValue"), _label("label_IndexUnit")
        self._slider.setObjectName("slider_IndexValue")
        self._value.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self._value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._value.setMinimumWidth(30)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        layout = QHBoxLayout(self)
        for part in (self._name, self._slider, self._value, self._unit):
            layout.addWidget(part)
        self._slider.valueChanged.connect(self.setSelectedItemNumber)
        self._update()

    def slider(self) -> QSlider:
        return self._slider

    @Slot("PyObject")
    def setMRMLSequenceBrowserNode(self, node: Any) -> None:
        """Follow ``node``; None, or a node of another class, leaves the widget empty and gray."""
        self._observations.end()
        self._node = node if node is not None and node.IsA("vtkMRMLSequenceBrowserNode") else None
        if self._node is not None:
            kind = slicer.vtkMRMLSequenceBrowserNode
            self._observations.add(self._node, kind.IndexDisplayFormatModifiedEvent, self._fit_value)
            self._observations.add(self._node, vtkCommand.ModifiedEvent, self._update)
            self._observations.add(self._node, kind.SequenceNodeModifiedEvent, self._update)
        self._fit_value()
        self._update()

    @Slot(int)
    def setSelectedItemNumber(self, number: int) -> None:
        """Let the browser show an item; a number that is none of an item shows nothing."""
        if self._node is None:
            self._update()
            return
        sequence = self._node.GetMasterSequenceNode()
        there = sequence is not None and 0 <= number < sequence.GetNumberOfDataNodes()
        self._node.SetSelectedItemNumber(number if there else -1)

    def _fit_value(self) -> None:
        self._value.setFixedWidth(self._value.fontMetrics().horizontalAdvance(self._value.text))

    def _update(self) -> None:
        sequence = None if self._node is None else self._node.GetMasterSequenceNode()
        self.setEnabled(sequence is not None)
        if sequence is None:
            for label in (self._name, self._value, self._unit):
                label.setText("")
            return
        count, number = sequence.GetNumberOfDataNodes(), self._node.GetSelectedItemNumber()
        self._name.setText(sequence.GetIndexName())
        usable = count > 0 and not self._node.GetRecordingActive()
        self._slider.setEnabled(usable)
        if usable:
            self._slider.blockSignals(True)  # the range alone must not choose another item
            self._slider.setRange(0, count - 1)
            self._slider.blockSignals(False)
        if 0 <= number < count:
            value, unit = self._shown(sequence, number, count)
            self._value.setText(value)
            self._unit.setText(unit)
            needed = self._value.fontMetrics().horizontalAdvance(value)
            self._value.setFixedWidth(max(needed, self._value.width))
            self._slider.setValue(number)
        else:
            self._value.setFixedWidth(0)
            self._value.setText("")
            self._unit.setText("")
            self._slider.setValue(0)

    def _shown(self, sequence: Any, number: int, count: int) -> tuple[str, str]:
        if self._node.GetIndexDisplayMode() == slicer.vtkMRMLSequenceBrowserNode.IndexDisplayAsIndexValue:
            return self._node.GetFormattedIndexValue(number), sequence.GetIndexUnit()
        return f"{number + 1}/{count}", ""


def _label(name: str) -> QLabel:
    label = QLabel()
    label.setObjectName(name)
    return label
