"""The class decorator ``parameterNodeWrapper``."""

from __future__ import annotations

import weakref
from typing import Any, ClassVar

import slicer
import vtk

from .annotations import Default, split, split_name
from .binding import Binding, widgets_of
from .connectors import connector_of
from .kinds import Parameter, parameters_of
from .packs import isParameterPack


class ParameterNode:
    """What every wrapped parameter node can do.

    Values are read again when the node says that it was modified, and not before: within ``StartModify`` and
    ``EndModify`` only what was set through the wrapper is seen. As in Slicer each parameter listens for itself, in the
    order of declaration, and VTK calls the first observer of a node last: other observers still see the former value of
    the first parameter when it was changed without the wrapper, for example by the removal of its node.

    Args:
        parameterNode: the vtkMRMLScriptedModuleNode. Parameters that it lacks get their defaults.
        prefix: put before the names of the parameters in the node.

    Raises:
        ValueError: the node holds a text that is no value of its parameter, or a default is out of its own bounds.
    """

    allParameters: ClassVar[dict[str, Parameter]] = {}
    _is_parameter_node_wrapper = True

    def __init__(self, parameterNode: Any, prefix: str | None = None) -> None:
        self.parameterNode = parameterNode
        self._prefix = prefix or ""
        self._bindings: dict[int, Binding] = {}
        self._nextBinding = 0
        self._values: dict[str, Any] = {}
        me = weakref.ref(self)  # the node outlives the wrapper, and must not keep it
        for name in self.allParameters:
            self._refresh(name)
            tag = parameterNode.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_, name=name: me()._refresh(name))
            weakref.finalize(self, parameterNode.RemoveObserver, tag).atexit = False

    def __setattr__(self, name: str, value: Any) -> None:
        if name[:1] != "_" and name != "parameterNode" and name not in self.allParameters:
            raise AttributeError(f"{type(self).__name__} has no parameter {name}.")
        super().__setattr__(name, value)

    def default(self, paramName: str) -> Default:
        return self._parameter(paramName)[0].default

    @classmethod
    def dataType(cls, membername: str) -> Any:
        """Return the annotated type of a parameter, or of a field of a pack by its dotted path."""
        parameter, rest = cls._parameter(membername)
        return parameter.hint if rest is None else split(parameter.hint)[0].dataType(rest)

    def getValue(self, name: str) -> Any:
        """Return the value of a parameter, or of a field of a pack by its dotted path."""
        parameter, rest = self._parameter(name)
        value = self._read(parameter.name)
        return value if rest is None else value.getValue(rest)

    def setValue(self, name: str, value: Any) -> None:
        """Set a parameter, or a field of a pack by its dotted path."""
        parameter, rest = self._parameter(name)
        if rest is None:
            self._write(parameter.name, value)
        else:
            self._read(parameter.name).setValue(rest, value)

    def connectGui(self, gui: Any) -> int:
        """Bind the widgets that carry the property SlicerParameterName and return a tag for ``disconnectGui``.

        ``gui`` is a widget, or the object that ``slicer.util.childWidgetVariables`` returns.

        Raises:
            ValueError: a widget names a parameter that does not exist.
            RuntimeError: a widget is of a kind that cannot show its parameter.
        """
        return self.connectParametersToGui(widgets_of(gui))

    def connectParametersToGui(self, mapping: dict[str, Any]) -> int:
        """Bind widgets by the names of their parameters; see ``connectGui``."""
        hints = {name: self.dataType(name) for name in mapping}
        connectors = {name: connector_of(widget, hints[name]) for name, widget in mapping.items()}
        tag = self._nextBinding
        self._nextBinding += 1
        self._bindings[tag] = Binding(self, connectors)
        return tag

    def disconnectGui(self, guiTag: int) -> None:
        """Undo ``connectGui``; an unknown tag changes nothing."""
        if guiTag in self._bindings:
            self._bindings.pop(guiTag).close()

    def StartModify(self) -> Any:
        return self.parameterNode.StartModify()

    def EndModify(self, wasModified: Any) -> Any:
        return self.parameterNode.EndModify(wasModified)

    def AddObserver(self, event: Any, callback: Any, priority: float = 0.0) -> int:
        return self.parameterNode.AddObserver(event, callback, priority)

    def RemoveObserver(self, tag: int) -> None:
        self.parameterNode.RemoveObserver(tag)

    def Modified(self) -> None:
        self.parameterNode.Modified()

    @classmethod
    def _parameter(cls, path: str) -> tuple[Parameter, str | None]:
        """Return the parameter that a dotted path starts with, and the rest of it.

        Raises:
            ValueError: the path leads nowhere.
        """
        name, rest = split_name(path)
        if name not in cls.allParameters:
            raise ValueError(f"{cls.__name__} has no parameter {name}; it has {', '.join(cls.allParameters)}.")
        parameter = cls.allParameters[name]
        if rest is not None:
            if not isParameterPack(parameter.hint):
                raise ValueError(f"{name} of {cls.__name__} is no parameter pack, so it has no {rest}.")
            split(parameter.hint)[0].dataType(rest)
        return parameter, rest

    def _read(self, name: str) -> Any:
        return self._values[name]

    def _write(self, name: str, value: Any) -> None:
        # observers are told after the new value can be read
        with slicer.util.NodeModify(self.parameterNode):
            self.allParameters[name].storage.write(self.parameterNode, self._prefix + name, value)
            self._refresh(name)

    def _refresh(self, name: str) -> None:
        """Read a parameter from the node; if it does not hold it, it gets the default."""
        parameter, stored = self.allParameters[name], self._prefix + name
        if not parameter.storage.holds(self.parameterNode, stored):
            parameter.storage.write(self.parameterNode, stored, parameter.default.value)
        self._values[name] = parameter.storage.read(self.parameterNode, stored)


def parameterNodeWrapper(classtype: type | None = None) -> Any:
    """Make a class that declares parameters by annotations a wrapper; to be used with or without parentheses.

    Raises:
        TypeError: a type that cannot be stored.
        ValueError: a parameter has the name of something that every wrapper has.
    """
    return _wrap if classtype is None else _wrap(classtype)


def isParameterNodeWrapper(classOrObj: Any) -> bool:
    return getattr(classOrObj, "_is_parameter_node_wrapper", False)


def _wrap(declaration: type) -> type:
    parameters = parameters_of(declaration)
    own = [*parameters, *(name for name in vars(declaration) if name[:2] != "__")]
    if taken := [name for name in own if hasattr(ParameterNode, name)]:
        raise ValueError(f"{declaration.__name__} declares {', '.join(taken)}, which every wrapper has.")
    members: dict[str, Any] = {name: _property(name) for name in parameters}
    members |= {"allParameters": parameters, "__module__": declaration.__module__, "__doc__": declaration.__doc__}
    members["__qualname__"] = declaration.__qualname__
    return type(declaration.__name__, (ParameterNode, declaration), members)


def _property(name: str) -> property:
    return property(lambda self: self._read(name), lambda self, value: self._write(name, value))
