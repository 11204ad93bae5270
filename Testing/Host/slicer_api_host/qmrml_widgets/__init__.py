"""Slicer's widgets for MRML; importing the package registers all of them."""

from slicer_api_host.ctk_widgets import buttons, numbers, ranges  # noqa: F401  what some of them are made of
from slicer_api_host.qmrml_widgets import node_combo_box, scene_widgets, sequence_play, sequence_seek  # noqa: F401
