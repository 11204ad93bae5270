"""Presets: every one is settings that the core accepts, and the panel says honestly what it does."""

from __future__ import annotations

import itertools
from dataclasses import replace
from types import SimpleNamespace

import pytest
from clicking import choose, click
from desk import ROOT

from DiffusionCore.affine.pipeline import AffineSettings
from DiffusionCore.affine.published_pipeline import PublishedSettings
from DiffusionCore.config import from_dict
from DiffusionCore.deformable.diffusereg_pipeline import PublishedDiffuseRegSettings
from DiffusionCore.deformable.learned import LearnedSettings
from DiffusionCore.deformable.pipeline import DeformableSettings
from DiffusionCore.deformable.sampled import SampledSettings
from DiffusionCore.deformable.settings import Preset, RefinementSettings
from DiffusionCore.diffusion.reverse import GRADED, Graded
from DiffusionCore.models import SHIPPED
from DiffusionCore.transforms.affine import Group

SETTINGS = {
    "affine": AffineSettings,
    "deformable": DeformableSettings,
    "published-affine": PublishedSettings,
    "published-diffusereg": PublishedDiffuseRegSettings,
}
CARDS = [
    SimpleNamespace(name="pose", kind="pose", shipped=True, data="heads"),
    SimpleNamespace(name="my-heads", kind="pose", shipped=False, data="my heads"),
    SimpleNamespace(name="my-brains", kind="published-affine", shipped=False, data="my brains"),
    SimpleNamespace(name="my-fields", kind="published-diffusereg", shipped=False, data="my brains"),
    SimpleNamespace(name="my-looks", kind="voxelmorph", shipped=False, data="my brains"),
    SimpleNamespace(name="other", kind="something else", shipped=False, data="?"),
]


@pytest.fixture
def presets(library):
    return library("Presets")


@pytest.mark.parametrize("steps", [0, 1, 5, 12])
def test_every_preset_is_settings_that_the_core_accepts(presets, steps):
    offered = [*presets.builtInPresets(), *presets.modelPresets(CARDS)]
    assert len({preset.key for preset in offered}) == len(offered) == 11
    for preset in offered:
        from_dict(SETTINGS[preset.method], presets.settingsOf(preset, steps))


def test_automatic_is_what_the_core_does_by_itself(presets):
    automatic, affine = presets.builtInPresets()[:2]
    assert from_dict(DeformableSettings, presets.settingsOf(automatic)) == DeformableSettings()
    assert from_dict(AffineSettings, presets.settingsOf(affine)) == AffineSettings()


def test_advanced_says_how_fine_a_deformation_is_and_how_much_it_keeps_volumes(presets):
    automatic, *_, only, contrasts, sampling = presets.builtInPresets()
    settings = from_dict(DeformableSettings, presets.settingsOf(automatic, 5, "accurate", 0.5))
    assert settings.refinement == replace(RefinementSettings.of(Preset.ACCURATE), divergence=0.5)
    assert settings.affine.fractions == Graded.spread(5).values
    assert from_dict(DeformableSettings, presets.settingsOf(only, 5, "fast")).affine is None
    learned = from_dict(DeformableSettings, presets.settingsOf(contrasts, 5, "accurate", 0.5))
    assert learned.learned == LearnedSettings()
    assert learned.refinement == settings.refinement
    sampled = from_dict(DeformableSettings, presets.settingsOf(sampling, 5, "accurate", 0.5))
    assert sampled.learned == SampledSettings()
    assert sampled.refinement == settings.refinement


@pytest.mark.parametrize("key", ["contrasts", "sampling"])
def test_the_presets_with_a_network_use_a_model_that_is_shipped(presets, key):
    (preset,) = [preset for preset in presets.builtInPresets() if preset.key == key]
    assert (SHIPPED / f"{preset.settings['learned']['model']}.safetensors").is_file()


@pytest.mark.parametrize(("key", "group"), [("rigid", Group.RIGID), ("similarity", Group.SIMILARITY)])
def test_a_preset_allows_the_changes_that_it_names(presets, key, group):
    (preset,) = [preset for preset in presets.builtInPresets() if preset.key == key]
    assert from_dict(AffineSettings, preset.settings).polish.group is group


@pytest.mark.parametrize("count", [1, 2, 3, 8, 13, 100])
def test_the_number_of_steps_spreads_the_fractions_of_the_core(presets, count):
    fractions = presets.gradedFractions(count)
    assert fractions == pytest.approx(Graded.spread(count).values)
    assert all(earlier <= later for earlier, later in itertools.pairwise(fractions))


def test_eight_steps_are_the_default_ones(presets):
    assert tuple(presets.gradedFractions(len(GRADED))) == GRADED


