"""The forms of both panels: what is in sight, how wide they are, what they explain, where Tab goes."""

from __future__ import annotations

from collections import Counter

import pytest
from desk import ROOT
from nodes_of_panel import add_ball

WIDTH, HEIGHT = 480, 560
MODULES = ("SpatialDiffusion", "DeformationSynthesis")
SECTIONS = ("ctkCollapsibleButton", "ctkCollapsibleGroupBox")
CONTROLS = (
    "QAbstractButton",
    "QComboBox",
    "QAbstractSpinBox",
    "QAbstractSlider",
    "QPlainTextEdit",
    "QTableView",
    "QLineEdit",
    "qMRMLNodeComboBox",
    "ctkSliderWidget",
    "ctkPathLineEdit",
    "qSlicerMarkupsPlaceWidget",
)
COMPOSED = (
    "qSlicerMarkupsPlaceWidget",
    "qMRMLNodeComboBox",
    "ctkSliderWidget",
    "ctkPathLineEdit",
    "QComboBox",
    "QAbstractSpinBox",
    "QTableView",
)


@pytest.fixture
def panel(panel_of, request, monkeypatch):
    monkeypatch.setenv("SPATIALDIFFUSION_MODELS", str(ROOT / "no such folder"))
    return panel_of(request.param, WIDTH, HEIGHT)


def is_a(widget, names):
    return any(base.__name__ in names for base in type(widget).__mro__)


def within(widget, ancestor):
    return widget is not ancestor and ancestor.isAncestorOf(widget)


def controls_of(panel):
    """Return what a user can set or press: no headings of sections, no parts of a control, no scroll bars."""
    import qt

    widgets = [widget for widget in panel.findChildren(qt.QWidget) if is_a(widget, CONTROLS)]
    widgets = [widget for widget in widgets if not is_a(widget, (*SECTIONS, "QScrollBar", "QHeaderView"))]
    whole = [widget for widget in widgets if is_a(widget, COMPOSED)]
    return [widget for widget in widgets if not any(within(widget, other) for other in whole) and not popup(widget)]


def popup(widget):
    import qt

    while widget is not None:
        if widget.windowFlags() & qt.Qt.Popup == qt.Qt.Popup or is_a(
            widget, ("QTableCornerButton", "QAbstractScrollArea")
        ):
            return not is_a(widget, CONTROLS)
        widget = widget.parentWidget()
    return False


def unfold(panel):
    """Open every section, and show everything that is hidden until there is something to show."""
    import qt

    for name in ("noteRow", "branchRow", "stepsBody", "resultBody", "progressBar"):
        found = panel.findChild(qt.QWidget, name)
        if found is not None:
            found.show()
    for widget in panel.findChildren(qt.QWidget):
        if is_a(widget, SECTIONS):
            widget.collapsed = False
        if widget.name in ("pushButton_VcrRecord", "pushButton_Snapshot"):  # never shown once there are steps
            widget.hide()


def place(widget, panel):
    import qt

    corner = widget.mapTo(panel, qt.QPoint(0, 0))
    return corner.y(), corner.x()


@pytest.mark.parametrize("panel", MODULES, indirect=True)
def test_every_control_explains_itself_and_no_two_alike(panel):
    controls = controls_of(panel)
    assert len(controls) >= 4
    tips = {control.name: control.toolTip for control in controls}
    assert [name for name, tip in tips.items() if not tip and name not in ("noteButton",)] == []
    assert [tip for tip, count in Counter(filter(None, tips.values())).items() if count > 1] == []


@pytest.mark.parametrize("panel", MODULES, indirect=True)
@pytest.mark.parametrize("longer", [1.0, 1.3])
def test_the_panel_is_never_wider_than_its_place(panel, longer, scene, app):
    import qt

    add_ball(scene, "a volume whose name somebody made of everything that was known about the patient and the scanner")
    unfold(panel)
    for widget in panel.findChildren(qt.QWidget):
        if (
            longer > 1
            and is_a(widget, ("QLabel", "QAbstractButton"))
            and widget.text
            and not widget.text.startswith("<")
        ):
            words = widget.text.split()
            widget.setText(" ".join(word + "n" * round(len(word) * (longer - 1)) for word in words))
    refit = getattr(panel.self().panel, "fitButtons", None)
    if refit is not None:
        refit()
    app.processEvents()
    assert panel.minimumSizeHint.width() <= WIDTH


