"""Variants made by a worker process, looked at, and those that were kept written as a data set."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import numpy as np
import pytest
from nnunet_rules import violations
from synthesis_world import GRID, NAMES, case, write_cases

from DiffusionCore.checks import StorageError
from DiffusionCore.jobs.events import Failed, Finished, Started, VariantMade
from DiffusionCore.jobs.process import ProcessRunner
from DiffusionCore.jobs.synthesis import execute_export, execute_synthesis, original_path
from DiffusionCore.jobs.synthesis_jobs import ExportJob, SceneCase, SynthesisJob
from DiffusionCore.space import Volume
from DiffusionCore.space.plain import Field
from DiffusionCore.storage.label_names import read_label_names
from DiffusionCore.storage.volumes import read_volume
from DiffusionCore.synthesis.inputs import find_subjects
from DiffusionCore.synthesis.settings import SynthesisSettings
from DiffusionCore.synthesis.stored_case import StoredCase
from DiffusionCore.synthesis.subject import Subject
from DiffusionCore.synthesis.synthesizer import Synthesizer

OFF = {"symmetry": "off"}


def scene_case():
    subject = case()
    return SceneCase("anna", subject.images[0], subject.segmentations[0].volume, NAMES)


def made_by(events):
    """Return the records of the variants, after a look at how it began and ended."""
    begin, *_, end = events
    assert isinstance(begin, Started)
    assert isinstance(end, Finished), end
    return [event.record for event in events if isinstance(event, VariantMade)]


def run_to_end(job):
    """Return the events of ``job``, carried out by a worker process."""
    runner, events, deadline = ProcessRunner(job), [], time.monotonic() + 120
    while runner.running and time.monotonic() < deadline:
        events += runner.poll()
        time.sleep(0.01)
    runner.close()
    return events


@pytest.fixture
def reviewed(tmp_path):
    """Two folders of variants, 0 to 2 and 3, with their records."""
    folders, records = [], []
    for number, indices in enumerate(((0, 1, 2), (3,))):
        folder = tmp_path / f"review{number}"
        events = list(execute_synthesis(SynthesisJob(scene_case(), str(folder), indices, OFF, seed=4, workers=1)))
        records += [{**record, "folder": number} for record in made_by(events)]
        folders.append(str(folder))
    return tuple(folders), tuple(records)


def test_a_worker_makes_the_variants_that_the_synthesizer_makes(tmp_path, warm_workers):
    output = tmp_path / "review"
    records = made_by(run_to_end(SynthesisJob(scene_case(), str(output), (5, 7), OFF, seed=4, workers=1)))
    assert [record["index"] for record in records] == [5, 7]
    made = Synthesizer(case(), SynthesisSettings(symmetry="off")).variant(7, seed=4)
    stored = StoredCase.read(output / records[1]["files"][0])
    np.testing.assert_array_equal(stored.subject.images[0].values, made.subject.images[0].values)
    np.testing.assert_array_equal(
        stored.subject.segmentations[0].volume.values, made.subject.segmentations[0].volume.values
    )
    assert stored.subject.images[0].values.dtype == np.int16
    assert stored.subject.images[0].grid.is_close(GRID)
    assert stored.subject.segmentations[0].names == NAMES
    (field,) = stored.fields
    lengths = np.linalg.norm(field.vectors, axis=-1)
    assert lengths.max() > records[1]["mean_displacement_mm"] > 0
    original = StoredCase.read(original_path(output, 0))
    np.testing.assert_array_equal(original.subject.images[0].values, case().images[0].values)
    assert original.fields == ()


def test_a_folder_of_cases_takes_turns(tmp_path):
    cases = write_cases(tmp_path / "cases")
    job = SynthesisJob(str(cases), str(tmp_path / "review"), (0, 1), OFF, workers=1)
    assert sorted(record["source"] for record in made_by(list(execute_synthesis(job)))) == ["anna", "bert"]
    assert [original_path(tmp_path / "review", number).exists() for number in range(3)] == [True, True, False]


def test_a_stop_keeps_what_is_finished(tmp_path):
    job = SynthesisJob(scene_case(), str(tmp_path / "review"), tuple(range(5)), OFF, workers=1)
    events = []
    for event in execute_synthesis(job, should_stop=lambda: len(events) >= 4):
        events.append(event)
    made = [event for event in events if isinstance(event, VariantMade)]
    assert isinstance(events[-1], Finished)
    assert events[-1].stopped
    assert 1 <= len(made) < 5


def test_what_is_wrong_with_the_order_is_told(tmp_path):
    for job, text in (
        (SynthesisJob(str(tmp_path / "nowhere"), str(tmp_path / "a"), (0,)), "there is no folder"),
        (SynthesisJob(scene_case(), str(tmp_path / "b"), (0,), {"strength": 3}), "strength"),
        (SynthesisJob(scene_case(), str(tmp_path / "c"), (0,), {"model": "no such model"}), "no such model"),
    ):
        *_, end = execute_synthesis(job)
        assert isinstance(end, Failed)
        assert text in end.message


def test_kept_variants_become_a_data_set_that_nnunet_accepts(reviewed, tmp_path):
    folders, records = reviewed
    kept = (records[0], records[3])
    output = tmp_path / "Dataset501_Synthetic"
    made_by(run_to_end(ExportJob(folders, kept, str(output), "nnunet", originals=True)))
    assert violations(output) == []
    assert {p.name for p in (output / "labelsTr").iterdir()} == {
        "anna.nii.gz",
        "anna_0000.nii.gz",
        "anna_0003.nii.gz",
    }
    dataset = json.loads((output / "dataset.json").read_text())
    assert dataset["numTraining"] == 3
    assert dataset["labels"] == {"background": 0, "liver": 1, "tumor": 2}
    variant = StoredCase.read(tmp_path / "review1" / records[3]["files"][0])
    image = read_volume(output / "imagesTr" / "anna_0003_0000.nii.gz")
    np.testing.assert_array_equal(image.values, variant.subject.images[0].values)


def test_an_export_goes_on_and_overwrites_nothing(reviewed, tmp_path):
    folders, records = reviewed
    output = tmp_path / "set"
    list(execute_export(ExportJob(folders, records[:1], str(output), "pairs")))
    before = (output / "anna_0000.nii.gz").stat().st_mtime_ns
    made_by(list(execute_export(ExportJob(folders, records, str(output), "pairs"))))
    assert (output / "anna_0000.nii.gz").stat().st_mtime_ns == before
    assert [subject.name for subject in find_subjects(output)] == [f"anna_{n:04d}" for n in range(4)]
    assert read_label_names(output / "anna_0002_seg.nii.gz") == NAMES
    manifest = json.loads((output / "manifest.json").read_text())
    assert [sample["name"] for sample in manifest["samples"]] == [f"anna_{n:04d}" for n in range(4)]
    other = {**records[0], "mean_displacement_mm": 99.0}
    *_, end = execute_export(ExportJob(folders, (other,), str(output), "pairs"))
    assert "another variant 'anna_0000'" in end.message


def test_a_folder_with_other_files_is_not_written_into(reviewed, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.txt").write_text("mine")
    *_, end = execute_export(ExportJob(*reviewed, str(tmp_path / "home")))
    assert "holds other files" in end.message
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["thesis.txt"]


def test_a_variant_that_is_gone_is_told(reviewed, tmp_path):
    folders, records = reviewed
    (tmp_path / "review0" / records[1]["files"][0]).unlink()
    *_, end = execute_export(ExportJob(folders, records, str(tmp_path / "set"), "pairs"))
    assert "Generate it again" in end.message
    with pytest.raises(StorageError, match="cannot be read"):
        StoredCase.read(tmp_path / "review0" / "original-9.npz")


def test_fields_of_the_stages_survive_the_file(tmp_path):
    field = Field(np.random.default_rng(0).normal(size=(*GRID.shape, 3)).astype(np.float32), GRID)
    subject = case()
    StoredCase(subject, (field, field)).write(tmp_path / "a.npz")
    found = StoredCase.read(tmp_path / "a.npz").fields
    assert len(found) == 2
    np.testing.assert_array_equal(found[1].vectors, field.vectors)
    assert found[1].grid.is_close(GRID)


def test_looking_at_variants_needs_neither_torch_nor_simpleitk():
    code = "import DiffusionCore.synthesis.stored_case, DiffusionCore.jobs.process, sys\n"
    code += "print([name for name in ('torch', 'SimpleITK', 'nibabel') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_the_grid_of_a_variant_may_be_oblique_and_uneven(tmp_path):
    volume = Volume(np.arange(GRID.shape[0] * GRID.shape[1] * GRID.shape[2]).reshape(GRID.shape), GRID)
    StoredCase(Subject("a", (volume, volume))).write(tmp_path / "a.npz")
    first, second = StoredCase.read(tmp_path / "a.npz").subject.images
    assert first.grid.is_close(GRID)
    np.testing.assert_array_equal(second.values, volume.values)
