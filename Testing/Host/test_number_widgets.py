"""The number widgets of MRML take suffix, decimals and step from the unit of their quantity."""

from __future__ import annotations

import pytest
import slicer


@pytest.mark.parametrize("name", ["qMRMLSliderWidget", "qMRMLSpinBox"])
def test_a_quantity_brings_its_unit_with_the_scene(scene, name):
    widget = getattr(slicer, name)()
    widget.quantity = "length"
    assert widget.suffix == ""
    widget.setMRMLScene(scene)
    assert widget.suffix == "mm"
    assert widget.decimals == scene.GetNodeByID("vtkMRMLUnitNodeApplicationLength").GetPrecision()


def test_a_change_of_the_unit_is_followed(scene):
    widget = slicer.qMRMLSpinBox()
    widget.setQuantity("length")
    widget.setMRMLScene(scene)
    unit = scene.GetNodeByID("vtkMRMLUnitNodeApplicationLength")
    unit.SetPrecision(2)
    assert widget.decimals == 2
    assert widget.singleStep == pytest.approx(0.01)


@pytest.mark.parametrize(("maximum", "step"), [(10, 0.1), (99, 1.0), (4, 0.01), (60, 1.0)])
def test_the_step_of_a_slider_is_a_hundredth_of_the_power_of_ten_next_to_its_range(scene, maximum, step):
    widget = slicer.qMRMLSliderWidget()
    widget.quantity = "length"
    widget.setMRMLScene(scene)
    widget.maximum = maximum
    assert widget.singleStep == pytest.approx(step)


def test_what_is_not_asked_for_is_not_taken(scene):
    widget = slicer.qMRMLSliderWidget()
    widget.setUnitAwareProperties(slicer.qMRMLSliderWidget.Prefix)
    widget.quantity, widget.suffix, widget.decimals = "length", "voxels", 1
    widget.setMRMLScene(scene)
    assert (widget.suffix, widget.decimals) == ("voxels", 1)
    assert widget.unitAwareProperties == slicer.qMRMLSliderWidget.Prefix


def test_without_a_quantity_or_with_an_unknown_one_nothing_changes(scene):
    widget = slicer.qMRMLSliderWidget()
    widget.suffix = "x"
    widget.setMRMLScene(scene)
    widget.quantity = "beauty"
    assert widget.suffix == "x"


def test_a_range_keeps_its_scene(scene):
    widget = slicer.qMRMLRangeWidget()
    widget.setQuantity("length")
    widget.setMRMLScene(scene)
    assert widget.mrmlScene is scene
    assert (widget.quantity, widget.suffix) == ("length", "")
