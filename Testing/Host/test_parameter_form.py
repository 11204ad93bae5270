"""Forms that follow parameters. All of this holds over Slicer's own wrapper too: see ``test_parameter_node.py``."""

# ruff: noqa: E402
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Optional

import pytest
from slicer_api_host import application

application.start()  # what follows is the Python of the application
import ctk
import qt
import slicer
from slicer import vtkMRMLScalarVolumeNode, vtkMRMLTransformNode
from slicer.parameterNodeWrapper import (
    Choice,
    Decimals,
    Maximum,
    Minimum,
    SingleStep,
    WithinRange,
    parameterNodeWrapper,
    parameterPack,
)


class Preset(Enum):
    AUTOMATIC = "Automatic"
    AFFINE = "Affine only"

    def label(self):
        return self.value


class Plain(Enum):
    ONE = 1
    TWO = 2


DEVICES = ["auto", "cpu", "cuda"]
Bounded = Annotated[float, WithinRange(-1, 4)]
HOME = str(Path.home())


def checkable():
    button = qt.QPushButton()
    button.checkable = True
    return button


# a widget, the type that it shows, a value, what the widget shows then, its property, and what a user makes of it
SHOWN = {
    "check box": (qt.QCheckBox, bool, True, True, "checked", False),
    "ctk check box": (ctk.ctkCheckBox, bool, True, True, "checked", False),
    "button": (checkable, bool, True, True, "checked", False),
    "slider": (qt.QSlider, Annotated[int, WithinRange(0, 9)], 7, 7, "value", 2),
    "spin box": (qt.QSpinBox, int, -7000, -7000, "value", 12),
    "double spin box": (qt.QDoubleSpinBox, float, -2.5, -2.5, "value", 1.25),
    "double spin box of a whole number": (qt.QDoubleSpinBox, int, 300, 300.0, "value", 2.0),
    "ctk slider": (ctk.ctkSliderWidget, Bounded, 3.5, 3.5, "value", -1.0),
    "ctk slider of a whole number": (ctk.ctkSliderWidget, Annotated[int, Minimum(1), Maximum(9)], 5, 5.0, "value", 2.0),
    "combo box of choices": (qt.QComboBox, Annotated[str, Choice(DEVICES)], "cpu", 1, "currentIndex", 2),
    "combo box of numbers": (qt.QComboBox, Annotated[int, Choice([4, 0])], 0, 1, "currentIndex", 0),
    "combo box of members": (qt.QComboBox, Preset, Preset.AFFINE, "Affine only", "currentText", "Automatic"),
    "ctk combo box": (ctk.ctkComboBox, Plain, Plain.TWO, "TWO", "currentText", "ONE"),
    "line": (qt.QLineEdit, str, "head", "head", "text", ""),
    "text": (qt.QTextEdit, str, "two\nlines", "two\nlines", "plainText", "one"),
    "path": (ctk.ctkPathLineEdit, Path, Path(HOME), HOME, "currentPath", str(Path.home().parent)),
    "directory": (ctk.ctkDirectoryButton, Path, Path(HOME), HOME, "directory", str(Path.home().parent)),
}


class Form:
    """Widgets by name, as ``slicer.util.childWidgetVariables`` returns them; each shows the parameter in its name."""

    def __init__(self, **widgets: Any) -> None:
        for name, widget in widgets.items():
            widget.setProperty("SlicerParameterName", name.replace("__", "."))
            setattr(self, name, widget)


def wrap(scene, *, defaults=None, **hints):
    members = {"__annotations__": hints, "__module__": __name__, **(defaults or {})}
    declaration = parameterNodeWrapper(type("Parameters", (), members))
    return declaration(scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode"))


@pytest.mark.parametrize(("make", "hint", "value", "shown", "name", "chosen"), SHOWN.values(), ids=SHOWN)
def test_a_widget_shows_its_parameter_and_sets_it(scene, make, hint, value, shown, name, chosen):
    parameters, widget = wrap(scene, value=hint, defaults={"value": value}), make()
    tag = parameters.connectGui(Form(value=widget))
    assert getattr(widget, name) == shown
    setattr(widget, name, chosen)
    by_user = parameters.value
    assert by_user != value
    assert type(by_user) is type(value)
    parameters.value = value
    assert getattr(widget, name) == shown
    parameters.disconnectGui(tag)
    setattr(widget, name, chosen)
    assert parameters.value == value
    parameters.value = by_user
    parameters.value = value
    assert getattr(widget, name) == chosen


def test_a_label_only_shows(scene):
    parameters, label = wrap(scene, text=str), qt.QLabel("old")
    parameters.connectGui(Form(text=label))
    assert label.text == ""
    parameters.text = "new"
    assert label.text == "new"


@pytest.fixture
def selector(scene):
    selector = slicer.qMRMLNodeComboBox()
    selector.noneEnabled = True
    selector.setMRMLScene(scene)
    yield selector
    selector.setMRMLScene(None)


@pytest.mark.parametrize("hint", [vtkMRMLScalarVolumeNode, Optional[vtkMRMLScalarVolumeNode]])  # noqa: UP045
def test_a_selector_offers_the_nodes_of_its_parameter(scene, selector, hint):
    head, other = (scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name) for name in ("head", "other"))
    scene.AddNewNodeByClass("vtkMRMLTransformNode")
    parameters = wrap(scene, first=int, volume=hint)
    parameters.volume = head
    tag = parameters.connectGui(Form(volume=selector))
    assert selector.nodeTypes == ("vtkMRMLScalarVolumeNode",)
    assert selector.nodeCount() == 2
    assert selector.currentNode() is head
    selector.setCurrentNode(other)
    assert parameters.volume is other
    selector.setCurrentNode(None)
    assert parameters.volume is None
    parameters.volume = head
    assert selector.currentNode() is head
    scene.RemoveNode(head)
    assert parameters.volume is selector.currentNode() is other
    scene.RemoveNode(other)
    assert parameters.volume is selector.currentNode() is None
    parameters.disconnectGui(tag)


