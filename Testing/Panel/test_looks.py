"""Before, Grid, Colors, Uncertainty, Side by side, and the fade: each shows something, and leaves no trace."""

from __future__ import annotations

import numpy as np
import pytest
from clicking import choose, click, drag_slider
from nodes_of_panel import add_ball

TOGGLES = ("before", "grid", "colors", "uncertainty")


@pytest.fixture
def registered(desk):
    """Give the desk after a run of two samples that moved the volume by 30 mm and a bit of chance."""
    desk.choose_pair()
    desk.ui.samplesSpinBox.setValue(2)
    desk.register(count=31, chance=20)
    return desk


def button(desk, name):
    return getattr(desk.ui, f"{name}Button")


@pytest.mark.parametrize("name", TOGGLES)
def test_a_toggle_shows_something_and_leaves_no_trace(registered, name):
    before = registered.picture()
    click(button(registered, name))
    assert (np.abs(registered.picture().astype(int) - before).max(axis=-1) > 20).sum() > 100
    assert button(registered, name).checked
    click(button(registered, name))
    np.testing.assert_array_equal(registered.picture(), before)


def test_before_shows_the_volume_as_it_was(desk):
    desk.choose_pair()
    before = desk.picture()
    desk.register(count=31)
    after = desk.picture()
    assert (after != before).any()
    click(desk.ui.beforeButton)
    np.testing.assert_array_equal(desk.picture(), before)
    click(desk.ui.beforeButton)
    np.testing.assert_array_equal(desk.picture(), after)


def test_before_takes_only_the_output_away(desk, scene):
    own = scene.AddNewNodeByClass("vtkMRMLTransformNode", "own")
    _, moving = desk.choose_pair()
    moving.SetAndObserveTransformNodeID(own.GetID())
    transform = desk.register(count=5)
    assert own.GetParentTransformNode() is transform
    click(desk.ui.beforeButton)
    assert moving.GetParentTransformNode() is own
    assert own.GetParentTransformNode() is None
    click(desk.ui.beforeButton)
    assert own.GetParentTransformNode() is transform


def test_equal_voxels_are_gray_in_colors(desk, scene):
    add_ball(scene, "fixed")
    add_ball(scene, "moving")
    choose(desk.ui.fixedVolumeSelector, "fixed")
    choose(desk.ui.movingVolumeSelector, "moving")
    desk.register(count=1)  # moves it by nothing
    click(desk.ui.colorsButton)
    picture = desk.picture()[60:190, 60:190].astype(int)  # without the annotations of the view
    assert picture.max() > 60
    assert np.abs(picture[..., 0] - picture[..., 1]).max() <= 12


def test_the_colors_of_the_user_come_back_after_the_scene_was_saved_with_them_off(registered, scene, tmp_path):
    import slicer

    display = registered.parameters.movingVolume.GetDisplayNode()
    display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeOcean")
    click(registered.ui.colorsButton)
    assert display.GetColorNodeID() == "vtkMRMLColorTableNodeMagenta"
    path = str(tmp_path / "scene.mrb")
    assert slicer.util.saveScene(path)
    scene.Clear(False)
    slicer.util.loadScene(path)
    registered.wait_for(lambda: registered.ui.colorsButton.checked)
    click(registered.ui.colorsButton)
    assert registered.parameters.movingVolume.GetDisplayNode().GetColorNodeID() == "vtkMRMLColorTableNodeOcean"


def test_uncertainty_needs_samples(desk):
    desk.register(count=3)
    assert not desk.ui.uncertaintyButton.enabled


def test_uncertainty_has_a_scale_in_millimeters_that_is_the_same_for_all_steps(registered, scene):
    import slicer

    click(registered.ui.uncertaintyButton)
    (legend,) = slicer.util.getNodesByClass("vtkMRMLColorLegendDisplayNode")
    assert legend.GetVisibility()
    assert legend.GetTitleText() == "mm"
    display = legend.GetPrimaryDisplayNode()
    before = display.GetWindowLevelMin(), display.GetWindowLevelMax()
    assert before[0] == 0
    assert before[1] > 0
    drag_slider(registered.ui.seekWidget.slider(), 0)
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == before
    shown = registered.picture()
    legend.SetVisibility(False)
    assert (registered.picture() != shown).any(axis=-1).sum() > 300  # pixels of the scale
    click(registered.ui.uncertaintyButton)
    assert not legend.GetVisibility()


