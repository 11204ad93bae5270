"""What a scene keeps of the panel, and what comes back with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from clicking import choose, click, drag_slider


@pytest.fixture
def reloaded(desk, scene, tmp_path):
    """Give a function that saves the scene, closes it and loads it again."""
    import slicer

    def reload():
        path = str(tmp_path / "scene.mrb")
        assert slicer.util.saveScene(path)
        scene.Clear(False)
        slicer.util.loadScene(path)
        desk.wait_for(lambda: desk.ui.movingVolumeSelector.currentNode() is not None)

    return reload


def test_every_parameter_comes_back(desk, reloaded):
    desk.register(count=3)
    chosen, skipped = desk.parameters, {"trainingFolder"}
    chosen.preset, chosen.device, chosen.steps, chosen.samples, chosen.seed = "rigid", "cpu", 4, 3, 11
    chosen.keepSteps, chosen.fade, chosen.colors, chosen.sideBySide = False, 0.35, True, True
    before = {name: desk.parameters.getValue(name) for name in chosen.allParameters if name not in skipped}
    reloaded()
    for name, value in before.items():
        now = desk.parameters.getValue(name)
        if hasattr(value, "GetName"):
            assert now.GetName() == value.GetName()
        else:
            assert now == value, name
    ui = desk.ui
    assert ui.presetSelector.currentText == "Rigid only"
    assert ui.deviceSelector.currentText == "CPU"
    assert ui.colorsButton.checked
    assert ui.sideBySideButton.checked


def test_a_toggle_that_was_saved_on_can_be_switched_off(desk, reloaded):
    desk.register(count=3)
    arrangement = desk.views.layout
    for name in ("before", "grid", "colors", "sideBySide"):
        click(getattr(desk.ui, f"{name}Button"))
    reloaded()
    assert desk.parameters.movingVolume.GetParentTransformNode() is None
    for name in ("before", "grid", "colors", "sideBySide"):
        click(getattr(desk.ui, f"{name}Button"))
    moving = desk.parameters.movingVolume
    assert moving.GetParentTransformNode() is desk.parameters.outputTransform
    assert moving.GetDisplayNode().GetColorNodeID() == "vtkMRMLColorTableNodeGrey"
    assert not desk.parameters.outputTransform.GetDisplayNode().GetVisibility2D()
    assert desk.views.layout == arrangement


def test_fields_come_back_with_the_step_that_was_shown(desk, reloaded):
    import slicer

    desk.register("fields", count=4, side=12)
    drag_slider(desk.ui.seekWidget.slider(), 1)
    before = slicer.util.arrayFromGridTransform(desk.parameters.outputTransform).copy()
    info = desk.ui.stepLabel.text
    reloaded()
    transform = desk.parameters.outputTransform
    assert abs(slicer.util.arrayFromGridTransform(transform) - before).max() < 1e-4
    field = transform.GetTransformFromParentAs("vtkOrientedGridTransform", False, False)
    assert field.GetInterpolationModeAsString() == "Linear"
    assert desk.ui.stepLabel.text == info
    assert "holds step 2 of 4" in desk.status


def test_fields_with_an_affine_map_after_them_come_back_beside_steps_without_a_field(desk, reloaded):
    from DiffusionCore.mrml.transforms import plain_from_node

    desk.register("fields", count=3, side=12, turned=True)
    drag_slider(desk.ui.seekWidget.slider(), 1)
    before = plain_from_node(desk.parameters.outputTransform)
    reloaded()
    after = plain_from_node(desk.parameters.outputTransform)
    assert abs(after.matrix.values - before.matrix.values).max() < 1e-6
    assert abs(after.field.vectors - before.field.vectors).max() < 1e-4
    drag_slider(desk.ui.seekWidget.slider(), 0)
    assert abs(plain_from_node(desk.parameters.outputTransform).values - before.matrix.values).max() < 1e-6
    drag_slider(desk.ui.seekWidget.slider(), 2)
    assert "holds" not in desk.status


def test_results_and_resuming_come_back(desk, reloaded):
    desk.register(count=5)
    drag_slider(desk.ui.seekWidget.slider(), 2)
    reloaded()
    ui = desk.ui
    assert ui.resultBody.isVisibleTo(ui.resultSection)
    assert ui.measuresTable.model().rowCount() >= 1
    assert ui.resumeButton.enabled
    assert ui.resumeButton.text == "Resume from step 3"
    assert not ui.undoButton.enabled
    desk.use("shifts", count=2)
    click(ui.resumeButton)
    desk.wait_for_end()
    assert ui.branchSelector.count == 2
    choose(ui.branchSelector, ui.branchSelector.itemText(0))
    assert ui.seekWidget.slider().maximum == 4


def test_a_scene_that_is_added_to_another_one_keeps_both_usable(desk, scene, tmp_path):
    import slicer

    desk.register(count=3)
    path = str(tmp_path / "scene.mrb")
    assert slicer.util.saveScene(path)
    slicer.util.loadScene(path)
    assert Path(path).is_file()
    assert desk.ui.registerButton.text == "Register"
    desk.register(count=2)
    assert desk.status.startswith("Done in ")
