"""CTK's buttons and boxes that are Qt's with an option more."""

from __future__ import annotations

import enum

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QIcon, QPaintEvent
from PySide6.QtWidgets import QCheckBox, QComboBox, QPushButton, QStyle, QStyleOptionComboBox, QStylePainter

from slicer_api_host.declare import Property, Signal, Slot, register, stored_property

_CENTERED = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignVCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


@register
class ctkPushButton(QPushButton):
    """A button whose text and icon can be aligned."""

    buttonTextAlignment = stored_property(Qt.AlignmentFlag, "buttonTextAlignment", _CENTERED)
    iconAlignment = stored_property(Qt.AlignmentFlag, "iconAlignment", _LEFT)
    elideMode = stored_property(Qt.TextElideMode, "elideMode", Qt.TextElideMode.ElideNone)


@register
class ctkCheckablePushButton(ctkPushButton):
    """A button with a check box in it."""

    checkBoxToggled = Signal(bool)
    checkStateChanged = Signal(Qt.CheckState)

    def _set_check_state(self, state: Qt.CheckState) -> None:
        if state != self._state:
            self._state = state
            checked = state == Qt.CheckState.Checked
            if self.checkBoxControlsButton:
                self.setCheckable(checked)
            if checked and self.checkBoxControlsButtonToggleState:
                self.setChecked(True)
            self.checkStateChanged.emit(state)
            self.checkBoxToggled.emit(checked)

    _state = Qt.CheckState.Unchecked
    checkState = Property(Qt.CheckState, lambda self: self._state, _set_check_state)
    indicatorAlignment = stored_property(Qt.AlignmentFlag, "indicatorAlignment", _LEFT)
    checkBoxControlsButton = stored_property(bool, "checkBoxControlsButton", True)
    checkBoxControlsButtonToggleState = stored_property(bool, "checkBoxControlsButtonToggleState", True)
    checkBoxUserCheckable = stored_property(bool, "checkBoxUserCheckable", True)


@register
class ctkMenuButton(QPushButton):
    """A button with an arrow that opens its menu."""


@register
class ctkCheckBox(QCheckBox):
    """A check box with an icon in place of the tick."""

    indicatorIcon = stored_property(QIcon, "indicatorIcon", QIcon, after="update")
    indicatorIconSize = stored_property(QSize, "indicatorIconSize", QSize, after="update")


@register
class ctkComboBox(QComboBox):
    """A combo box that shows a text of its own while nothing is chosen."""

    class ScrollEffect(enum.IntEnum):
        NeverScroll = 0
        AlwaysScroll = 1
        ScrollWithFocus = 2
        ScrollWithNoVScrollBar = 3

    NeverScroll, AlwaysScroll, ScrollWithFocus, ScrollWithNoVScrollBar = ScrollEffect

    defaultText = stored_property(str, "defaultText", "", after="update")
    defaultIcon = stored_property(QIcon, "defaultIcon", QIcon, after="update")
    forceDefault = stored_property(bool, "forceDefault", False, after="update")
    elideMode = stored_property(Qt.TextElideMode, "elideMode", Qt.TextElideMode.ElideNone, after="update")
    scrollWheelEffect = stored_property(int, "scrollWheelEffect", int(ScrollEffect.AlwaysScroll))

    @Slot(str)
    def setCurrentUserDataAsString(self, user_data: str) -> None:
        self.setCurrentIndex(self.findData(user_data))

    currentUserDataAsString = Property(str, lambda self: str(self.currentData or ""), setCurrentUserDataAsString)

    def paintEvent(self, _event: QPaintEvent) -> None:
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        if self.currentIndex == -1 or self.forceDefault:
            option.currentText, option.currentIcon = self.defaultText, self.defaultIcon
        painter = QStylePainter(self)
        try:
            painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
            painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)
        finally:
            painter.end()
