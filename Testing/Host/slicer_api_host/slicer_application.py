"""What ``slicer.app`` is: the application of the host, with the names that Slicer's has."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import slicer
from PySide6.QtCore import Property, QObject, QProcessEnvironment, QSettings, Signal
from PySide6.QtWidgets import QApplication

from slicer_api_host import pythonqt
from slicer_api_host.io_manager import qSlicerIOManager
from slicer_api_host.module_manager import qSlicerModuleManager
from slicer_api_host.modules import load_module
from slicer_api_host.scene import make_scene
from slicer_api_host.style import HostStyle

NAME = "Slicer-API host"
SLICER_MODULES = Path(__file__).resolve().parent.parent / "slicer_modules"  # those of Slicer that are written in Python


class qSlicerApplication(QApplication):
    """What ``slicer.app`` is."""

    startupCompleted = Signal()
    renderPaused = Signal(bool)
    mrmlSceneChanged = Signal("PyObject")

    def __init__(self, home: Path, testing: bool) -> None:
        super().__init__([NAME])
        self.setApplicationName(NAME)
        self.setOrganizationName(NAME)
        self._home, self._testing = home, testing
        self._style = HostStyle()  # Qt does not keep a style of Python alive
        self.setStyle(self._style)
        self._temporary, self._default_scene = str(home / "temporary"), str(Path.home())
        self._environment = QProcessEnvironment.systemEnvironment()
        self._layout_manager = None
        os.makedirs(self._temporary, exist_ok=True)
        self._settings = QSettings()
        self._options = qSlicerCommandOptions(self)

    def _build(self, views: bool) -> None:
        """Make what needs ``slicer.app`` to be there: the scene, its logics, the modules, the views."""
        self._parts = make_scene(self._home)
        slicer.mrmlScene = self._parts.scene
        self._io_manager = qSlicerIOManager(self, self._parts)
        self._module_manager = qSlicerModuleManager(self, self._parts)
        if views:
            from slicer_api_host.views import create_layout_manager

            self._layout_manager = create_layout_manager(self._parts.application, self._parts.scene)
        for kind in pythonqt.CPP_CLASSES:
            if kind.__name__.startswith("q"):
                setattr(slicer, kind.__name__, kind)
        for file in sorted(SLICER_MODULES.glob("*.py")):
            load_module(file)
        self.aboutToQuit.connect(self._close)

    def _close(self) -> None:
        """End what would outlive the application: the modules and the views."""
        self._module_manager.factoryManager().unloadModules()
        if self._layout_manager is not None:
            self._layout_manager.setMRMLScene(None)
            self._layout_manager = None

    slicerHome = Property(str, lambda self: str(self._home))
    revision = Property(str, lambda self: "0")
    majorVersion = Property(int, lambda self: 5)
    minorVersion = Property(int, lambda self: 11)
    mainApplicationName = Property(str, lambda self: NAME)
    documentationBaseUrl = Property(str, lambda self: "https://slicer.readthedocs.io/en/latest")

    def _set_temporary_path(self, path: str) -> None:
        os.makedirs(path, exist_ok=True)
        self._temporary = path

    def _set_default_scene_path(self, path: str) -> None:
        self._default_scene = path

    temporaryPath = Property(str, lambda self: self._temporary, _set_temporary_path)
    defaultScenePath = Property(str, lambda self: self._default_scene, _set_default_scene_path)

    def testingEnabled(self) -> bool:
        """Return whether questions are answered without a box, as in Slicer's test mode."""
        return self._testing

    def mrmlScene(self) -> Any:
        return self._parts.scene

    def applicationLogic(self) -> Any:
        return self._parts.application

    def moduleLogic(self, name: str) -> Any:
        return self._parts.application.GetModuleLogic(name)

    def moduleManager(self) -> Any:
        return self._module_manager

    def coreIOManager(self) -> Any:
        return self._io_manager

    def ioManager(self) -> Any:
        return self._io_manager

    def layoutManager(self) -> Any:
        """Return the manager of the views; None without views, as in Slicer without a main window."""
        return self._layout_manager

    def setLayoutManager(self, manager: Any) -> None:
        self._layout_manager = manager

    def settings(self) -> QSettings:
        return self._settings

    def userSettings(self) -> QSettings:
        return self._settings

    def revisionUserSettings(self) -> QSettings:
        return self._settings

    def startupEnvironment(self) -> QProcessEnvironment:
        """Return the environment of the process that started the host."""
        return QProcessEnvironment(self._environment)

    def environment(self) -> QProcessEnvironment:
        return QProcessEnvironment.systemEnvironment()

    def moduleDocumentationUrl(self, name: str) -> str:
        return f"{self.documentationBaseUrl}/user_guide/modules/{name.lower()}.html"

    def commandOptions(self) -> Any:
        return self._options

    def openExtensionsManagerDialog(self) -> None:
        """Do nothing: the host has no extensions."""

    def setRenderPaused(self, paused: bool) -> None:
        if self._layout_manager is not None:
            self._layout_manager.setRenderPaused(paused)
        self.renderPaused.emit(paused)

    def pauseRender(self) -> None:
        self.setRenderPaused(True)

    def resumeRender(self) -> None:
        self.setRenderPaused(False)


class qSlicerCommandOptions(QObject):
    """How the host was started, in the words of Slicer's command line."""

    noMainWindow = Property(bool, lambda self: slicer.app._layout_manager is None)
    testingEnabled = Property(bool, lambda self: slicer.app.testingEnabled())
    verboseModuleDiscovery = Property(bool, lambda self: False)


pythonqt.CPP_CLASSES.update({qSlicerApplication, qSlicerCommandOptions})
