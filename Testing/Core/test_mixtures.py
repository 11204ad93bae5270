"""Mixtures of registrations between cases: what they are made of, how strong they are, and that they are kept."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from synthesis_world import GRID, case, write_cases

from DiffusionCore.__main__ import main
from DiffusionCore.checks import StorageError
from DiffusionCore.deformation.random_fields import MultiScale
from DiffusionCore.space import Frame
from DiffusionCore.storage.volumes import write_volume
from DiffusionCore.synthesis.anatomy import Anatomy
from DiffusionCore.synthesis.inputs import SubjectFiles, find_subjects
from DiffusionCore.synthesis.mixtures import MixedFields, register_cases
from DiffusionCore.synthesis.settings import SynthesisSettings
from DiffusionCore.synthesis.synthesizer import Synthesizer

NAMES = ("anna", "bert", "carl", "dora")


def velocities(count):
    """Return random velocities (count, 3, K, J, I), and the matrix of their grid."""
    grid = MultiScale().grid_for(GRID)
    drawn = [3 * MultiScale().draw(grid, generator=torch.Generator().manual_seed(n)) for n in range(count)]
    return torch.stack(drawn), grid.matrix(Frame.VOXEL, Frame.RAS)


@pytest.fixture
def folder(tmp_path):
    """Registrations between four cases, as they would have been found."""
    target = tmp_path / "registrations"
    target.mkdir()
    found, matrix = velocities(3)
    for name in NAMES:
        others = [other for other in NAMES if other != name]
        for other, vectors in zip(others, found, strict=True):
            np.savez(target / f"{name}--from--{other}.npz", vectors=vectors.numpy(), matrix=matrix)
    return target


def test_a_mixture_is_one_of_the_velocities_without_their_mean_as_strong_as_asked(folder):
    settings = SynthesisSettings(symmetry="off", displacement=1.5, registrations=str(folder))
    anatomy = Anatomy.of(case(), settings)
    fields = MixedFields.read(folder, "anna", anatomy.law)
    assert fields.vectors.sum(0).abs().max() < 1e-4
    variant = Synthesizer(case(), settings).variant(2)
    assert variant.checks.mean_displacement_mm == pytest.approx(1.5, rel=0.05)
    assert variant.checks.folding_percent == 0
    one, two, again = (fields.draw(anatomy, generator=torch.Generator().manual_seed(n))[-1].vectors for n in (1, 2, 1))
    assert torch.equal(one, again)
    assert not torch.allclose(one, two, atol=0.1)
    inside = (slice(None), *[slice(n // 3, -(n // 3)) for n in one.shape[1:]])  # where nothing is brought to rest
    span = fields.vectors[(slice(None), *inside)].flatten(1)
    for mixture in (one, two):
        wanted = mixture[inside].flatten()
        weights = torch.linalg.lstsq(span.T, wanted[:, None], driver="gelsd").solution
        assert (span.T @ weights - wanted[:, None]).abs().max() < 0.02 * wanted.abs().max()


def test_two_cases_are_registered_to_each_other_once(tmp_path):
    files = find_subjects(write_cases(tmp_path / "cases"))
    deformed = Synthesizer(files[0].read(), SynthesisSettings(symmetry="off", displacement=2.5)).variant(0).subject
    write_volume(tmp_path / "other.nii.gz", deformed.images[0])
    pair = [files[0], SubjectFiles("other", (tmp_path / "other.nii.gz",))]
    counted = []
    register_cases(pair, tmp_path / "out", on_pair=lambda: counted.append(1))
    paths = sorted((tmp_path / "out").glob("*.npz"))
    assert [path.name for path in paths] == ["anna--from--other.npz", "other--from--anna.npz"]
    before = [path.stat().st_mtime_ns for path in paths]
    register_cases(pair, tmp_path / "out", on_pair=lambda: counted.append(1))
    assert [path.stat().st_mtime_ns for path in paths] == before
    assert len(counted) == 4
    with np.load(paths[0]) as arrays:
        assert 0.3 < np.linalg.norm(arrays["vectors"], axis=0).mean() < 6


def test_too_few_registrations_are_said(folder):
    (folder / "anna--from--bert.npz").unlink()
    with pytest.raises(StorageError, match="at least 3 registrations"):
        MixedFields.read(folder, "anna", MultiScale())
    (folder / "bert--from--anna.npz").write_bytes(b"nothing")
    with pytest.raises(StorageError, match="cannot be read"):
        MixedFields.read(folder, "bert", MultiScale())
    with pytest.raises(ValueError, match="registrations"):
        SynthesisSettings(model="any", registrations=str(folder))


def test_the_shell_mixes_the_registrations_that_are_kept_beside_the_set(folder, tmp_path, capsys):
    cases = tmp_path / "cases"
    cases.mkdir()
    for seed, name in enumerate(NAMES):
        subject = case(name, seed)
        write_volume(cases / f"{name}.nii.gz", subject.images[0])
        write_volume(cases / f"{name}_seg.nii.gz", subject.segmentations[0].volume)
    output = folder.parent
    command = ["synthesize", "--input", cases, "--output", output, "--count", 2, "--source", "registration"]
    command += ["--symmetry", "off", "--workers", 1]
    assert main(list(map(str, command))) == 0
    manifest = json.loads((output / "manifest.json").read_text())
    assert manifest["made"]["settings"]["registrations"] == str(folder)
    assert [sample["folding_percent"] for sample in manifest["samples"]] == [0, 0]
    for path in list(cases.glob("[cd]*")):
        path.unlink()
    command[4] = tmp_path / "few"
    assert main(list(map(str, command))) == 2
    assert "at least 4 cases" in capsys.readouterr().err
