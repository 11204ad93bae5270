"""What the panels do with what the logic answers; the widgets are recorders, the scene is real.

That the forms hold these widgets is checked in Core/test_modules.py; how they look is checked in Slicer.
"""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import slicer
from nodes import OBLIQUE, add_transform, add_volume, blobs
from stand_ins import stand_in

from DiffusionCore.checks import DiffusionCoreError


class Widget:
    """Remembers what it was set to; ``press`` is a click."""

    def __init__(self):
        self.state = {}
        self.slots = []
        self.clicked = SimpleNamespace(connect=self.slots.append)

    def __getattr__(self, name):
        if not name.startswith("set"):
            raise AttributeError(name)
        return lambda value: self.state.__setitem__(name.removeprefix("set"), value)

    def press(self):
        assert self.state["Enabled"], "a disabled button cannot be pressed"
        for slot in self.slots:
            slot(False)


class Parameters:
    """A wrapped parameter node as the panels see it."""

    def __init__(self, **fields):
        vars(self).update(fields, observers={}, connections=0)

    def AddObserver(self, event, call, *_):  # noqa: N802
        self.observers[len(self.observers)] = call
        return len(self.observers) - 1

    def RemoveObserver(self, tag):  # noqa: N802
        del self.observers[tag]

    def connectGui(self, ui):  # noqa: N802
        self.connections += 1

    def disconnectGui(self, tag):  # noqa: N802
        self.connections -= 1


@pytest.fixture
def window(scene, monkeypatch):
    """Give Slicer's application as far as the panels need it; ``events`` is called whenever events are processed."""
    window = SimpleNamespace(ui=None, events=lambda: None)
    stand_in(monkeypatch, scene)
    monkeypatch.setattr(slicer, "app", SimpleNamespace(processEvents=lambda: window.events()), raising=False)
    monkeypatch.setattr(slicer.util, "loadUI", lambda _: SimpleNamespace(setMRMLScene=lambda _: None))
    named = SimpleNamespace(**{name: Widget() for name in WIDGETS})
    monkeypatch.setattr(slicer.util, "childWidgetVariables", lambda _: named)
    monkeypatch.setattr(slicer.util, "WaitCursor", nullcontext)
    window.ui = named
    return window


WIDGETS = ("registerButton", "deformButton", "statusLabel", "progressBar", "inputsSection", "outputsSection")


def module_with(logic, parameters):
    logic.getParameterNode = lambda: parameters
    return SimpleNamespace(
        logic=logic, layout=SimpleNamespace(addWidget=lambda _: None), resourcePath=lambda relative: relative
    )


@pytest.fixture
def registration(window, scene):
    """Give a panel with two chosen volumes whose logic calls ``answer``."""
    from SpatialDiffusionLib.Widget import RegistrationPanel

    parameters = Parameters(
        fixedVolume=add_volume(scene, blobs(OBLIQUE), "fixed"),
        movingVolume=add_volume(scene, blobs(OBLIQUE), "moving"),
        outputTransform=None,
        outputVolume=None,
    )
    result = SimpleNamespace(outputTransform=add_transform(scene), outputVolume=add_volume(scene, blobs(OBLIQUE)))
    logic = SimpleNamespace(register=lambda *_, **__: result)
    panel = RegistrationPanel(module_with(logic, parameters))
    yield SimpleNamespace(panel=panel, logic=logic, parameters=parameters, result=result, ui=window.ui)
    panel.cleanup()


def step(index):
    return SimpleNamespace(index=index, phase="polish")


def test_what_is_missing_is_said_and_keeps_the_button_off(registration):
    ui, parameters = registration.ui, registration.parameters
    assert ui.registerButton.state["Enabled"]
    for change, text in (
        ({"fixedVolume": None}, "Select a fixed volume."),
        ({"movingVolume": None}, "Select a moving volume."),
        ({"movingVolume": parameters.fixedVolume}, "Fixed and moving are the same volume."),
        ({"outputVolume": parameters.fixedVolume}, "The moved volume would overwrite an input. Select another one."),
    ):
        former = dict(vars(parameters))
        vars(parameters).update(change)
        registration.panel.on_change()
        assert not ui.registerButton.state["Enabled"]
        assert ui.statusLabel.state["Text"] == text
        vars(parameters).update(former)


