"""Modules as the application knows them: their description, their logic and their widgets."""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import Any

import slicer
from PySide6.QtCore import Property, QObject
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QVBoxLayout

from slicer_api_host import pythonqt
from slicer_api_host.declare import stored_property
from slicer_api_host.qmrml_widgets.scene_widgets import qSlicerWidget


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


class qSlicerAbstractModuleWidget(qSlicerWidget):
    """The widget of a module; the module panel enters it when it is shown, and exits it when another one comes."""

    def __init__(self, module: qSlicerAbstractCoreModule) -> None:
        super().__init__()
        self._module, self._entered = module, False

    isEntered = Property(bool, lambda self: self._entered)

    def module(self) -> qSlicerAbstractCoreModule:
        return self._module

    def enter(self) -> None:
        if self._entered:
            raise RuntimeError(f"the widget of the module {self._module.name} was entered twice")
        self._entered = True

    def exit(self) -> None:
        if not self._entered:
            raise RuntimeError(f"the widget of the module {self._module.name} was left without being entered")
        self._entered = False

    def setEditedNode(self, node: Any, role: str = "", context: str = "") -> bool:
        return False

    def nodeEditable(self, node: Any) -> float:
        return 0.5 if node is not None and node.GetClassName() in self._module.associatedNodeTypes else 0.0

    def _setup(self) -> None:
        self.setObjectName(f"{self._module.name}ModuleWidget")
        self.setWindowTitle(self._module.title)


class qSlicerScriptedLoadableModuleWidget(qSlicerAbstractModuleWidget):
    """The widget of a module that is written in Python: the ``parent`` of an instance of the class <Name>Widget."""

    def __init__(self, module: qSlicerScriptedLoadableModule) -> None:
        super().__init__(module)
        self.setLayout(QVBoxLayout())
        self._instantiate()

    moduleName = Property(str, lambda self: self._module.name)

    def self(self) -> Any:
        """Return the Python object behind the widget."""
        return self._python

    def reload(self) -> None:
        """Make the Python object anew from the class that ``sys.modules`` holds now, and set it up."""
        self._instantiate()
        self._setup()

    def enter(self) -> None:
        super().enter()
        self._call("enter")

    def exit(self) -> None:
        super().exit()
        self._call("exit")

    def setEditedNode(self, node: Any, role: str = "", context: str = "") -> bool:
        answer = self._call("setEditedNode", node, role, context)
        return super().setEditedNode(node, role, context) if answer is None else answer

    def nodeEditable(self, node: Any) -> float:
        answer = self._call("nodeEditable", node)
        return super().nodeEditable(node) if answer is None else answer

    def _instantiate(self) -> None:
        name = self._module.name
        self._python = class_of(sys.modules[name], name + "Widget")(self)
        setattr(slicer.modules, name + "Widget", self._python)

    def _setup(self) -> None:
        super()._setup()
        self.setWindowIcon(self._module.icon)
        self._call("setup")

    def _call(self, method: str, *arguments: Any) -> Any:
        """Call a method that the class of the module need not have."""
        function = getattr(self._python, method, None)
        return None if function is None else function(*arguments)


class ModuleLoadError(RuntimeError):
    """A module cannot be loaded; the message says why."""


def load_source(name: str, path: str) -> Any:
    """Run the file at ``path`` as the Python module ``name``; its folder joins ``sys.path``, as in Slicer."""
    folder = os.path.dirname(path)
    if folder not in sys.path:
        sys.path.append(folder)
    specification = importlib.util.spec_from_file_location(name, path)
    if specification is None or specification.loader is None:
        raise ModuleLoadError(f"'{path}' is not a Python file")
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    try:
        specification.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def class_of(module: Any, name: str) -> type:
    """Return the class ``name`` of a loaded file."""
    found = getattr(module, name, None)
    if not isinstance(found, type):
        raise ModuleLoadError(f"'{module.__file__}' holds no class {name}")
    return found


def _documentation_link(name: str) -> str:
    url = slicer.app.moduleDocumentationUrl(name)
    return f'<p>For more information see the <a href="{url}">online documentation</a>.</p>'


pythonqt.CPP_CLASSES.update({qSlicerLoadableModule, qSlicerScriptedLoadableModule, qSlicerScriptedLoadableModuleWidget})
