"""Pairs for registration: the written truth is what lies between the two images."""

from __future__ import annotations

import json

import numpy as np
import torch
from synthesis_world import GRID, case, write_cases

from DiffusionCore.__main__ import main
from DiffusionCore.interpolation import Interpolation
from DiffusionCore.metrics import dice
from DiffusionCore.space import Frame, Volume
from DiffusionCore.storage.tables import read_rows
from DiffusionCore.storage.transforms import read_transform
from DiffusionCore.storage.volumes import read_volume
from DiffusionCore.synthesis.pairs import registration_pair, write_pairs
from DiffusionCore.synthesis.settings import SynthesisSettings
from DiffusionCore.synthesis.subject import Subject
from DiffusionCore.synthesis.synthesizer import Synthesizer
from DiffusionCore.transforms import resample

SETTINGS = SynthesisSettings(symmetry="off", strength=1.0)


def test_the_truth_takes_the_moving_image_to_the_fixed_one():
    """A linear ramp is interpolated nearly without error; labels agree but for their rims."""
    ramp = case()
    points = GRID.map(np.stack(np.meshgrid(*map(range, GRID.shape), indexing="ij")[::-1], -1), Frame.VOXEL, Frame.RAS)
    image = Volume((points @ (1.0, 2.0, -0.5) + 500).astype(np.float32), GRID)
    synthesizer = Synthesizer(Subject("ramp", (image,), ramp.segmentations), SETTINGS)
    pair = registration_pair(synthesizer, 1, seed=3)
    moved = resample(pair.moving.images[0], GRID, pair.truth).values
    inner = (slice(5, -5),) * 3
    assert np.abs(moved - pair.fixed.images[0].values)[inner].max() < 0.5
    assert np.abs(pair.moving.images[0].values - pair.fixed.images[0].values)[inner].mean() > 1
    labels = resample(pair.moving.segmentations[0].volume, GRID, pair.truth, interpolation=Interpolation.NEAREST)
    assert dice(labels.values, pair.fixed.segmentations[0].volume.values)[3] > 0.88


def test_the_shell_makes_pairs_of_several_cases_that_evaluate_reads(tmp_path, capsys):
    cases = write_cases(tmp_path / "cases")
    arguments = ["synthesize", "--input", cases, "--output", tmp_path / "out", "--format", "registration"]
    arguments += ["--count", 3, "--seed", 3, "--symmetry", "off", "--strength", "strong", "--workers", 1]
    assert main(list(map(str, arguments))) == 0
    assert "3 pairs made" in capsys.readouterr().out
    rows = read_rows(tmp_path / "out" / "pairs.csv", "pairs")
    assert [row["name"] for row in rows] == ["anna_0000", "bert_0001", "anna_0002"]
    pair = registration_pair(Synthesizer(case("bert", 1), SETTINGS), 1, seed=3)
    np.testing.assert_array_equal(read_volume(tmp_path / "out" / rows[1]["fixed"]).values, pair.fixed.images[0].values)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert [sample["folding_percent"] for sample in manifest["samples"]] == [0, 0, 0]
    for sample in manifest["samples"]:
        assert all((tmp_path / "out" / name).is_file() for name in sample["files"])


def test_pairs_on_disk_are_a_list_that_evaluate_reads_and_are_gone_on_with(tmp_path):
    synthesizer = Synthesizer(case(), SETTINGS)
    assert list(write_pairs(synthesizer, tmp_path, 1, seed=3)) == [0]
    first = (tmp_path / "anna_0000" / "truth.h5").stat().st_mtime_ns
    assert list(write_pairs(synthesizer, tmp_path, 2, seed=3)) == [0, 1]
    assert (tmp_path / "anna_0000" / "truth.h5").stat().st_mtime_ns == first
    rows = read_rows(tmp_path / "pairs.csv", "pairs")
    assert [row["name"] for row in rows] == ["anna_0000", "anna_0001"]
    pair = registration_pair(synthesizer, 1, seed=3)
    for name in ("fixed", "moving"):
        written = read_volume(tmp_path / rows[1][name])
        np.testing.assert_array_equal(written.values, getattr(pair, name).images[0].values)
        assert (tmp_path / rows[1][f"{name}_segmentation"]).is_file()
    points = torch.from_numpy(GRID.map([(15, 20, 12), (20, 25, 18)], Frame.VOXEL, Frame.RAS))
    truth = read_transform(tmp_path / rows[1]["truth"])
    torch.testing.assert_close(truth.map(points), pair.truth.map(points), atol=1e-3, rtol=0)
