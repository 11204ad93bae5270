"""A VTK window that is never on a screen: it draws into memory, and its picture is read as an array."""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Any

import numpy as np
import vtk
from numpy.typing import NDArray
from vtk.util.numpy_support import vtk_to_numpy

# Where VTK's wheel draws without a display, best first, and the shared library each needs.
_LIBRARIES = {"vtkEGLRenderWindow": "libEGL.so.1", "vtkOSOpenGLRenderWindow": "libOSMesa.so.8"}
_CHOICE = "VTK_DEFAULT_OPENGL_WINDOW"  # VTK reads it when it makes its first window


def choose_library() -> None:
    """Make VTK draw without a display on Linux, where it would try, and complain of, the X server first.

    Raises:
        RuntimeError: no library that draws off screen is installed.
    """
    if not sys.platform.startswith("linux") or os.environ.get(_CHOICE):
        return
    for window, library in _LIBRARIES.items():
        try:
            ctypes.CDLL(library)
        except OSError:
            continue
        os.environ[_CHOICE] = window
        return
    raise RuntimeError(
        f"Views need {' or '.join(_LIBRARIES.values())}, and neither is installed (Debian: libegl1 or libosmesa6)."
    )


class OffScreenWindow:
    """A window with one renderer and an interactor, which never draws by itself: `render` does."""

    def __init__(self) -> None:
        choose_library()
        self.renderer = vtk.vtkRenderer()
        self.window = vtk.vtkRenderWindow()
        self.window.SetOffScreenRendering(True)
        self.window.SetMultiSamples(0)
        self.window.AddRenderer(self.renderer)
        self.interactor = vtk.vtkGenericRenderWindowInteractor()
        self.interactor.EnableRenderOff()
        self.interactor.SetRenderWindow(self.window)
        self.interactor.SetInteractorStyle(vtk.vtkInteractorStyleUser())
        self.interactor.Initialize()

    def resize(self, width: int, height: int) -> None:
        self.window.SetSize(max(width, 1), max(height, 1))
        self.interactor.SetSize(*self.window.GetSize())

    def render(self) -> None:
        self.window.Render()

    def pixels(self) -> NDArray[np.uint8]:
        """Return the last picture: (H, W, 4) RGBA, the first row on top."""
        width, height = self.window.GetSize()
        values: Any = vtk.vtkUnsignedCharArray()
        self.window.GetRGBACharPixelData(0, 0, width - 1, height - 1, 0, values)
        return np.ascontiguousarray(vtk_to_numpy(values).reshape(height, width, 4)[::-1])

    def close(self) -> None:
        """Give the memory of the picture back; the window cannot draw any more."""
        if self.window is None:
            return
        self.interactor.SetInteractorStyle(None)
        self.interactor.SetRenderWindow(None)
        self.window.RemoveRenderer(self.renderer)
        self.window.SetInteractor(None)
        self.window.Finalize()
        self.window = self.renderer = self.interactor = None