def test_nothing_is_selected_when_the_parameter_holds_nothing(scene, selector):
    """A selector without None chooses a node by itself; what the parameter says goes first."""
    scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    parameters = wrap(scene, volume=vtkMRMLScalarVolumeNode)
    parameters.connectGui(Form(volume=selector))
    assert parameters.volume is None
    assert selector.currentNode() is None


def test_annotations_set_up_the_widget(scene):
    hint = Annotated[float, WithinRange(0.5, 2), Decimals(3), SingleStep(0.125)]
    parameters = wrap(scene, box=hint, slider=hint, defaults={"box": 1.0, "slider": 1.0})
    box, slider = qt.QDoubleSpinBox(), ctk.ctkSliderWidget()
    parameters.connectGui(Form(box=box, slider=slider))
    for widget in (box, slider):
        assert (widget.minimum, widget.maximum, widget.decimals, widget.singleStep) == (0.5, 2.0, 3, 0.125)
    combo = qt.QComboBox()
    combo.addItem("from the form")
    members = wrap(scene, preset=Preset)
    members.connectGui(Form(preset=combo))
    assert [combo.itemText(index) for index in range(combo.count)] == ["Automatic", "Affine only"]


@pytest.mark.parametrize(
    ("make", "hint"),
    [
        (qt.QSlider, int),
        (ctk.ctkSliderWidget, float),
        (ctk.ctkSliderWidget, Annotated[float, Minimum(0)]),
        (qt.QComboBox, str),
        (qt.QToolButton, bool),
        (qt.QSpinBox, float),
        (qt.QLineEdit, int),
        (qt.QLineEdit, Path),
        (qt.QPlainTextEdit, str),
        (type("Derived", (qt.QCheckBox,), {}), bool),
    ],
)
def test_a_widget_that_cannot_show_its_parameter_is_refused(scene, make, hint):
    with pytest.raises((RuntimeError, TypeError)):
        wrap(scene, value=hint).connectGui(Form(value=make()))


def test_an_unknown_parameter_name_is_refused(scene):
    parameters = wrap(scene, value=int)
    for name in ("valeu", "value__part"):
        with pytest.raises((ValueError, AttributeError)):
            parameters.connectGui(Form(**{name: qt.QSpinBox()}))


def test_a_form_is_found_in_a_widget_too(scene):
    window, box, plain = qt.QWidget(), qt.QSpinBox(), qt.QSpinBox()
    window.setLayout(qt.QVBoxLayout())
    for widget in (box, plain):
        window.layout().addWidget(widget)
    box.setProperty("SlicerParameterName", "count")
    parameters = wrap(scene, count=int)
    parameters.connectGui(window)
    box.value = 4
    plain.value = 5
    assert parameters.count == 4


def test_two_widgets_of_one_parameter_agree(scene):
    parameters, box, slider = wrap(scene, value=Annotated[int, WithinRange(0, 9)]), qt.QSpinBox(), qt.QSlider()
    parameters.connectParametersToGui({"value": box})
    parameters.connectParametersToGui({"value": slider})
    box.value = 3
    assert slider.value == 3
    slider.value = 5
    assert box.value == 5


def test_a_parameter_keeps_digits_that_its_widget_does_not_show(scene):
    parameters, box = wrap(scene, value=Annotated[float, Decimals(2)]), qt.QDoubleSpinBox()
    parameters.connectGui(Form(value=box))
    parameters.value = 0.123456
    assert box.value == 0.12
    assert parameters.value == 0.123456


def test_many_changes_at_once_are_shown_once(scene):
    parameters, line, shown = wrap(scene, text=str), qt.QLineEdit(), []
    parameters.connectGui(Form(text=line))
    line.textChanged.connect(shown.append)
    with slicer.util.NodeModify(parameters):
        parameters.text = "a"
        parameters.text = "ab"
    assert shown == ["ab"]


def test_a_field_of_a_pack_is_bound_by_its_path(scene):
    @parameterPack
    class Training:
        epochs: Annotated[int, WithinRange(1, 99)] = 10
        folder: Path

    parameters, box = wrap(scene, training=Training), qt.QSpinBox()
    parameters.connectGui(Form(training__epochs=box))
    assert box.value == 10
    box.value = 20
    assert parameters.training.epochs == 20
    parameters.training.epochs = 30
    assert box.value == 30


def test_a_selector_takes_every_type_of_a_union(scene, selector):
    parameters = wrap(scene, node=Optional[vtkMRMLTransformNode | vtkMRMLScalarVolumeNode])  # noqa: UP045
    parameters.connectGui(Form(node=selector))
    assert set(selector.nodeTypes) == {"vtkMRMLTransformNode", "vtkMRMLScalarVolumeNode"}
    for name in selector.nodeTypes:
        node = scene.AddNewNodeByClass(name)
        selector.setCurrentNode(node)
        assert parameters.node is node
