"""Nodes of the scene in general: listing them, adding them, taking them out whole."""

from __future__ import annotations

from typing import Any


def nodes_of_class(scene: Any, class_name: str) -> list[Any]:
    """Return the nodes of ``class_name`` and of the classes below it, in the order of the scene."""
    return [scene.GetNthNodeByClass(index, class_name) for index in range(scene.GetNumberOfNodesByClass(class_name))]


def add_node(scene: Any, class_name: str, name: str) -> Any:
    """Add a node under ``name``, or the next free name after it, and return it."""
    taken = scene.GetFirstNodeByName(name) is not None  # a unique name of Slicer is new even if the former is gone
    return scene.AddNewNodeByClass(class_name, scene.GenerateUniqueName(name) if taken else name)


def remove_node(node: Any) -> None:
    """Take ``node`` out of its scene together with the nodes that belong to it, which Slicer would leave behind."""
    scene = node.GetScene()
    if scene is None or not scene.IsNodePresent(node):
        return
    for each in (node, *helpers_of(node)):
        scene.RemoveNode(each)


def helpers_of(node: Any) -> list[Any]:
    """Return the display and storage nodes of ``node``, and the colors that the display of a transform makes itself."""
    helpers: list[Any] = []
    if node.IsA("vtkMRMLDisplayableNode"):
        helpers += [node.GetNthDisplayNode(index) for index in range(node.GetNumberOfDisplayNodes())]
    if node.IsA("vtkMRMLStorableNode"):
        helpers += [node.GetNthStorageNode(index) for index in range(node.GetNumberOfStorageNodes())]
    helpers = [helper for helper in helpers if helper is not None]
    displays = [helper for helper in helpers if helper.IsA("vtkMRMLTransformDisplayNode")]
    return helpers + [colors for display in displays if (colors := _own_colors(display)) is not None]


def _own_colors(display: Any) -> Any:
    colors = display.GetColorNode()
    if colors is None or colors.GetAttribute("Category") != "Transform display":
        return None
    others = nodes_of_class(display.GetScene(), "vtkMRMLDisplayNode")
    shared = any(other is not display and other.GetColorNodeID() == colors.GetID() for other in others)
    return None if shared else colors
