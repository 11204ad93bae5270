"""Which storage keeps which type: the one table."""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path, PosixPath, PurePath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import Any, Union, get_args, get_origin, get_type_hints

import slicer

from .annotations import Decimals, Default, SingleStep, first, split
from .pack_storage import PackStorage
from .storage import NodeStorage, NoneStorage, Storage, TextStorage, UnionStorage
from .validators import Validator

PATHS = (Path, PosixPath, WindowsPath, PurePath, PurePosixPath, PureWindowsPath)


@dataclass(frozen=True)
class Parameter:
    """A declared parameter: its name, its annotated type, how it is stored, and what it is before anyone sets it."""

    name: str
    hint: Any
    storage: Storage
    default: Default


def parameters_of(declaration: type) -> dict[str, Parameter]:
    """Return the parameters that a class declares by its annotations, in their order.

    Raises:
        TypeError: a type is not among those of this module, or an annotation means nothing here.
    """
    found = {}
    for name, hint in get_type_hints(declaration, include_extras=True).items():
        storage = storage_of(hint)
        found[name] = Parameter(name, hint, storage, _default(declaration, name, hint, storage))
    return found


def _default(declaration: type, name: str, hint: Any, storage: Storage) -> Default:
    if hasattr(declaration, name):
        return Default(getattr(declaration, name))
    # a pack is made anew for each owner
    return first(split(hint)[1], Default) or Default(generator=lambda: storage.default)


def storage_of(hint: Any) -> Storage:
    """Return what keeps values of the annotated type ``hint``, with the validators among its annotations.

    Raises:
        TypeError: see ``parameters_of``.
    """
    kind, notes = split(hint)
    storage = _storage_of_type(kind)
    for note in notes:
        if isinstance(note, type) and issubclass(note, Validator):
            storage.validators.append(note())
        elif isinstance(note, Validator):
            storage.validators.append(note)
        elif not isinstance(note, (Default, Decimals, SingleStep)):
            raise TypeError(f"{note!r} in {hint} is no annotation that the parameter node wrapper of the host knows.")
    return storage


def _storage_of_type(kind: Any) -> Storage:
    for fits, make in _STORAGES:
        if fits(kind):
            return make(kind)
    raise TypeError(f"The parameter node wrapper of the host stores no {kind}.")


def is_union(kind: Any) -> bool:
    return get_origin(kind) in (Union, types.UnionType)


def _is_a(base: type) -> Callable[[Any], bool]:
    return lambda kind: isinstance(kind, type) and issubclass(kind, base)


def _of_enum(kind: type[Enum]) -> Storage:
    def member(name: str) -> Enum:
        if name not in kind.__members__:
            raise ValueError(f"{name!r} is no member of {kind}.")
        return kind[name]

    return TextStorage(kind, next(iter(kind)), member, lambda value: value.name)


_STORAGES: list[tuple[Callable[[Any], bool], Callable[[Any], Storage]]] = [
    (lambda kind: kind is bool, lambda _: TextStorage(bool, False, "True".__eq__)),
    (lambda kind: kind is int, lambda _: TextStorage(int, 0, int)),
    (lambda kind: kind is float, lambda _: TextStorage((int, float), 0, float)),
    (lambda kind: kind is str, lambda _: TextStorage(str, "", str)),
    (lambda kind: kind is type(None), lambda _: NoneStorage()),
    (lambda kind: kind in PATHS, lambda kind: TextStorage(kind, kind(), kind)),
    (lambda kind: hasattr(kind, "_is_parameterPack"), PackStorage),
    (_is_a(Enum), _of_enum),
    (_is_a(slicer.vtkMRMLNode), NodeStorage),
    (is_union, lambda kind: UnionStorage(storage_of(member) for member in get_args(kind))),
]
