"""Loading, reloading and unloading a scripted module from its file."""

from __future__ import annotations

import os
from typing import Any

import slicer
from PySide6.QtCore import QFileInfo

from slicer_api_host.module_sources import ModuleLoadError


def load_module(path: str | os.PathLike[str]) -> Any:
    """Load the scripted module at ``path`` into the running host; return what ``slicer.modules.<name>`` is from now on.

    Raises:
        ModuleLoadError: no such file, no class of its name, no title, a dependency that is missing, or a module of
            this name that was loaded already from another file.
    """
    path = os.path.abspath(path)
    if not os.path.isfile(path):
        raise ModuleLoadError(f"there is no file '{path}'")
    factory, name = slicer.app.moduleManager().factoryManager(), os.path.splitext(os.path.basename(path))[0]
    loaded = factory.loadedModule(name)
    if loaded is not None:
        if loaded.path != path:
            raise ModuleLoadError(f"the module {name} was loaded already, from '{loaded.path}'")
        return loaded
    factory.registerModule(QFileInfo(path))
    return factory._load(name)


def unload_module(name: str) -> None:
    """Unload the module ``name``: its widgets clean up and go, and ``slicer.modules`` no longer knows it.

    Raises:
        ModuleLoadError: there is no such module.
    """
    factory = slicer.app.moduleManager().factoryManager()
    if not factory.isLoaded(name):
        raise ModuleLoadError(f"the module {name} is not loaded")
    widget = factory.loadedModule(name)._widget
    if widget is not None and widget.isEntered:
        widget.exit()
    factory._unload(name)
