"""Slicer's widgets for MRML; importing the package registers all of them."""

from slicer_api_host import ctk_widgets  # noqa: F401  the classes below are built on some of CTK's
from slicer_api_host.qmrml_widgets import node_combo_box, scene_widgets  # noqa: F401
