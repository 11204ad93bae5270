"""Guard: notices at once when the user takes away what a run needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import vtk

from DiffusionCore.mrml.request import RegistrationRequest


class Guard:
    """Watches the volumes and outputs of a run while it is under way; ``on_loss`` is called once.

    Attributes:
        lost: what people call the node that was deleted ("moving volume"); empty while all are there.
        scene_closed: the scene was closed, or is about to be.
    """

    # A scene that is thrown away closes itself, and calls a guard that is being thrown away together with it, without
    # attributes of its own: it finds these.
    lost, scene_closed = "", True

    def __init__(self, request: RegistrationRequest, on_loss: Callable[[], None]) -> None:
        self.lost, self.scene_closed = "", False
        self._scene, self._on_loss = request.fixed.GetScene(), on_loss
        self._nodes = {
            "fixed volume": request.fixed,
            "moving volume": request.moving,
            "output transform": request.transform,
            "output volume": request.volume,
        }
        self._observers = [
            self._scene.AddObserver(self._scene.NodeAboutToBeRemovedEvent, self._on_removal),
            self._scene.AddObserver(self._scene.StartCloseEvent, self._on_closing),
        ]

    def watch(self, role: str, node: Any) -> None:
        """Watch ``node`` in ``role``."""
        self._nodes[role] = node

    def look(self) -> None:
        """Notice that the scene is being closed before its event has come here: others may have heard it first."""
        if self._scene.IsClosing():
            self._on_closing()

    def release(self) -> None:
        """Watch no longer; may be called twice."""
        for observer in self._observers:
            self._scene.RemoveObserver(observer)
        self._observers, self._nodes = [], {}

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _on_removal(self, _scene: Any, _event: str, node: Any) -> None:
        if self.lost or self.scene_closed:
            return
        for role, watched in self._nodes.items():
            if watched is node:
                self.lost = role
                self._on_loss()
                return

    def _on_closing(self, *_: Any) -> None:
        if not self.scene_closed:
            self.scene_closed = True
            self._on_loss()
