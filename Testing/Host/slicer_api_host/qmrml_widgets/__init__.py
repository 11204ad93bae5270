"""Slicer's widgets for MRML; importing the package registers all of them."""

from slicer_api_host.ctk_widgets import choices, color, ranges  # noqa: F401  what some of them are made of
from slicer_api_host.qmrml_widgets import (  # noqa: F401
    markups_place,
    node_combo_box,
    numbers,
    scene_widgets,
    segment_selector,
    sequence_play,
    sequence_seek,
    table_view,
)
