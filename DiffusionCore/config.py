"""The strict JSON form that all frozen dataclasses of settings share; no torch.

Every key must be known, no value is converted on a guess, and what is missing takes the default of its dataclass.
Fields may be bool, int, float, str, Path, an Enum (written by its name), None, Literal, tuples, lists, dicts with str
keys, unions of these, and dataclasses. Keys of older files that mean nothing any more are named in ``retired`` of the
dataclass, and passed over.
"""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from DiffusionCore.checks import ConfigError

Config = TypeVar("Config")


def to_json(config: Any) -> str:
    """Return the dataclass ``config`` as indented JSON text.

    Raises:
        TypeError: a field holds something that has no JSON form (module docstring).
        ValueError: a number is NaN or infinite.
    """
    return json.dumps(to_dict(config), indent=2, allow_nan=False)


def from_json(cls: type[Config], text: str | bytes) -> Config:
    """Return the dataclass ``cls`` that ``text`` describes: ``from_json(type(c), to_json(c)) == c``.

    Raises:
        ConfigError: the text is no JSON, a key is unknown, double or missing, a value has the wrong type or is refused
            by the dataclass; the text names the key, e.g. ``network.channels[2]``.
    """
    try:
        values = json.loads(text, object_pairs_hook=_without_doubles, parse_constant=_refuse_constant)
    except ValueError as error:
        raise ConfigError(f"The settings are not valid JSON: {error}.") from error
    return from_dict(cls, values)


def to_dict(config: Any) -> dict[str, Any]:
    """Return the dataclass ``config`` as a dict of what JSON knows."""
    if not dataclasses.is_dataclass(config) or isinstance(config, type):
        raise TypeError(f"'config' must be an instance of a dataclass, got {config!r}")
    return {field.name: _plain(getattr(config, field.name)) for field in dataclasses.fields(config) if field.init}


def from_dict(cls: type[Config], values: Any) -> Config:
    """Return the dataclass ``cls`` with the fields ``values``, as strictly as ``from_json``."""
    return _dataclass(cls, values, "")


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return to_dict(value)
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, Path):
        return value.as_posix()
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _plain(item) for key, item in value.items()}
    if value is None or type(value) in (bool, int, float, str):
        return value
    raise TypeError(f"Settings must be plain numbers, text, enums, paths, tuples or dataclasses, got {value!r}")


def _dataclass(cls: type, values: Any, where: str) -> Any:
    if not isinstance(values, dict):
        raise _mismatch(where, f"the settings of {cls.__name__} as an object", values)
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}
    values = {key: value for key, value in values.items() if key not in getattr(cls, "retired", ())}
    for key in values:
        if key not in fields:
            raise ConfigError(f"Unknown setting '{_join(where, key)}'. {cls.__name__} knows: {', '.join(fields)}.")
    hints = typing.get_type_hints(cls)
    arguments = {key: _value(hints[key], item, _join(where, key)) for key, item in values.items()}
    missing = [name for name, field in fields.items() if name not in values and not _has_default(field)]
    if missing:
        raise ConfigError(f"{cls.__name__} needs the settings {', '.join(_join(where, name) for name in missing)}.")
    try:
        return cls(**arguments)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"The settings of {_join(where, cls.__name__)} are refused: {error}.") from error


def _value(kind: Any, value: Any, where: str) -> Any:
    """Return the JSON ``value`` as ``kind``; ``where`` is its key, for the text of errors."""
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _one_of(parts, value, where)
    if origin is typing.Literal:
        if any(value == part and type(value) is type(part) for part in parts):
            return value
        raise _mismatch(where, f"one of {_listed(parts)}", value)
    if origin is tuple:
        return _tuple(parts, value, where)
    if origin is list and isinstance(value, list):
        return [_value(parts[0], item, f"{where}[{index}]") for index, item in enumerate(value)]
    if origin is dict and isinstance(value, dict):
        return {key: _value(parts[1], item, _join(where, key)) for key, item in value.items()}
    if origin is None and isinstance(kind, type):
        return _scalar(kind, value, where)
    raise _mismatch(where, str(kind), value)


def _scalar(kind: type, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind, value, where)
    if issubclass(kind, Enum):
        if isinstance(value, str) and value in kind.__members__:
            return kind[value]
        raise _mismatch(where, f"one of {_listed(kind.__members__)}", value)
    if kind is Path and isinstance(value, str):
        return Path(value)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is kind and (kind is not float or math.isfinite(value)):
        return value
    raise _mismatch(where, "null" if kind is type(None) else kind.__name__, value)


def _one_of(parts: tuple[Any, ...], value: Any, where: str) -> Any:
    """Return ``value`` as the first of ``parts`` that takes it; None is tried first, so text never hides it."""
    errors = []
    for part in sorted(parts, key=lambda part: part is not type(None)):
        try:
            return _value(part, value, where)
        except ConfigError as error:
            errors.append(error)
    raise errors[-1]


def _tuple(parts: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    endless = len(parts) == 2 and parts[1] is Ellipsis
    if not isinstance(value, list) or (not endless and len(value) != len(parts)):
        raise _mismatch(where, "a list" if endless else f"a list of {len(parts)}", value)
    kinds = parts[:1] * len(value) if endless else parts
    return tuple(_value(kind, item, f"{where}[{n}]") for n, (kind, item) in enumerate(zip(kinds, value, strict=True)))


def _has_default(field: dataclasses.Field) -> bool:
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    for name, _ in pairs:
        if sum(name == other for other, _ in pairs) > 1:
            raise ValueError(f"the key '{name}' stands twice")
    return dict(pairs)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def _mismatch(where: str, wanted: str, value: Any) -> ConfigError:
    return ConfigError(f"Setting '{where or 'top level'}' must be {wanted}, got {json.dumps(value, default=repr)}.")


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _listed(values: Iterable[Any]) -> str:
    return ", ".join(map(str, values))
