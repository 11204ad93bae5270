"""Parameter packs: several parameters that are one value, as a point is three numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from .annotations import split, split_name
from .kinds import Parameter, parameters_of


class ParameterPack:
    """What every pack can do; its fields are checked when they are set."""

    allParameters: ClassVar[dict[str, Parameter]] = {}
    _is_parameterPack = True
    _onChange: Callable[[], None] | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        names = list(self.allParameters)
        if len(args) > len(names):
            raise TypeError(f"{type(self).__name__} has {len(names)} fields, got {len(args)} values.")
        given = dict(zip(names, args, strict=False))
        if doubled := given.keys() & kwargs.keys():
            raise TypeError(f"{type(self).__name__} got {', '.join(sorted(doubled))} twice.")
        if unknown := kwargs.keys() - set(names):
            raise TypeError(f"{type(self).__name__} has no {', '.join(sorted(unknown))}.")
        given |= kwargs
        self._values: dict[str, Any] = {}
        for name, parameter in self.allParameters.items():
            setattr(self, name, given.get(name, parameter.default.value))

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self.allParameters and name not in ("_values", "_onChange"):
            raise AttributeError(f"{type(self).__name__} has no {name}.")
        super().__setattr__(name, value)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._values == other._values

    __hash__ = None

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self._values.items())
        return f"{type(self).__name__}({fields})"

    def getValue(self, membername: str) -> Any:
        """Return the field of a dotted path."""
        field, rest = self._field(membername)
        value = getattr(self, field)
        return value if rest is None else value.getValue(rest)

    def setValue(self, membername: str, value: Any) -> None:
        """Set the field of a dotted path."""
        field, rest = self._field(membername)
        if rest is None:
            setattr(self, field, value)
        else:
            getattr(self, field).setValue(rest, value)

    @classmethod
    def dataType(cls, membername: str) -> Any:
        """Return the annotated type of the field of a dotted path."""
        field, rest = cls._field(membername)
        hint = cls.allParameters[field].hint
        return hint if rest is None else split(hint)[0].dataType(rest)

    @classmethod
    def _field(cls, path: str) -> tuple[str, str | None]:
        """Return the field that ``path`` starts with and the rest.

        Raises:
            ValueError: the path leads nowhere.
        """
        field, rest = split_name(path)
        if field not in cls.allParameters or (rest is not None and not isParameterPack(cls.allParameters[field].hint)):
            raise ValueError(f"{cls.__name__} has no {path}.")
        return field, rest


def parameterPack(classtype: type | None = None) -> Any:
    """Make a class that declares fields by annotations a pack; to be used with or without parentheses.

    Raises:
        ValueError: no field, a name that packs need themselves, or a default that its own field refuses.
    """
    return _pack if classtype is None else _pack(classtype)


def isParameterPack(obj: Any) -> bool:
    """Tell whether ``obj`` is a pack, or a type of packs, which may be annotated."""
    return getattr(obj, "_is_parameterPack", False)


def _pack(declaration: type) -> type:
    parameters = parameters_of(declaration)
    if not parameters:
        raise ValueError(f"{declaration.__name__} declares no parameter.")
    if taken := [name for name in parameters if hasattr(ParameterPack, name)]:
        raise ValueError(f"{declaration.__name__} declares {', '.join(taken)}, which every pack has.")
    for parameter in parameters.values():
        parameter.storage.validate(parameter.default.value)
    members = {name: _field_property(name) for name in parameters}
    members |= {"allParameters": parameters, "__module__": declaration.__module__, "__doc__": declaration.__doc__}
    members["__qualname__"] = declaration.__qualname__
    return type(declaration.__name__, (ParameterPack, declaration), members)


def _field_property(name: str) -> property:
    def set_field(self: ParameterPack, value: Any) -> None:
        self.allParameters[name].storage.validate(value)
        self._values[name] = value
        if self._onChange is not None:
            self._onChange()

    return property(lambda self: self._values[name], set_field)
