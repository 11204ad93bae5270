"""Guard: notices at once when the user takes away what a run needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import vtk


class Guard:
    """Watches the nodes of a run while it is under way.

    Attributes:
        lost: what the run calls the node that was deleted ("moving volume"); empty while all are there.
        scene_closed: the scene was closed, or is about to be.
    """

    def __init__(self, scene: Any, nodes: dict[str, Any], on_loss: Callable[[], None]) -> None:
        self.lost, self.scene_closed = "", False
        self._scene, self._on_loss = scene, on_loss
        self._nodes = dict(nodes)
        self._observers = [
            scene.AddObserver(scene.NodeAboutToBeRemovedEvent, self._node_removed),
            scene.AddObserver(scene.StartCloseEvent, self._closing),
        ]

    def watch(self, role: str, node: Any) -> None:
        """Watch ``node`` too."""
        self._nodes[role] = node

    def release(self) -> None:
        """Watch no longer; may be called twice."""
        for observer in self._observers:
            self._scene.RemoveObserver(observer)
        self._observers, self._nodes = [], {}

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _node_removed(self, _scene: Any, _event: str, node: Any) -> None:
        for role, watched in self._nodes.items():
            if watched is node and not self.lost:
                self.lost = role
                self._on_loss()

    def _closing(self, *_: Any) -> None:
        if not self.scene_closed:
            self.scene_closed = True
            self._on_loss()
