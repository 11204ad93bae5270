"""The labels of real cases as a reference for variants: measured, kept, and never a witness of itself."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from synthesis_world import case

from DiffusionCore.__main__ import main
from DiffusionCore.checks import StorageError, VolumeError
from DiffusionCore.config import from_json, to_dict, to_json
from DiffusionCore.networks.recovery import RecoveryConfig, RecoveryNetwork
from DiffusionCore.space import Volume
from DiffusionCore.storage.checkpoint import Checkpoint, save_checkpoint
from DiffusionCore.storage.label_names import LabelName
from DiffusionCore.storage.volumes import write_volume
from DiffusionCore.synthesis.anatomy import Anatomy
from DiffusionCore.synthesis.labels import label_volumes
from DiffusionCore.synthesis.reference import RealVolumes, read_reference, sides_of, write_reference
from DiffusionCore.synthesis.settings import Limits, SynthesisSettings
from DiffusionCore.synthesis.subject import Segmentation
from DiffusionCore.synthesis.synthesizer import SampleRefusedError, Synthesizer

PLAIN = SynthesisSettings(symmetry="off", strength=1.0)
OWN = label_volumes(case().segmentations[0].volume.values)
CASES = tuple({"3": OWN[3] + 10 * n, "200": OWN[200] + n % 3} for n in range(5))


def test_a_case_among_the_real_ones_is_judged_by_the_others():
    real = RealVolumes(CASES)
    assert real.for_case({int(k): v for k, v in CASES[2].items()}).count == 4
    assert real.for_case({3: 1000, 200: 100}).count == 5
    assert len(real.left_out()) == 5
    assert real.for_case({3: 1000, 7: 10}).labels == (3,)
    with pytest.raises(VolumeError, match="No label of the case"):
        real.for_case({7: 1000})
    with pytest.raises(ValueError, match="at least 4"):
        RealVolumes(CASES[:3])


def test_settings_with_either_reference_survive_json():
    real = RealVolumes(CASES, ((3, 200),))
    for reference in (real, real.for_case({3: 1000, 200: 100})):
        settings = SynthesisSettings(reference=reference)
        assert from_json(SynthesisSettings, to_json(settings)) == settings


def test_sides_are_known_by_their_names():
    names = ["Left-Hippocampus", "Right-Hippocampus", "lh_cortex", "rh_cortex", "kidney L", "kidney R", "liver"]
    names += ["left alone"]
    labels = [LabelName(number, name) for number, name in enumerate(names, 1)]
    assert sides_of(labels) == [(1, 2), (3, 4), (5, 6)]


def test_a_variant_more_unusual_than_the_limit_and_the_case_is_refused():
    real = RealVolumes(CASES)
    strict = replace(PLAIN, reference=real, limits=Limits(shares=0.01, attempts=2))
    with pytest.raises(SampleRefusedError, match="volumes of the labels are unusual"):
        Synthesizer(case(), strict).variant(0)
    wide = Synthesizer(case(), replace(PLAIN, reference=real, limits=Limits(shares=1e6))).variant(0)
    assert wide.checks.scores is not None
    assert wide.checks.scores.volume > 0
    unusual = RealVolumes(tuple({"3": OWN[3] * 30 + n, "200": OWN[200]} for n in range(4)))
    kept = Synthesizer(case(), replace(PLAIN, strength=0.0, reference=unusual)).variant(0)
    assert kept.checks.scores is not None
    assert kept.checks.scores.volume > 100  # as unusual as the case, not more


def test_the_reference_beside_the_weights_is_used_with_the_model_where_it_knows_the_labels(tmp_path):
    network = RecoveryNetwork(RecoveryConfig(size=(24, 24, 24), channels=8, blocks=1, embedding=8))
    path = tmp_path / "mine.safetensors"
    save_checkpoint(path, Checkpoint("drdm", {"network": to_dict(network.config)}, network.state_dict(), {}))
    settings = replace(PLAIN, model=str(path))
    assert Anatomy.of(case(), settings).reference is None
    write_reference(tmp_path / "mine.reference.json", RealVolumes(CASES))
    reference = Anatomy.of(case(), settings).reference
    assert reference is not None
    assert reference.labels == (3, 200)
    labels = case().segmentations[0].volume
    other = replace(case(), segmentations=(Segmentation(Volume((labels.values > 0).astype(np.uint8), labels.grid)),))
    assert Anatomy.of(other, settings).reference is None


def test_the_shell_measures_a_folder_and_judges_variants_by_it(tmp_path, capsys):
    folder = tmp_path / "cases"
    folder.mkdir()
    for number in range(4):
        subject = case(seed=number)
        labels = subject.segmentations[0].volume.values.copy()
        labels[(labels == 3) & (np.random.default_rng(number).random(labels.shape) < 0.02 * number)] = 0
        write_volume(folder / f"case{number}.nii.gz", subject.images[0])
        write_volume(folder / f"case{number}_seg.nii.gz", Volume(labels, subject.images[0].grid))
    path = tmp_path / "ours.json"
    assert main(["reference", "--input", str(folder), "--output", str(path), "--sides", "3:200"]) == 0
    assert "4 cases, 1 pairs" in capsys.readouterr().out
    assert read_reference(path).pairs == ((3, 200),)
    command = ["synthesize", "--input", str(folder), "--output", str(tmp_path / "out"), "--count", "1"]
    command += ["--reference", str(path), "--symmetry", "off", "--displacement", "0", "--workers", "1"]
    assert main(command) == 0
    sample = json.loads((tmp_path / "out" / "manifest.json").read_text())["samples"][0]
    assert {"asymmetry_z", "volume_z"} <= set(sample)


def test_a_file_that_is_no_reference_is_refused(tmp_path):
    path = tmp_path / "wrong.json"
    path.write_text('{"cases": []}')
    with pytest.raises(StorageError, match="at least 4"):
        read_reference(path)
    path.write_text("nothing")
    with pytest.raises(StorageError, match="cannot be read"):
        read_reference(path)
    with pytest.raises(StorageError, match="no file"):
        read_reference(tmp_path / "nowhere.json")
