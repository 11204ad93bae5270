"""The methods in the shell: which settings the options stand for, what the bar expects, and what is refused."""

import json
from dataclasses import replace

import pytest
import torch
from shell_world import FIXED_GRID, PHASES, script, world  # noqa: F401

from DiffusionCore import models
from DiffusionCore.__main__ import main
from DiffusionCore.affine.published import AffineDiffusionConfig
from DiffusionCore.affine.steps import Step
from DiffusionCore.commands import running
from DiffusionCore.commands.progress import StepBar
from DiffusionCore.config import to_dict
from DiffusionCore.deformable.field_diffusion import FieldDiffusionConfig, FieldStatistics
from DiffusionCore.deformable.guidance import Guidance, LandmarkPair, Landmarks, PreferredDirection, TargetSegment
from DiffusionCore.deformable.learned import LearnedSettings
from DiffusionCore.deformable.measures import SelfSimilarityMeasure
from DiffusionCore.deformable.sampled import SampledSettings
from DiffusionCore.deformable.settings import Preset, RefinementSettings
from DiffusionCore.networks.affine_denoiser import AffineDenoiser, AffineDenoiserConfig
from DiffusionCore.registration import (
    AffineSettings,
    DeformableSettings,
    PublishedDiffuseRegSettings,
    PublishedSettings,
)
from DiffusionCore.storage.checkpoint import Checkpoint, save_checkpoint
from DiffusionCore.storage.transforms import read_transform
from DiffusionCore.transforms.affine import Affine, Group
from DiffusionCore.transforms.base import voxel_centers

