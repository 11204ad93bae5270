"""What a node selector offers besides choosing: making, renaming, editing and deleting a node."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from PySide6.QtGui import QAction

from slicer_api_host.qmrml_widgets.node_filter import NodeFilter


@dataclass
class NodeActions:
    """The rows below the nodes, and the nodes that they make.

    Attributes:
        rule: which classes there are, and which attributes a new node gets.
        labels: what nodes of a class are called here, where that is not what the scene calls them.
        base_names: what new nodes of a class are named after.
        of_the_user: the actions that a module added.
    """

    rule: NodeFilter
    labels: dict[str, str] = field(default_factory=dict)
    base_names: dict[str, str] = field(default_factory=dict)
    of_the_user: list[QAction] = field(default_factory=list)

    def label(self, scene: Any, node_type: str) -> str:
        """Return what nodes of a class are called: the label that was set, or what the scene says."""
        said = scene.GetTypeDisplayNameByClassName(node_type) if scene is not None and node_type else ""
        return self.labels.get(node_type) or said or "node"

    def rows(self, scene: Any, *, add: bool, remove: bool, edit: bool, rename: bool) -> list[tuple[str, str]]:
        """Return (text, what to do) from top to bottom."""
        types = self.rule.types
        label = self.label(scene, types[0] if len(types) == 1 else "")
        rows = []
        if rename:
            rows.append((f"Rename current {label}", "RENAME"))
        if edit:
            rows.append((f"Edit current {label}", "EDIT"))
        for node_type in types if add else ():
            rows.append((f"Create new {self.label(scene, node_type)}", f"CREATE/{node_type}"))
            if rename:
                rows.append((f"Create new {self.label(scene, node_type)} as...", f"CREATE_AS/{node_type}"))
        if remove:
            rows.append((f"Delete current {label}", "DELETE"))
        return rows + [(action.text, f"USER/{index}") for index, action in enumerate(self.of_the_user)]

    def make_node(self, scene: Any, node_type: str | None) -> Any:
        """Add a node of a class of the rule, by default the first, and return it; None for any other class."""
        types = self.rule.types
        node_type = types[0] if node_type is None and types else node_type
        if scene is None or node_type not in types:
            return None
        node = scene.CreateNodeByClass(node_type)
        node.UnRegister(None)
        name = self.base_names.get(node_type) or ("" if node.GetName() else node.GetDefaultNodeNamePrefix())
        if name:
            node.SetName(scene.GetUniqueNameByString(name))
        # before the node is added: the selector would not show it without them
        for attribute, value in self.rule.attributes.values():
            node.SetAttribute(attribute, value or "")
        return scene.AddNode(node)

    def do(self, action: str, handlers: dict[str, Callable[..., Any]]) -> None:
        """Do what a row says: an action of the user, or the handler of its first word with the rest as argument."""
        word, _, detail = action.partition("/")
        if word == "USER":
            self.of_the_user[int(detail)].trigger()
        else:
            handlers[word](*([detail] if detail else []))
