"""CTK's push buttons: with aligned text, with a check box, with a menu."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtGui import QIcon, QMouseEvent, QPaintEvent, QPalette
from PySide6.QtWidgets import QPushButton, QStyle, QStyleOptionButton, QStylePainter

from slicer_api_host.declare import Property, Signal, register, stored_property

_MIDDLE = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignVCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


@register
class ctkPushButton(QPushButton):
    """A button whose text and icon are aligned each for itself."""

    buttonTextAlignment = stored_property(Qt.AlignmentFlag, "buttonTextAlignment", _MIDDLE, after="update")
    iconAlignment = stored_property(Qt.AlignmentFlag, "iconAlignment", _LEFT, after="update")
    elideMode = stored_property(Qt.TextElideMode, "elideMode", Qt.TextElideMode.ElideNone, after="update")

    def _icon_place(self) -> QRect:
        margin = self.style().pixelMetric(QStyle.PixelMetric.PM_ButtonMargin, None, self)
        room = self.rect.adjusted(margin, 0, -margin, 0)
        return QStyle.alignedRect(self.layoutDirection, self.iconAlignment, self.iconSize, room)

    def _draw_icon(self, painter: QStylePainter, option: QStyleOptionButton) -> bool:
        """Draw what stands beside the text; return whether there is anything."""
        mode = QIcon.Mode.Normal if self.isEnabled() else QIcon.Mode.Disabled
        option.icon.paint(painter, self._icon_place(), mode=mode)
        return not option.icon.isNull()

    def paintEvent(self, _event: QPaintEvent) -> None:
        option = QStyleOptionButton()
        self.initStyleOption(option)
        painter = QStylePainter(self)
        try:
            painter.drawControl(QStyle.ControlElement.CE_PushButtonBevel, option)
            place = self._icon_place()
            room = self.rect.adjusted(place.left(), 0, -place.left(), 0)
            if self._draw_icon(painter, option) and self.iconAlignment & Qt.AlignmentFlag.AlignLeft:
                room.setLeft(place.right() + place.left())
            text = self.fontMetrics().elidedText(option.text, self.elideMode, room.width())
            flags = int(self.buttonTextAlignment.value) | int(Qt.TextFlag.TextShowMnemonic.value)
            role = QPalette.ColorRole.ButtonText
            painter.drawItemText(room, flags, option.palette, self.isEnabled(), text, role)
        finally:
            painter.end()


@register
class ctkCheckablePushButton(ctkPushButton):
    """A button with a check box; the check box makes the button checkable, or is on its own."""

    checkBoxToggled = Signal(bool)
    checkStateChanged = Signal(Qt.CheckState)

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        self._state = Qt.CheckState.Unchecked
        side = self.style().pixelMetric(QStyle.PixelMetric.PM_IndicatorWidth, None, self)
        self.setIconSize(QSize(side, side))

    def _set_check_state(self, state: Qt.CheckState) -> None:
        if state == self._state:
            return
        self._state = Qt.CheckState(state)
        checked = self._state == Qt.CheckState.Checked
        if self.checkBoxControlsButton:
            was_checked = self.checked
            self.setCheckable(checked)
            if was_checked != self.checked:
                self.toggled.emit(self.checked)
            if self.checkBoxControlsButtonToggleState:
                self.setChecked(checked)
        self.checkStateChanged.emit(self._state)
        self.checkBoxToggled.emit(checked)
        self.update()

    def _synchronize(self) -> None:
        if self.checkBoxControlsButton:
            self._set_check_state(Qt.CheckState.Checked if self.isCheckable() else Qt.CheckState.Unchecked)

    checkState = Property(Qt.CheckState, lambda self: self._state, _set_check_state)
    checkBoxControlsButton = stored_property(bool, "checkBoxControlsButton", True, after="_synchronize")
    checkBoxControlsButtonToggleState = stored_property(bool, "checkBoxControlsButtonToggleState", False)
    checkBoxUserCheckable = stored_property(bool, "checkBoxUserCheckable", True, after="update")
    indicatorAlignment = stored_property(Qt.AlignmentFlag, "indicatorAlignment", _LEFT, after="update")

    def _draw_icon(self, painter: QStylePainter, option: QStyleOptionButton) -> bool:
        self._synchronize()  # setCheckable is not announced
        box = QStyleOptionButton()
        box.initFrom(self)
        box.rect = self._icon_place()
        if not self.checkBoxUserCheckable:
            box.state &= ~QStyle.StateFlag.State_Enabled
        is_on = self._state == Qt.CheckState.Checked
        box.state |= QStyle.StateFlag.State_On if is_on else QStyle.StateFlag.State_Off
        painter.drawPrimitive(QStyle.PrimitiveElement.PE_IndicatorCheckBox, box)
        return True

    def hitButton(self, position: QPoint) -> bool:
        return not self._icon_place().contains(position) and super().hitButton(position)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self.checkBoxUserCheckable and self._icon_place().contains(event.position().toPoint()):
            is_on = self._state == Qt.CheckState.Checked
            self._set_check_state(Qt.CheckState.Unchecked if is_on else Qt.CheckState.Checked)
        else:
            super().mousePressEvent(event)


@register
class ctkMenuButton(QPushButton):
    """A button with a menu; the whole button opens it here, in CTK its arrow does."""
