"""The panel DeformationSynthesis: one deformed copy of a volume."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
from clicking import choose, click, type_text
from nodes_of_panel import add_ball


@pytest.fixture
def panel(panel_of):
    return panel_of("DeformationSynthesis").self().panel


def test_what_is_missing_is_said_and_keeps_the_button_off(panel, scene):
    assert panel.ui.statusLabel.text == "Select a volume."
    assert not panel.ui.deformButton.enabled
    node = add_ball(scene)
    panel.parameters.inputVolume = panel.parameters.outputVolume = node
    assert "would overwrite the input" in panel.ui.statusLabel.text
    assert not panel.ui.deformButton.enabled


def test_a_chosen_volume_is_deformed_and_shown(panel, scene, views):
    node = add_ball(scene, "head")
    choose(panel.ui.inputVolumeSelector, "head")
    type_text(panel.ui.seedSpinBox, "5")
    click(panel.ui.deformButton)
    assert panel.ui.statusLabel.text == "Done."
    output = panel.parameters.outputVolume
    assert output.GetName() == "head deformed"
    assert np.abs(slicer.util.arrayFromVolume(output) - slicer.util.arrayFromVolume(node)).max() > 10
    assert panel.parameters.seed == 5
    shown = {view.GetForegroundVolumeID() for view in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")}
    assert shown == {output.GetID()}


def test_a_volume_without_an_image_is_one_line(panel, scene):
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "nothing")
    choose(panel.ui.inputVolumeSelector, "nothing")
    click(panel.ui.deformButton)
    assert "holds no image" in panel.ui.statusLabel.text
    assert node.GetImageData() is None


def test_the_form_is_bound_only_while_it_is_shown(panel_of, scene):
    widget = panel_of("DeformationSynthesis")
    panel = widget.self().panel
    assert panel.parameters is not None
    widget.exit()
    assert panel.parameters is None
    widget.enter()
    scene.Clear(False)
    assert panel.parameters is not None
    assert panel.ui.statusLabel.text == "Select a volume."
