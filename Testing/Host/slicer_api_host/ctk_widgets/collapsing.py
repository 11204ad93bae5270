"""The two boxes that fold: ctkCollapsibleButton and ctkCollapsibleGroupBox."""

from __future__ import annotations

import shiboken6
from PySide6.QtCore import QChildEvent, QEvent, QObject, QRect, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import (
    QAbstractButton,
    QFrame,
    QGroupBox,
    QProxyStyle,
    QSizePolicy,
    QStyle,
    QStyleOption,
    QStyleOptionButton,
    QStyleOptionGroupBox,
    QStylePainter,
    QWidget,
)

from slicer_api_host.ctk_widgets.parts import parent_among, text_among
from slicer_api_host.declare import Property, Signal, register, stored_property

LARGEST = (1 << 24) - 1  # QWIDGETSIZE_MAX
_WANTED = "visibilityToParent"  # CTK's name for whether somebody hid the child for a reason of his own


class Collapsing:
    """Hide the children while the widget is folded, and give back those that nobody hid for a reason of his own."""

    def _start_collapsing(self) -> None:
        self._arranging = False
        self._was_shown = False
        self._open_height = LARGEST

    def childEvent(self, event: QChildEvent) -> None:
        # a child that was just added is still under construction; to touch it would make a second object in Python
        if event.type() == QEvent.Type.ChildPolished:
            event.child().installEventFilter(self)
        super().childEvent(event)

    def eventFilter(self, child: QObject, event: QEvent) -> bool:
        changed = event.type() in (QEvent.Type.ShowToParent, QEvent.Type.HideToParent)
        if changed and shiboken6.isValid(self) and not self._arranging and child.parent() is self:
            shown = event.type() == QEvent.Type.ShowToParent
            child.setProperty(_WANTED, shown)
            if shown:
                self._arrange(child)
        return False

    def setVisible(self, visible: bool) -> None:
        self._arranging = True
        super().setVisible(visible)
        self._arranging = False
        if not self._was_shown and self.testAttribute(Qt.WidgetAttribute.WA_WState_Created):
            self._was_shown = True
            self._arrange_all()

    def _arrange_all(self) -> None:
        for child in self.children():
            if child.isWidgetType():
                self._arrange(child)

    def _arrange(self, child: QWidget) -> None:
        # before the first show, Qt itself decides what to show
        if not isinstance(child, QWidget) or not self.testAttribute(Qt.WidgetAttribute.WA_WState_Created):
            return
        wanted = child.property(_WANTED)
        if wanted is None:
            wanted = not (child.isHidden() and child.testAttribute(Qt.WidgetAttribute.WA_WState_ExplicitShowHide))
            child.setProperty(_WANTED, wanted)
        visible = wanted and not self.collapsed
        # a child that was never shown shows itself when its time comes
        if not visible or child.testAttribute(Qt.WidgetAttribute.WA_WState_Created):
            self._arranging = True
            child.setVisible(visible)
            self._arranging = False
        if wanted:
            child.setAttribute(Qt.WidgetAttribute.WA_WState_ExplicitShowHide, False)

    def _fold(self, collapsed: bool, folded_height: int) -> None:
        if collapsed:
            self._open_height = self.maximumHeight
        self.setMaximumHeight(folded_height if collapsed else self._open_height)
        self._arrange_all()
        self.updateGeometry()


