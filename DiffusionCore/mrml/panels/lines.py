"""Lines of text in the panel: one that is cut to its width and may hold a link, and quiet ones that explain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from html import escape
from typing import Any

import qt
import slicer

_QUIET = 0.62  # share of the color of the text; the contrast stays above 5 in the light and the dark style
_PADDING = 6  # pixels on each side of the text of a button


class Icon(Enum):
    """How much a line matters."""

    NONE = "none"
    WARNING = "warning"
    ERROR = "error"


_ICONS = {Icon.WARNING: "SP_MessageBoxWarning", Icon.ERROR: "SP_MessageBoxCritical"}


def show_icon(label: Any, icon: Icon) -> None:
    """Show ``icon`` in ``label``, in the size of small icons, or hide the label."""
    if icon is not Icon.NONE:
        style = slicer.app.style()
        size = style.pixelMetric(qt.QStyle.PM_SmallIconSize)
        label.setPixmap(style.standardIcon(getattr(qt.QStyle, _ICONS[icon])).pixmap(size, size))
    label.setVisible(icon is not Icon.NONE)


class StatusLine(qt.QObject):
    """One line with an icon before and a link after it. Text that is too long is cut; the tooltip has all of it.

    A failure is told whole, in as many lines as it needs: what helps stands at its end.

    Args:
        label, icon: where it is shown.
        on_link: called with the address of the link when it is clicked.
    """

    def __init__(self, label: Any, icon: Any, on_link: Callable[[str], None]) -> None:
        super().__init__(label)
        self._label, self._icon = label, icon
        self._shown = ("", Icon.NONE, "", "")
        label.installEventFilter(self)
        label.linkActivated.connect(on_link)

    def show(self, text: str, icon: Icon = Icon.NONE, link_text: str = "", address: str = "") -> None:
        if (text, icon, link_text, address) == self._shown:
            return
        if icon is not self._shown[1]:
            show_icon(self._icon, icon)
        self._shown = (text, icon, link_text, address)
        self._label.setWordWrap(icon is Icon.ERROR)
        end = "" if text.endswith(".") or not link_text else "."
        self._label.setToolTip(" ".join(filter(None, (text, link_text))) + end)
        self._fit()

    def eventFilter(self, _watched: Any, event: Any) -> bool:  # noqa: N802
        if event.type() == qt.QEvent.PaletteChange:
            self._label.clear()  # a text keeps the color that links had when it was set
        if event.type() in (qt.QEvent.Resize, qt.QEvent.PaletteChange):
            self._fit()
        return False

    def _fit(self) -> None:
        text, _icon, link_text, address = self._shown
        metrics = self._label.fontMetrics()
        end = "" if text.endswith(".") or not link_text else "."
        link = f' <a href="{address}">{escape(link_text)}</a>{end}' if link_text else ""
        if not self._label.wordWrap:
            room = self._label.width - metrics.boundingRect(f" {link_text}{end} ").width() * bool(link_text)
            text = metrics.elidedText(text, qt.Qt.ElideRight, max(room, 0))
        self._label.setText(escape(text) + link)


class QuietTexts(qt.QObject):
    """Draws labels that explain in a color between that of text and that of the window, in every style."""

    def __init__(self, form: Any, labels: Sequence[Any]) -> None:
        super().__init__(form)
        self._form, self._labels = form, labels
        form.installEventFilter(self)
        self._paint()

    def eventFilter(self, _watched: Any, event: Any) -> bool:  # noqa: N802
        if event.type() in (qt.QEvent.PaletteChange, qt.QEvent.StyleChange):
            self._paint()
        return False

    def _paint(self) -> None:
        text, window = (self._form.palette.color(role) for role in (qt.QPalette.WindowText, qt.QPalette.Window))
        parts = ((text.red(), window.red()), (text.green(), window.green()), (text.blue(), window.blue()))
        quiet = qt.QColor(*(round(_QUIET * front + (1 - _QUIET) * back) for front, back in parts))
        for label in self._labels:
            palette = label.palette
            palette.setColor(qt.QPalette.WindowText, quiet)
            label.setPalette(palette)


def align_labels(labels: Sequence[Any]) -> None:
    """Give ``labels`` of several forms one width, so that their fields stand in one line."""
    width = max(label.sizeHint.width() for label in labels)
    for label in labels:
        label.setMinimumWidth(width)


def let_shrink(buttons: Sequence[Any]) -> None:
    """Let ``buttons`` of one row be as narrow as their texts, not as the style likes buttons to be."""
    for button in buttons:
        button.setMinimumWidth(button.fontMetrics().boundingRect(button.text).width() + 2 * _PADDING)
