"""The host looks as Slicer does: its margins, its lists, its light and dark colors."""

from __future__ import annotations

import pytest
from slicer_api_host.style import COLORS, apply_theme


@pytest.fixture(autouse=True)
def light(application):
    yield
    apply_theme("light")


@pytest.mark.parametrize(("theme", "window", "text"), [("light", "#ffffff", "#000000"), ("dark", "#323232", "#ffffff")])
def test_a_theme_colors_widgets_that_are_there(application, qt, theme, window, text):
    label = qt.QLabel("text")
    label.show()
    apply_theme(theme)
    application.processEvents()
    assert label.palette.color(qt.QPalette.Window).name() == window
    assert label.palette.color(qt.QPalette.WindowText).name() == text


def test_both_themes_color_the_same_roles():
    assert COLORS["light"].keys() == COLORS["dark"].keys()


def test_there_is_no_third_theme(application):
    with pytest.raises(KeyError):
        apply_theme("gray")


def test_layouts_have_the_margins_of_slicer(qt, ctk):
    for widget, margin in ((qt.QWidget(), 6), (ctk.ctkCollapsibleButton(), 4)):
        layout = qt.QVBoxLayout(widget)
        assert layout.contentsMargins.left() == margin
        assert layout.spacing == 3


def test_a_combo_box_opens_as_a_list_below_it(application, qt):
    box = qt.QComboBox()
    assert application.style().styleHint(qt.QStyle.SH_ComboBox_Popup, None, box) == 0
