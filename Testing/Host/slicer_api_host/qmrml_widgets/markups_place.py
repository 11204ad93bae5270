"""qSlicerMarkupsPlaceWidget: the color of a markups node, placing its points in the views, deleting them."""

from __future__ import annotations

import enum
from typing import Any

from PySide6.QtGui import QAction, QColor
from PySide6.QtWidgets import QHBoxLayout, QMenu, QStyle, QToolButton, QWidget

from slicer_api_host.ctk_widgets.color import ctkColorPickerButton
from slicer_api_host.declare import Property, Signal, Slot, register, stored_property
from slicer_api_host.qmrml_widgets.place_mode import PlaceMode
from slicer_api_host.qmrml_widgets.scene_widgets import qSlicerWidget


@register
class qSlicerMarkupsPlaceWidget(qSlicerWidget):
    """Four buttons; the place mode itself is that of the interaction node of the scene, which the views follow."""

    activeMarkupsPlaceModeChanged = Signal(bool)
    activeMarkupsFiducialPlaceModeChanged = Signal(bool)

    class PlaceMultipleMarkupsType(enum.IntEnum):
        ShowPlaceMultipleMarkupsOption = 0
        HidePlaceMultipleMarkupsOption = 1
        ForcePlaceSingleMarkup = 2
        ForcePlaceMultipleMarkups = 3

    ShowPlaceMultipleMarkupsOption, HidePlaceMultipleMarkupsOption = list(PlaceMultipleMarkupsType)[:2]
    ForcePlaceSingleMarkup, ForcePlaceMultipleMarkups = list(PlaceMultipleMarkupsType)[2:]
    defaultNodeColor = stored_property(QColor, "defaultNodeColor", lambda: QColor(0, 1, 0), after="_update")
    deleteAllControlPointsOptionVisible = stored_property(
        bool, "deleteAllControlPointsOptionVisible", True, after="_update"
    )

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._mode = PlaceMode(self, self._update)
        self._multiple = self.ShowPlaceMultipleMarkupsOption
        self._said, self._updating = False, False
        self._color = ctkColorPickerButton()
        self._color.displayColorName = False
        self._place = self._button("PlaceButton", "Place a control point", "SP_DialogApplyButton")
        self._place.setCheckable(True)
        self._delete = self._button("DeleteButton", "Delete last added control point", "SP_TrashIcon")
        self._more = self._button("MoreButton", "Click for more options", "SP_ToolBarHorizontalExtensionButton")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        for part in (self._color, self._place, self._delete, self._more):
            row.addWidget(part)
        self._make_menus()
        self._color.colorChanged.connect(self.setNodeColor)
        self._place.toggled.connect(self.setPlaceModeEnabled)
        self._delete.clicked.connect(self.modifyLastPoint)
        self._update()

    def _button(self, name: str, tool_tip: str, icon: str) -> QToolButton:
        button = QToolButton()
        button.setObjectName(name)
        button.setToolTip(tool_tip)
        button.setIcon(self.style().standardIcon(getattr(QStyle.StandardPixmap, icon)))
        return button

    def _make_menus(self) -> None:
        place, delete, more = QMenu(self), QMenu(self), QMenu(self)
        self._persistent = place.addAction("Place multiple control points")
        self._persistent.setCheckable(True)
        self._persistent.toggled.connect(self.setPlaceModePersistency)
        self._delete_all: QAction = delete.addAction("Delete all control points")
        self._delete_all.triggered.connect(self.deleteAllPoints)
        for text, called in (
            ("Visibility", self._toggle_visibility),
            ("Locked", lambda: self._mode.node.SetLocked(not self._mode.node.GetLocked())),
            ("Control point number locked", self._toggle_fixed_number),
        ):
            more.addAction(text).triggered.connect(called)
        self._menus = {self._place: place, self._delete: delete}
        self._more.setMenu(more)
        self._more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)

    def currentNode(self) -> Any:
        return self._mode.node

    def currentMarkupsNode(self) -> Any:
        return self._mode.node

    def interactionNode(self) -> Any:
        return self._mode.interaction

    def selectionNode(self) -> Any:
        return self._mode.selection

    def placeButton(self) -> QToolButton:
        return self._place

    def deleteButton(self) -> QToolButton:
        return self._delete

    @Slot("PyObject")
    def setMRMLScene(self, scene: Any) -> None:
        super().setMRMLScene(scene)
        self.setInteractionNode(scene and scene.GetNodeByID("vtkMRMLInteractionNodeSingleton"))
        self.setSelectionNode(scene and scene.GetNodeByID("vtkMRMLSelectionNodeSingleton"))
        self._update()

    @Slot("PyObject")
    def setInteractionNode(self, node: Any) -> None:
        self._mode.set_interaction(node)

    @Slot("PyObject")
    def setSelectionNode(self, node: Any) -> None:
        self._mode.set_selection(node)

    @Slot("PyObject")
    def setCurrentNode(self, node: Any) -> None:
        """Serve a markups node; None, or a node of another class, leaves the buttons gray."""
        self._mode.set_node(node if node is not None and node.IsA("vtkMRMLMarkupsNode") else None)

    @Slot(bool)
    def setCurrentNodeActive(self, active: bool) -> None:
        self._mode.set_active(active)

    @Slot(bool)
    def setPlaceModeEnabled(self, enabled: bool) -> None:
        """Let the next click in a view place a point of the node, or no longer."""
        if not self._mode.is_usable():
            return
        if not enabled:
            self._mode.end()
            return
        self._force_persistency()
        self._mode.begin()

    def _force_persistency(self) -> None:
        if self._multiple in (self.ForcePlaceSingleMarkup, self.ForcePlaceMultipleMarkups):
            self._mode.set_persistent(self._multiple == self.ForcePlaceMultipleMarkups)

    @Slot(bool)
    def setPlaceModePersistency(self, persistent: bool) -> None:
        self._mode.set_persistent(persistent)

    @Slot(int)
    def setPlaceMultipleMarkups(self, option: int) -> None:
        self._multiple = self.PlaceMultipleMarkupsType(option)
        if self._mode.is_placing():
            self._force_persistency()
        self._update()

    @Slot(bool)
    def setButtonsVisible(self, visible: bool) -> None:
        for button in (self._color, self._place, self._delete, self._more):
            button.setVisible(visible)

    @Slot(QColor)
    def setNodeColor(self, color: QColor) -> None:
        display = None if self._mode.node is None else self._mode.node.GetDisplayNode()
        if display is not None:
            display.SetSelectedColor(color.redF(), color.greenF(), color.blueF())

    def _node_color(self) -> QColor:
        display = None if self._mode.node is None else self._mode.node.GetDisplayNode()
        return self.defaultNodeColor if display is None else QColor.fromRgbF(*display.GetSelectedColor())

    currentNodeActive = Property(bool, lambda self: self._mode.is_active(), setCurrentNodeActive)
    placeModeEnabled = Property(bool, lambda self: self._mode.is_placing(), setPlaceModeEnabled)
    placeModePersistency = Property(bool, lambda self: self._mode.is_persistent(), setPlaceModePersistency)
    placeMultipleMarkups = Property(int, lambda self: int(self._multiple), setPlaceMultipleMarkups)
    buttonsVisible = Property(bool, lambda self: not self._more.isHidden(), setButtonsVisible)
    nodeColor = Property(QColor, _node_color, setNodeColor)

    @Slot(bool)
    def setDeleteAllControlPointsOptionVisible(self, visible: bool) -> None:
        self.deleteAllControlPointsOptionVisible = visible

    @Slot()
    def modifyLastPoint(self, *_: Any) -> None:
        """Delete the last point, or undo its position where the number of points is fixed."""
        if self._mode.node is None:
            return
        if self._mode.node.GetFixedNumberOfControlPoints():
            self.unsetLastDefinedPoint()
        else:
            self.deleteLastPoint()

    @Slot()
    def deleteLastPoint(self) -> None:
        if self._mode.node is not None and self._mode.node.GetNumberOfControlPoints():
            self._mode.node.RemoveNthControlPoint(self._mode.node.GetNumberOfControlPoints() - 1)

    @Slot()
    def unsetLastDefinedPoint(self) -> None:
        count = 0 if self._mode.node is None else self._mode.node.GetNumberOfControlPoints()
        for index in reversed(range(count)):
            if self._mode.node.GetNthControlPointPositionStatus(index) != self._mode.node.PositionUndefined:
                self._mode.node.UnsetNthControlPointPosition(index)
                return

    @Slot()
    def deleteAllPoints(self, *_: Any) -> None:
        if self._mode.node is not None:
            self._mode.node.RemoveAllControlPoints()

    @Slot()
    def unsetAllPoints(self) -> None:
        if self._mode.node is not None:
            self._mode.node.UnsetAllControlPoints()

    def _toggle_visibility(self, *_: Any) -> None:
        display = self._mode.node.GetDisplayNode()
        if display is not None:
            display.SetVisibility(not display.GetVisibility())

    def _toggle_fixed_number(self, *_: Any) -> None:
        self._mode.node.SetFixedNumberOfControlPoints(not self._mode.node.GetFixedNumberOfControlPoints())
        self._mode.end()

    def _update(self) -> None:
        if self._updating:
            return
        self._updating = True
        usable = self._mode.is_usable()
        blocked = [(part, part.blockSignals(True)) for part in (self._color, self._place, self._persistent)]
        self._color.color = self._node_color()
        self._place.setChecked(self._mode.is_placing())
        self._persistent.setChecked(self.placeModePersistency)
        for part, was in blocked:
            part.blockSignals(was)
        self._color.setEnabled(usable)
        self._more.setEnabled(usable)
        self._place.setEnabled(usable and not self._mode.node.GetControlPointPlacementComplete())
        self._delete.setEnabled(usable and self._mode.node.GetNumberOfControlPoints() > 0)
        self._offer(self._place, self._multiple == self.ShowPlaceMultipleMarkupsOption)
        self._offer(self._delete, self.deleteAllControlPointsOptionVisible)
        self._updating = False
        placing = self._mode.is_placing()
        if placing != self._said:
            self._said = placing
            self.activeMarkupsFiducialPlaceModeChanged.emit(placing)
            self.activeMarkupsPlaceModeChanged.emit(placing)

    def _offer(self, button: QToolButton, menu: bool) -> None:
        mode = QToolButton.ToolButtonPopupMode
        button.setMenu(self._menus[button] if menu else None)
        button.setPopupMode(mode.MenuButtonPopup if menu else mode.DelayedPopup)
