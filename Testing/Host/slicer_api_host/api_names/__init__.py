"""The names that Slicer's C++ classes offer to Python, written down by hand from the headers of CTK and Slicer.

A file per family holds a table ``NAMES``: class -> `Real`. The host may offer fewer names than Slicer, never more: a
name that works here and fails in Slicer would let a broken panel pass. ``test_api_gate.py`` compares.

PythonQt offers of a class its properties, its signals, its public slots, what is Q_INVOKABLE, and its Q_ENUMs; other
public methods of C++ it does not see. Of a class of Qt it offers everything.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass


@dataclass(frozen=True)
class Real:
    """A class of Slicer as Python sees it.

    Attributes:
        base: its base class: one of Qt, or another one of the tables.
        names: its own names, parted by white space.
    """

    base: str
    names: str = ""


def tables() -> dict[str, Real]:
    """Return the tables of all families in one."""
    joined: dict[str, Real] = {}
    for family in pkgutil.iter_modules(__path__, f"{__name__}."):
        joined |= importlib.import_module(family.name).NAMES
    return joined
