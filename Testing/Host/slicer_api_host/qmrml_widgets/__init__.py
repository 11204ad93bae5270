"""Slicer's widgets for MRML; importing the package registers all of them."""

# ruff: noqa: F401
from slicer_api_host.ctk_widgets import buttons  # what some of them are made of
from slicer_api_host.qmrml_widgets import node_combo_box, numbers, scene_widgets, sequence_play, sequence_seek
