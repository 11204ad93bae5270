"""Widgets for one real number, and for two."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint
from PySide6.QtTest import QTest


class TestSliderWidget:
    @pytest.fixture
    def slider(self, ctk):
        return ctk.ctkSliderWidget()

    def test_starts_as_in_ctk(self, slider):
        assert (slider.minimum, slider.maximum, slider.value) == (0.0, 99.99, 0.0)
        assert (slider.decimals, slider.singleStep, slider.pageStep) == (2, 1.0, 10.0)
        assert slider.tracking

    def test_a_new_value_is_announced_once(self, slider, heard):
        heard.follow(slider, "valueChanged(double)", "valueIsChanging(double)")
        slider.value = 7.5
        slider.setValue(7.5)
        assert slider.value == 7.5
        assert heard == [("valueChanged", 7.5)]

    def test_a_value_is_kept_exact_beyond_its_decimals(self, slider):
        slider.value = 1.23456
        assert slider.value == 1.23456

    def test_a_value_stays_in_the_range(self, slider, heard):
        slider.maximum = 5
        heard.follow(slider, "valueChanged(double)")
        slider.value = 9
        assert slider.value == 5.0
        slider.maximum = 3
        slider.minimum = 4
        assert (slider.minimum, slider.maximum, slider.value) == (4.0, 4.0, 4.0)
        assert heard == [("valueChanged", 5.0), ("valueChanged", 3.0), ("valueChanged", 4.0)]

    def test_a_range_far_above_the_former_one_moves_the_value_once(self, slider, heard):
        heard.follow(slider, "valueChanged(double)")
        slider.minimum = 500
        assert (slider.minimum, slider.maximum, slider.value) == (500.0, 500.0, 500.0)
        assert heard == [("valueChanged", 500.0)]

    def test_a_user_types_and_drags(self, qt, slider, heard, show, type_keys):
        slider.singleStep = 0.5
        slider.maximum = 10
        show(slider)
        heard.follow(slider, "valueChanged(double)")
        line = slider.findChildren(qt.QLineEdit)[0]
        line.selectAll()
        type_keys(line, "2.25")
        type_keys(line, "\r")
        assert slider.value == 2.25
        handle = slider.findChildren(qt.QSlider)[0]
        handle.setFocus()
        QTest.keyClick(handle, qt.Qt.Key_Right)
        assert slider.value % 0.5 == 0
        assert heard[-1] == ("valueChanged", slider.value)

    def test_a_step_larger_than_the_range_is_not_taken(self, slider):
        slider.maximum = 2
        slider.singleStep = 5
        assert slider.singleStep == 1.0

    def test_without_tracking_the_value_counts_when_the_handle_is_let_go(self, slider, heard, qt):
        slider.tracking = False
        heard.follow(slider, "valueChanged(double)", "valueIsChanging(double)")
        handle = slider.findChildren(qt.QSlider)[0]
        handle.setSliderDown(True)
        handle.setValue(3)
        handle.setValue(4)
        assert slider.value == 0.0
        assert heard == [("valueIsChanging", 3.0), ("valueIsChanging", 4.0)]
        handle.setSliderDown(False)
        assert slider.value == 4.0
        assert heard[-1] == ("valueChanged", 4.0)

    def test_texts_around_the_number_are_shown(self, slider):
        slider.suffix, slider.prefix = " mm", "~"
        assert (slider.suffix, slider.prefix) == (" mm", "~")

    def test_the_spin_box_can_be_hidden(self, slider, show):
        show(slider)
        slider.spinBoxVisible = False
        assert not slider.findChildren("ctkDoubleSpinBox")[0].visible
        assert not slider.spinBoxVisible

    def test_reset_means_zero(self, slider):
        slider.value = 7
        slider.reset()
        assert slider.value == 0.0

    @pytest.mark.parametrize("name", ["setMaximum", "setMinimum", "setRange", "setSingleStep", "setSuffix"])
    def test_what_is_no_slot_in_ctk_is_not_there(self, slider, name):
        with pytest.raises(AttributeError):
            getattr(slider, name)

    def test_decimals_are_announced(self, slider, heard):
        heard.follow(slider, "decimalsChanged(int)")
        slider.decimals = 3
        assert heard == [("decimalsChanged", 3)]


class TestDoubleSpinBox:
    def test_says_its_value_as_a_number_and_as_a_text(self, ctk, heard):
        box = ctk.ctkDoubleSpinBox()
        heard.follow(box, "valueChanged(double)", "valueChanged(QString)")
        box.value = 2.125
        assert box.value == 2.125
        assert sorted(heard, key=str) == [("valueChanged", "2.12"), ("valueChanged", 2.125)]

    def test_an_end_is_reached_exactly(self, ctk):
        box = ctk.ctkDoubleSpinBox()
        box.maximum = 1.0049
        box.value = 9
        assert box.value == 1.0049
        box.maximum = 0.5
        assert box.value == 0.5

    def test_steps(self, ctk):
        box = ctk.ctkDoubleSpinBox()
        box.singleStep = 0.25
        box.stepUp()
        box.stepUp()
        box.stepDown()
        assert box.value == 0.25

    def test_more_decimals_bring_the_exact_value_back(self, ctk):
        box = ctk.ctkDoubleSpinBox()
        box.value = 0.123
        assert box.cleanText == "0.12"
        box.setDecimals(3)
        assert box.cleanText == "0.123"


class TestDoubleSlider:
    def test_dragging_moves_by_steps_and_setting_does_not(self, ctk, heard, qt):
        slider = ctk.ctkDoubleSlider(qt.Qt.Horizontal)
        slider.maximum, slider.singleStep = 1.0, 0.1
        heard.follow(slider, "valueChanged(double)")
        slider.value = 0.123
        assert slider.value == 0.123
        slider.findChildren(qt.QSlider)[0].setValue(7)
        assert slider.value == pytest.approx(0.7)
        assert [name for name, _ in heard] == ["valueChanged"] * 2

    def test_the_ends_can_be_reached_by_dragging(self, ctk, qt):
        slider = ctk.ctkDoubleSlider(qt.Qt.Horizontal)
        slider.minimum, slider.maximum = -0.5, 2.4
        handle = slider.findChildren(qt.QSlider)[0]
        handle.setValue(handle.maximum)
        assert slider.value == 2.4
        handle.setValue(handle.minimum)
        assert slider.value == -0.5

    def test_an_endless_range_is_bearable(self, ctk):
        slider = ctk.ctkDoubleSlider()
        slider.minimum, slider.maximum = float("-inf"), float("inf")
        slider.value = 12.0
        assert slider.value == 12.0


@pytest.mark.parametrize("name", ["ctkRangeWidget", "ctkDoubleRangeSlider"])
class TestRanges:
    @pytest.fixture
    def widget(self, ctk, name):
        return getattr(ctk, name)()

    def test_two_values_are_announced_each_and_together(self, widget, heard):
        heard.follow(
            widget, "minimumValueChanged(double)", "maximumValueChanged(double)", "valuesChanged(double,double)"
        )
        widget.setValues(10, 20)
        assert (widget.minimumValue, widget.maximumValue) == (10.0, 20.0)
        assert sorted(heard) == [
            ("maximumValueChanged", 20.0),
            ("minimumValueChanged", 10.0),
            ("valuesChanged", 10.0, 20.0),
        ]
        heard.clear()
        widget.maximumValue = 30
        assert heard == [("maximumValueChanged", 30.0), ("valuesChanged", 10.0, 30.0)]

    def test_values_stay_in_order_and_in_the_range(self, widget):
        widget.setValues(10, 20)
        widget.minimumValue = 25
        assert (widget.minimumValue, widget.maximumValue) == (25.0, 25.0)
        widget.maximumValue = 500
        assert widget.maximumValue == 99.0
        widget.setRange(0, 5)
        assert (widget.minimumValue, widget.maximumValue) == (5.0, 5.0)

    def test_a_range_is_announced(self, widget, heard):
        heard.follow(widget, "rangeChanged(double,double)")
        widget.setRange(-1, 120)
        assert (widget.minimum, widget.maximum) == (-1.0, 120.0)
        assert heard[-1] == ("rangeChanged", -1.0, 120.0)

    def test_a_user_drags_the_nearer_handle(self, qt, widget, name, show):
        show(widget)
        widget.resize(400, 30)
        qt.QApplication.processEvents()
        slider = widget if name == "ctkDoubleRangeSlider" else widget.findChildren("ctkDoubleRangeSlider")[0]
        widget.setValues(20, 80)
        at = slider.width // 3
        QTest.mousePress(slider, qt.Qt.LeftButton, qt.Qt.NoModifier, QPoint(int(slider.width * 0.21), 8))
        QTest.mouseMove(slider, QPoint(at, 8))
        QTest.mouseRelease(slider, qt.Qt.LeftButton, qt.Qt.NoModifier, QPoint(at, 8))
        assert 28 < widget.minimumValue < 38
        assert widget.maximumValue == 80.0


class TestRangeWidget:
    def test_a_user_types(self, qt, ctk, show, type_keys):
        widget = show(ctk.ctkRangeWidget())
        line = widget.findChildren(qt.QLineEdit)[0]
        line.selectAll()
        type_keys(line, "12.5\r")
        assert (widget.minimumValue, widget.maximumValue) == (12.5, 99.0)

    def test_decimals_and_texts_are_those_of_both_numbers(self, qt, ctk):
        widget = ctk.ctkRangeWidget()
        widget.decimals, widget.suffix = 1, " mm"
        assert {box.suffix for box in widget.findChildren(qt.QDoubleSpinBox)} == {" mm"}
        assert {box.decimals for box in widget.findChildren(qt.QDoubleSpinBox)} == {1}
