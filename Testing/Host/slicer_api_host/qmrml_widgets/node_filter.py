"""Which nodes of a scene a node selector shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class NodeFilter:
    """The rule of qMRMLSortFilterProxyModel.

    Attributes:
        types: the classes of nodes to show; none stands for all.
        children: whether classes made from these count too, except ``hidden_children``.
        hidden: whether nodes that hide from editors are shown.
        attributes: per class of ``types``, the attribute that a node must have, and its value; None for any value.
    """

    types: list[str] = field(default_factory=list)
    children: bool = True
    hidden_children: list[str] = field(default_factory=list)
    hidden: bool = False
    attributes: dict[str, tuple[str, str | None]] = field(default_factory=dict)

    def accepts(self, node: Any) -> bool:
        """Return whether ``node`` is shown."""
        kind = self._kind(node)
        if kind is None:
            return False
        name, wanted = self.attributes.get(kind, ("", None))
        found = node.GetAttribute(name) if name else ""
        return found is not None and (wanted is None or found == wanted)

    def concerns(self, node: Any) -> bool:
        """Return whether ``node`` could be shown if its attributes were others."""
        return self._kind(node) is not None

    def _kind(self, node: Any) -> str | None:
        """Return the class of ``types`` that ``node`` is of, "" where there are none; None if it is of none."""
        if node.GetHideFromEditors() and not self.hidden:
            return None
        if not self.types:
            return ""
        for kind in self.types:
            if not node.IsA(kind) or (not self.children and node.GetClassName() != kind):
                continue
            if self.children and any(node.IsA(hidden) for hidden in self.hidden_children):
                return None
            return kind
        return None
