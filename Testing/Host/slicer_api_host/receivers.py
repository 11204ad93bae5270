"""What can be connected to a signal: how it is kept, and how many arguments it gets."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from inspect import CO_VARARGS
from types import FunctionType, MethodType
from typing import Any

import shiboken6
from PySide6.QtCore import QObject


@dataclass(frozen=True)
class Kept:
    """A callable that a connection keeps alive."""

    called: Any

    def reach(self) -> Callable | None:
        return self.called


@dataclass(frozen=True)
class Reached:
    """A method of an object that stands for C++: it can be called while its object is there."""

    owner: weakref.ref
    function: Any  # what is called with the object first

    def reach(self) -> Callable | None:
        owner = self.owner()
        if owner is None or not shiboken6.isValid(owner):
            return None
        return MethodType(self.function, owner)


def receiver_of(called: Any) -> Kept | Reached:
    owner = getattr(called, "__self__", None)
    if not isinstance(owner, QObject) or not _stands_for_cpp(type(owner)):
        return Kept(called)
    return Reached(weakref.ref(owner), getattr(called, "__func__", None) or getattr(type(owner), called.__name__))


def _stands_for_cpp(of: type) -> bool:
    from slicer_api_host.pythonqt import is_cpp_class

    return is_cpp_class(of)


def taken_arguments(called: Any) -> int | None:
    """Return how many arguments of a signal ``called`` gets; None for all, as what is no function or method does."""
    function = called.__func__ if isinstance(called, MethodType) else called
    if not isinstance(function, FunctionType) or function.__code__.co_flags & CO_VARARGS:
        return None
    return function.__code__.co_argcount - isinstance(called, MethodType)
