"""Observing MRML objects from a widget: VTK's observers outlive a widget that Qt deleted, these do not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import shiboken6
import vtk
from PySide6.QtCore import QObject


class Observations:
    """What one Qt object observes; all of it ends with the object."""

    def __init__(self, owner: QObject) -> None:
        self._owner = owner
        self._made: list[tuple[Any, int]] = []
        made = self._made
        owner.destroyed.connect(lambda: _remove(made))

    def add(self, observed: Any, event: int, callback: Callable[[], Any]) -> None:
        """Call ``callback`` without arguments at every ``event`` of the VTK object ``observed``."""
        self._made.append((observed, observed.AddObserver(event, lambda *_: self._lives() and callback())))

    def add_with_node(self, observed: Any, event: int, callback: Callable[[Any], Any]) -> None:
        """Call ``callback`` with the node that the ``event`` of a scene is about."""

        def relay(_caller: Any, _event: str, node: Any) -> None:
            if self._lives():
                callback(node)

        relay.CallDataType = vtk.VTK_OBJECT
        self._made.append((observed, observed.AddObserver(event, relay)))

    def end(self, observed: Any = None) -> None:
        """End the observations of one object, or of all."""
        ended = [entry for entry in self._made if observed is None or entry[0] is observed]
        self._made[:] = [] if observed is None else [entry for entry in self._made if entry[0] is not observed]
        _remove(ended)

    def _lives(self) -> bool:
        return shiboken6.isValid(self._owner)


def _remove(entries: list[tuple[Any, int]]) -> None:
    for observed, tag in entries:
        observed.RemoveObserver(tag)
    entries.clear()
