"""qMRMLSequenceBrowserPlayWidget: first, previous, play, next and last item, the rate, and recording."""

from __future__ import annotations

from typing import Any

from PySide6.QtGui import QIcon, QKeySequence, QShortcut
from PySide6.QtWidgets import QDoubleSpinBox, QHBoxLayout, QPushButton, QSizePolicy, QStyle, QWidget
from vtkmodules.vtkCommonCore import vtkCommand

from slicer_api_host.declare import Property, Slot, register
from slicer_api_host.observations import Observations
from slicer_api_host.qmrml_widgets.scene_widgets import qMRMLWidget

_BUTTONS = {  # name: icon, tool tip, whether it stays down
    "pushButton_VcrFirst": ("SP_MediaSkipBackward", "First frame", False),
    "pushButton_VcrPrevious": ("SP_MediaSeekBackward", "Previous frame", False),
    "pushButton_VcrPlayPause": ("SP_MediaPlay", "Play/Pause", True),
    "pushButton_VcrNext": ("SP_MediaSeekForward", "Next frame", False),
    "pushButton_VcrLast": ("SP_MediaSkipForward", "Last frame", False),
    "pushButton_VcrLoop": ("SP_BrowserReload", "Loop playback", True),
    "pushButton_VcrRecord": ("SP_DialogNoButton", "Record proxy nodes modifications continuously", True),
    "pushButton_Snapshot": ("SP_DialogSaveButton", "Record snapshot of current state of all proxy nodes", False),
}
_RECORDING = ("pushButton_VcrRecord", "pushButton_Snapshot")


