"""The look of Slicer: the metrics and colors of its light and its dark style, over Qt's Fusion.

Source: qSlicerStyle of github.com/Slicer/Slicer (Base/QTGUI).
"""

from __future__ import annotations

from typing import Any

from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication, QProxyStyle, QStyle, QStyleFactory

_METRIC = QStyle.PixelMetric
_MARGINS = {
    _METRIC.PM_LayoutLeftMargin,
    _METRIC.PM_LayoutTopMargin,
    _METRIC.PM_LayoutRightMargin,
    _METRIC.PM_LayoutBottomMargin,
}
_METRICS = {
    _METRIC.PM_LayoutHorizontalSpacing: 3,
    _METRIC.PM_LayoutVerticalSpacing: 3,
    _METRIC.PM_SliderLength: 12,
    _METRIC.PM_ButtonIconSize: 24,
    **dict.fromkeys(_MARGINS, 6),
}

# per role of the palette: the color, and that of what is disabled where it differs
COLORS: dict[str, dict[str, tuple[str, ...]]] = {
    "light": {
        "Window": ("white",),
        "WindowText": ("black", "#bebebe"),
        "Base": ("white",),
        "AlternateBase": ("#e4e4fe",),
        "ToolTipBase": ("#ffffdc",),
        "ToolTipText": ("black",),
        "Text": ("black", "#bebebe"),
        "PlaceholderText": ("#808080",),
        "Button": ("#fcfcfc",),
        "ButtonText": ("black", "#bebebe"),
        "BrightText": ("red",),
        "Light": ("#c8c8c8",),
        "Midlight": ("#e6e6e6",),
        "Dark": ("#aaaaaa",),
        "Mid": ("#c8c8c8",),
        "Shadow": ("#5a5a5a",),
        "Highlight": ("#308cc6", "#919191"),
        "HighlightedText": ("white",),
        "Link": ("#0000ff",),
    },
    "dark": {
        "Window": ("#323232",),
        "WindowText": ("white", "#6d6d6d"),
        "Base": ("#1e1e1e",),
        "AlternateBase": ("#323232",),
        "ToolTipBase": ("white",),
        "ToolTipText": ("#323232",),
        "Text": ("white", "#6d6d6d"),
        "PlaceholderText": ("#c0c0c0",),
        "Button": ("#323232",),
        "ButtonText": ("white", "#b4b4b4"),
        "BrightText": ("#ff4444",),
        "Light": ("#828284",),
        "Midlight": ("#5a5a5b",),
        "Dark": ("#232323",),
        "Mid": ("#2b2b2b",),
        "Shadow": ("#141414",),
        "Highlight": ("#3ca4ff", "#505050"),
        "HighlightedText": ("white", "#6d6d6d"),
        "Link": ("#3ca4ff",),
    },
}


class HostStyle(QProxyStyle):
    """Fusion with Slicer's margins and spacing, and with combo boxes that open as lists."""

    def __init__(self) -> None:
        super().__init__(QStyleFactory.create("Fusion"))

    def pixelMetric(self, metric: Any, option: Any = None, widget: Any = None) -> int:
        if metric in _MARGINS and widget is not None and widget.inherits("ctkCollapsibleButton"):
            return 4
        known = _METRICS.get(metric)
        return super().pixelMetric(metric, option, widget) if known is None else known

    def styleHint(self, hint: Any, option: Any = None, widget: Any = None, data: Any = None) -> int:
        if hint == QStyle.StyleHint.SH_ComboBox_Popup:
            return 0
        return super().styleHint(hint, option, widget, data)


def palette_of(theme: str) -> QPalette:
    """Return the colors of the theme "light" or "dark".

    Raises:
        KeyError: there is no such theme.
    """
    palette = QPalette()
    for role, (usual, *disabled) in COLORS[theme].items():
        palette.setColor(getattr(QPalette.ColorRole, role), QColor(usual))
        if disabled:
            palette.setColor(QPalette.ColorGroup.Disabled, getattr(QPalette.ColorRole, role), QColor(disabled[0]))
    return palette


def apply_theme(theme: str) -> None:
    """Give the application the colors of the theme "light" or "dark"; widgets that are there change too."""
    QApplication.setPalette(palette_of(theme))
