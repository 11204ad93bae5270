"""The nodes that show one variant of a case at a time: its volume, its segmentation, and its deformation."""

from __future__ import annotations

from typing import Any

import slicer

from DiffusionCore.mrml.nodes import add_node, remove_node
from DiffusionCore.mrml.segmentations import labels_to_node
from DiffusionCore.mrml.transforms import plain_to_node
from DiffusionCore.mrml.volumes import volume_to_node
from DiffusionCore.space.plain import Field
from DiffusionCore.synthesis.stored_case import StoredCase

_MARK = "DeformationSynthesis.variant"
_CLASSES = {
    "volume": "vtkMRMLScalarVolumeNode",
    "segmentation": "vtkMRMLSegmentationNode",
    "deformation": "vtkMRMLTransformNode",
}


class VariantNodes:
    """Shows variants in nodes of their own, which are found again in a scene that was loaded.

    The nodes of the user are only read.
    """

    def __init__(self, scene: Any) -> None:
        self._scene = scene

    @property
    def volume(self) -> Any:
        return self._find("volume")

    @property
    def segmentation(self) -> Any:
        return self._find("segmentation")

    @property
    def deformation(self) -> Any:
        """From parent: points of the variant to points of its original."""
        return self._find("deformation")

    def show(self, case: StoredCase, title: str, *, display: Any = None) -> None:
        """Let the nodes hold ``case``; ``title`` begins their names.

        The volume gets window and colors of the volume node ``display`` when it is new.
        """
        self._show_subject(case, title, display)
        self._place(None)
        deformation = self._node("deformation", f"{title} deformation")
        if case.fields:
            plain_to_node(case.fields[-1], deformation)
        else:
            deformation.SetAndObserveTransformFromParent(None)

    @property
    def are_deformed(self) -> bool:
        """Whether volume and segmentation are seen through the deformation."""
        return self.volume is not None and self.volume.GetParentTransformNode() is self.deformation

    def show_through(self, original: StoredCase, title: str) -> None:
        """Show ``original`` through the deformation of its variant ``title``; ``deform`` changes it."""
        self._show_subject(original, title, None)
        self._place(self.deformation)

    def deform(self, field: Field) -> None:
        """Let the deformation be ``field``."""
        plain_to_node(field, self.deformation)

    def remove(self) -> None:
        """Take the nodes out of the scene."""
        for role in _CLASSES:
            if (node := self._find(role)) is not None:
                remove_node(node)

    def _show_subject(self, case: StoredCase, title: str, display: Any) -> None:
        subject = case.subject
        volume_to_node(subject.images[0], self._node("volume", title), display=display)
        if subject.segmentations:
            first = subject.segmentations[0]
            labels_to_node(first.volume, first.names, self._node("segmentation", f"{title} segmentation"))

    def _place(self, transform: Any) -> None:
        """Put volume and segmentation under ``transform``, or under none."""
        for node in (self.volume, self.segmentation):
            if node is not None and node.GetParentTransformNode() is not transform:
                node.SetAndObserveTransformNodeID(None if transform is None else transform.GetID())

    def _find(self, role: str) -> Any:
        nodes = slicer.util.getNodesByClass(_CLASSES[role])
        return next((node for node in nodes if node.GetAttribute(_MARK) == role), None)

    def _node(self, role: str, name: str) -> Any:
        node = self._find(role)
        if node is None:
            node = add_node(self._scene, _CLASSES[role], name)
            node.SetAttribute(_MARK, role)
        elif node.GetName() != name:
            node.SetName(name)
        return node


def add_case(scene: Any, case: StoredCase, name: str, *, display: Any = None) -> tuple[Any, Any]:
    """Add the volume and the segmentation of ``case`` to ``scene`` for good, and return the nodes."""
    subject = case.subject
    volume = add_node(scene, _CLASSES["volume"], name)
    volume_to_node(subject.images[0], volume, display=display)
    segmentation = None
    if subject.segmentations:
        first = subject.segmentations[0]
        segmentation = add_node(scene, _CLASSES["segmentation"], f"{name} segmentation")
        labels_to_node(first.volume, first.names, segmentation)
        segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    return volume, segmentation
