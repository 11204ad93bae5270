"""The calibration of stated errors: it finds what made the errors, and reports what it is worth on other pairs."""

import numpy as np
import pytest

from DiffusionCore.__main__ import main
from DiffusionCore.config import from_json
from DiffusionCore.deformable.learned import LearnedSettings
from DiffusionCore.deformable.stated import Calibrations, calibration_path
from DiffusionCore.models import find_model
from DiffusionCore.training import calibration
from DiffusionCore.training.calibration import CalibrationSettings, Observed, calibrated, fitted, reported
from DiffusionCore.training.field_pairs import FieldPairsConfig


def pairs(count, seed, useful=1.0):
    """Return pairs whose errors are normal, with a deviation that is a power of one clue, and different for each."""
    generator = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        clues = {name: generator.normal(size=2000).astype(np.float32) for name in ("disagreement", "flat")}
        level = generator.normal() * 0.5
        clues["size"] = np.full(2000, level, np.float32)
        deviation = np.exp(0.3 + useful * 0.8 * clues["disagreement"] + level)
        error = np.linalg.norm(generator.normal(size=(3, 2000)), axis=0) / 3**0.5 * deviation
        made.append(Observed(True, clues, error))
    return made


def test_it_finds_the_powers_that_the_errors_were_made_with():
    found = fitted(pairs(8, 0), refined=True, sampled=False)
    assert found.weights == pytest.approx({"disagreement": 0.8, "flat": 0.0, "size": 1.0}, abs=0.05)
    assert found.bias == pytest.approx(0.3, abs=0.05)


def test_it_reports_correlations_and_coverage_on_other_pairs():
    found = fitted(pairs(8, 0), refined=True, sampled=False)
    report = reported(found, pairs(30, 1))
    assert report["within"] > 0.6
    assert report["across"] > 0.7
    for share in (0.5, 0.8, 0.9):
        assert report[f"inside {share}"] == pytest.approx(share, abs=0.03)
    assert report["stated"] == pytest.approx(report["error"], rel=0.1)


def test_clues_that_say_nothing_do_not_localize():
    useless = fitted(pairs(8, 0, useful=0.0), refined=True, sampled=False)
    assert abs(reported(useless, pairs(8, 1, useful=0.0))["within"]) < 0.1


def test_the_disagreement_is_no_clue_of_a_field_that_nothing_has_refined():
    assert "disagreement" not in fitted(pairs(4, 0), refined=False, sampled=False).weights


SMALL = {"heads": 1, "points": 300, "config": FieldPairsConfig(size=(24, 24, 24), spacing=7.0)}


def test_a_model_is_calibrated_on_pairs_for_its_field_and_its_refinement():
    found, seen = calibrated(LearnedSettings("voxelmorph"), CalibrationSettings(pairs=4, **SMALL))
    assert [entry.refined for entry in found.entries] == [False, True]
    assert all(entry.report["pairs"] == 2 for entry in found.entries)
    assert len(seen) == 4
    assert all(len(each.error) == 300 for pair in seen for each in pair)


def test_the_shell_keeps_it_beside_the_weights_with_a_page(tmp_path, monkeypatch, capsys):
    weights = tmp_path / "mine.safetensors"
    weights.write_bytes(find_model("voxelmorph").read_bytes())

    def seen(learned, settings):
        assert learned == LearnedSettings(str(weights))
        drawn = zip(pairs(settings.pairs, 0), pairs(settings.pairs, 1), strict=True)
        yield from ([field._replace(refined=False), refined] for field, refined in drawn)

    monkeypatch.setattr(calibration, "observations", seen)
    assert main(["calibrate", str(weights), "--output", str(tmp_path / "out"), "--pairs", "6"]) == 0
    kept = from_json(Calibrations, calibration_path(weights).read_text())
    assert [entry.refined for entry in kept.entries] == [False, True]
    assert "rank correlation within a pair" in capsys.readouterr().out
    assert {file.name for file in (tmp_path / "out").iterdir()} == {"calibration.md", "calibration.png"}
    assert main(["calibrate", str(weights), "--output", str(tmp_path / "out"), "--pairs", "2"]) == 2