@pytest.mark.parametrize("panel", MODULES, indirect=True)
def test_no_text_of_a_button_or_label_is_cut(panel, app):
    import qt

    unfold(panel)
    panel.resize(WIDTH, 2000)
    app.processEvents()
    cut = [
        widget.name
        for widget in panel.findChildren(qt.QWidget)
        if is_a(widget, ("QLabel", "QPushButton", "QToolButton"))
        and widget.visible
        and widget.name != "statusLabel"
        and widget.width < widget.minimumSizeHint.width()
    ]
    assert cut == []


@pytest.mark.parametrize("panel", ["SpatialDiffusion"], indirect=True)
def test_what_is_needed_to_register_is_in_sight_at_once(panel):
    ui = panel.self().panel.ui
    register = place(ui.registerButton, panel)[0]
    assert register + ui.registerButton.height <= HEIGHT
    above = [control.name for control in controls_of(panel) if control.visible and place(control, panel)[0] < register]
    assert len(above) <= 5


@pytest.mark.parametrize("panel", ["SpatialDiffusion"], indirect=True)
def test_the_steps_toggles_are_in_sight_too(panel, app):
    ui = panel.self().panel.ui
    ui.stepsBody.show()
    ui.stepsEmptyLabel.hide()
    app.processEvents()
    for name in ("before", "grid", "colors", "uncertainty", "sideBySide"):
        button = getattr(ui, f"{name}Button")
        assert place(button, panel)[0] + button.height <= HEIGHT


@pytest.mark.parametrize("panel", ["SpatialDiffusion"], indirect=True)
def test_the_fields_of_inputs_and_outputs_stand_in_one_line(panel):
    ui = panel.self().panel.ui
    names = ("fixedVolume", "movingVolume", "preset", "outputTransform", "outputVolume")
    assert len({place(getattr(ui, f"{name}Selector"), panel)[1] for name in names}) == 1


@pytest.mark.parametrize("panel", ["SpatialDiffusion"], indirect=True)
def test_at_most_four_sections_are_open_and_the_expert_ones_are_not(panel):
    import qt

    shown = [w for w in panel.findChildren(qt.QWidget) if is_a(w, ("ctkCollapsibleButton",)) and w.visible]
    assert sorted(w.name for w in shown if not w.collapsed) == ["inputsSection", "outputsSection", "stepsSection"]
    assert panel.self().panel.ui.steerSection.collapsed


@pytest.mark.parametrize("panel", MODULES, indirect=True)
def test_tab_goes_from_top_to_bottom_and_from_left_to_right(panel, app):
    import qt

    unfold(panel)
    panel.resize(WIDTH, 2000)
    app.processEvents()
    controls, widget, chain = controls_of(panel), panel.nextInFocusChain(), []
    while widget is not panel:
        control = next((each for each in controls if each is widget or within(widget, each)), None)
        if control is not None and control.visible and widget.focusPolicy & qt.Qt.TabFocus == qt.Qt.TabFocus:
            chain.append(control)
        widget = widget.nextInFocusChain()
    chain = [
        control for control in dict.fromkeys(chain) if not control.name.startswith(("pushButton_Vcr", "doubleSpin"))
    ]
    assert len(chain) >= 3
    rows = [(y // 20, x) for y, x in (place(each, panel) for each in chain)]  # in one row heights differ a little
    assert rows == sorted(rows), [each.name for each in chain]


@pytest.mark.parametrize("panel", MODULES, indirect=True)
def test_labels_of_fields_end_in_a_colon_and_begin_with_a_capital(panel):
    import qt

    forms = panel.findChildren(qt.QFormLayout)
    items = [form.itemAt(row, qt.QFormLayout.LabelRole) for form in forms for row in range(form.rowCount())]
    labels = [item.widget().text for item in items if item is not None]
    assert len(labels) >= 4
    for text in labels:
        assert text.endswith(":")
        assert text == text[0].upper() + text[1:].lower() or "Python" in text
