"""PythonQt's rules, each with what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import shiboken6
from PySide6.QtCore import QObject
from slicer_api_host.declare import register, stored_property


@pytest.fixture
def button(qt):
    return qt.QPushButton("Apply")


@register
class ctkTestWidget(QObject):
    """Stands for a class of C++ that tests can do with what they like."""

    names = stored_property("QStringList", "names", list)
    anything = stored_property("PyObject", "anything", None)
    count = stored_property(int, "count", 0)
    share = stored_property(float, "share", 0.0)


class TestReading:
    def test_a_property_is_a_value(self, button):
        assert button.text == "Apply"
        assert button.enabled is True
        assert button.checked is False

    def test_calling_a_property_fails(self, button):
        with pytest.raises(TypeError, match="not callable"):
            button.text()

    def test_a_method_stays_a_method(self, button):
        button.setText("Run")
        assert button.isEnabled()
        assert button.text == "Run"

    def test_name_is_the_object_name(self, button):
        button.name = "applyButton"
        assert button.objectName == button.name == "applyButton"

    def test_a_list_comes_back_as_a_tuple(self, qt):
        host_widget = ctkTestWidget()
        host_widget.names = ["a", "b"]
        assert host_widget.names == ("a", "b")

    def test_a_list_of_a_python_object_stays_a_list(self, qt):
        class Mine(qt.QWidget):
            pass

        mine = Mine()
        mine.rows = [1, 2]
        assert mine.rows == [1, 2]

    def test_exec_has_its_old_name(self, qt):
        dialog = qt.QDialog()
        qt.QTimer.singleShot(0, dialog.accept)
        assert dialog.exec_() == qt.QDialog.Accepted

    def test_a_dynamic_property_is_read_like_one_of_the_class(self, button):
        button.setProperty("SlicerParameterName", "steps")
        assert button.SlicerParameterName == "steps"

    def test_a_child_is_reached_by_its_name(self, qt):
        panel = qt.QWidget()
        box = qt.QCheckBox(panel)
        box.objectName = "grid"
        assert panel.grid is box

    def test_a_property_goes_before_a_child_of_its_name(self, qt):
        panel = qt.QWidget()
        label = qt.QLabel(panel)
        label.objectName = "toolTip"
        assert panel.toolTip == ""

    def test_an_unknown_name_is_refused(self, button):
        with pytest.raises(AttributeError, match="txet"):
            _ = button.txet

    def test_objects_made_by_qt_follow_the_rules_too(self, qt):
        box = qt.QDialogButtonBox(qt.QDialogButtonBox.Ok)
        assert box.buttons()[0].text.replace("&", "") == "OK"

    def test_a_method_that_is_a_property_too_is_a_value_and_serves_qt(self, qt):
        class Wide(qt.QWidget):
            def sizeHint(self):
                return qt.QSize(321, 17)

        wide = Wide()
        assert wide.sizeHint() == qt.QSize(321, 17)  # a Python class puts its own method first
        plain = qt.QComboBox()
        assert isinstance(plain.sizeHint, qt.QSize)
        window = qt.QWidget()
        layout = qt.QHBoxLayout(window)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(wide)
        assert window.sizeHint == qt.QSize(321, 17)

    def test_a_deleted_object_has_no_properties(self, button):
        button.delete()
        assert not shiboken6.isValid(button)
        with pytest.raises(ValueError, match="destroyed QPushButton"):
            _ = button.text

    def test_the_classes_of_qt_keep_their_type(self, qt):
        assert type(qt.QCheckBox()) is qt.QCheckBox

    def test_children_are_found_by_class_and_by_the_name_of_a_class(self, qt, ctk):
        panel = qt.QWidget()
        layout = qt.QVBoxLayout(panel)
        slider, box = ctk.ctkSliderWidget(), qt.QCheckBox()
        layout.addWidget(slider)
        layout.addWidget(box)
        assert panel.findChildren(qt.QCheckBox) == (box,)
        assert panel.findChildren("ctkSliderWidget") == (slider,)
        assert panel.findChildren("ctkComboBox") == ()
        assert slider.className() == "ctkSliderWidget"


class TestWriting:
    def test_a_property_is_set_by_assignment(self, button):
        button.text = "Stop"
        button.enabled = False
        assert not button.isEnabled()
        assert button.text == "Stop"

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("text", 5),
            ("text", None),
            ("text", b"Apply"),
            ("text", ["Apply"]),
            ("enabled", None),
            ("enabled", "yes"),
            ("enabled", 0.5),
            ("enabled", []),
            ("minimumSize", (3, 4)),
            ("font", None),
            ("icon", "apply.png"),
        ],
    )
    def test_a_value_of_a_wrong_type_is_refused(self, button, name, value):
        with pytest.raises(AttributeError, match=f"Property '{name}' of type .* does not accept"):
            setattr(button, name, value)
        assert button.text == "Apply"
        assert button.enabled

    @pytest.mark.parametrize("value", [None, "7", 5.7, [5], float("nan")])
    def test_a_whole_number_does_not_come_from(self, qt, value):
        box = qt.QSpinBox()
        box.value = 3
        with pytest.raises(AttributeError, match="does not accept"):
            box.value = value
        assert box.value == 3

    @pytest.mark.parametrize("value", [None, "7", [5]])
    def test_a_real_number_does_not_come_from(self, value):
        widget = ctkTestWidget()
        with pytest.raises(AttributeError, match="does not accept"):
            widget.share = value
        assert widget.share == 0.0

    def test_numbers_of_other_types_are_taken(self, qt):
        widget = ctkTestWidget()
        widget.share = np.float32(0.5)
        assert widget.share == 0.5
        widget.share = 2
        assert widget.share == 2.0
        widget.count = 4.0
        assert widget.count == 4

    def test_an_enum_takes_its_number(self, qt):
        slider = qt.QSlider()
        slider.orientation = 1
        assert slider.orientation == qt.Qt.Horizontal
        slider.orientation = qt.Qt.Vertical
        assert slider.orientation == qt.Qt.Vertical

    @pytest.mark.parametrize("value", [99, "RichText", None, 0.5])
    def test_an_enum_takes_nothing_else(self, qt, value):
        label = qt.QLabel()
        with pytest.raises(AttributeError, match="does not accept"):
            label.textFormat = value
        assert label.textFormat == qt.Qt.AutoText

    def test_a_property_that_can_only_be_read_is_not_written(self, button):
        with pytest.raises(AttributeError, match="not writable"):
            button.width = 3

    @pytest.mark.parametrize("name", ["toolTipp", "onClick", "clicked", "setText", "_private"])
    def test_an_unknown_name_on_an_object_of_cpp_is_refused(self, button, name):
        with pytest.raises(AttributeError):
            setattr(button, name, 1)

    def test_an_unknown_name_on_a_host_class_is_refused(self, ctk):
        slider = ctk.ctkSliderWidget()
        with pytest.raises(AttributeError, match="'maximun' does not exist on ctkSliderWidget"):
            slider.maximun = 5

    def test_a_python_class_may_have_attributes_of_its_own(self, qt):
        class Mine(qt.QWidget):
            pass

        mine = Mine()
        mine.volume = 7
        mine.toolTip = "mine"
        assert mine.volume == 7
        assert mine.toolTip == "mine"

    def test_a_dynamic_property_is_written_by_assignment(self, button):
        button.setProperty("checkOrder", 1)
        button.checkOrder = 2
        assert button.property("checkOrder") == 2

    def test_none_is_a_value_where_any_object_is(self):
        widget = ctkTestWidget()
        widget.anything = None
        assert widget.anything is None

    @pytest.mark.parametrize("value", ["abc", [1, 2], None])
    def test_a_list_of_texts_holds_texts(self, value):
        widget = ctkTestWidget()
        with pytest.raises(AttributeError, match="does not accept"):
            widget.names = value

    def test_a_deleted_object_is_not_written(self, button):
        button.delete()
        with pytest.raises(AttributeError, match="destroyed QPushButton"):
            button.text = "Stop"
