"""Connections as PythonQt makes them, and what it refuses or only prints."""

from __future__ import annotations

import functools
import gc
import weakref

import pytest
from PySide6.QtCore import QObject
from PySide6.QtTest import QTest
from slicer_api_host.declare import Signal, register


@pytest.fixture
def button(qt):
    return qt.QPushButton("Apply")


@register
class ctkTestSender(QObject):
    """Stands for a class of C++ whose signals carry nodes and indices."""

    currentNodeChanged = Signal("PyObject")
    currentItemChanged = Signal("qlonglong")


def test_a_signal_is_connected_by_its_signature(button):
    heard = []
    button.checkable = True
    assert button.connect("toggled(bool)", heard.append) is True
    button.click()
    assert heard == [True]


@pytest.mark.parametrize("signal", ["cliked(bool)", "clicked(int)", "clicked", "text()", "setText(QString)"])
def test_a_signal_that_does_not_exist_is_refused(button, signal):
    with pytest.raises(ValueError, match="does not exist on QPushButton"):
        button.connect(signal, print)


def test_spaces_const_and_references_do_not_matter(qt):
    line, heard = qt.QLineEdit(), []
    line.connect("textChanged( const QString & )", heard.append)
    line.text = "7"
    assert heard == ["7"]


def test_what_cannot_be_called_is_not_connected(button):
    with pytest.raises(TypeError, match="not callable"):
        button.connect("clicked()", None)


def test_a_function_gets_as_many_arguments_as_it_takes(button):
    heard = []
    button.connect("clicked(bool)", lambda: heard.append("none"))
    button.connect("clicked(bool)", lambda checked: heard.append(checked))
    button.connect("clicked(bool)", lambda *arguments: heard.append(arguments))
    button.click()
    assert heard == ["none", False, (False,)]


def test_a_default_argument_takes_the_value_of_the_signal(button):
    heard = []
    button.connect("clicked(bool)", lambda kept="mine": heard.append(kept))
    button.click()
    assert heard == [False]


def test_what_is_no_function_gets_all_arguments(button, slot_errors):
    heard = []
    button.connect("clicked(bool)", functools.partial(lambda kept: heard.append(kept), "mine"))
    button.click()
    assert heard == []
    assert [type(error) for error in slot_errors] == [TypeError]


def test_a_connection_keeps_its_receiver_alive(button):
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


def test_a_deleted_sender_lets_its_receiver_go(button):
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


def test_a_connection_is_undone(button):
    heard = []
    button.connect("clicked()", heard.clear)
    button.connect("clicked(bool)", heard.append)
    assert button.disconnect("clicked(bool)", heard.append) is True
    button.click()
    assert heard == []
    assert button.disconnect("clicked(bool)", heard.append) is False


def test_only_the_named_receiver_is_disconnected(button):
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


def test_disconnecting_a_signal_that_does_not_exist_is_refused(button):
    with pytest.raises(ValueError, match="does not exist"):
        button.disconnect("cliked()", print)


def test_a_slot_of_another_object_is_connected_by_its_signature(qt):
    box, line = qt.QCheckBox(), qt.QLineEdit()
    box.connect("toggled(bool)", line, "setDisabled(bool)")
    box.checked = True
    assert not line.enabled


@pytest.mark.parametrize("slot", ["setDisabledd(bool)", "setDisabled(QString)", "text()"])
def test_a_slot_that_does_not_exist_is_refused(qt, slot):
    box, line = qt.QCheckBox(), qt.QLineEdit()
    with pytest.raises(ValueError, match=r"Slot .* does not exist on QLineEdit"):
        box.connect("toggled(bool)", line, slot)


def test_nodes_travel_as_python_objects():
    widget, heard, node = ctkTestSender(), [], object()
    widget.connect("currentNodeChanged(vtkMRMLNode*)", heard.append)
    widget.connect("currentItemChanged(vtkIdType)", heard.append)
    widget.currentNodeChanged.emit(node)
    widget.currentItemChanged.emit(2**40)
    assert heard == [node, 2**40]


def test_a_signal_connects_as_an_attribute_too(qt, button):
    heard = []
    button.clicked.connect(heard.append)
    QTest.mouseClick(button, qt.Qt.LeftButton)
    assert heard == [False]
    button.clicked.disconnect(heard.append)
    button.clicked.connect(lambda: heard.append("no argument"))
    button.clicked.emit(True)
    assert heard == [False, "no argument"]


def test_a_signal_as_an_attribute_keeps_its_receiver_alive_too(button):
    class Receiver:
        heard = 0

        def take(self):
            Receiver.heard += 1

    button.clicked.connect(Receiver().take)
    gc.collect()
    button.click()
    assert Receiver.heard == 1


def test_an_overload_is_chosen_by_its_type(ctk):
    box, heard = ctk.ctkDoubleSpinBox(), []
    box.valueChanged[str].connect(heard.append)
    box.valueChanged[float].connect(heard.append)
    box.value = 2.5
    assert sorted(heard, key=str) == [2.5, "2.50"]


def test_a_signal_goes_on_as_another_signal(qt):
    first, second, heard = qt.QLineEdit(), qt.QLineEdit(), []
    first.textChanged.connect(second.textChanged)
    second.connect("textChanged(QString)", heard.append)
    first.text = "7"
    assert heard == ["7"]


def test_an_object_of_cpp_is_not_kept_alive_by_its_own_connections(ctk):
    slider = ctk.ctkSliderWidget()
    gone = weakref.ref(slider)
    del slider
    gc.collect()
    assert gone() is None


def test_an_error_in_a_slot_does_not_stop_the_other_slots(button, slot_errors):
    heard = []

    def fail():
        raise KeyError("slot")

    button.connect("clicked()", fail)
    button.connect("clicked()", lambda: heard.append(1))
    button.click()
    assert heard == [1]
    assert [type(error) for error in slot_errors] == [KeyError]
