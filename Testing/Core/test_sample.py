"""The built-in sample is a hard pair with a known answer."""

import json
import math
import sys

import numpy as np
import pytest
import torch
from shell_world import script  # noqa: F401

from DiffusionCore import metrics
from DiffusionCore import sample as sample_module
from DiffusionCore.__main__ import main
from DiffusionCore.interpolation import Interpolation
from DiffusionCore.sample import LABELS, make_sample
from DiffusionCore.storage.transforms import read_transform
from DiffusionCore.transforms.affine import Affine
from DiffusionCore.transforms.resample import resample


@pytest.fixture(scope="module")
def made():
    return make_sample(4, resolution=2)


def test_the_hidden_transform_is_large_and_no_similarity(made):
    rotation, stretch, other = np.linalg.svd(made.truth.matrix[:3, :3].numpy())
    angle = math.degrees(math.acos((np.trace(rotation @ other) - 1) / 2))
    assert abs(angle - 70) < 6
    assert stretch.max() / stretch.min() > 1.01
    assert abs(abs(np.log(stretch.prod()) / 3) - math.log(1.08)) < 0.01
    errors = metrics.point_error(Affine.identity(), made.truth, torch.from_numpy(made.points))
    assert 30 < errors.mean() < 90


def test_the_truth_aligns_the_tissues_and_the_start_does_not(made):
    for transform, low, high in ((made.truth, 0.75, 1.0), (Affine.identity(), 0.0, 0.4)):
        labels = resample(made.moving_segmentation, made.fixed.grid, transform, interpolation=Interpolation.NEAREST)
        scores = metrics.dice(made.fixed_segmentation.values, labels.values)
        assert set(scores) == set(LABELS)
        assert low < metrics.mean_dice(scores) < high


def test_the_moving_image_is_another_scan(made):
    assert made.moving.grid.spacing == pytest.approx((1.2, 1.2, 2.4))
    assert abs(np.abs(made.moving.grid.direction).max(0) - 1).max() > 0.02, "oblique"
    assert len(set(made.moving.grid.size)) > 1
    seen = resample(made.moving, made.fixed.grid, made.truth)
    inside = (made.fixed.values > 0) & (seen.values > 0)
    assert metrics.normalized_cross_correlation(made.fixed.values, seen.values, inside) < -0.5


def test_the_whole_brain_is_in_the_moving_image(made):
    share = (made.moving_segmentation.values > 0).sum() * np.prod(made.moving.grid.spacing)
    whole = (made.fixed_segmentation.values > 0).sum() * np.prod(made.fixed.grid.spacing)
    assert share / whole == pytest.approx(np.linalg.det(made.truth.matrix[:3, :3].numpy()), rel=0.01)
    assert not made.moving.values[made.moving_segmentation.values == 0].any()


def test_left_and_right_are_named_as_the_patient_has_them(made):
    i = np.argwhere(made.fixed_segmentation.values == 1)[:, 2].mean()
    assert made.fixed.grid.origin[0] + i * made.fixed.grid.spacing[0] < -10


def test_a_seed_gives_one_pair(made):
    again, other = make_sample(4, resolution=2), make_sample(5, resolution=2)
    assert np.array_equal(again.moving.values, made.moving.values)
    assert torch.equal(again.truth.matrix, made.truth.matrix)
    assert not torch.allclose(other.truth.matrix, made.truth.matrix, atol=0.1)


def test_the_command_writes_the_pair_the_truth_and_the_true_error(made, script, tmp_path, monkeypatch, capsys):  # noqa: F811
    monkeypatch.setattr(sample_module, "make_sample", lambda seed: made)
    assert main(["sample", "--output", str(tmp_path / "out")]) == 0
    names = {item.name for item in (tmp_path / "out").iterdir()}
    assert {"fixed.nii.gz", "moving.nii.gz", "truth.h5", "transform.h5", "report.json", "steps"} <= names
    assert torch.allclose(read_transform(tmp_path / "out" / "truth.h5").matrix, made.truth.matrix)
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    expected = metrics.point_error(Affine.identity(), made.truth, torch.from_numpy(made.points)).mean()
    assert report["metrics"]["before"]["true_error_mm"]["mean"] == pytest.approx(float(expected))
    shown = capsys.readouterr().out
    assert "true error" in shown
    assert str(tmp_path / "out" / "film-strip.png") in shown


def test_without_nilearn_the_message_names_it(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "nilearn", None)
    assert main(["sample", "--output", str(tmp_path / "out")]) == 2
    assert "nilearn" in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "out").exists()
