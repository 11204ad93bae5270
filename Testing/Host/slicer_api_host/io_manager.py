"""slicer.app.ioManager(): reading and writing files, for ``slicer.util.loadVolume``, ``saveScene`` and their like."""

from __future__ import annotations

import os
from typing import Any

import vtk
from PySide6.QtCore import QObject, Signal

from slicer_api_host import pythonqt
from slicer_api_host.readers import READERS
from slicer_api_host.scene import SceneParts
from slicer_api_host.writers import TYPES, write_node, write_scene

# What each file type is recognized by; the first match counts.
EXTENSIONS = {
    "SceneFile": (".mrb", ".mrml"),
    "SegmentationFile": (".seg.nrrd", ".seg.vtm"),
    "SequenceFile": (".seq.nrrd", ".seq.nhdr", ".seq.mha", ".seq.mhd"),
    "MarkupsFile": (".mrk.json", ".fcsv"),
    "TransformFile": (".h5", ".tfm"),
    "TableFile": (".tsv", ".csv"),
    "TextFile": (".txt",),
    "ModelFile": (".vtk", ".vtp", ".stl", ".ply", ".obj"),
    "VolumeFile": (".nrrd", ".nhdr", ".nii", ".nii.gz", ".mha", ".mhd", ".hdr", ".img"),
}


class qSlicerIOManager(QObject):
    """Loads nodes from files and saves them, by Slicer's own logics and storage nodes."""

    newFileLoaded = Signal("QVariantMap")
    fileSaved = Signal("QVariantMap")

    def __init__(self, parent: QObject, parts: SceneParts) -> None:
        super().__init__(parent)
        self._parts = parts

    def fileType(self, path: str) -> str:
        """Return the type that the extension of ``path`` says; NoFile for an unknown one."""
        name = os.path.basename(path).lower()
        return next((kind for kind, known in EXTENSIONS.items() if name.endswith(known)), "NoFile")

    def fileWriterFileType(self, node: Any, extension: str = "") -> str:
        """Return the type of file that ``node`` is saved as."""
        return next((kind for name, kind in TYPES.items() if node.IsA(name)), "NoFile")

    def registeredFileReaderCount(self, file_type: str) -> int:
        return int(file_type in READERS)

    def registeredFileWriterCount(self, file_type: str) -> int:
        return int(file_type in TYPES.values())

    def loadNodes(self, file_type: str, parameters: dict, loaded: Any = None, messages: Any = None) -> bool:
        """Read the file ``parameters["fileName"]`` into the scene; what came goes into the vtkCollection ``loaded``."""
        path = os.path.abspath(parameters["fileName"])
        if file_type not in READERS:
            return _refused(messages, f"'{path}' is of no type that can be read")
        if not os.path.isfile(path):
            return _refused(messages, f"the file '{path}' does not exist")
        before = {node.GetID() for node in self._nodes()}
        answer = READERS[file_type](self._parts, path, parameters)
        if not answer:
            return _refused(messages, f"the file '{path}' cannot be read")
        nodes = [answer] if hasattr(answer, "GetID") else [n for n in self._nodes() if n.GetID() not in before]
        for node in nodes if loaded is not None else ():
            loaded.AddItem(node)
        self.newFileLoaded.emit({"fileName": path, "fileType": file_type, "nodeIDs": [node.GetID() for node in nodes]})
        return True

    def loadScene(self, path: str, clear: bool = True, messages: Any = None) -> bool:
        return self.loadNodes("SceneFile", {"fileName": path, "clear": clear}, None, messages)

    def loadFile(self, path: str, messages: Any = None) -> bool:
        return self.loadNodes(self.fileType(path), {"fileName": path}, None, messages)

    def saveNodes(self, file_type: str, parameters: dict, messages: Any = None, scene: Any = None) -> bool:
        """Write the scene, or the node ``parameters["nodeID"]``, to ``parameters["fileName"]``."""
        scene = self._parts.scene if scene is None else scene
        path = os.path.abspath(parameters["fileName"])
        if file_type == "SceneFile":
            saved = write_scene(scene, path)
        else:
            saved = write_node(scene.GetNodeByID(parameters["nodeID"]), path, parameters)
        if not saved:
            return _refused(messages, f"'{path}' cannot be written")
        self.fileSaved.emit({"fileName": path, "fileType": file_type})
        return True

    def saveScene(self, path: str, screenshot: Any = None, messages: Any = None) -> bool:
        return self.saveNodes("SceneFile", {"fileName": path}, messages)

    def addDefaultStorageNodes(self) -> None:
        for node in self._nodes():
            if node.IsA("vtkMRMLStorableNode") and node.GetSaveWithScene():
                node.AddDefaultStorageNode()

    def createAndAddDefaultStorageNode(self, node: Any) -> Any:
        node.AddDefaultStorageNode()
        return node.GetStorageNode()

    def _nodes(self) -> list[Any]:
        scene = self._parts.scene
        return [scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes())]


def _refused(messages: Any, text: str) -> bool:
    if messages is not None:
        messages.AddMessage(vtk.vtkCommand.ErrorEvent, text)
    return False


pythonqt.CPP_CLASSES.add(qSlicerIOManager)