@register
class ctkCollapsibleButton(Collapsing, QAbstractButton):
    """A section of a panel: a bar with a triangle and a title, and below it what the bar folds away."""

    contentsCollapsed = Signal(bool)

    def __init__(self, *arguments: str | QWidget | None) -> None:
        super().__init__(parent_among(arguments))
        self._start_collapsing()
        self._collapsed = False
        self.setCheckable(True)
        self.setChecked(True)
        self.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Preferred)
        self.setBackgroundRole(QPalette.ColorRole.Window)
        self.setText(text_among(arguments))
        self.setContentsMargins(0, self._bar_size().height(), 0, 0)
        self.toggled.connect(self._follow)

    def _follow(self, checked: bool) -> None:
        self._collapsed = not checked
        self._fold(self._collapsed, self.sizeHint.height())
        self.contentsCollapsed.emit(self._collapsed)

    collapsed = Property(bool, lambda self: self._collapsed, lambda self, folded: self.setChecked(not folded))
    collapsedHeight = stored_property(int, "collapsedHeight", 14, after="updateGeometry")
    flat = stored_property(bool, "flat", False, after="update")
    contentsFrameShape = stored_property(QFrame.Shape, "contentsFrameShape", QFrame.Shape.NoFrame, after="update")
    contentsFrameShadow = stored_property(QFrame.Shadow, "contentsFrameShadow", QFrame.Shadow.Plain, after="update")
    contentsLineWidth = stored_property(int, "contentsLineWidth", 1, after="update")
    contentsMidLineWidth = stored_property(int, "contentsMidLineWidth", 0, after="update")
    buttonTextAlignment = stored_property(
        Qt.AlignmentFlag,
        "buttonTextAlignment",
        Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter,
        after="update",
    )
    indicatorAlignment = stored_property(
        Qt.AlignmentFlag,
        "indicatorAlignment",
        Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter,
        after="update",
    )

    def _bar_option(self) -> QStyleOptionButton:
        option = QStyleOptionButton()
        option.initFrom(self)
        option.text = self.text
        option.rect.setHeight(self._bar_size().height())
        option.state |= QStyle.StateFlag.State_Sunken if self.isDown() else QStyle.StateFlag.State_Raised
        if self.flat:
            option.features |= QStyleOptionButton.ButtonFeature.Flat
        return option

    def _arrow_side(self) -> int:
        return self.style().pixelMetric(QStyle.PixelMetric.PM_IndicatorHeight, None, self)

    def _bar_size(self) -> QSize:
        option = QStyleOptionButton()
        option.initFrom(self)
        text = self.fontMetrics().size(Qt.TextFlag.TextShowMnemonic, self.text or "XXXX")
        spacing = self.style().pixelMetric(QStyle.PixelMetric.PM_CheckBoxLabelSpacing, option, self)
        contents = QSize(
            text.width() + self._arrow_side() + spacing,
            max(text.height(), self._arrow_side()),
        )
        return self.style().sizeFromContents(QStyle.ContentsType.CT_PushButton, option, contents, self)

    def minimumSizeHint(self) -> QSize:
        bar = self._bar_size()
        if self._collapsed:
            return bar + QSize(0, self.collapsedHeight)
        return bar if self.layout() is None else super().minimumSizeHint().expandedTo(bar)

    def sizeHint(self) -> QSize:
        folded = self._bar_size() + QSize(0, self.collapsedHeight)
        if self._collapsed or self.layout() is None:
            return folded
        return self.layout().totalSizeHint().expandedTo(folded)

    def hitButton(self, position) -> bool:
        option = self._bar_option()  # its rectangle lives as long as the option does
        return option.rect.contains(position)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QStylePainter(self)
        try:
            self._draw_bar(painter)
        finally:
            painter.end()  # a painter left open crashes the next paint

    def _draw_bar(self, painter: QStylePainter) -> None:
        option = self._bar_option()
        if any(child.underMouse() for child in self.findChildren(QWidget)):
            option.state &= ~QStyle.StateFlag.State_MouseOver
        painter.drawControl(QStyle.ControlElement.CE_PushButtonBevel, option)
        arrow = QStyleOption()
        arrow.initFrom(self)
        side, height = self._arrow_side(), option.rect.height()
        arrow.rect = QRect((height - side) // 2, (height - side) // 2, side, side)
        # the arrow is drawn in the color of the text on buttons
        arrow.palette.setColor(QPalette.ColorRole.WindowText, option.palette.buttonText().color())
        shapes = QStyle.PrimitiveElement
        painter.drawPrimitive(shapes.PE_IndicatorArrowRight if self._collapsed else shapes.PE_IndicatorArrowDown, arrow)
        self._draw_text(painter, option, arrow.rect.right())

    def _draw_text(self, painter: QPainter, option: QStyleOptionButton, left: int) -> None:
        spacing = self.style().pixelMetric(QStyle.PixelMetric.PM_CheckBoxLabelSpacing, option, self)
        room = option.rect.adjusted(left + spacing, 0, -spacing, 0)
        painter.drawItemText(
            room,
            int(self.buttonTextAlignment.value) | int(Qt.TextFlag.TextShowMnemonic.value),
            option.palette,
            self.isEnabled(),
            option.text,
            QPalette.ColorRole.ButtonText,
        )


class _ArrowStyle(QProxyStyle):
    """Draw the check box of a group box as a triangle."""

    def drawPrimitive(self, element, option, painter, widget=None) -> None:
        if element == QStyle.PrimitiveElement.PE_IndicatorCheckBox and isinstance(widget, ctkCollapsibleGroupBox):
            shapes = QStyle.PrimitiveElement
            element = shapes.PE_IndicatorArrowRight if widget.collapsed else shapes.PE_IndicatorArrowDown
        super().drawPrimitive(element, option, painter, widget)


@register
class ctkCollapsibleGroupBox(Collapsing, QGroupBox):
    """A group box that folds when its title is clicked."""

    def __init__(self, *arguments: str | QWidget | None) -> None:
        super().__init__(parent_among(arguments))
        self._start_collapsing()
        self.setTitle(text_among(arguments))
        self.setCheckable(True)
        self._arrows = _ArrowStyle()
        self.setStyle(self._arrows)
        self.toggled.connect(self._follow)

    def _follow(self, checked: bool) -> None:
        option = QStyleOptionGroupBox()
        self.initStyleOption(option)
        label = self.style().subControlRect(
            QStyle.ComplexControl.CC_GroupBox, option, QStyle.SubControl.SC_GroupBoxLabel, self
        )
        self._fold(not checked, label.height() + self.collapsedHeight)

    collapsed = Property(bool, lambda self: not self.isChecked(), lambda self, folded: self.setChecked(not folded))
    collapsedHeight = stored_property(int, "collapsedHeight", 14)
