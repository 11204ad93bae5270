"""ctkComboBox, with a text for "nothing chosen yet", and ctkCheckBox, with an icon in place of the tick."""

from __future__ import annotations

import enum

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QIcon, QPaintEvent
from PySide6.QtWidgets import QCheckBox, QComboBox, QStyle, QStyleOptionComboBox, QStylePainter

from slicer_api_host.declare import Property, Slot, register, stored_property


@register
class ctkCheckBox(QCheckBox):
    """A check box with an icon in place of the tick; the host draws the tick."""

    indicatorIcon = stored_property(QIcon, "indicatorIcon", QIcon)
    indicatorIconSize = stored_property(QSize, "indicatorIconSize", QSize)


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

    currentUserDataAsString = Property(
        str, lambda self: "" if self.currentData is None else str(self.currentData), setCurrentUserDataAsString
    )

    def paintEvent(self, _event: QPaintEvent) -> None:
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        if self.currentIndex == -1 or self.forceDefault:
            option.currentText, option.currentIcon = self.defaultText, self.defaultIcon
        field = self.style().subControlRect(
            QStyle.ComplexControl.CC_ComboBox, option, QStyle.SubControl.SC_ComboBoxEditField, self
        )
        option.currentText = self.fontMetrics().elidedText(option.currentText, self.elideMode, field.width())
        painter = QStylePainter(self)
        try:
            painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
            painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)
        finally:
            painter.end()