NETWORK = AffineDenoiserConfig((8, 16), groups=4, embedding=8, classes=2)


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Return the folder of the installed models: "mine", of three published steps, "other", of poses,
    "fields" and "samples"."""
    monkeypatch.setattr(models, "SHIPPED", tmp_path / "shipped")
    monkeypatch.setenv(models.FOLDER_VARIABLE, str(tmp_path / "models"))
    folder = tmp_path / "models"
    folder.mkdir()
    diffusion = AffineDiffusionConfig(size=16, spacing=6.0, steps=3)
    config = {"diffusion": to_dict(diffusion), "network": to_dict(NETWORK)}
    weights = dict(AffineDenoiser(NETWORK).state_dict())
    save_checkpoint(folder / "mine.safetensors", Checkpoint("published-affine", config, weights, {}))
    fields = {"diffusion": to_dict(FieldDiffusionConfig(statistics=FieldStatistics((0, 0, 0), (1, 1, 1))))}
    fields["pairs"] = {"spacing": 4.0}
    save_checkpoint(folder / "fields.safetensors", Checkpoint("published-diffusereg", fields, {"w": torch.ones(1)}, {}))
    save_checkpoint(folder / "samples.safetensors", Checkpoint("diffusereg", {}, {"w": torch.ones(1)}, {}))
    save_checkpoint(folder / "other.safetensors", Checkpoint("pose", {}, {"w": torch.ones(1)}, {}))
    return folder


@pytest.fixture
def refused(world, capsys):  # noqa: F811
    """Return a function that registers with further options and returns the one line that refuses them."""

    def register(*more):
        assert world.register(*more) == 2
        assert not world.output.exists()
        (line,) = capsys.readouterr().err.splitlines()
        return line

    return register


@pytest.mark.usefixtures("installed")
def test_the_method_decides_the_settings(world, script):  # noqa: F811
    assert world.register("--method", "published-affine", "--model", "mine", "--steps", 2) == 0
    assert world.register("--method", "published-affine", "--model", "mine") == 0
    assert world.register("--method", "affine", "--model", "none", "--steps", 3) == 0
    two, all_of_them, default = (call.settings for call in script.calls)
    assert two == PublishedSettings("mine", count=2)
    assert all_of_them == PublishedSettings("mine")
    assert isinstance(default, AffineSettings)
    assert (default.model, len(default.fractions), default.fractions[-1]) == (None, 3, 1.0)


@pytest.mark.usefixtures("installed")
def test_the_deformable_method_takes_a_preset_and_its_knobs(world, script):  # noqa: F811
    assert world.register() == 0
    assert (
        world.register("--method", "deformable", "--preset", "accurate", "--group", "rigid", "--divergence", 0.1) == 0
    )
    assert world.register("--method", "deformable", "--preset", "fast", "--spacing", 3, "--model", "none") == 0
    assert world.register("--method", "deformable", "--learned", "other") == 0
    assert world.register("--method", "deformable", "--learned", "samples") == 0
    assert world.register("--preset", "none", "--learned", "other") == 0
    assert world.register("--preset", "none", "--learned", "samples", "--samples", "0") == 0
    assert world.register("--method", "deformable", "--measure", "mind") == 0
    default, accurate, fast, learned, sampled, alone, unsampled, other = (call.settings for call in script.calls)
    assert default == DeformableSettings()
    assert learned == DeformableSettings(learned=LearnedSettings("other"))
    assert sampled == DeformableSettings(learned=SampledSettings("samples"))
    assert other == DeformableSettings(refinement=RefinementSettings(measure=SelfSimilarityMeasure()))
    assert alone == DeformableSettings(refinement=None, learned=LearnedSettings("other"))
    assert unsampled == DeformableSettings(refinement=None, learned=LearnedSettings("samples"))
    assert accurate.affine.polish.group is Group.RIGID
    assert accurate.refinement == replace(RefinementSettings.of(Preset.ACCURATE), divergence=0.1)
    assert fast.affine.model is None
    assert fast.refinement == replace(RefinementSettings.of(Preset.FAST), spacing=3.0)


def test_a_group_alone_allows_no_deformation(world, script):  # noqa: F811
    assert world.register("--group", "rigid") == 0
    assert isinstance(script.calls[0].settings, AffineSettings)
    report = json.loads((world.output / "report.json").read_text())
    assert report["settings"]["method"] == "affine"
    assert report["settings"]["polish"]["group"] == "RIGID"


def test_guidance_comes_from_the_command_line(world, script):  # noqa: F811
    table = world.folder / "points.csv"
    table.write_text("fx,fy,fz,mx,my,mz\n1,2,3,4,5,6\n")
    labels = [world.fixed_labels, world.moving_labels]
    given = ["--fixed-segmentation", labels[0], "--moving-segmentation", labels[1], "--target-label", 2]
    given += ["--landmarks", table, "--landmark-strength", 2, "--direction", 0, 0, 1, "--smoothness", 3]
    assert world.register("--method", "deformable", *given) == 0
    (call,) = script.calls
    assert call.settings.guidance == Guidance(
        Landmarks((LandmarkPair((-1.0, -2.0, 3.0), (-4.0, -5.0, 6.0)),), 2.0),
        TargetSegment(*labels, 2),
        PreferredDirection((0.0, 0.0, 1.0)),
        smoothness=3.0,
    )
    report = json.loads((world.output / "report.json").read_text())
    assert report["settings"]["guidance"]["segment"]["label"] == 2
    assert report["metrics"]["before"]["landmark_error_mm"]["mean"] == pytest.approx(27**0.5)


@pytest.mark.usefixtures("installed")
def test_what_is_sampled_is_guided_and_ended_early_from_the_command_line(world, script):  # noqa: F811
    table = world.folder / "points.csv"
    table.write_text("fx,fy,fz,mx,my,mz\n1,2,3,4,5,6\n")
    more = ["--landmarks", table, "--similarity", 2, "--patience", 3]
    assert world.register("--method", "published-diffusereg", "--model", "fields", *more) == 0
    (call,) = script.calls
    assert call.settings.patience == 3
    assert call.settings.guidance == Guidance(
        Landmarks((LandmarkPair((-1.0, -2.0, 3.0), (-4.0, -5.0, 6.0)),)), similarity=2.0
    )


def test_landmarks_are_measured_with_every_method(world, script):  # noqa: F811
    table = world.folder / "points.csv"
    table.write_text("fx,fy,fz,mx,my,mz\n1,2,3,4,5,6\n")
    assert world.register("--method", "affine", "--landmarks", table) == 0
    report = json.loads((world.output / "report.json").read_text())
    assert report["metrics"]["after"]["landmark_error_mm"]["mean"] > 0
    assert isinstance(script.calls[0].settings, AffineSettings)


def test_a_deformable_registration_writes_all_its_files(world):  # noqa: F811
    more = ["--method", "deformable", "--preset", "fast", "--model", "none", "--keep-steps"]
    assert world.register("--initial-transform", world.folder / "truth.h5", *more) == 0
    report = json.loads((world.output / "report.json").read_text())
    assert report["settings"]["method"] == "deformable"
    assert report["settings"]["refinement"]["iterations"] == list(RefinementSettings.of(Preset.FAST).iterations)
    assert report["jacobian"]["percent_folded"] == 0
    assert 0 < report["jacobian"]["gradient_rms"] < 1
    assert 0 < report["jacobian"]["inverse_consistency_mm"] < 0.1
    rows = json.loads((world.output / "steps" / "steps.json").read_text())
    assert rows[-1]["phase"] == "refine"
    found = read_transform(world.output / "transform.h5")
    last = read_transform(world.output / "steps" / rows[-1]["file"])
    points = voxel_centers(FIXED_GRID)
    torch.testing.assert_close(found.map(points), last.map(points))


@pytest.mark.usefixtures("installed")
def test_diffusereg_takes_all_steps_with_chance_and_fewer_without(world, script):  # noqa: F811
    method = ["--method", "published-diffusereg", "--model", "fields"]
    assert world.register(*method) == 0
    assert world.register(*method, "--steps", 15, "--group", "rigid") == 0
    every, few = (call.settings for call in script.calls)
    assert every == PublishedDiffuseRegSettings("fields")
    assert (few.model, few.count, few.eta) == ("fields", 15, 0.0)
    assert few.affine.polish.group is Group.RIGID


@pytest.mark.usefixtures("installed")
def test_the_published_method_registers_and_the_report_names_it(world):  # noqa: F811
    assert world.register("--method", "published-affine", "--model", "mine", "--steps", 2, "--keep-steps") == 0
    report = json.loads((world.output / "report.json").read_text())
    expected = {"method": "published-affine", "model": "mine", "count": 2}
    assert expected.items() <= report["settings"].items()
    assert report["settings"]["weights"] == "STD"
    assert report["steps"] == 3
    assert {"center", "diffusion"} <= report["seconds"].keys()
    rows = json.loads((world.output / "steps" / "steps.json").read_text())
    assert [row["phase"] for row in rows] == ["center", "diffusion", "diffusion"]
    assert all(set(row["metrics"]) == {"mutual_information", "overlap"} for row in rows)


@pytest.mark.usefixtures("installed", "script")
def test_the_bar_expects_the_steps_of_the_method(world, monkeypatch):  # noqa: F811
    totals = []
    monkeypatch.setattr(running, "StepBar", lambda total: totals.append(total) or StepBar(total))
    assert world.register("--method", "published-affine", "--model", "mine", "--steps", 2) == 0
    assert world.register("--method", "affine", "--model", "none") == 0
    assert world.register("--method", "affine") == 0
    assert totals[0] == 3
    assert totals[2] - totals[1] == 8


def test_a_bar_grows_only_beyond_its_total(monkeypatch):
    with StepBar(3) as bar:
        inner = bar._bar
        monkeypatch.setattr(inner, "disable", False)
        monkeypatch.setattr(inner, "refresh", lambda: None)
        for index, total in enumerate((3, 3, 3, 4)):
            bar(Step(index, "diffusion", 0.5, Affine.identity()))
            assert (inner.n, inner.total) == (index + 1, total)
        monkeypatch.setattr(inner, "disable", True)


def test_the_line_of_a_phase_says_that_its_similarity_is_that_of_coarse_images(capsys):
    with StepBar(2) as bar:
        bar(Step(0, "center", 1.0, Affine.identity(), {"mutual_information": 0.25}))
    assert "center MI of coarse images 0.250" in capsys.readouterr().err


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("more", [[], ["--model", "none"]])
def test_without_a_model_the_published_method_says_which_there_are_and_how_to_train_one(refused, more):
    line = refused("--method", "published-affine", *more)
    assert "Models of this kind: mine." in line
    assert "python -m DiffusionCore train published-affine --output" in line


def test_without_any_model_of_the_kind_it_says_none(refused, installed):
    (installed / "mine.safetensors").unlink()
    assert "Models of this kind: none." in refused("--method", "published-affine")


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("more", "word"),
    [
        (["--method", "published-affine", "--model", "other"], "'published-affine' is needed"),
        (["--method", "affine", "--model", "mine"], "'pose' is needed"),
        (["--method", "published-affine", "--model", "gpt"], "no model 'gpt'"),
        (["--method", "published-affine", "--model", "mine", "--steps", "4"], "1 to 3 can be taken, not 4"),
        (["--method", "published-affine", "--model", "mine", "--group", "rigid"], "--group rigid"),
        (["--method", "published-diffusereg"], "train published-diffusereg --output"),
        (["--method", "published-diffusereg", "--model", "mine"], "'published-diffusereg' is needed"),
        (["--method", "affine", "--preset", "fast"], "--preset belongs to --method deformable"),
        (["--group", "rigid", "--learned", "mine"], "--learned belongs to --method deformable"),
        (["--method", "affine", "--measure", "mind"], "--measure belongs to --method deformable"),
        (["--preset", "none"], "--preset none leaves nothing that deforms"),
        (["--preset", "none", "--learned", "other", "--spacing", "3"], "--spacing belongs to a refinement"),
        (["--preset", "none", "--learned", "other", "--smoothness", "2"], "'guidance' needs a 'refinement'"),
        (["--method", "deformable", "--model", "none", "--learned", "mine"], "one of the kind voxelmorph"),
        (["--method", "deformable", "--model", "none", "--learned", "gpt"], "no model 'gpt'"),
        (["--method", "affine", "--divergence", "0.1"], "--divergence belongs to --method deformable"),
        (["--method", "affine", "--smoothness", "2"], "--smoothness belongs to --method deformable or published"),
        (["--method", "deformable", "--samples", "2"], "--samples needs --learned with a model that samples"),
        (["--method", "affine", "--patience", "2"], "--patience belongs to --method deformable or published"),
        (["--method", "deformable", "--landmark-strength", "2"], "--landmark-strength belongs to --landmarks"),
        (["--method", "deformable", "--target-label", "2"], "--target-label needs --fixed-segmentation"),
        (["--method", "deformable", "--direction", "0", "0", "0"], "'direction' must be finite and not zero"),
        (["--method", "deformable", "--divergence", "-1"], "'divergence' must be in 0..1, got -1.0"),
        (["--method", "deformable", "--spacing", "nan"], "'spacing' must be in 0.001..1000, got nan"),
    ],
)
def test_what_does_not_fit_the_method_is_refused(refused, more, word):
    assert word in refused(*more)


@pytest.mark.usefixtures("installed")
def test_a_list_without_a_model_is_refused_before_its_first_pair(world, script, capsys):  # noqa: F811
    listed = world.folder / "pairs.csv"
    listed.write_text("fixed,moving\nfixed.nii.gz,moving.nii.gz\n")
    evaluate = ["evaluate", str(listed), "--output", str(world.output), "--method", "published-affine"]
    assert main(evaluate) == 2
    assert "Models of this kind: mine." in capsys.readouterr().err
    assert not world.output.exists()
    assert main([*evaluate, "--model", "mine"]) == 0
    assert len(script.calls) == 1
    assert json.loads((world.output / "report.json").read_text())[0]["steps"] == len(PHASES)
