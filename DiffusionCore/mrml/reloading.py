"""Reload: the modules share this package, so whoever reads one of them again has to read all of them again."""

from __future__ import annotations

import sys

import slicer

_MODULES = ("SpatialDiffusion", "DeformationSynthesis")
_SOURCES = ("DiffusionCore", *(f"{name}Lib" for name in _MODULES))


def forget_sources() -> None:
    """Let the next import read the sources again; what the panels have under way is ended first, its steps stay."""
    for name in _MODULES:
        if (widget := getattr(slicer.modules, f"{name}Widget", None)) is not None:
            widget.panel.end_run()
    for name in [name for name in sys.modules if name.partition(".")[0] in _SOURCES]:
        del sys.modules[name]


def reload_others(reloaded: str) -> None:
    """Load the modules on this package anew, all but ``reloaded``, which is new already.

    Their panels would else work with two generations of one class, which are not equal.
    """
    for name in _MODULES:
        if name != reloaded and hasattr(slicer.modules, name.lower()):
            slicer.util.reloadScriptedModule(name)
