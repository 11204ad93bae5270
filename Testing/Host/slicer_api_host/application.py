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
from PySide6.QtCore import QSettings, QTimer
from PySide6.QtWidgets import QApplication

from slicer_api_host.slicer_application import qSlicerApplication
from slicer_api_host.style import apply_theme

FOLDER = Path(__file__).resolve().parent.parent  # Testing/Host: qt.py, ctk.py and this package
SLICER_PYTHON = FOLDER / "slicer_python"  # what slicer-core lacks of the application's own Python

# Names under which Slicer's own Python files import the libraries that slicer-core keeps in one package.
_LIBRARIES = {
    "MRMLCorePython": "MRMLCore",
    "MRMLLogicPython": "MRMLLogic",
    "vtkITKPython": "vtkITK",
    "vtkTeemPython": "vtkTeem",
    "vtkSegmentationCorePython": "vtkSegmentationCore",
}


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
