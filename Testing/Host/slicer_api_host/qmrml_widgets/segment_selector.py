"""qMRMLSegmentSelectorWidget: choosing one segment of a segmentation."""

from __future__ import annotations

from typing import Any

import slicer
from PySide6.QtWidgets import QComboBox, QGridLayout, QHBoxLayout, QLabel, QSizePolicy, QWidget

from slicer_api_host.declare import Property, Signal, Slot, register
from slicer_api_host.observations import Observations
from slicer_api_host.qmrml_widgets.node_combo_box import qMRMLNodeComboBox
from slicer_api_host.qmrml_widgets.scene_widgets import qMRMLWidget

_NONE = "None"


@register
class qMRMLSegmentSelectorWidget(qMRMLWidget):
    """A node selector for the segmentation and, below or beside it, a combo box for the segment."""

    currentNodeChanged = Signal(("PyObject",), (bool,))
    currentSegmentChanged = Signal(str)
    nodeAboutToBeEdited = Signal("PyObject")

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._node: Any = None
        self._segment = ""
        self._observations = Observations(self)
        self._nodes = qMRMLNodeComboBox(self)
        self._nodes.setObjectName("MRMLNodeComboBox_Segmentation")
        self._nodes.nodeTypes = ["vtkMRMLSegmentationNode"]
        self._nodes.addEnabled, self._nodes.renameEnabled = False, True
        self._label, self._segments, self._message = QLabel(), QComboBox(), QLabel()
        self._segments.setObjectName("comboBox_Segment")
        self._frame = QWidget()
        row = QHBoxLayout(self._frame)
        row.setContentsMargins(0, 0, 0, 0)
        for part in (self._label, self._segments, self._message):
            row.addWidget(part)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.addWidget(self._nodes, 0, 0)
        self._horizontal = False
        self._place_frame()
        self.mrmlSceneChanged.connect(self._nodes.setMRMLScene)
        self._nodes.currentNodeChanged["PyObject"].connect(self._on_node)
        self._nodes.currentNodeChanged["PyObject"].connect(self.currentNodeChanged["PyObject"])
        self._nodes.currentNodeChanged[bool].connect(self.currentNodeChanged[bool])
        self._nodes.nodeAboutToBeEdited.connect(self.nodeAboutToBeEdited)
        self._segments.currentIndexChanged.connect(self._on_segment)
        self._populate()

    def currentNode(self) -> Any:
        return self._nodes.currentNode()

    def currentNodeID(self) -> str:
        return self._nodes.currentNodeID

    @Slot("PyObject")
    def setCurrentNode(self, node: Any) -> None:
        self._nodes.setCurrentNode(node)

    @Slot(str)
    def setCurrentNodeID(self, identifier: str) -> None:
        self._nodes.setCurrentNodeID(identifier)

    def currentSegmentID(self) -> str:
        """Return the ID of the chosen segment, "" for none."""
        return self._segment

    @Slot(str)
    def setCurrentSegmentID(self, identifier: str) -> None:
        """Choose a segment; an ID that is not there changes nothing."""
        row = 0 if self.noneEnabled and not identifier else self._segments.findData(identifier)
        if row >= 0:
            self._segments.setCurrentIndex(row)

    def _set_none_enabled(self, enabled: bool) -> None:
        self._nodes.noneEnabled = enabled
        self._populate()

    def _set_edit_enabled(self, enabled: bool) -> None:
        self._nodes.editEnabled = enabled

    def _set_selector_visible(self, visible: bool) -> None:
        self._nodes.setVisible(visible)

    def _set_horizontal(self, horizontal: bool) -> None:
        self._horizontal = horizontal
        self._place_frame()

    def _set_select_upon_creation(self, select: bool) -> None:
        self._nodes.selectNodeUponCreation = select

    noneEnabled = Property(bool, lambda self: self._nodes.noneEnabled, _set_none_enabled)
    editEnabled = Property(bool, lambda self: self._nodes.editEnabled, _set_edit_enabled)
    segmentationNodeSelectorVisible = Property(bool, lambda self: not self._nodes.isHidden(), _set_selector_visible)
    horizontalLayout = Property(bool, lambda self: self._horizontal, _set_horizontal)
    selectNodeUponCreation = Property(bool, lambda self: self._nodes.selectNodeUponCreation, _set_select_upon_creation)

    def _place_frame(self) -> None:
        self._grid.removeWidget(self._frame)
        self._grid.addWidget(self._frame, *((0, 1) if self._horizontal else (1, 0)))
        self._label.setText("" if self._horizontal else "Segment: ")
        self._segments.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def _on_node(self, node: Any) -> None:
        if node is self._node:
            return
        self._observations.end()
        self._node = node
        kind = slicer.vtkSegmentation
        for event in (kind.SegmentAdded, kind.SegmentRemoved, kind.SegmentModified) if node is not None else ():
            self._observations.add(node, event, self._populate)
        self._populate()

    def _populate(self) -> None:
        segmentation = None if self._node is None else self._node.GetSegmentation()
        identifiers = () if segmentation is None else segmentation.GetSegmentIDs()
        blocked = self._segments.blockSignals(True)
        self._segments.clear()
        if identifiers and self.noneEnabled:
            self._segments.addItem(_NONE, _NONE)
        for identifier in identifiers:
            self._segments.addItem(segmentation.GetSegment(identifier).GetName(), identifier)
        self._segments.setCurrentIndex(-1)
        self._segments.blockSignals(blocked)
        self._label.setVisible(bool(identifiers))
        self._segments.setVisible(bool(identifiers))
        self._message.setVisible(not identifiers)
        self._message.setText("No node is selected " if segmentation is None else "No segments in segmentation ")
        if not identifiers:
            return
        if (self.noneEnabled and not self._segment) or self._segment in identifiers:
            self._segments.blockSignals(True)
            self.setCurrentSegmentID(self._segment)
            self._segments.blockSignals(blocked)
        else:
            self._segments.setCurrentIndex(1 if self.noneEnabled else 0)

    def _on_segment(self, row: int) -> None:
        if self._node is None:
            return
        identifier = self._segments.itemData(row) or ""
        self._segment = "" if identifier == _NONE else identifier
        self.currentSegmentChanged.emit(self._segment)
