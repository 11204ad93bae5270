"""The panel in the light and the dark style, also where the style changes while it is open."""

from __future__ import annotations

import numpy as np
import pytest
from clicking import grab
from slicer_api_host.style import COLORS, apply_theme


@pytest.fixture
def themes(app):
    """Give a function that changes the style; after the test it is the light one."""
    yield lambda theme: (apply_theme(theme), app.processEvents())
    apply_theme("light")


def distance_to(picture, color):
    """Return how far the pixel that is nearest to ``color`` is from it."""
    wanted = [int(color[place : place + 2], 16) for place in (1, 3, 5)]
    return int(np.abs(picture.astype(int) - wanted).max(axis=-1).min())


def test_the_link_in_the_status_line_has_the_color_of_the_style_that_is_on(desk, themes):
    assert "<a " in desk.ui.statusLabel.text
    for theme, other in (("light", "dark"), ("dark", "light"), ("light", "dark")):
        themes(theme)
        picture = grab(desk.ui.statusLabel)
        here, there = (distance_to(picture, COLORS[name]["Link"][0]) for name in (theme, other))
        assert here < 40 < there
