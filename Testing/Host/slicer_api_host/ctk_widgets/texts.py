"""ctkFittedTextBrowser, as high as its text, and ctkMessageBox, which can be told not to come again."""

from __future__ import annotations

import math

from PySide6.QtCore import QSettings, QSize, QTimer, QUrl
from PySide6.QtWidgets import QCheckBox, QMessageBox, QSizePolicy, QTextBrowser, QWidget

from slicer_api_host.declare import Property, Slot, register, stored_property

_MORE, _LESS = "show_details", "hide_details"


@register
class ctkFittedTextBrowser(QTextBrowser):
    """A text as high as it needs; what follows its first line can be folded away."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text, self._is_html = "", False
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.textChanged.connect(self.updateGeometry)
        self.anchorClicked.connect(self._fold)

    def _fold(self, link: QUrl) -> None:
        if not link.path() and link.fragment() in (_MORE, _LESS):
            self.collapsed = link.fragment() == _LESS

    def _lay_out(self) -> None:
        first, line_break, rest = self._text.partition("<br>" if self._is_html else "\n")
        if not self._is_html:
            rest = rest.replace("\n", "<br>")
        if not line_break:
            self.setHtml(first)
        elif self.collapsed:
            self.setHtml(f'{first}&hellip; <a href="#{_MORE}">{self.showDetailsText}</a>')
        else:
            self.setHtml(f'{first}{rest} <a href="#{_LESS}">{self.hideDetailsText}</a>')

    def _refold(self) -> None:
        if self._text:
            self._lay_out()

    def _set_text(self, text: str, is_html: bool) -> None:
        self._text, self._is_html = text, is_html
        self._lay_out()

    @Slot(str)
    def setCollapsibleText(self, text: str) -> None:
        self._set_text(text, "<html>" in text)

    @Slot(str)
    def setCollapsibleHtml(self, text: str) -> None:
        self._set_text(text, is_html=True)

    @Slot(str)
    def setCollapsiblePlainText(self, text: str) -> None:
        self._set_text(text, is_html=False)

    def collapsibleText(self) -> str:
        return self._text

    collapsed = stored_property(bool, "collapsed", True, after="_refold")
    showDetailsText = stored_property(str, "showDetailsText", "Show details...", after="_refold")
    hideDetailsText = stored_property(str, "hideDetailsText", "Hide details.", after="_refold")
    disableMouseScroll = stored_property(bool, "disableMouseScroll", False)

    def heightForWidth(self, width: int) -> int:
        document, frame = self.document, 2 * self.frameWidth
        former = document.textWidth
        document.setTextWidth(width - frame)
        height = document.size.height()
        document.setTextWidth(former)
        return math.ceil(height) + frame

    def minimumSizeHint(self) -> QSize:
        return QSize(0, self.heightForWidth(self.width))

    def sizeHint(self) -> QSize:
        return QSize(self.width, self.heightForWidth(self.width))


@register
class ctkMessageBox(QMessageBox):
    """A message with "Don't show this message again"; where it was ticked, the answer of then is given at once."""

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        self._check = QCheckBox("Don't show this message again")
        self._key = ""
        self.finished.connect(self.onFinished)

    def _set_key(self, key: str) -> None:
        self._key = key
        self._check.setChecked(bool(key) and QSettings().contains(key))
        self._set_visible(bool(key))

    def _set_visible(self, visible: bool) -> None:
        self._check.setVisible(visible)
        if visible:
            self.setCheckBox(self._check)

    @Slot(bool)
    def setDontShowAgain(self, dont_show: bool) -> None:
        self._check.setChecked(dont_show)

    @Slot(int)
    def onFinished(self, _result: int) -> None:
        clicked = self.clickedButton()
        if not self._key or clicked is None or self.buttonRole(clicked) != QMessageBox.ButtonRole.AcceptRole:
            return
        if self._check.isChecked():
            QSettings().setValue(self._key, int(self.standardButton(clicked).value))
        else:
            QSettings().remove(self._key)

    def setVisible(self, visible: bool) -> None:
        super().setVisible(visible)
        kept = QSettings().value(self._key) if visible and self._key and self._check.isChecked() else None
        button = None if kept is None else self.button(QMessageBox.StandardButton(int(kept)))
        if button is not None:
            QTimer.singleShot(0, button.click)  # whoever opened the box still needs it now

    dontShowAgain = Property(bool, lambda self: self._check.isChecked(), setDontShowAgain)
    dontShowAgainSettingsKey = Property(str, lambda self: self._key, _set_key)
    dontShowAgainVisible = Property(bool, lambda self: not self._check.isHidden(), _set_visible)
