"""Modules as the application knows them: their description, their logic, and what makes their widgets."""

from __future__ import annotations

import os
from typing import Any

import slicer
from PySide6.QtCore import Property, QObject
from PySide6.QtGui import QIcon

from slicer_api_host import pythonqt
from slicer_api_host.declare import stored_property
from slicer_api_host.module_sources import class_of, load_source
from slicer_api_host.module_widgets import qSlicerScriptedLoadableModuleWidget


class qSlicerAbstractCoreModule(QObject):
    """A module: it has a name, a logic and, if it shows itself, widgets."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._name, self._path = "NA", ""
        self._logic = self._scene = self._widget = None
        self._widgets: list[QObject] = []

    name = Property(str, lambda self: self._name)
    path = Property(str, lambda self: self._path)
    isInstalled = Property(bool, lambda self: False)
    isBuiltIn = Property(bool, lambda self: True)
    widgetRepresentationCreationEnabled = stored_property(bool, "widgetRepresentationCreationEnabled", True)

    def logic(self) -> Any:
        return self._logic

    def mrmlScene(self) -> Any:
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        if scene is self._scene:
            return
        self._scene = scene
        if self._logic is not None:
            self._logic.SetMRMLScene(scene)
        if self._widget is not None:
            self._widget.setMRMLScene(scene)

    def widgetRepresentation(self) -> Any:
        """Return the widget of the module, made at the first call; None if the module has no widget."""
        if self._widget is None:
            self._widget = self.createNewWidgetRepresentation()
        return self._widget

    def createNewWidgetRepresentation(self) -> Any:
        """Return one more widget of the module; ``setup`` runs before the widget gets the scene."""
        if not self.widgetRepresentationCreationEnabled:
            return None
        widget = self._create_widget()
        if widget is not None:
            widget._setup()
            widget.setMRMLScene(self._scene)
            self._widgets.append(widget)
        return widget

    def _create_widget(self) -> Any:
        return None


class qSlicerLoadableModule(qSlicerAbstractCoreModule):
    """A module of Slicer that is written in C++, as far as slicer-core brings it: its logic."""

    title = Property(str, lambda self: self._name)

    def __init__(self, name: str, logic: Any) -> None:
        super().__init__()
        self._name, self._logic = name, logic


class qSlicerScriptedLoadableModule(qSlicerAbstractCoreModule):
    """A module that is written in Python; what its class gets as ``parent``.

    Raises:
        ModuleLoadError: the file holds no class of the name of the file.
    """

    title = stored_property(str, "title", "")
    categories = stored_property("QStringList", "categories", list)
    contributors = stored_property("QStringList", "contributors", list)
    associatedNodeTypes = stored_property("QStringList", "associatedNodeTypes", list)
    helpText = stored_property(str, "helpText", "")
    acknowledgementText = stored_property(str, "acknowledgementText", "")
    extensions = stored_property("QVariantMap", "extensions", dict)
    icon = stored_property(QIcon, "icon", QIcon)
    hidden = stored_property(bool, "hidden", False)
    dependencies = stored_property("QStringList", "dependencies", list)
    index = stored_property(int, "index", -1)
    isBuiltIn = Property(bool, lambda self: False)
    defaultDocumentationLink = Property(str, lambda self: _documentation_link(self._name))

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path, self._name = path, os.path.splitext(os.path.basename(path))[0]
        self._logic = slicer.vtkSlicerScriptedLoadableModuleLogic()
        module = load_source(self._name, path)
        instance = class_of(module, self._name)(self)
        setattr(slicer.modules, self._name + "Instance", instance)
        if not hasattr(module, self._name + "Widget"):
            self.widgetRepresentationCreationEnabled = False

    def _create_widget(self) -> Any:
        return qSlicerScriptedLoadableModuleWidget(self)


def _documentation_link(name: str) -> str:
    url = slicer.app.moduleDocumentationUrl(name)
    return f'<p>For more information see the <a href="{url}">online documentation</a>.</p>'


pythonqt.CPP_CLASSES.update({qSlicerLoadableModule, qSlicerScriptedLoadableModule})
