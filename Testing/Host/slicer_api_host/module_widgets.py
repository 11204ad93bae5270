"""The widgets of modules, with the life that the module panel gives them: set up, entered, left, reloaded."""

from __future__ import annotations

import sys
from typing import Any

import slicer
from PySide6.QtCore import Property
from PySide6.QtWidgets import QVBoxLayout

from slicer_api_host import pythonqt
from slicer_api_host.module_sources import class_of
from slicer_api_host.qmrml_widgets.scene_widgets import qSlicerWidget


class qSlicerAbstractModuleWidget(qSlicerWidget):
    """The widget of a module; the module panel enters it when it is shown, and exits it when another one comes."""

    def __init__(self, module: Any) -> None:
        super().__init__()
        self._module, self._entered = module, False

    isEntered = Property(bool, lambda self: self._entered)

    def module(self) -> Any:
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

    def __init__(self, module: Any) -> None:
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


pythonqt.CPP_CLASSES.add(qSlicerScriptedLoadableModuleWidget)