def test_the_fade_goes_from_the_fixed_to_the_moving_volume(desk):
    import slicer

    desk.choose_pair()
    slider = desk.ui.fadeSlider
    slider.value = 0
    fixed_alone = desk.picture()
    slider.value = 1
    moving_alone = desk.picture()
    slicer.util.setSliceViewerLayers(foreground=None)
    np.testing.assert_array_equal(desk.picture(), fixed_alone)
    assert (moving_alone != fixed_alone).any()


def test_a_registration_never_ends_with_an_invisible_result(desk):
    desk.choose_pair()
    desk.ui.fadeSlider.value = 0
    desk.register(count=3)
    assert 0.3 <= desk.views.sliceWidget("Red").mrmlSliceCompositeNode().GetForegroundOpacity() <= 0.7


def test_volumes_that_came_with_a_scene_are_not_shown_by_themselves(desk, scene):
    from nodes_of_panel import add_pair

    desk.parameters.fixedVolume, desk.parameters.movingVolume = add_pair(scene)
    assert desk.views.sliceWidget("Red").mrmlSliceCompositeNode().GetBackgroundVolumeID() is None


def test_zoom_and_window_stay_when_a_pair_is_shown_and_registered(desk, scene):
    import slicer

    _, moving = desk.choose_pair()
    red = desk.views.sliceWidget("Red").mrmlSliceNode()
    red.SetFieldOfView(77, 77, 1)
    moving.GetDisplayNode().SetAutoWindowLevel(False)
    moving.GetDisplayNode().SetWindowLevel(123, 45)
    desk.register(count=4)
    assert red.GetFieldOfView()[0] == 77
    display = moving.GetDisplayNode()
    assert (display.GetWindow(), display.GetLevel()) == (123, 45)
    assert slicer.util.arrayFromVolume(moving).max() == pytest.approx(1000, rel=0.1)


def test_side_by_side_shows_both_in_linked_views_and_gives_the_layout_back(registered, views):
    before, arrangement = registered.picture(), views.layout
    click(registered.ui.sideBySideButton)
    assert views.layout != arrangement
    rows = {name: views.sliceWidget(name) for name in views.sliceViewNames() if name.startswith(("Fixed", "Moving"))}
    assert len(rows) == 6
    for name, widget in rows.items():
        composite = widget.mrmlSliceCompositeNode()
        volume = registered.parameters.fixedVolume if name.startswith("Fixed") else registered.parameters.movingVolume
        assert composite.GetBackgroundVolumeID() == volume.GetID()
        assert composite.GetLinkedControl()
    for plane in ("Axial", "Sagittal", "Coronal"):
        above, below = (rows[f"{row}{plane}"].mrmlSliceNode() for row in ("Fixed", "Moving"))
        assert above.GetFieldOfView() == below.GetFieldOfView()
        assert all(
            above.GetSliceToRAS().GetElement(row, column) == below.GetSliceToRAS().GetElement(row, column)
            for row in range(4)
            for column in range(4)
        )
    above, below = (registered.picture(name)[:240] for name in ("FixedAxial", "MovingAxial"))
    assert (above != below).any()
    click(registered.ui.sideBySideButton)
    assert views.layout == arrangement
    np.testing.assert_array_equal(registered.picture(), before)


def test_a_pair_that_is_chosen_anew_takes_the_looks_with_it(registered, scene):
    click(registered.ui.colorsButton)
    former = registered.parameters.movingVolume.GetDisplayNode()
    other = add_ball(scene, "other")
    choose(registered.ui.movingVolumeSelector, "other")
    assert former.GetColorNodeID() != "vtkMRMLColorTableNodeMagenta"
    assert other.GetDisplayNode().GetColorNodeID() == "vtkMRMLColorTableNodeMagenta"


def test_a_toggle_that_is_on_is_told_from_one_that_is_off_without_color(registered):
    assert not registered.ui.gridButton.font.bold()
    click(registered.ui.gridButton)
    assert registered.ui.gridButton.font.bold()
    click(registered.ui.gridButton)
    assert not registered.ui.gridButton.font.bold()
