"""A form that follows its parameters, and parameters that follow their form."""

from __future__ import annotations

from functools import partial
from typing import Any

import qt
import slicer
import vtk

from .connector import Connector

PROPERTY = "SlicerParameterName"


def widgets_of(gui: Any) -> dict[str, Any]:
    """Return the widgets that name a parameter, by that name; ``gui`` is a widget or holds widgets as attributes."""
    is_widget = getattr(gui, "isWidgetType", lambda: False)()
    widgets = gui.findChildren(qt.QWidget) if is_widget else vars(gui).values()
    return {widget.property(PROPERTY): widget for widget in widgets if widget.property(PROPERTY)}


class Binding:
    """Widgets and parameters that show the same values from now on, until ``close``.

    Args:
        parameters: the wrapped parameter node; its values are the first to be shown.
        connectors: how each parameter is shown, by its name.
    """

    def __init__(self, parameters: Any, connectors: dict[str, Connector]) -> None:
        self._parameters = parameters
        self._connectors = connectors
        self._updating = False
        for name, connector in connectors.items():
            connector.write(parameters.getValue(name))
            connector.connect(partial(self._on_widget, name))
        self._tag = parameters.AddObserver(vtk.vtkCommand.ModifiedEvent, self._on_parameters)

    def close(self) -> None:
        for connector in self._connectors.values():
            connector.disconnect()
        self._parameters.RemoveObserver(self._tag)

    def _on_widget(self, name: str) -> None:
        if not self._updating:
            with slicer.util.NodeModify(self._parameters):
                self._parameters.setValue(name, self._connectors[name].read())

    def _on_parameters(self, *_: Any) -> None:
        if self._updating:
            return
        self._updating = True
        try:
            with slicer.util.NodeModify(self._parameters):
                for name, connector in self._connectors.items():
                    connector.write(self._parameters.getValue(name))
        finally:
            self._updating = False
