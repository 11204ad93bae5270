"""Slicer's widgets for MRML; importing the package registers all of them."""

from slicer_api_host.qmrml_widgets import scene_widgets  # noqa: F401
