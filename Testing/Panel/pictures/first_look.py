"""The panel before the first run: empty, half filled, ready; how it reads, and how it holds long texts."""

from __future__ import annotations

from collections import Counter

import numpy as np
from clicking import choose, click, grab
from nodes_of_panel import add_ball, add_pair
from PySide6.QtCore import QPoint
from slicer_api_host.style import apply_theme

from pictures.booth import HIGH, THEMES, WIDTH, Booth

LONG = "a volume whose name somebody made of everything that was known about the patient and the scanner"
EXPLAINING = ("presetDescription", "stepsEmptyLabel", "resultEmptyLabel", "packagesLabel", "trainingRecipeLabel")
FIELDS = ("fixedVolume", "movingVolume", "preset", "outputTransform", "outputVolume")


def take(booth: Booth) -> None:
    """Take the pictures."""
    desk = booth.fresh()
    booth.shoot("state-nothing-loaded")
    booth.shoot("state-nothing-loaded-1000", HIGH)
    measure(booth)
    add_ball(desk.scene, "fixed")
    booth.shoot("state-no-fixed-volume")
    choose(desk.ui.fixedVolumeSelector, "fixed")
    booth.shoot("state-no-moving-volume")
    choose(desk.ui.movingVolumeSelector, "fixed")
    booth.shoot("state-same-volume")
    booth.with_sample()
    booth.shoot("state-ready")
    long_names(booth)
    everything_open(booth)


def long_names(booth: Booth) -> None:
    """Show names that are longer than the panel is wide, and texts that are longer than the English ones."""
    desk = booth.fresh()
    for node, name in zip(add_pair(desk.scene), ("Fixed: ", "Moving: "), strict=True):
        node.SetName(name + LONG)
    choose(desk.ui.fixedVolumeSelector, "Fixed: " + LONG)
    choose(desk.ui.movingVolumeSelector, "Moving: " + LONG)
    desk.register(count=7)
    booth.note("horizontal scroll, long names, px", booth.frame.horizontalScrollBar().maximum)
    booth.shoot("long-names")
    lengthen(booth)
    booth.shoot("texts-1.3x", HIGH)
    booth.note("horizontal scroll, texts 1.3x, px", booth.frame.horizontalScrollBar().maximum)


def lengthen(booth: Booth) -> None:
    """Make every text of a label or a button 1.3 times as long."""
    import qt

    for widget in booth.desk.widget.findChildren(qt.QWidget):
        text = getattr(widget, "text", None)
        if isinstance(widget, (qt.QLabel, qt.QAbstractButton)) and isinstance(text, str) and text[:1] not in ("", "<"):
            widget.setText(" ".join(word + "n" * round(0.3 * len(word)) for word in text.split(" ")))
    from DiffusionCore.mrml.panels.lines import align_labels

    booth.desk.panel.fitButtons()
    align_labels([getattr(booth.desk.ui, f"{name}SelectorLabel") for name in FIELDS])


def everything_open(booth: Booth) -> None:
    """Show the sections for experts."""
    desk = booth.with_sample()
    for section in (desk.ui.inputsSection, desk.ui.outputsSection, desk.ui.stepsSection):
        click(section, QPoint(40, 8))
    for section in (desk.ui.advancedSection, desk.ui.logSection):
        section.collapsed = False
    booth.shoot("advanced-and-log")


def measure(booth: Booth) -> None:
    """Measure contrast, edges and room."""
    ui, widget = booth.desk.ui, booth.desk.widget
    import qt

    ui.resultSection.collapsed = ui.advancedSection.collapsed = ui.trainingSection.collapsed = False
    for theme in THEMES:
        apply_theme(theme)
        booth.rest(0.2)
        labels = [label for name in EXPLAINING for label in widget.findChildren(qt.QLabel, name)]
        booth.note(f"contrast of explaining lines, {theme}", {label.name: contrast(grab(label)) for label in labels})
    apply_theme("light")
    ui.resultSection.collapsed = ui.advancedSection.collapsed = ui.trainingSection.collapsed = True
    booth.rest(0.2)
    edges = [getattr(ui, f"{name}Selector") for name in FIELDS]
    places = [(field.mapTo(widget, QPoint(0, 0)).x(), field.width) for field in edges]
    booth.note("left edges of fields, px", sorted({left for left, _ in places}))
    booth.note("right edges of fields, px", sorted({left + width for left, width in places}))
    button = ui.registerButton
    booth.note("lower edge of Register, px", button.mapTo(widget, QPoint(0, 0)).y() + button.height)
    booth.note("horizontal scroll, px", booth.frame.horizontalScrollBar().maximum)
    booth.note("least width of the panel, px", [widget.minimumSizeHint.width(), WIDTH])


def contrast(picture: np.ndarray) -> float:
    """Return the contrast between the background of a text and its strongest pixel (WCAG 2)."""
    colors = Counter(map(tuple, picture.reshape(-1, 3)))
    back = colors.most_common(1)[0][0]
    return max(contrast_of(back, front) for front in colors)


def contrast_of(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    """Return the contrast of two sRGB colors, 1 to 21 (WCAG 2)."""
    low, high = sorted((luminance(one), luminance(other)))
    return round((high + 0.05) / (low + 0.05), 2)


def luminance(color: tuple[int, int, int]) -> float:
    """Return the relative luminance of an sRGB color (WCAG 2)."""
    shares = np.asarray(color) / 255
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])
