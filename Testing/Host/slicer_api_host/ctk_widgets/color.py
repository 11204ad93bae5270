"""ctkColorPickerButton."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPaintEvent, QPalette, QPixmap
from PySide6.QtWidgets import QColorDialog, QPushButton, QStyle, QStyleOptionButton, QStylePainter, QWidget

from slicer_api_host.ctk_widgets.parts import parent_among, text_among
from slicer_api_host.declare import Property, Signal, Slot, register, stored_property


@register
class ctkColorPickerButton(QPushButton):
    """A button that shows a color and opens a dialog for another."""

    colorChanged = Signal(QColor)
    colorNameChanged = Signal(str)

    def __init__(self, *arguments: QWidget | QColor | str | None) -> None:
        super().__init__(parent_among(arguments))
        self._color, self._named = QColor(0, 0, 0), ""
        self.setText(text_among(arguments))
        self.setCheckable(True)
        self.toggled.connect(self._open)
        for color in (a for a in arguments if isinstance(a, QColor)):
            self.setColor(color)

    def _open(self, checked: bool) -> None:
        if checked:
            self.changeColor()
            self.setChecked(False)

    @Slot(QColor)
    def setColor(self, color: QColor) -> None:
        if QColor(color) != self._color:
            self._color = QColor(color)
            self.update()
            self.colorChanged.emit(self._color)

    @Slot()
    def changeColor(self) -> None:
        chosen = QColorDialog.getColor(self._color, self)
        if chosen.isValid():
            self.setColor(chosen)

    @Slot(bool)
    def setDisplayColorName(self, shown: bool) -> None:
        self.displayColorName = shown

    def _set_name(self, name: str) -> None:
        if name != self._named:
            self._named = name
            self.update()
            self.colorNameChanged.emit(name)

    color = Property(QColor, lambda self: QColor(self._color), setColor)
    colorName = Property(str, lambda self: self._named, _set_name)
    displayColorName = stored_property(bool, "displayColorName", True, after="update")
    dialogOptions = stored_property(int, "dialogOptions", 0)

    def _swatch(self) -> QIcon:
        side = self.style().pixelMetric(QStyle.PixelMetric.PM_SmallIconSize, None, self)
        swatch = QPixmap(side, side)
        swatch.fill(self.palette.color(QPalette.ColorRole.Button))
        painter = QPainter(swatch)
        try:
            painter.setPen(Qt.GlobalColor.gray)
            painter.setBrush(self._color)
            painter.drawRect(2, 2, side - 5, side - 5)
        finally:
            painter.end()
        return QIcon(swatch)

    def paintEvent(self, _event: QPaintEvent) -> None:
        option = QStyleOptionButton()
        self.initStyleOption(option)
        option.icon = self._swatch()
        if self.displayColorName:
            option.text = self._named or self._color.name()
        painter = QStylePainter(self)
        try:
            painter.drawControl(QStyle.ControlElement.CE_PushButton, option)
        finally:
            painter.end()
