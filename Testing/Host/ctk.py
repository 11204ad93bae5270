"""The module ``ctk`` of Slicer's Python: the widgets of CTK, here the host's."""

from slicer_api_host.ctk_widgets.buttons import ctkCheckablePushButton, ctkMenuButton, ctkPushButton
from slicer_api_host.ctk_widgets.choices import ctkCheckBox, ctkComboBox
from slicer_api_host.ctk_widgets.collapsing import ctkCollapsibleButton, ctkCollapsibleGroupBox
from slicer_api_host.ctk_widgets.color import ctkColorPickerButton
from slicer_api_host.ctk_widgets.double_slider import ctkDoubleSlider
from slicer_api_host.ctk_widgets.double_spin_box import ctkDoubleSpinBox
from slicer_api_host.ctk_widgets.paths import ctkDirectoryButton, ctkPathLineEdit
from slicer_api_host.ctk_widgets.ranges import ctkDoubleRangeSlider, ctkRangeWidget
from slicer_api_host.ctk_widgets.slider_widget import ctkSliderWidget
from slicer_api_host.ctk_widgets.texts import ctkFittedTextBrowser, ctkMessageBox
from slicer_api_host.ctk_widgets.utilities import ctkWidgetsUtils

__all__ = [
    "ctkCheckBox",
    "ctkCheckablePushButton",
    "ctkCollapsibleButton",
    "ctkCollapsibleGroupBox",
    "ctkColorPickerButton",
    "ctkComboBox",
    "ctkDirectoryButton",
    "ctkDoubleRangeSlider",
    "ctkDoubleSlider",
    "ctkDoubleSpinBox",
    "ctkFittedTextBrowser",
    "ctkMenuButton",
    "ctkMessageBox",
    "ctkPathLineEdit",
    "ctkPushButton",
    "ctkRangeWidget",
    "ctkSliderWidget",
    "ctkWidgetsUtils",
]