def test_a_finished_registration_selects_its_outputs(registration):
    registration.ui.registerButton.press()
    assert registration.parameters.outputTransform is registration.result.outputTransform
    assert registration.parameters.outputVolume is registration.result.outputVolume
    assert registration.ui.statusLabel.state["Text"] == "Done."
    assert registration.ui.registerButton.state == {"Enabled": True, "Text": "Register"}
    assert not registration.ui.progressBar.state["Visible"]


def test_stop_ends_after_the_step_and_keeps_it(registration, window):
    seen, ui = [], registration.ui

    def register(*_, onStep, shouldStop):  # noqa: N803
        for index in range(5):
            onStep(step(index))
            seen.append(ui.statusLabel.state["Text"])
            if shouldStop():
                break
        return registration.result

    def press_stop_at_the_third_step():
        if len(seen) == 2 and ui.registerButton.state["Text"] == "Stop":
            ui.registerButton.press()

    registration.logic.register, window.events = register, press_stop_at_the_third_step
    ui.registerButton.press()
    assert seen == ["Step 1: polish", "Step 2: polish", "Stopping after this step..."]
    assert ui.statusLabel.state["Text"] == "Stopped. The transform holds the last step."
    assert ui.registerButton.state == {"Enabled": True, "Text": "Register"}


def test_inputs_are_locked_while_it_runs(registration):
    def register(*_, **__):
        assert not registration.ui.inputsSection.state["Enabled"]
        assert not registration.ui.outputsSection.state["Enabled"]
        registration.panel.exit()
        assert registration.parameters.connections == 1
        return registration.result

    registration.logic.register = register
    registration.ui.registerButton.press()
    assert registration.ui.inputsSection.state["Enabled"]


def test_a_problem_of_the_world_is_one_line_in_the_panel(registration):
    def register(*_, **__):
        raise DiffusionCoreError("The moving volume is empty.")

    registration.logic.register = register
    registration.ui.registerButton.press()
    assert registration.ui.statusLabel.state["Text"] == "The moving volume is empty."
    assert registration.ui.registerButton.state["Enabled"]


def test_a_defect_of_ours_leaves_the_panel_usable(registration):
    def register(*_, **__):
        raise ZeroDivisionError

    registration.logic.register = register
    with pytest.raises(ZeroDivisionError):
        registration.ui.registerButton.press()
    assert "failed" in registration.ui.statusLabel.state["Text"]
    assert registration.ui.registerButton.state == {"Enabled": True, "Text": "Register"}


def test_the_form_is_bound_only_while_it_is_shown(registration, scene):
    panel, parameters = registration.panel, registration.parameters
    assert (parameters.connections, len(parameters.observers)) == (1, 1)
    panel.exit()
    assert (parameters.connections, len(parameters.observers)) == (0, 0)
    panel.enter()
    panel.enter()
    assert (parameters.connections, len(parameters.observers)) == (1, 1)
    scene.Clear(False)
    assert (parameters.connections, len(parameters.observers)) == (1, 1)
    panel.cleanup()
    assert (parameters.connections, len(parameters.observers)) == (0, 0)


def test_closing_the_scene_in_the_middle_of_a_run_is_survived(registration, scene):
    def register(*_, **__):
        scene.Clear(False)
        raise DiffusionCoreError("The scene was closed during the registration; the run was ended.")

    registration.logic.register = register
    registration.ui.registerButton.press()
    assert "closed" in registration.ui.statusLabel.state["Text"]
    assert not registration.panel.running


def test_the_deformation_panel_deforms_the_chosen_volume(window, scene):
    from DeformationSynthesisLib.Logic import DeformationSynthesisLogic
    from DeformationSynthesisLib.Widget import DeformationPanel

    volume = add_volume(scene, blobs(OBLIQUE), "head")
    parameters = Parameters(inputVolume=None, outputVolume=None, strengthMm=2.0, seed=3)
    panel = DeformationPanel(module_with(DeformationSynthesisLogic(), parameters))
    assert not window.ui.deformButton.state["Enabled"]
    parameters.inputVolume = volume
    panel.on_change()
    window.ui.deformButton.press()
    assert parameters.outputVolume.GetName() == "head deformed"
    assert window.ui.statusLabel.state["Text"] == "Done."
    volume.SetAndObserveImageData(None)
    window.ui.deformButton.press()
    assert "holds no image" in window.ui.statusLabel.state["Text"]
    panel.cleanup()
