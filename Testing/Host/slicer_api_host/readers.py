"""What reads a file of each type into the scene: Slicer's logics, called as its file readers call them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from slicer_api_host.scene import SceneParts


def read_scene(parts: SceneParts, path: str, given: Mapping[str, Any]) -> Any:
    """Add a scene to what is there, or put it in its place if ``clear`` is given."""
    scene, clear = parts.scene, bool(given.get("clear"))
    if path.lower().endswith(".mrb"):
        return scene.ReadFromMRB(path, clear)
    scene.SetURL(path)
    return scene.Connect() if clear else scene.Import()


def read_volume(parts: SceneParts, path: str, given: Mapping[str, Any]) -> Any:
    """Read an image and, unless ``show`` is false, show it in the slice views."""
    logic = parts.modules["Volumes"]
    options = sum(
        flag
        for word, flag in (
            ("labelmap", logic.LabelMap),
            ("center", logic.CenterImage),
            ("singleFile", logic.SingleFile),
            ("autoWindowLevel", logic.AutoWindowLevel),
            ("discardOrientation", logic.DiscardOrientation),
        )
        if given.get(word)
    )
    node = logic.AddArchetypeVolume(path, given.get("name") or _name_of(path), options)
    if node is not None and given.get("show", True):
        selection = parts.application.GetSelectionNode()
        if node.IsA("vtkMRMLLabelMapVolumeNode"):
            selection.SetActiveLabelVolumeID(node.GetID())
        else:
            selection.SetActiveVolumeID(node.GetID())
        parts.application.PropagateVolumeSelection()
    return node


def read_transform(parts: SceneParts, path: str, given: Mapping[str, Any]) -> Any:
    return parts.modules["Transforms"].AddTransform(path, parts.scene)


def read_segmentation(parts: SceneParts, path: str, given: Mapping[str, Any]) -> Any:
    logic = parts.modules["Segmentations"]
    return logic.LoadSegmentationFromFile(
        path, bool(given.get("autoOpacities", True)), given.get("name") or _name_of(path)
    )


def read_markups(parts: SceneParts, path: str, given: Mapping[str, Any]) -> Any:
    identifier = parts.modules["Markups"].LoadMarkups(path, given.get("name") or _name_of(path))
    return parts.scene.GetNodeByID(identifier) if identifier else None


def read_table(parts: SceneParts, path: str, given: Mapping[str, Any]) -> Any:
    return parts.modules["Tables"].AddTable(path, given.get("name") or _name_of(path))


def read_text(parts: SceneParts, path: str, given: Mapping[str, Any]) -> Any:
    node = parts.scene.AddNewNodeByClass("vtkMRMLTextNode", given.get("name") or _name_of(path))
    storage = parts.scene.AddNewNodeByClass("vtkMRMLTextStorageNode")
    storage.SetFileName(path)
    if storage.ReadData(node):
        node.SetAndObserveStorageNodeID(storage.GetID())
        return node
    parts.scene.RemoveNode(storage)
    parts.scene.RemoveNode(node)
    return None


def read_model(parts: SceneParts, path: str, given: Mapping[str, Any]) -> Any:
    return parts.modules["Models"].AddModel(path)


def read_sequence(parts: SceneParts, path: str, given: Mapping[str, Any]) -> Any:
    return parts.modules["Sequences"].AddSequence(path)


def _name_of(path: str) -> str:
    return os.path.basename(path).split(".")[0]


READERS = {
    "SceneFile": read_scene,
    "VolumeFile": read_volume,
    "TransformFile": read_transform,
    "SegmentationFile": read_segmentation,
    "MarkupsFile": read_markups,
    "TableFile": read_table,
    "TextFile": read_text,
    "ModelFile": read_model,
    "SequenceFile": read_sequence,
}
