"""CTK's widgets for numbers, with a scene: in Slicer its units tell their limits and suffix, the host has no units."""

from __future__ import annotations

from typing import Any

from slicer_api_host.ctk_widgets.numbers import ctkDoubleSpinBox, ctkSliderWidget
from slicer_api_host.ctk_widgets.ranges import ctkRangeWidget
from slicer_api_host.declare import register, stored_property


@register
class qMRMLSpinBox(ctkDoubleSpinBox):
    quantity = stored_property(str, "quantity", "")
    _scene = None

    def mrmlScene(self) -> Any:
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene


@register
class qMRMLSliderWidget(ctkSliderWidget):
    quantity = stored_property(str, "quantity", "")
    _scene = None

    def mrmlScene(self) -> Any:
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene


@register
class qMRMLRangeWidget(ctkRangeWidget):
    quantity = stored_property(str, "quantity", "")
    _scene = None

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene
