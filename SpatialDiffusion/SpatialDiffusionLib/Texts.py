"""Lines of text in the panel: one that is cut to its width and may hold a link, and quiet ones that explain."""

from html import escape

import qt
import slicer

from .States import Icon

_QUIET = 0.62  # share of the color of the text; the contrast stays above 5 in the light and the dark style
_PADDING = 6  # pixels on each side of the text of a button
_ICONS = {Icon.WARNING: "SP_MessageBoxWarning", Icon.ERROR: "SP_MessageBoxCritical"}


def showIcon(label, icon: Icon) -> None:
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
        onLink: called with the address of the link when it is clicked.
    """

    def __init__(self, label, icon, onLink) -> None:
        super().__init__(label)
        self._label, self._icon = label, icon
        self._shown = ("", Icon.NONE, "", "")
        label.installEventFilter(self)
        label.linkActivated.connect(onLink)

    def show(self, text: str, icon: Icon = Icon.NONE, linkText: str = "", address: str = "") -> None:
        if (text, icon, linkText, address) == self._shown:
            return
        if icon is not self._shown[1]:
            showIcon(self._icon, icon)
        self._shown = (text, icon, linkText, address)
        self._label.setWordWrap(icon is Icon.ERROR)
        end = "" if text.endswith(".") or not linkText else "."
        self._label.setToolTip(" ".join(filter(None, (text, linkText))) + end)
        self._fit()

    def eventFilter(self, watched, event) -> bool:
        if event.type() == qt.QEvent.PaletteChange:
            self._label.clear()  # a text keeps the color that links had when it was set
        if event.type() in (qt.QEvent.Resize, qt.QEvent.PaletteChange):
            self._fit()
        return False

    def _fit(self) -> None:
        text, _icon, linkText, address = self._shown
        metrics = self._label.fontMetrics()
        end = "" if text.endswith(".") or not linkText else "."
        link = f' <a href="{address}">{escape(linkText)}</a>{end}' if linkText else ""
        if not self._label.wordWrap:
            room = self._label.width - metrics.boundingRect(f" {linkText}{end} ").width() * bool(linkText)
            text = metrics.elidedText(text, qt.Qt.ElideRight, max(room, 0))
        self._label.setText(escape(text) + link)


class QuietTexts(qt.QObject):
    """Draws labels that explain in a color between that of text and that of the window, in every style."""

    def __init__(self, form, labels) -> None:
        super().__init__(form)
        self._form, self._labels = form, labels
        form.installEventFilter(self)
        self._paint()

    def eventFilter(self, watched, event) -> bool:
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


def alignLabels(labels) -> None:
    """Give ``labels`` of several forms one width, so that their fields stand in one line."""
    width = max(label.sizeHint.width() for label in labels)
    for label in labels:
        label.setMinimumWidth(width)


def letShrink(buttons) -> None:
    """Let ``buttons`` of one row be as narrow as their texts, not as the style likes buttons to be."""
    for button in buttons:
        button.setMinimumWidth(button.fontMetrics().boundingRect(button.text).width() + 2 * _PADDING)
