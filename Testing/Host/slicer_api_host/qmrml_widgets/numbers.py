"""Widgets for numbers with a unit: qMRMLSliderWidget, qMRMLSpinBox and qMRMLRangeWidget."""

from __future__ import annotations

import enum
import math
from typing import Any

import slicer
from PySide6.QtWidgets import QWidget

from slicer_api_host.ctk_widgets.double_spin_box import ctkDoubleSpinBox
from slicer_api_host.ctk_widgets.ranges import ctkRangeWidget
from slicer_api_host.ctk_widgets.slider_widget import ctkSliderWidget
from slicer_api_host.declare import Property, Slot, register, stored_property
from slicer_api_host.observations import Observations


class UnitAwareProperty(enum.IntFlag):
    """What a widget takes from the unit of its quantity."""

    NoProperty = 0
    Prefix = 1
    Suffix = 2
    Precision = 4
    MinimumValue = 8
    MaximumValue = 16
    Scaling = 32
    All = 63


class _UnitAware:
    """What the three have in common. Units with a display coefficient are not scaled: Slicer's own have none."""

    UnitAwareProperty = UnitAwareProperty
    Prefix, Suffix, Precision, MinimumValue, MaximumValue, Scaling = UnitAwareProperty
    All = UnitAwareProperty.All
    quantity = stored_property(str, "quantity", "", after="_update_from_unit")

    def _follow_units(self) -> None:
        self._scene: Any = None
        self._taken = UnitAwareProperty.Prefix | UnitAwareProperty.Suffix | UnitAwareProperty.Precision
        self._taken |= UnitAwareProperty.Scaling
        self._observations = Observations(self)

    def _set_scene(self, scene: Any) -> None:
        if scene is self._scene:
            return
        self._observations.end()
        self._scene = scene
        if scene is not None:
            selection = scene.GetNodeByID("vtkMRMLSelectionNodeSingleton")
            event = slicer.vtkMRMLSelectionNode.UnitModifiedEvent
            self._observations.add(selection, event, self._update_from_unit)
        self._update_from_unit()
        self.setEnabled(scene is not None)

    def _unit(self) -> Any:
        if self._scene is None or not self.quantity:
            return None
        selection = self._scene.GetNodeByID("vtkMRMLSelectionNodeSingleton")
        return self._scene.GetNodeByID(selection.GetUnitNodeID(self.quantity))

    def _update_from_unit(self) -> None:
        unit = self._unit()
        if unit is None:
            return
        if self._taken & UnitAwareProperty.Precision:
            self.decimals = unit.GetPrecision()
        if self._taken & UnitAwareProperty.Prefix:
            self.prefix = unit.GetPrefix() or ""
        if self._taken & UnitAwareProperty.Suffix:
            self.suffix = unit.GetSuffix() or ""
        if self._taken & UnitAwareProperty.MinimumValue:
            self.minimum = unit.GetMinimumValue()
        if self._taken & UnitAwareProperty.MaximumValue:
            self.maximum = unit.GetMaximumValue()
        if self._taken & UnitAwareProperty.Precision:
            self.singleStep = self._step(unit)


class _ForOneNumber(_UnitAware):
    def mrmlScene(self) -> Any:
        return self._scene

    @Slot("PyObject")
    def setMRMLScene(self, scene: Any) -> None:
        self._set_scene(scene)

    @Slot(str)
    def setQuantity(self, quantity: str) -> None:
        self.quantity = quantity

    @Slot(int)
    def setUnitAwareProperties(self, taken: int) -> None:
        self._taken = UnitAwareProperty(taken)

    unitAwareProperties = Property(int, lambda self: int(self._taken), setUnitAwareProperties)


@register
class qMRMLSliderWidget(_ForOneNumber, ctkSliderWidget):
    """A slider whose suffix, decimals and step are those of the unit of its quantity; the step follows the range."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._follow_units()

    def _set_end(name: str) -> Any:
        def write(self: Any, end: float) -> None:
            getattr(ctkSliderWidget, name).fset(self, end)
            self._update_from_unit()

        return write

    minimum = Property(float, ctkSliderWidget.minimum.fget, _set_end("minimum"))
    maximum = Property(float, ctkSliderWidget.maximum.fget, _set_end("maximum"))

    def _step(self, _unit: Any) -> float:
        extent = self.maximum - self.minimum
        if not 0 < extent < math.inf:
            return self.singleStep
        below = 10.0 ** math.floor(math.log10(extent))
        return min((below, 10 * below), key=lambda power: abs(power - extent)) / 100


@register
class qMRMLSpinBox(_ForOneNumber, ctkDoubleSpinBox):
    """A spin box whose suffix, decimals and step are those of the unit of its quantity."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._follow_units()

    def _step(self, unit: Any) -> float:
        return 10.0 ** -unit.GetPrecision()


@register
class qMRMLRangeWidget(ctkRangeWidget):
    """Two numbers with a quantity; as in Slicer, the quantity is that of the limits and leaves the two boxes alone."""

    quantity = stored_property(str, "quantity", "")

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: Any = None

    @Slot("PyObject")
    def setMRMLScene(self, scene: Any) -> None:
        if scene is not self._scene:
            self._scene = scene
            self.setEnabled(self.isEnabled() and scene is not None)

    @Slot(str)
    def setQuantity(self, quantity: str) -> None:
        self.quantity = quantity

    mrmlScene = Property("PyObject", lambda self: self._scene, setMRMLScene)
