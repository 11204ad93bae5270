"""The place mode of the scene, for one markups node: the next click in a view places a point of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer
from vtkmodules.vtkCommonCore import vtkCommand

from slicer_api_host.observations import Observations

_EVENTS = (
    "PointAddedEvent",
    "PointRemovedEvent",
    "FixedNumberOfControlPointsModifiedEvent",
    "PointPositionDefinedEvent",
    "PointPositionUndefinedEvent",
    "DisplayModifiedEvent",
)


class PlaceMode:
    """The interaction node says whether points are placed, the selection node and Slicer's logic for which node.

    Attributes:
        node: the markups node that is served; None for none.
        interaction, selection: the nodes of the scene; None without a scene.
    """

    def __init__(self, owner: Any, changed: Callable[[], None]) -> None:
        self.node = self.interaction = self.selection = None
        self._changed, self._observations = changed, Observations(owner)
        self._logic = slicer.app.moduleLogic("Markups")

    def set_interaction(self, node: Any) -> None:
        self.interaction = self._observe(self.interaction, node)

    def set_selection(self, node: Any) -> None:
        self.selection = self._observe(self.selection, node, "ActivePlaceNodePlacementValidEvent")

    def set_node(self, node: Any) -> None:
        self.node = self._observe(self.node, node, *_EVENTS)
        self._changed()

    def _observe(self, former: Any, node: Any, *events: str) -> Any:
        if former is not None:
            self._observations.end(former)
        if node is not None:
            for event in (vtkCommand.ModifiedEvent, *(getattr(node, name) for name in events)):
                self._observations.add(node, event, self._changed)
        return node

    def is_usable(self) -> bool:
        return None not in (self.interaction, self.selection, self.node)

    def is_active(self) -> bool:
        """Return whether the node is the one that points would be placed for."""
        if not self.is_usable():
            return False
        listed = self._logic.GetActiveListID() == self.node.GetID()
        return listed and self.selection.GetActivePlaceNodeClassName() == self.node.GetClassName()

    def set_active(self, active: bool) -> None:
        if self.is_usable() and active != self.is_active():
            self._logic.SetActiveList(self.node if active else None)
            if not active:
                self.end()

    def is_placing(self) -> bool:
        return self.is_active() and self.interaction.GetCurrentInteractionMode() == self.interaction.Place

    def begin(self) -> None:
        self.set_active(True)
        self.interaction.SetCurrentInteractionMode(self.interaction.Place)

    def end(self) -> None:
        self.interaction.SetCurrentInteractionMode(self.interaction.ViewTransform)

    def is_persistent(self) -> bool:
        """Return whether the mode outlasts the first point."""
        return self.interaction is not None and bool(self.interaction.GetPlaceModePersistence())

    def set_persistent(self, persistent: bool) -> None:
        if self.interaction is not None:
            self.interaction.SetPlaceModePersistence(persistent)
