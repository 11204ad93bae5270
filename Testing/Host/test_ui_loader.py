"""The loader of .ui files, and what it refuses that Slicer's loader passes over."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

PANEL = """<?xml version="1.0" encoding="UTF-8"?>
<ui version="4.0"><class>Panel</class>
<widget class="QWidget" name="Panel"><layout class="QVBoxLayout" name="rows">
{}
</layout></widget>
<connections>{}</connections>
</ui>"""


def row(class_name: str, name: str, *properties: str) -> str:
    return f'<item><widget class="{class_name}" name="{name}">{"".join(properties)}</widget></item>'


def value(name: str, tag: str, text: str, more: str = "") -> str:
    return f'<property name="{name}" {more}><{tag}>{text}</{tag}></property>'


def link(*ends: str) -> str:
    fields = ("sender", "signal", "receiver", "slot")
    return f"<connection>{''.join(f'<{f}>{end}</{f}>' for f, end in zip(fields, ends, strict=True))}</connection>"


@pytest.fixture
def load(qt):
    """Give a function that loads a panel out of rows and links."""

    def load(*rows: str, links: str = "", text: str = ""):
        buffer = qt.QBuffer()
        buffer.setData((text or PANEL.format("".join(rows), links)).encode())
        return qt.QUiLoader().load(buffer)

    return load


def test_widgets_of_qt_and_of_the_host_are_made(load, qt, ctk):
    panel = load(row("QLabel", "title"), row("ctkSliderWidget", "opacity"))
    assert type(panel.title) is qt.QLabel
    assert type(panel.opacity) is ctk.ctkSliderWidget


def test_widgets_live_as_long_as_their_panel(load, ctk):
    panels = [load(row("ctkCollapsibleButton", "section"), row("ctkPathLineEdit", "path")) for _ in range(3)]
    gc.collect()
    assert [type(panel.section) for panel in panels] == [ctk.ctkCollapsibleButton] * 3


def test_a_widget_in_a_host_widget_is_found(load):
    inner = '<layout class="QFormLayout" name="form">' + row("ctkComboBox", "choice") + "</layout>"
    panel = load(row("ctkCollapsibleButton", "section", inner))
    assert panel.section.choice.name == "choice"


def test_properties_are_set(load):
    panel = load(
        row("QPushButton", "apply", value("text", "string", "Apply"), value("enabled", "bool", "false")),
        row("ctkSliderWidget", "opacity", value("maximum", "double", "3.5"), value("value", "number", "2")),
    )
    assert (panel.apply.text, panel.apply.enabled) == ("Apply", False)
    assert (panel.opacity.maximum, panel.opacity.value) == (3.5, 2.0)


def test_enums_and_flags_of_host_widgets_are_set(load, qt, ctk):
    panel = load(
        row("ctkPathLineEdit", "path", value("filters", "set", "ctkPathLineEdit::Files|ctkPathLineEdit::Writable")),
        row("ctkCollapsibleButton", "section", value("contentsFrameShape", "enum", "QFrame::Box")),
    )
    assert panel.path.filters == ctk.ctkPathLineEdit.Files | ctk.ctkPathLineEdit.Writable
    assert panel.section.contentsFrameShape == qt.QFrame.Box


def test_dynamic_properties_need_no_property_of_the_class(load):
    panel = load(row("QCheckBox", "grid", value("SlicerParameterName", "string", "showGrid", 'stdset="0"')))
    assert panel.grid.SlicerParameterName == "showGrid"


def test_connections_are_made(load):
    links = link("enable", "toggled(bool)", "path", "setEnabled(bool)")
    panel = load(row("QCheckBox", "enable"), row("ctkPathLineEdit", "path"), links=links)
    panel.enable.toggle()
    panel.enable.toggle()
    assert not panel.path.enabled


def test_the_scene_travels_over_connections(load, application):
    links = link("Panel", "mrmlSceneChanged(vtkMRMLScene*)", "selector", "setMRMLScene(vtkMRMLScene*)")
    form = PANEL.format(row("qMRMLNodeComboBox", "selector"), links).replace("QWidget", "qMRMLWidget")
    panel = load(text=form)
    panel.setMRMLScene(application.mrmlScene())
    assert panel.selector.mrmlScene() is application.mrmlScene()


def test_a_line_and_a_widget_without_a_name_are_loaded(load):
    line = row("Line", "line", value("orientation", "enum", "Qt::Horizontal"))
    nameless = '<item><widget class="QLabel">' + value("text", "string", "Steps") + "</widget></item>"
    panel = load(line, nameless)
    assert panel.line.className() == "QFrame"


def test_a_file_is_loaded_from_disk(qt, tmp_path: Path):
    file = tmp_path / "panel.ui"
    file.write_text(PANEL.format(row("QCheckBox", "grid"), ""), encoding="utf-8")
    assert qt.QUiLoader().load(qt.QFile(str(file))).grid.name == "grid"


def test_a_file_that_is_not_there_is_refused(qt, tmp_path):
    with pytest.raises(ValueError, match="cannot be opened"):
        qt.QUiLoader().load(qt.QFile(str(tmp_path / "panel.ui")))


def test_a_text_that_is_no_form_is_refused(load):
    with pytest.raises(ValueError, match="cannot be read"):
        load(text="Panel")


@pytest.mark.parametrize("name", ["ctkSliderWiget", "qMRMLInventedWidget", "QSlidr"])
def test_an_unknown_class_of_widget_is_refused(load, name):
    with pytest.raises(ValueError, match=f"does not know: {name}"):
        load(row(name, "widget"))


@pytest.mark.parametrize("class_name", ["QLabel", "ctkSliderWidget"])
def test_an_unknown_property_is_refused(load, class_name):
    with pytest.raises(ValueError, match=f"sets 'maximun' on opacity: {class_name} has no such property"):
        load(row(class_name, "opacity", value("maximun", "double", "3")))


def test_an_unknown_property_of_a_widget_without_a_name_is_refused(load):
    nameless = '<item><widget class="QLabel">' + value("txt", "string", "Steps") + "</widget></item>"
    with pytest.raises(ValueError, match="sets 'txt' on a widget without a name"):
        load(nameless)


@pytest.mark.parametrize(
    "wrong",
    [
        row("QSpinBox", "steps", value("value", "string", "seven")),
        row("QCheckBox", "grid", value("checked", "string", "yes")),
        row("ctkSliderWidget", "opacity", value("value", "bool", "true")),
        row("QLabel", "title", value("text", "number", "7")),
    ],
)
def test_a_value_of_a_wrong_type_is_refused(load, wrong):
    with pytest.raises(ValueError, match="it takes a "):
        load(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        row("ctkPathLineEdit", "path", value("filters", "set", "ctkPathLineEdit::Folders")),
        row("ctkCollapsibleButton", "section", value("contentsFrameShape", "enum", "QFrame::Bix")),
        row("QLabel", "title", value("textFormat", "enum", "Qt::RicherText")),
    ],
)
def test_an_unknown_enumerator_is_refused(load, wrong):
    with pytest.raises(ValueError, match=r"no enumerator|could not be read"):
        load(wrong)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (("enable", "toggled(bool)", "paths", "setEnabled(bool)"), "names the object 'paths'"),
        (("enabled", "toggled(bool)", "path", "setEnabled(bool)"), "names the object 'enabled'"),
        (("enable", "toggeld(bool)", "path", "setEnabled(bool)"), "Signal 'toggeld"),
        (("enable", "toggled(bool)", "path", "setEnable(bool)"), "Slot 'setEnable"),
        (("enable", "clicked()", "path", "setEnabled(bool)"), "does not bring the arguments"),
    ],
)
def test_a_connection_that_cannot_be_made_is_refused(load, wrong, message):
    with pytest.raises(ValueError, match=message):
        load(row("QCheckBox", "enable"), row("ctkPathLineEdit", "path"), links=link(*wrong))
