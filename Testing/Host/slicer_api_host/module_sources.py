"""Running the file of a scripted module, and finding its classes."""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import Any


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
