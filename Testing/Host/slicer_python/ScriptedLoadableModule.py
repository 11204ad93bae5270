"""The classes that every scripted module derives from.

Of a module ``Name`` the application takes ``Name``, ``NameWidget``, ``NameLogic`` and ``NameTest`` out of ``Name.py``.
"""

from __future__ import annotations

import importlib
import logging
import os
import unittest
from typing import Any

import qt
import slicer
from slicer._developer_section import DeveloperSection
from slicer.i18n import tr as _

__all__ = [
    "ScriptedLoadableModule",
    "ScriptedLoadableModuleLogic",
    "ScriptedLoadableModuleTest",
    "ScriptedLoadableModuleWidget",
]


class ScriptedLoadableModule:
    """Describes the module to the application; ``parent`` carries its title, categories, dependencies and texts."""

    def __init__(self, parent: Any) -> None:
        super().__init__()
        self.parent = parent
        self.moduleName = type(self).__name__
        parent.title = parent.helpText = parent.acknowledgementText = ""
        parent.categories, parent.dependencies, parent.contributors = [], [], []
        icons = [self.resourcePath(f"Icons/{self.moduleName}.{kind}") for kind in ("svg", "png")]
        if icon := next(filter(os.path.isfile, icons), None):
            parent.icon = qt.QIcon(icon)
        if not hasattr(slicer, "selfTests"):
            slicer.selfTests = {}
        slicer.selfTests[self.moduleName] = self.runTest

    def resourcePath(self, filename: str) -> str:
        """Return the path of a file in the folder Resources of the module."""
        return os.path.join(os.path.dirname(self.parent.path), "Resources", filename)

    def getDefaultModuleDocumentationLink(self, docPage: str | None = None) -> str:
        """Return a paragraph for the help text, with a link to the manual of the application."""
        base = slicer.app.documentationBaseUrl
        url = slicer.app.moduleDocumentationUrl(self.moduleName) if docPage is None else base + docPage
        return "<p>" + _("More in the {start}manual{end}.").format(start=f'<a href="{url}">', end="</a>") + "</p>"

    def runTest(self, msec: int = 100, **kwargs: Any) -> None:
        """Run the self-test of the module; every message is shown for ``msec``.

        Raises:
            AssertionError: a test failed, or the module has none.
        """
        test_class = getattr(importlib.import_module(self.__module__), f"{self.moduleName}Test", None)
        if test_class is None:
            raise AssertionError(f"{self.moduleName} has no class {self.moduleName}Test.")
        test = test_class()
        test.messageDelay = msec
        test.runTest(**kwargs)


class ScriptedLoadableModuleWidget:
    """The panel of the module, in the layout of ``parent``; the application calls ``setup`` once.

    A module may add ``enter`` and ``exit``, which are called when its panel is shown and left. Without ``parent`` the
    panel is a window of its own.
    """

    def __init__(self, parent: Any = None) -> None:
        super().__init__()
        self.moduleName = type(self).__name__.removesuffix("Widget")
        self.developerMode = slicer.util.settingsValue("Developer/DeveloperMode", False, converter=slicer.util.toBool)
        self.parent = parent
        if parent is None:
            self.parent = slicer.qMRMLWidget()
            self.parent.setLayout(qt.QVBoxLayout())
            self.parent.setMRMLScene(slicer.mrmlScene)
        self.layout = self.parent.layout()
        if parent is None:
            self.setup()
            self.parent.show()
        slicer.app.moduleManager().connect("moduleAboutToBeUnloaded(QString)", self._onModuleAboutToBeUnloaded)

    def resourcePath(self, filename: str) -> str:
        """Return the path of a file in the folder Resources of the module."""
        return os.path.join(os.path.dirname(slicer.util.modulePath(self.moduleName)), "Resources", filename)

    def setup(self) -> None:
        """Build the panel; a module calls this first, and then adds its own widgets."""
        if self.developerMode:
            self.developerSection = DeveloperSection(self)

    def cleanup(self) -> None:
        """Let go of everything; the panel is about to be destroyed."""

    def onReload(self) -> None:
        """Load the files of the module again, and build its panel anew."""
        slicer.util.reloadScriptedModule(self.moduleName)

    def onTest(self, **kwargs: Any) -> None:
        """Run the self-test of the module."""
        with slicer.util.tryWithErrorDisplay("Test failed."):
            self._runSelfTest(**kwargs)

    def onReloadAndTest(self, **kwargs: Any) -> None:
        """Load the files of the module again, and run its self-test."""
        with slicer.util.tryWithErrorDisplay("Reload and Test failed."):
            self.onReload()
            self._runSelfTest(**kwargs)

    def _runSelfTest(self, **kwargs: Any) -> None:
        delay = int(slicer.app.userSettings().value("Developer/SelfTestDisplayMessageDelay", 100))
        slicer.selfTests[self.moduleName](msec=delay, **kwargs)

    def _onModuleAboutToBeUnloaded(self, moduleName: str) -> None:
        if moduleName == self.moduleName:
            self.cleanup()
            manager = slicer.app.moduleManager()
            manager.disconnect("moduleAboutToBeUnloaded(QString)", self._onModuleAboutToBeUnloaded)


class ScriptedLoadableModuleLogic:
    """What the module does, without a window.

    Attributes:
        isSingletonParameterNode: the scene holds one parameter node of this module; False allows several.
    """

    def __init__(self, parent: Any = None) -> None:
        super().__init__()
        self.moduleName = type(self).__name__.removesuffix("Logic")
        self.isSingletonParameterNode = True

    def getParameterNode(self) -> Any:
        """Return the parameter node of the module in the scene, which is made if there is none."""
        if self.isSingletonParameterNode:
            node = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
            if node is not None and node.GetAttribute("ModuleName") != self.moduleName:
                node.SetAttribute("ModuleName", self.moduleName)  # a closed scene keeps the node without it
        else:
            node = next(iter(self.getAllParameterNodes()), None)
        return node if node is not None else slicer.mrmlScene.AddNode(self.createParameterNode())

    def getAllParameterNodes(self) -> list[Any]:
        """Return the parameter nodes of the module in the scene."""
        nodes = slicer.util.getNodesByClass("vtkMRMLScriptedModuleNode")
        return [node for node in nodes if node.GetAttribute("ModuleName") == self.moduleName]

    def createParameterNode(self) -> Any:
        """Return a new parameter node that is in no scene yet."""
        node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
        node.UnRegister(None)  # the caller owns it
        if self.isSingletonParameterNode:
            node.SetSingletonTag(self.moduleName)
        node.SetAttribute("ModuleName", self.moduleName)
        node.SetName(slicer.mrmlScene.GenerateUniqueName(self.moduleName))
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    """The self-test of the module.

    Attributes:
        messageDelay: for how many milliseconds ``delayDisplay`` shows a message, if somebody set it.
    """

    def delayDisplay(self, message: str, requestedDelay: int | None = None, msec: int | None = None) -> None:
        """Show ``message`` and let the application draw itself; below 400 ms no box is shown."""
        wanted = (getattr(self, "messageDelay", None), msec, requestedDelay, 100)
        slicer.util.delayDisplay(message, next(delay for delay in wanted if delay is not None))

    def runTest(self) -> None:
        """Run every method whose name holds ``test``, between ``setUp`` and ``tearDown``; a module says more."""
        names = [name for name in dir(self) if name.startswith("test") and callable(getattr(self, name))]
        if not names:
            logging.warning(f"{type(self).__name__} holds no test.")
        for name in names:
            self.setUp()
            getattr(self, name)()
            self.tearDown()
