"""PythonQt's rules, each with what it refuses."""

from __future__ import annotations

import functools
import gc
import weakref

import numpy as np
import pytest
import shiboken6
from PySide6.QtCore import QObject
from PySide6.QtTest import QTest
from slicer_api_host.declare import Signal, register, stored_property


@pytest.fixture
def button(qt):
    return qt.QPushButton("Apply")


@register
class ctkTestWidget(QObject):
    """Stands for a class of C++ that tests can do with what they like."""

    currentNodeChanged = Signal("PyObject")
    currentItemChanged = Signal("qlonglong")
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


class TestConnections:
    def test_a_signal_is_connected_by_its_signature(self, button):
        heard = []
        button.checkable = True
        assert button.connect("toggled(bool)", heard.append) is True
        button.click()
        assert heard == [True]

    @pytest.mark.parametrize("signal", ["cliked(bool)", "clicked(int)", "clicked", "text()", "setText(QString)"])
    def test_a_signal_that_does_not_exist_is_refused(self, button, signal):
        with pytest.raises(ValueError, match="does not exist on QPushButton"):
            button.connect(signal, print)

    def test_spaces_const_and_references_do_not_matter(self, qt):
        line, heard = qt.QLineEdit(), []
        line.connect("textChanged( const QString & )", heard.append)
        line.text = "7"
        assert heard == ["7"]

    def test_what_cannot_be_called_is_not_connected(self, button):
        with pytest.raises(TypeError, match="not callable"):
            button.connect("clicked()", None)

    def test_a_function_gets_as_many_arguments_as_it_takes(self, button):
        heard = []
        button.connect("clicked(bool)", lambda: heard.append("none"))
        button.connect("clicked(bool)", lambda checked: heard.append(checked))
        button.connect("clicked(bool)", lambda *arguments: heard.append(arguments))
        button.click()
        assert heard == ["none", False, (False,)]

    def test_a_default_argument_takes_the_value_of_the_signal(self, button):
        heard = []
        button.connect("clicked(bool)", lambda kept="mine": heard.append(kept))
        button.click()
        assert heard == [False]

    def test_what_is_no_function_gets_all_arguments(self, button, slot_errors):
        heard = []
        button.connect("clicked(bool)", functools.partial(lambda kept: heard.append(kept), "mine"))
        button.click()
        assert heard == []
        assert [type(error) for error in slot_errors] == [TypeError]

    def test_a_connection_keeps_its_receiver_alive(self, button):
        class Receiver:
            heard = 0

            def take(self):
                Receiver.heard += 1

        receiver = Receiver()
        button.connect("clicked()", receiver.take)
        kept = weakref.ref(receiver)
        del receiver
        gc.collect()
        button.click()
        assert kept().heard == 1

    def test_a_deleted_sender_lets_its_receiver_go(self, button):
        class Receiver:
            def take(self):
                pass

        receiver = Receiver()
        button.connect("clicked()", receiver.take)
        kept = weakref.ref(receiver)
        del receiver
        button.delete()
        gc.collect()
        assert kept() is None

    def test_a_connection_is_undone(self, button):
        heard = []
        button.connect("clicked()", heard.clear)
        button.connect("clicked(bool)", heard.append)
        assert button.disconnect("clicked(bool)", heard.append) is True
        button.click()
        assert heard == []
        assert button.disconnect("clicked(bool)", heard.append) is False

    def test_only_the_named_receiver_is_disconnected(self, button):
        heard = []

        def first():
            heard.append("first")

        def second():
            heard.append("second")

        button.connect("clicked()", first)
        button.connect("clicked()", second)
        button.disconnect("clicked()", first)
        button.click()
        assert heard == ["second"]
        button.disconnect("clicked()")
        button.click()
        assert heard == ["second"]

    def test_disconnecting_a_signal_that_does_not_exist_is_refused(self, button):
        with pytest.raises(ValueError, match="does not exist"):
            button.disconnect("cliked()", print)

    def test_a_slot_of_another_object_is_connected_by_its_signature(self, qt):
        box, line = qt.QCheckBox(), qt.QLineEdit()
        box.connect("toggled(bool)", line, "setDisabled(bool)")
        box.checked = True
        assert not line.enabled

    @pytest.mark.parametrize("slot", ["setDisabledd(bool)", "setDisabled(QString)", "text()"])
    def test_a_slot_that_does_not_exist_is_refused(self, qt, slot):
        box, line = qt.QCheckBox(), qt.QLineEdit()
        with pytest.raises(ValueError, match=r"Slot .* does not exist on QLineEdit"):
            box.connect("toggled(bool)", line, slot)

    def test_nodes_travel_as_python_objects(self):
        widget, heard, node = ctkTestWidget(), [], object()
        widget.connect("currentNodeChanged(vtkMRMLNode*)", heard.append)
        widget.connect("currentItemChanged(vtkIdType)", heard.append)
        widget.currentNodeChanged.emit(node)
        widget.currentItemChanged.emit(2**40)
        assert heard == [node, 2**40]

    def test_a_signal_connects_as_an_attribute_too(self, qt, button):
        heard = []
        button.clicked.connect(heard.append)
        QTest.mouseClick(button, qt.Qt.LeftButton)
        assert heard == [False]
        button.clicked.disconnect(heard.append)
        button.clicked.connect(lambda: heard.append("no argument"))
        button.clicked.emit(True)
        assert heard == [False, "no argument"]

    def test_a_signal_as_an_attribute_keeps_its_receiver_alive_too(self, button):
        class Receiver:
            heard = 0

            def take(self):
                Receiver.heard += 1

        button.clicked.connect(Receiver().take)
        gc.collect()
        button.click()
        assert Receiver.heard == 1

    def test_an_overload_is_chosen_by_its_type(self, ctk):
        box, heard = ctk.ctkDoubleSpinBox(), []
        box.valueChanged[str].connect(heard.append)
        box.valueChanged[float].connect(heard.append)
        box.value = 2.5
        assert sorted(heard, key=str) == [2.5, "2.50"]

    def test_a_signal_goes_on_as_another_signal(self, qt):
        first, second, heard = qt.QLineEdit(), qt.QLineEdit(), []
        first.textChanged.connect(second.textChanged)
        second.connect("textChanged(QString)", heard.append)
        first.text = "7"
        assert heard == ["7"]

    def test_an_object_of_cpp_is_not_kept_alive_by_its_own_connections(self, ctk):
        slider = ctk.ctkSliderWidget()
        gone = weakref.ref(slider)
        del slider
        gc.collect()
        assert gone() is None

    def test_an_error_in_a_slot_does_not_stop_the_other_slots(self, button, slot_errors):
        heard = []

        def fail():
            raise KeyError("slot")

        button.connect("clicked()", fail)
        button.connect("clicked()", lambda: heard.append(1))
        button.click()
        assert heard == [1]
        assert [type(error) for error in slot_errors] == [KeyError]