@register
class qMRMLSequenceBrowserPlayWidget(qMRMLWidget):
    """The buttons of a sequence browser. The widget only asks the node to play; the module Sequences moves it on."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._node: Any = None
        self._observations = Observations(self)
        self._recording_visible, self._keys = True, {}
        self._buttons = {name: self._button(name, *look) for name, look in _BUTTONS.items()}
        self._rate = QDoubleSpinBox()
        self._rate.setObjectName("doubleSpinBox_VcrPlaybackRate")
        self._rate.setDecimals(1)
        self._rate.setRange(0, 1000)
        self._rate.setSingleStep(5)
        self._rate.setSuffix("fps")
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        layout = QHBoxLayout(self)
        for button in self._buttons.values():
            layout.addWidget(button)
        layout.insertWidget(5, self._rate)
        self._connect_parts()
        self.setPlayPauseShortcut("Ctrl+Shift+Down")
        self.setPreviousFrameShortcut("Ctrl+Shift+Left")
        self.setNextFrameShortcut("Ctrl+Shift+Right")
        self._update()

    def _button(self, name: str, icon: str, tool_tip: str, checkable: bool) -> QPushButton:
        button, style = QPushButton(), self.style()
        button.setObjectName(name)
        button.setToolTip(tool_tip)
        button.setCheckable(checkable)
        picture = style.standardIcon(getattr(QStyle.StandardPixmap, icon))
        if icon == "SP_MediaPlay":
            pause = style.standardIcon(QStyle.StandardPixmap.SP_MediaPause)
            picture.addPixmap(pause.pixmap(24, 24), QIcon.Mode.Normal, QIcon.State.On)
        button.setIcon(picture)
        return button

    def _connect_parts(self) -> None:
        for name, called in (
            ("VcrFirst", self.onVcrFirst),
            ("VcrPrevious", self.onVcrPrevious),
            ("VcrNext", self.onVcrNext),
            ("VcrLast", self.onVcrLast),
        ):
            self._buttons[f"pushButton_{name}"].clicked.connect(called)
        self._buttons["pushButton_Snapshot"].clicked.connect(self.onRecordSnapshot)
        self._buttons["pushButton_VcrPlayPause"].toggled.connect(self.setPlaybackEnabled)
        self._buttons["pushButton_VcrLoop"].toggled.connect(self.setPlaybackLoopEnabled)
        self._buttons["pushButton_VcrRecord"].toggled.connect(self.setRecordingEnabled)
        self._rate.valueChanged.connect(self.setPlaybackRateFps)

    @Slot("PyObject")
    def setMRMLSequenceBrowserNode(self, node: Any) -> None:
        """Serve ``node``; None, or a node of another class, leaves the widget gray."""
        self._observations.end()
        self._node = node if node is not None and node.IsA("vtkMRMLSequenceBrowserNode") else None
        if self._node is not None:
            self._observations.add(self._node, vtkCommand.ModifiedEvent, self._update)
        self._update()

    @Slot(bool)
    def setPlaybackEnabled(self, play: bool) -> None:
        if self._node is not None:
            self._node.SetRecordingActive(False)
            self._node.SetPlaybackActive(play)
        self._update()

    @Slot(bool)
    def setRecordingEnabled(self, record: bool) -> None:
        if self._node is not None:
            self._node.SetPlaybackActive(False)
            self._node.SetRecordingActive(record)
        self._update()

    @Slot(float)
    def setPlaybackRateFps(self, rate: float) -> None:
        if self._node is not None:
            self._node.SetPlaybackRateFps(rate)

    @Slot(bool)
    def setPlaybackLoopEnabled(self, loop: bool) -> None:
        if self._node is not None:
            self._node.SetPlaybackLooped(loop)

    @Slot(bool)
    def setRecordingControlsVisible(self, visible: bool) -> None:
        self._recording_visible = visible
        self._update()

    @Slot()
    def onVcrFirst(self, *_: Any) -> None:
        if self._node is not None:
            self._node.SelectFirstItem()

    @Slot()
    def onVcrPrevious(self, *_: Any) -> None:
        if self._node is not None:
            self._node.SelectNextItem(-1)

    @Slot()
    def onVcrNext(self, *_: Any) -> None:
        if self._node is not None:
            self._node.SelectNextItem(1)

    @Slot()
    def onVcrLast(self, *_: Any) -> None:
        if self._node is not None:
            self._node.SelectLastItem()

    @Slot()
    def onVcrPlayPause(self) -> None:
        if self._node is not None:
            self.setPlaybackEnabled(not self._node.GetPlaybackActive())

    @Slot()
    def onRecordSnapshot(self, *_: Any) -> None:
        if self._node is not None:
            self._node.SaveProxyNodesState()

    @Slot(str)
    def setPlayPauseShortcut(self, keys: str) -> None:
        self._add_shortcut("pushButton_VcrPlayPause", keys, self.onVcrPlayPause)

    @Slot(str)
    def setPreviousFrameShortcut(self, keys: str) -> None:
        self._add_shortcut("pushButton_VcrPrevious", keys, self.onVcrPrevious)

    @Slot(str)
    def setNextFrameShortcut(self, keys: str) -> None:
        self._add_shortcut("pushButton_VcrNext", keys, self.onVcrNext)

    RecordingControlsVisible = Property(bool, lambda self: self._recording_visible, setRecordingControlsVisible)
    PlayPauseShortcut = Property(str, lambda self: self._keys["pushButton_VcrPlayPause"], setPlayPauseShortcut)
    PreviousFrameShortcut = Property(str, lambda self: self._keys["pushButton_VcrPrevious"], setPreviousFrameShortcut)
    NextFrameShortcut = Property(str, lambda self: self._keys["pushButton_VcrNext"], setNextFrameShortcut)

    def _add_shortcut(self, name: str, keys: str, called: Any) -> None:
        """Add a shortcut as a child of the widget; as in Slicer, a former one stays."""
        QShortcut(QKeySequence(keys), self).activated.connect(called)
        self._buttons[name].setToolTip(f"{_BUTTONS[name][1]} ({keys})")
        self._keys[name] = keys

    def _update(self) -> None:
        sequence = None if self._node is None else self._node.GetMasterSequenceNode()
        self.setEnabled(sequence is not None)
        if sequence is None:
            return
        node = self._node
        playing, recording = bool(node.GetPlaybackActive()), bool(node.GetRecordingActive())
        usable = sequence.GetNumberOfDataNodes() > 0 and not recording
        states = {"pushButton_VcrRecord": recording}
        if usable:
            states |= {"pushButton_VcrPlayPause": playing, "pushButton_VcrLoop": bool(node.GetPlaybackLooped())}
        for name, state in states.items():
            _quietly(self._buttons[name], self._buttons[name].setChecked, state)
        _quietly(self._rate, self._rate.setValue, node.GetPlaybackRateFps())
        for name, button in self._buttons.items():
            if name in _RECORDING:
                button.setVisible(bool(node.IsAnySequenceNodeRecording()) and self._recording_visible)
            else:
                button.setEnabled(usable)
        self._buttons["pushButton_VcrRecord"].setEnabled(not playing)
        self._buttons["pushButton_Snapshot"].setEnabled(not playing and not recording)


def _quietly(widget: QWidget, write: Any, value: Any) -> None:
    """Write a value that comes from the node, without telling the node about it."""
    blocked = widget.blockSignals(True)
    write(value)
    widget.blockSignals(blocked)
