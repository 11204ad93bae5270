"""Which modules there are and which are loaded: slicer.app.moduleManager() and its factory manager."""

from __future__ import annotations

import logging
import sys
from typing import Any

import shiboken6
import slicer
from PySide6.QtCore import QFileInfo, QObject, Signal

from slicer_api_host import pythonqt
from slicer_api_host.module_classes import qSlicerLoadableModule, qSlicerScriptedLoadableModule
from slicer_api_host.module_sources import ModuleLoadError
from slicer_api_host.scene import SceneParts
from slicer_api_host.sequences_module import qSlicerSequencesModule


class qSlicerModuleFactoryManager(QObject):
    """Registers the files of modules, makes modules of them and loads these, what they depend on first."""

    modulesRegistered = Signal("QStringList")
    moduleRegistered = Signal(str)
    moduleLoaded = Signal(str)
    modulesLoaded = Signal("QStringList")
    moduleAboutToBeUnloaded = Signal(str)
    moduleUnloaded = Signal(str)

    def __init__(self, parent: QObject, parts: SceneParts) -> None:
        super().__init__(parent)
        self._parts = parts
        self._files: dict[str, str] = {}
        self._instances: dict[str, Any] = {}
        self._loaded: list[str] = []

    def registerModule(self, file: QFileInfo) -> None:
        name = file.completeBaseName()
        self._files[name] = file.absoluteFilePath()
        setattr(slicer.moduleNames, name, name)
        self.moduleRegistered.emit(name)
        self.modulesRegistered.emit([name])

    def registeredModuleNames(self) -> tuple[str, ...]:
        return tuple({**self._instances, **self._files})

    def isRegistered(self, name: str) -> bool:
        return name in self.registeredModuleNames()

    def isInstantiated(self, name: str) -> bool:
        return name in self._instances

    def instantiatedModuleNames(self) -> tuple[str, ...]:
        return tuple(self._instances)

    def moduleInstance(self, name: str) -> Any:
        return self._instances.get(name)

    def isLoaded(self, name: str) -> bool:
        return name in self._loaded

    def loadedModuleNames(self) -> tuple[str, ...]:
        return tuple(self._loaded)

    def loadedModule(self, name: str) -> Any:
        return self._instances.get(name) if name in self._loaded else None

    def loadModules(self, names: list[str]) -> bool:
        """Load modules that are registered; what goes wrong is logged, and the answer is False."""
        try:
            for name in names:
                self._load(name)
        except Exception:
            logging.exception("A module could not be loaded")
            return False
        self.modulesLoaded.emit(list(names))
        return True

    def unloadModules(self) -> None:
        for name in reversed(self.loadedModuleNames()):
            self._unload(name)

    def _add_loadable(self, name: str, logic: Any) -> None:
        """Add a module of slicer-core whose ``logic`` works on the scene already."""
        kind = qSlicerSequencesModule if name == "Sequences" else qSlicerLoadableModule
        module = self._instances[name] = kind(name, logic)
        setattr(slicer.moduleNames, name, name)
        module.setMRMLScene(self._parts.scene)
        self._loaded.append(name)
        self.moduleLoaded.emit(name)

    def _load(self, name: str) -> Any:
        """Return the module ``name``, loaded.

        Raises:
            ModuleLoadError: there is no such module, what it depends on is missing, or it has no title.
        """
        if name in self._loaded:
            return self._instances[name]
        if name not in self._files:
            raise ModuleLoadError(f"there is no module {name}; there are: {', '.join(sorted(self._loaded))}")
        try:
            module = self._instances[name] = qSlicerScriptedLoadableModule(self._files[name])
            self._check(module)
        except Exception:
            self._forget(name)
            raise
        self._loaded.append(name)
        logic, application = module.logic(), self._parts.application
        application.SetModuleLogic(name, logic)
        logic.SetMRMLApplicationLogic(application)
        instance = getattr(slicer.modules, name + "Instance")
        if hasattr(instance, "setup"):
            instance.setup()
        module.setMRMLScene(self._parts.scene)
        self.moduleLoaded.emit(name)
        return module

    def _check(self, module: Any) -> None:
        for dependency in module.dependencies:
            try:
                self._load(dependency)
            except ModuleLoadError as error:
                raise ModuleLoadError(f"the module {module.name} depends on {dependency}, but {error}") from error
        if not module.title:
            raise ModuleLoadError(f"the module {module.name} has no title")

    def _unload(self, name: str) -> None:
        self.moduleAboutToBeUnloaded.emit(name)
        self._loaded.remove(name)
        self._parts.application.SetModuleLogic(name, None)
        self._forget(name)
        self.moduleUnloaded.emit(name)

    def _forget(self, name: str) -> None:
        """Delete a module and its widgets, and take its names out of ``slicer``."""
        module = self._instances.pop(name, None)
        if self._files.pop(name, None) is not None:
            sys.modules.pop(name, None)
        for place, attribute in (
            (slicer.modules, name.lower()),
            (slicer.modules, name + "Instance"),
            (slicer.modules, name + "Widget"),
            (slicer.moduleNames, name),
        ):
            vars(place).pop(attribute, None)
        getattr(slicer, "selfTests", {}).pop(name, None)
        for widget in () if module is None else (*module._widgets, module):
            if shiboken6.isValid(widget):
                shiboken6.delete(widget)


class qSlicerModuleManager(QObject):
    """The modules that are loaded, also as attributes of ``slicer.modules``."""

    moduleLoaded = Signal(str)
    moduleAboutToBeUnloaded = Signal(str)

    def __init__(self, parent: QObject, parts: SceneParts) -> None:
        super().__init__(parent)
        self._factory = qSlicerModuleFactoryManager(self, parts)
        self._factory.moduleLoaded.connect(self._offer)
        self._factory.moduleAboutToBeUnloaded.connect(self.moduleAboutToBeUnloaded)
        for name, logic in parts.modules.items():
            self._factory._add_loadable(name, logic)

    def factoryManager(self) -> qSlicerModuleFactoryManager:
        return self._factory

    def modulesNames(self) -> tuple[str, ...]:
        return self._factory.loadedModuleNames()

    def module(self, name: str) -> Any:
        return self._factory.loadedModule(name)

    def _offer(self, name: str) -> None:
        setattr(slicer.modules, name.lower(), self.module(name))
        self.moduleLoaded.emit(name)


pythonqt.CPP_CLASSES.update({qSlicerModuleFactoryManager, qSlicerModuleManager})