def test_models_of_the_user_are_offered_and_others_are_not(presets):
    offered = presets.modelPresets(CARDS)
    assert [preset.text for preset in offered] == ["my-heads", "my-brains", "my-fields", "my-looks"]
    assert from_dict(AffineSettings, offered[0].settings).model == "my-heads"
    assert from_dict(DeformableSettings, offered[3].settings).learned.model == "my-looks"


def test_an_installed_model_stands_below_a_line(desk, tmp_path, monkeypatch):
    monkeypatch.setenv("SPATIALDIFFUSION_MODELS", str(tmp_path))
    (tmp_path / "my-heads.safetensors").write_bytes((SHIPPED / "pose.safetensors").read_bytes())
    desk.panel.listPresets()
    box = desk.ui.presetSelector
    texts = [box.itemText(row) for row in range(box.count)]
    built_in = ["Automatic", "Affine only", "Rigid only", "Similarity (rigid and size)"]
    built_in += ["Deformable only", "Different contrasts", "Diffusion sampling"]
    assert texts == [*built_in, "", "my-heads"]
    choose(box, "my-heads")
    assert desk.parameters.preset == "model:my-heads"
    assert "Affine registration" in desk.ui.presetDescription.text


def test_a_model_that_is_missing_here_is_named_and_nothing_can_be_started(desk):
    desk.choose_pair()
    desk.parameters.preset = "model:from-elsewhere"
    assert "'from-elsewhere' is not installed here" in desk.ui.noteLabel.text
    assert desk.ui.noteIcon.visible
    assert "see the note above" in desk.status
    assert not desk.ui.registerButton.enabled
    choose(desk.ui.presetSelector, "Rigid only")
    assert desk.ui.registerButton.enabled
    assert not desk.ui.noteRow.visible
    desk.parameters.preset = "model:from-elsewhere"
    click(desk.ui.noteButton)
    assert desk.ui.presetSelector.currentText == "Automatic"
    assert desk.ui.registerButton.enabled
    choose(desk.ui.presetSelector, "Rigid only")
    assert "rotation" in desk.ui.presetDescription.text


def test_rigid_only_finds_a_rigid_transform(desk):
    import numpy as np
    import slicer

    desk.choose_pair()
    choose(desk.ui.presetSelector, "Rigid only")
    desk.press_register()
    desk.wait_for_end()
    matrix = slicer.util.arrayFromTransformMatrix(desk.parameters.outputTransform)[:3, :3]
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-9)


def test_restore_defaults_sets_back_what_advanced_can_change_and_leaves_the_volumes(desk):
    desk.choose_pair()
    chosen = desk.parameters
    chosen.preset, chosen.device, chosen.steps = "rigid", "cpu", 5
    chosen.detail, chosen.damping = "fast", 0.75
    chosen.samples, chosen.seed, chosen.keepSteps = 3, 9, False
    desk.ui.restoreButton.clicked.emit(False)
    former = (chosen.preset, chosen.device, chosen.steps, chosen.samples, chosen.seed, chosen.keepSteps)
    assert former == ("automatic", "auto", 0, 1, 0, True)
    default = RefinementSettings().divergence
    assert (chosen.detail, chosen.damping) == ("default", default)
    assert (desk.ui.detailSelector.currentText, desk.ui.dampingSlider.value) == ("Normal", default)
    assert f"default is {default:g}" in desk.ui.dampingSlider.toolTip
    assert desk.ui.presetSelector.currentText == "Automatic"
    assert chosen.movingVolume.GetName() == "moving"


def test_the_request_is_what_the_panel_shows(desk):
    from SpatialDiffusionLib.Requests import requestOf

    fixed, moving = desk.choose_pair()
    ui = desk.ui
    choose(ui.presetSelector, "Similarity (rigid and size)")
    ui.seedSpinBox.setValue(4)
    ui.stepsSpinBox.setValue(3)
    ui.samplesSpinBox.setValue(2)
    ui.keepStepsCheckBox.setChecked(False)
    choose(ui.deviceSelector, "CPU") if ui.deviceSelector.visible else ui.deviceSelector.setCurrentIndex(1)
    request = requestOf(desk.parameters, desk.panel._preset(), desk.panel._device)
    assert (request.fixed, request.moving, request.transform, request.volume) == (fixed, moving, None, None)
    assert request.settings == {"polish": {"group": "SIMILARITY"}, "fractions": pytest.approx([0.3, 0.55, 1.0])}
    assert (request.method, request.device, request.seed, request.samples) == ("affine", "cpu", 4, 2)
    assert not request.keep_steps


def test_this_folder_holds_no_models():
    assert not (ROOT / "no such folder").exists()
