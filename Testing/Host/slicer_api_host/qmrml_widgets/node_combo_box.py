"""qMRMLNodeComboBox: choosing a node of the scene, making one, renaming or deleting it."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QInputDialog, QLineEdit, QSizePolicy, QWidget

from slicer_api_host.declare import WIDGETS, Property, Signal, register, stored_property
from slicer_api_host.qmrml_widgets.node_actions import NodeActions
from slicer_api_host.qmrml_widgets.node_filter import NodeFilter
from slicer_api_host.qmrml_widgets.node_list import ACTION, NodeList


@register
class qMRMLNodeComboBox(QWidget):
    """A combo box with the nodes of a scene; gray until it has one.

    Without ``noneEnabled`` the first node is chosen when the scene is set; later nodes are not chosen by themselves.
    """

    currentNodeChanged = Signal(("PyObject",), (bool,))
    currentNodeIDChanged = Signal(str)
    currentNodeRenamed = Signal(str)
    nodeActivated = Signal("PyObject")
    nodeAdded = Signal("PyObject")
    nodeAddedByUser = Signal("PyObject")
    nodeAddedByUserAction = Signal("PyObject")
    nodeAboutToBeRemoved = Signal("PyObject")
    nodeAboutToBeEdited = Signal("PyObject")

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rule = NodeFilter()
        self._list = NodeList(self, self._rule)
        self._actions = NodeActions(self._rule)
        self._requested, self._switching = "", False
        self._combo = WIDGETS["ctkComboBox"](self)
        self._combo.elideMode = Qt.TextElideMode.ElideMiddle
        view = self._combo.view()  # before the model comes: then Qt answers to its rows first
        self._combo.setModel(self._list)
        self._combo.setFocusPolicy(
            Qt.FocusPolicy.NoFocus
        )  # in Slicer its focus goes to the widget, which takes no keys
        self._combo.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._combo)
        self._list.rowsInserted.connect(self._on_rows_inserted)
        self._list.rowsAboutToBeRemoved.connect(self._on_rows_about_to_be_removed)
        self._list.rowsRemoved.connect(self._on_rows_removed)
        self._list.dataChanged.connect(self._on_renamed)
        self._combo.currentIndexChanged.connect(self._on_choice)
        self._combo.activated.connect(self._on_activated)
        view.clicked.connect(self._on_clicked)
        self._update_texts()
        self.setEnabled(False)

    noneEnabled = stored_property(bool, "noneEnabled", False, after="_update_none")
    noneDisplay = stored_property(str, "noneDisplay", "None", after="_update_none")
    addEnabled = stored_property(bool, "addEnabled", True, after="_update_texts")
    removeEnabled = stored_property(bool, "removeEnabled", True, after="_update_texts")
    editEnabled = stored_property(bool, "editEnabled", False, after="_update_texts")
    renameEnabled = stored_property(bool, "renameEnabled", False, after="_update_texts")
    selectNodeUponCreation = stored_property(bool, "selectNodeUponCreation", True)
    interactionNodeSingletonTag = stored_property(str, "interactionNodeSingletonTag", "Singleton")

    def _set_types(self, types: list[str]) -> None:
        self._rule.types = [name for name in types if name]
        self._refilter()
        self._update_texts()

    def _set_base_name(self, name: str) -> None:
        self._actions.base_names.update(dict.fromkeys(self._rule.types, name))

    def _base_name(self) -> str:
        return self._actions.base_names.get(self._rule.types[0], "") if self._rule.types else ""

    def _rule_property(ctype: Any, field: str) -> Property:
        def write(self: Any, value: Any) -> None:
            setattr(self._rule, field, value)
            self._refilter()

        return Property(ctype, lambda self: getattr(self._rule, field), write)

    nodeTypes = Property("QStringList", lambda self: self._rule.types, _set_types)
    showHidden = _rule_property(bool, "hidden")
    showChildNodeTypes = _rule_property(bool, "children")
    hideChildNodeTypes = _rule_property("QStringList", "hidden_children")
    baseName = Property(str, _base_name, _set_base_name)
    sizeAdjustPolicy = Property(
        QComboBox.SizeAdjustPolicy,
        lambda self: self._combo.sizeAdjustPolicy,
        lambda self, policy: self._combo.setSizeAdjustPolicy(policy),
    )

    def addAttribute(self, node_type: str, name: str, value: Any = None) -> None:
        """Show, of the class ``node_type``, only nodes with this attribute; a node made here gets it."""
        self._rule.attributes[node_type] = (name, None if value is None else str(value))
        self._refilter()

    def removeAttribute(self, node_type: str, name: str) -> None:
        if self._rule.attributes.get(node_type, ("",))[0] == name:
            del self._rule.attributes[node_type]
        self._refilter()

    def setNodeTypeLabel(self, label: str, node_type: str) -> None:
        self._actions.labels[node_type] = label
        self._update_texts()

    def nodeTypeLabel(self, node_type: str) -> str:
        return self._actions.label(self._list.scene(), node_type)

    def addMenuAction(self, action: QAction) -> None:
        if all(action.text != other.text for other in self._actions.of_the_user):
            self._actions.of_the_user.append(action)
            self._update_texts()

    def mrmlScene(self) -> Any:
        return self._list.scene()

    def setMRMLScene(self, scene: Any) -> None:
        if scene is self._list.scene():
            return
        former, had_nodes = self.currentNodeID, self.nodeCount() > 0
        self._switching = True
        self._list.set_scene(scene)
        self._combo.setCurrentIndex(-1)  # Qt may have chosen a row by itself; what is chosen below is told
        self._switching = False
        self._update_none()
        self._update_texts()
        if had_nodes:
            wanted = former
        else:
            first = None if self.noneEnabled else self.nodeFromIndex(0)
            wanted = self._requested or (first.GetID() if first is not None else "")
        self._requested = ""
        self._choose(wanted)
        self.setEnabled(scene is not None)

    def nodeCount(self) -> int:
        return self._list.node_count()

    def nodeFromIndex(self, index: int) -> Any:
        return self._list.node_at(index + self._list.first_row())

    def currentNode(self) -> Any:
        return self._list.node_at(self._combo.currentIndex)

    def _current_id(self) -> str:
        node = self.currentNode()
        return "" if node is None else node.GetID()

    def setCurrentNodeID(self, identifier: str) -> None:
        """Choose a node; one that is not shown here leaves nothing chosen. Without a scene it is remembered."""
        if self._list.scene() is None:
            self._requested = identifier
        self._choose(identifier)

    def setCurrentNode(self, node: Any) -> None:
        self.setCurrentNodeID(node if isinstance(node, str) else node.GetID() if node is not None else "")

    def setCurrentNodeIndex(self, index: int) -> None:
        index = index if index < self.nodeCount() else -1
        self._combo.setCurrentIndex(index + self._list.first_row())

    currentNodeID = Property(str, _current_id, setCurrentNodeID, notify=currentNodeIDChanged)

    def addNode(self, node_type: str | None = None) -> Any:
        """Make a node of a class of ``nodeTypes``, by default the first, and return it; None for any other class."""
        node = self._actions.make_node(self._list.scene(), node_type)
        if node is None:
            return None
        if self.selectNodeUponCreation:
            self.setCurrentNode(node)
        self.nodeAddedByUser.emit(node)
        return node

    def removeCurrentNode(self) -> None:
        if self.currentNode() is not None:
            self._list.scene().RemoveNode(self.currentNode())

    def renameCurrentNode(self) -> None:
        """Ask for a name, and give it to the node."""
        node = self.currentNode()
        if node is None:
            return
        name = self._ask_name(f"Rename {self.nodeTypeLabel(node.GetClassName())}", node.GetName())
        if name:
            node.SetName(name)
            self.currentNodeRenamed.emit(name)

    def editCurrentNode(self) -> None:
        node, tag = self.currentNode(), self.interactionNodeSingletonTag
        self.nodeAboutToBeEdited.emit(node)
        interaction = self._list.scene().GetSingletonNode(tag, "vtkMRMLInteractionNode") if tag else None
        if interaction is not None:
            interaction.EditNode(node)

    def _ask_name(self, title: str, name: str) -> str:
        answer, accepted = QInputDialog.getText(self, title, "New name:", QLineEdit.EchoMode.Normal, name)
        return answer if accepted else ""

    def _choose(self, identifier: str) -> None:
        row = self._list.row_of(identifier) if identifier else -1
        self._combo.setCurrentIndex(row if row >= 0 else 0 if self.noneEnabled else -1)

    def _refilter(self) -> None:
        self._list.refilter()

    def _update_none(self) -> None:
        chosen = self._combo.currentIndex, self._current_id()
        self._switching = True
        self._list.set_none(self.noneDisplay if self.noneEnabled else None)
        self._choose(chosen[1])
        self._switching = False

    def _update_texts(self) -> None:
        """Write the words that name the class of the nodes: the hint and the actions."""
        types, scene = self._rule.types, self._list.scene()
        self._combo.defaultText = f"Select a {self.nodeTypeLabel(types[0] if types else '')}"
        offered = {
            "add": self.addEnabled,
            "remove": self.removeEnabled,
            "edit": self.editEnabled,
            "rename": self.renameEnabled,
        }
        chosen = self._combo.currentIndex
        self._switching = True
        self._list.set_actions([] if scene is None else self._actions.rows(scene, **offered))
        self._combo.setCurrentIndex(chosen)
        self._switching = False

    def _on_clicked(self, index: QModelIndex) -> None:
        action = index.data(ACTION)
        if not action:
            return
        self._combo.hidePopup()
        handlers = {
            "CREATE": self._create,
            "CREATE_AS": self._create_as,
            "RENAME": self.renameCurrentNode,
            "EDIT": self.editCurrentNode,
            "DELETE": self.removeCurrentNode,
        }
        self._actions.do(action, handlers)

    def _create_as(self, node_type: str) -> None:
        name = self._ask_name(f"Create new {self.nodeTypeLabel(node_type)}", "")
        if name:
            self._create(node_type, name)

    def _create(self, node_type: str, name: str = "") -> None:
        node = self.addNode(node_type)
        if name:
            node.SetName(name)
        self.setCurrentNode(node)
        self.nodeAddedByUserAction.emit(node)

    def _on_renamed(self, first: QModelIndex, last: QModelIndex) -> None:
        if first.row() <= self._combo.currentIndex <= last.row():
            self._on_choice(self._combo.currentIndex)

    def _on_choice(self, row: int) -> None:
        if self._switching:
            return
        node = self.currentNode()
        if node is None and row != (0 if self.noneEnabled else -1):
            # Qt chose a row that is none of ours to choose, because the chosen node went
            last = self.nodeFromIndex(self.nodeCount() - 1)
            if last is not None:
                self.setCurrentNode(last)
            return
        self.currentNodeChanged["PyObject"].emit(node)
        self.currentNodeChanged[bool].emit(node is not None)
        self.currentNodeIDChanged.emit("" if node is None else node.GetID())

    def _on_activated(self, row: int) -> None:
        node = self._list.node_at(row)
        if node is not None or (self.noneEnabled and row == 0):
            self.nodeActivated.emit(node)

    def _on_rows_inserted(self, _parent: QModelIndex, first: int, last: int) -> None:
        for row in range(first, last + 1):
            node = self._list.node_at(row)
            if node is not None:
                self.nodeAdded.emit(node)

    def _on_rows_about_to_be_removed(self, _parent: QModelIndex, first: int, last: int) -> None:
        for row in range(first, last + 1):
            node = self._list.node_at(row)
            if node is not None:
                self.nodeAboutToBeRemoved.emit(node)

    def _on_rows_removed(self, *_: Any) -> None:
        if not self._switching and self.currentNode() is None:
            self._choose("")
