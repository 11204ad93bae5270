"""The Slicer-API host: an application that offers scripted modules the Python API of Slicer, as far as they use it.

It is not Slicer and never says so. The scene, its nodes and the logics are Slicer's own, out of slicer-core; the
application, the widgets and the views around them are made here, with the names that Slicer has, and no other ones.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import slicer
from PySide6.QtCore import Property, QObject, QProcessEnvironment, QSettings, QTimer, Signal
from PySide6.QtWidgets import QApplication

from slicer_api_host import pythonqt
from slicer_api_host.style import HostStyle, apply_theme

NAME = "Slicer-API host"
FOLDER = Path(__file__).resolve().parent.parent  # Testing/Host: qt.py, ctk.py and this package
SLICER_PYTHON = FOLDER / "slicer_python"  # what slicer-core lacks of the application's own Python
SLICER_MODULES = FOLDER / "slicer_modules"  # modules of Slicer that are written in Python

# Names under which Slicer's own Python files import the libraries that slicer-core keeps in one package.
_LIBRARIES = {
    "MRMLCorePython": "MRMLCore",
    "MRMLLogicPython": "MRMLLogic",
    "vtkITKPython": "vtkITK",
    "vtkTeemPython": "vtkTeem",
    "vtkSegmentationCorePython": "vtkSegmentationCore",
}


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
        from slicer_api_host.io_manager import qSlicerIOManager
        from slicer_api_host.module_manager import qSlicerModuleManager
        from slicer_api_host.modules import load_module
        from slicer_api_host.scene import make_scene

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


def start(
    python_folder: str | os.PathLike[str] | None = None,
    *,
    home: Path | None = None,
    testing: bool = True,
    views: bool = True,
    theme: str = "light",
) -> Any:
    """Start the host once per process and return ``slicer.app``.

    Args:
        python_folder: what completes the package ``slicer``: by default our own subset of the application's Python, or
            the folder Base/Python/slicer of a source tree of Slicer.
        home: where settings and temporary files are kept; by default a folder that goes with the process.
        testing: as Slicer's option --testing: questions are answered without a box.
        views: whether there are slice views, and so a layout manager.
        theme: the colors, "light" or "dark".

    Raises:
        RuntimeError: the host was started already with another ``python_folder``, or another application runs.
    """
    folder = Path(SLICER_PYTHON if python_folder is None else python_folder).resolve()
    if not (folder / "ScriptedLoadableModule.py").is_file():
        raise RuntimeError(f"'{folder}' does not hold Slicer's own Python: there is no ScriptedLoadableModule.py in it")
    running = QApplication.instance()
    if isinstance(running, qSlicerApplication):
        if python_folder is not None and str(folder) != slicer.__path__[-1]:
            raise RuntimeError(f"the host runs already, with the Python of '{slicer.__path__[-1]}'")
        return running
    if running is not None:
        raise RuntimeError("another Qt application runs in this process")
    _complete_python(folder)
    if home is None:
        home = Path(tempfile.mkdtemp(prefix="slicer-api-host-"))
        atexit.register(shutil.rmtree, home, ignore_errors=True)
    QSettings.setDefaultFormat(QSettings.Format.IniFormat)
    QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(home))
    application = slicer.app = qSlicerApplication(home, testing)
    apply_theme(theme)
    application._build(views)
    atexit.register(application._close)
    QTimer.singleShot(0, application.startupCompleted.emit)
    return application


def _complete_python(folder: Path) -> None:
    """Make ``import qt``, ``ctk`` and all of ``slicer`` work, and take away what only slicer-core has there."""
    if str(FOLDER) not in sys.path:
        sys.path.insert(0, str(FOLDER))
    import ctk  # noqa: F401
    import qt  # noqa: F401
    import slicer.util
    import slicer_core

    from slicer_api_host import qmrml_widgets  # noqa: F401

    for name in [name for name, value in vars(slicer).items() if value is vars(slicer.util).get(name)]:
        delattr(slicer, name)  # in Slicer, slicer.getNode is not slicer.util.getNode
    for name, library in _LIBRARIES.items():
        sys.modules.setdefault(name, getattr(slicer_core, library))
    for name in ("modules", "moduleNames"):
        sys.modules[f"slicer.{name}"] = ModuleType(f"slicer.{name}")
        setattr(slicer, name, sys.modules[f"slicer.{name}"])
    slicer.__path__.append(str(folder))


def why_no_display() -> str:
    """Return why no window can be opened, as a sentence; empty if one can. Qt itself would just end the process."""
    probe = "from PySide6.QtGui import QGuiApplication; QGuiApplication([])"
    tried = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False)
    if tried.returncode == 0:
        return ""
    return "There is no display to open a window on: set DISPLAY, or QT_QPA_PLATFORM=offscreen to draw without one."
