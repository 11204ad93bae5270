"""The rows of a node selector: None, the nodes in the order of the scene, what can be done with them."""

from __future__ import annotations

from typing import Any

import slicer
from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QStandardItem, QStandardItemModel
from vtkmodules.vtkCommonCore import vtkCommand

from slicer_api_host.observations import Observations
from slicer_api_host.qmrml_widgets.node_filter import NodeFilter

NODE_ID = Qt.ItemDataRole.UserRole + 1
ACTION = Qt.ItemDataRole.UserRole + 2


class NodeList(QStandardItemModel):
    """A list that follows a scene.

    Rows come and go one by one as nodes do, so that a combo box over it keeps or loses its choice by Qt's own rules;
    closing the scene and importing one rebuild the part of the nodes as a whole.
    """

    def __init__(self, parent: QObject, rule: NodeFilter) -> None:
        super().__init__(parent)
        self._rule, self._scene = rule, None
        self._before = self._after = 0
        self._observations = Observations(self)

    def scene(self) -> Any:
        return self._scene

    def set_scene(self, scene: Any) -> None:
        self._observations.end()
        self._scene = scene
        self.rebuild()
        if scene is None:
            return
        events = slicer.vtkMRMLScene
        self._observations.add_with_node(scene, events.NodeAddedEvent, self._on_added)
        self._observations.add_with_node(scene, events.NodeAboutToBeRemovedEvent, self._on_removed)
        self._observations.add(scene, events.EndCloseEvent, self.rebuild)
        self._observations.add(scene, events.EndImportEvent, self.rebuild)
        self._observations.add(scene, vtkCommand.DeleteEvent, lambda: self.set_scene(None))

    def set_none(self, text: str | None) -> None:
        """Show ``text`` as the row before the nodes; None for no such row."""
        self.removeRows(0, self._before)
        self._before = 0
        if text is not None:
            self.insertRow(0, _row(text, Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable))
            self._before = 1

    def set_actions(self, actions: list[tuple[str, str]]) -> None:
        """Show (text, what to do) as the rows below the nodes, under a line."""
        self.removeRows(self.rowCount() - self._after, self._after)
        self._after = 0
        if not actions:
            return
        line = _row("", Qt.ItemFlag.ItemIsEnabled)  # enabled, as in Slicer: Qt must be able to pass over it
        line.setData("separator", Qt.ItemDataRole.AccessibleDescriptionRole)
        self.appendRow(line)
        for text, action in actions:
            row = _row(text, Qt.ItemFlag.ItemIsEnabled)
            row.setData(action, ACTION)
            self.appendRow(row)
        self._after = len(actions) + 1

    def node_count(self) -> int:
        return self.rowCount() - self._before - self._after

    def node_at(self, row: int) -> Any:
        """Return the node of a row; None where the row shows no node, or one that the scene just lost."""
        item = self.item(row) if row >= 0 else None
        identifier = item.data(NODE_ID) if item is not None else None
        return self._scene.GetNodeByID(identifier) if identifier and self._scene is not None else None

    def row_of(self, identifier: str) -> int:
        """Return the row of the node with this ID, -1 if it is not shown."""
        rows = range(self._before, self.rowCount() - self._after)
        return next((row for row in rows if self.item(row).data(NODE_ID) == identifier), -1)

    def first_row(self) -> int:
        """Return the row of the first node."""
        return self._before

    def rebuild(self) -> None:
        """Take all rows of nodes out and put in those of the scene."""
        if self.node_count():
            self.removeRows(self._before, self.node_count())
        if self._scene is not None:
            for node in _nodes(self._scene):
                self._on_added(node)

    def refilter(self) -> None:
        """Take out the rows that the rule no longer accepts, put in those that it accepts now."""
        if self._scene is not None:
            for node in _nodes(self._scene):
                self._on_modified(node)

    def _on_added(self, node: Any) -> None:
        if self._scene.IsImporting() or not self._rule.concerns(node):
            return
        self._observations.end(node)
        self._observations.add(node, vtkCommand.ModifiedEvent, lambda: self._on_modified(node))
        self._on_modified(node)

    def _on_removed(self, node: Any) -> None:
        self._observations.end(node)
        row = self.row_of(node.GetID())
        if row >= 0 and not self._scene.IsClosing():
            self.removeRow(row)

    def _on_modified(self, node: Any) -> None:
        if (
            self._scene is None
            or node.GetScene() is not self._scene
            or self._scene.IsClosing()
            or self._scene.IsImporting()
        ):
            return
        row, accepted = self.row_of(node.GetID()), self._rule.accepts(node)
        if row >= 0 and not accepted:
            self.removeRow(row)
        elif row >= 0:
            self.item(row).setText(node.GetName() or "")
        elif accepted:
            self._insert(node)

    def _insert(self, node: Any) -> None:
        order = {other.GetID(): index for index, other in enumerate(_nodes(self._scene))}
        rows = range(self._before, self.rowCount() - self._after)
        row = next((r for r in rows if order.get(self.item(r).data(NODE_ID), 0) > order[node.GetID()]), rows.stop)
        item = _row(node.GetName() or "", Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable)
        item.setData(node.GetID(), NODE_ID)
        item.setToolTip(node.GetNodeTagName())
        self.insertRow(row, item)


def _row(text: str, flags: Qt.ItemFlag) -> QStandardItem:
    item = QStandardItem(text)
    item.setFlags(flags)
    return item


def _nodes(scene: Any) -> list[Any]:
    return [scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes())]
