"""What writes the scene or one node to a file, as Slicer's file writers do."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

# Which type of file a node is saved as; a class comes before the classes that it is made from.
TYPES = {
    "vtkMRMLSegmentationNode": "SegmentationFile",
    "vtkMRMLTransformNode": "TransformFile",
    "vtkMRMLSequenceNode": "SequenceFile",
    "vtkMRMLMarkupsNode": "MarkupsFile",
    "vtkMRMLTableNode": "TableFile",
    "vtkMRMLTextNode": "TextFile",
    "vtkMRMLModelNode": "ModelFile",
    "vtkMRMLVolumeNode": "VolumeFile",
    "vtkMRMLScene": "SceneFile",
}


def write_scene(scene: Any, path: str) -> bool:
    """Write a bundle (.mrb), the scene alone (.mrml) or, for any other name, a folder with the scene and its data."""
    if path.lower().endswith(".mrb"):
        return bool(scene.WriteToMRB(path, None))
    if path.lower().endswith(".mrml"):
        scene.SetURL(path)
        scene.SetRootDirectory(os.path.dirname(path))
        return bool(scene.Commit(path))
    os.makedirs(path, exist_ok=True)
    return bool(scene.SaveSceneToSlicerDataBundleDirectory(path, None))


def write_node(node: Any, path: str, given: Mapping[str, Any]) -> bool:
    """Write the data of ``node`` through its storage node, which remembers the file."""
    if node is None or not node.IsA("vtkMRMLStorableNode"):
        return False
    if node.GetStorageNode() is None:
        node.AddDefaultStorageNode()
    storage = node.GetStorageNode()
    if storage is None:
        return False
    if "useCompression" in given:
        storage.SetUseCompression(given["useCompression"])
    storage.SetFileName(path)
    return bool(storage.WriteData(node))
