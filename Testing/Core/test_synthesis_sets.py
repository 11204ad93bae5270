"""Sets of variants on disk: layouts that others read, going on after a stop, and the command that makes them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
import torch
from nnunet_rules import violations
from strategies import oblique_grid
from synthesis_world import GRID, case, write_cases

from DiffusionCore.__main__ import main
from DiffusionCore.checks import StorageError
from DiffusionCore.space import Frame, Volume
from DiffusionCore.storage.label_names import LabelName, read_label_names
from DiffusionCore.storage.transforms import read_transform
from DiffusionCore.storage.volumes import read_volume, write_volume
from DiffusionCore.synthesis.batch import Order, make_set
from DiffusionCore.synthesis.inputs import SubjectFiles, find_subjects, read_points
from DiffusionCore.synthesis.settings import SynthesisSettings
from DiffusionCore.synthesis.synthesizer import Synthesizer

PLAIN = SynthesisSettings(symmetry="off")


@pytest.fixture
def folder(tmp_path):
    return write_cases(tmp_path / "cases")


@pytest.fixture
def order(folder, tmp_path):
    return Order(tuple(find_subjects(folder)), tmp_path / "set", PLAIN, range(3), seed=4)


def content(target):
    """Return the bytes of all volumes and transforms in the folder ``target``."""
    return {
        str(p.relative_to(target)): p.read_bytes()
        for p in sorted(target.rglob("*"))
        if p.name.endswith((".gz", ".nrrd"))
    }


def test_nnunet_accepts_the_set_and_its_labels_keep_their_names(order):
    outcome = make_set(order, workers=1)
    assert (outcome.made, outcome.before, outcome.refused, outcome.stopped) == (3, 0, {}, False)
    assert violations(order.output) == []
    dataset = json.loads((order.output / "dataset.json").read_text())
    assert dataset["labels"] == {"background": 0, "liver": 1, "tumor": 2}
    assert json.loads((order.output / "label_values.json").read_text()) == {"0": 0, "1": 3, "2": 200}
    assert {p.name for p in (order.output / "labelsTr").iterdir()} == {
        "anna_0000.nii.gz",
        "bert_0001.nii.gz",
        "anna_0002.nii.gz",
    }
    image = read_volume(order.output / "imagesTr" / "bert_0001_0000.nii.gz")
    assert image.values.dtype == np.int16
    assert image.grid.is_close(GRID)


def test_the_rules_of_nnunet_find_what_is_wrong(order):
    make_set(order, workers=1)
    dataset = json.loads((order.output / "dataset.json").read_text())
    dataset["labels"]["tumor"] = 3
    (order.output / "dataset.json").write_text(json.dumps(dataset | {"numTraining": 2}))
    other = oblique_grid(GRID.size, (2.0, 1.7, 2.5))
    write_volume(order.output / "labelsTr" / "anna_0000.nii.gz", Volume(np.full(other.shape, 2, np.uint8), other))
    text = " ".join(violations(order.output))
    for word in ("consecutive", "numTraining", "does not name", "spacing"):
        assert word in text


def test_the_published_layout_has_its_names_and_its_fields_are_exact(order):
    make_set(replace(order, layout="drdm"), workers=1)
    mask = next((order.output / "msk").glob("Patient0001_Slice000000_AugImg0001_NoiseStep*_GT.nii.gz"))
    stem = mask.name.removesuffix("_GT.nii.gz")
    made = Synthesizer(order.subjects[1].read(), PLAIN).variant(1, seed=4)
    np.testing.assert_array_equal(read_volume(mask).values, made.subject.segmentations[0].volume.values)
    assert set(np.unique(read_volume(mask).values)) == {0, 3, 200}
    field = read_transform(order.output / "ddf" / f"{stem}.nrrd")
    points = torch.from_numpy(GRID.map([(15, 20, 12), (20, 25, 18)], Frame.VOXEL, Frame.RAS))
    torch.testing.assert_close(field.map(points), made.field.map(points), atol=1e-3, rtol=0)
    image = sitk.ReadImage(str(order.output / "img" / f"{stem}.nii.gz"))
    warped = sitk.Resample(
        sitk.ReadImage(str(order.subjects[1].images[0])),
        image,
        sitk.DisplacementFieldTransform(
            sitk.ReadImage(str(order.output / "ddf" / f"{stem}.nrrd"), sitk.sitkVectorFloat64)
        ),
    )
    inner = (slice(4, -4),) * 3
    difference = sitk.GetArrayFromImage(warped)[inner].astype(float) - sitk.GetArrayFromImage(image)[inner]
    assert np.abs(difference).max() <= 1  # rounding


def test_a_derivative_of_bids_has_its_files(order):
    make_set(replace(order, layout="bids"), workers=1)
    assert json.loads((order.output / "dataset_description.json").read_text())["DatasetType"] == "derivative"
    stem = order.output / "sub-bert" / "anat" / "sub-bert_desc-deformed0001"
    for suffix in ("image.nii.gz", "dseg.nii.gz", "dseg.tsv", "xfm.h5"):
        assert Path(f"{stem}_{suffix}").is_file()
    assert read_label_names(Path(f"{stem}_dseg.nii.gz")) == (LabelName(3, "liver", "#DD8265"), LabelName(200, "tumor"))
    assert np.allclose(nib.load(f"{stem}_dseg.nii.gz").affine, GRID.matrix(Frame.VOXEL, Frame.RAS), atol=1e-4)


def test_the_manifest_says_where_each_variant_comes_from_and_what_was_measured(order):
    path = make_set(order, workers=1).manifest
    manifest = json.loads(path.read_text())
    assert manifest["made"]["seed"] == 4
    assert [source["name"] for source in manifest["made"]["sources"]] == ["anna", "bert"]
    assert manifest["made"]["settings"]["strength"] == 0.6
    assert "torch" in manifest["versions"]
    assert "at most 2 voxels" in manifest["parts_rule"]
    assert [(s["index"], s["source"]) for s in manifest["samples"]] == [(0, "anna"), (1, "bert"), (2, "anna")]
    for sample in manifest["samples"]:
        assert sample["folding_percent"] == 0
        assert abs(sample["mean_displacement_mm"] / sample["wanted_displacement_mm"] - 1) < 0.15
        assert set(sample["part_changes"][0]) <= {"3", "200"}
        assert all((order.output / name).is_file() for name in sample["files"])
    assert {p.name for p in order.output.iterdir()} == {
        "imagesTr",
        "labelsTr",
        "dataset.json",
        "labels.tsv",
        "label_values.json",
        "manifest.json",
    }


def test_a_set_grows_and_alone_or_in_a_batch_a_variant_is_the_same(order, tmp_path):
    make_set(order, workers=1)
    first = content(order.output)
    outcome = make_set(replace(order, indices=range(2, 5)), workers=1)
    assert (outcome.made, outcome.before) == (2, 1)
    grown = content(order.output)
    assert len(grown) == 10
    assert first.items() <= grown.items()
    alone = replace(order, output=tmp_path / "alone", indices=(4,))
    make_set(alone, workers=1)
    assert content(alone.output).items() <= grown.items()


def test_a_folder_with_another_set_is_not_mixed_up(order):
    make_set(order, workers=1)
    with pytest.raises(StorageError, match=r"made otherwise \(seed\)"):
        make_set(replace(order, seed=5), workers=1)
    with pytest.raises(StorageError, match=r"made otherwise \(settings\)"):
        make_set(replace(order, settings=SynthesisSettings(strength=0.2)), workers=1)


def test_no_process_is_started_for_a_few_small_variants(order, monkeypatch):
    monkeypatch.delattr("DiffusionCore.synthesis.batch.ProcessPoolExecutor")
    assert make_set(replace(order, indices=range(2))).made == 2
    monkeypatch.setattr("DiffusionCore.synthesis.batch._WORTH", 1)
    with pytest.raises(NameError, match="ProcessPoolExecutor"):
        make_set(replace(order, indices=range(2, 4)))


def test_a_polite_stop_keeps_whole_variants_and_the_same_order_goes_on(order, tmp_path):
    outcome = make_set(order, workers=1, should_stop=lambda: True)
    assert (outcome.made, outcome.stopped) == (1, True)
    assert violations(order.output) == []
    assert (make_set(order, workers=1).made, violations(order.output)) == (2, [])
    through = replace(order, output=tmp_path / "through")
    make_set(through, workers=1)
    assert content(through.output) == content(order.output)


def test_two_processes_killed_in_the_middle_leave_whole_files_and_the_run_goes_on(order, folder, tmp_path):
    command = [sys.executable, "-m", "DiffusionCore", "synthesize", "--input", str(folder), "--symmetry", "off"]
    command += ["--output", str(order.output), "--seed", "4", "--count", "400", "--workers", "2"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while len(list(order.output.glob("manifest/*.json"))) < 3:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    before = -1
    while before != (before := len(list(order.output.rglob("*.gz")))):  # the workers end with their parent
        time.sleep(0.5)
    for path in order.output.glob("*Tr/*.nii.gz"):
        read_volume(path)
    begun = {int(path.name.split(".")[0].split("_")[1]) for path in order.output.glob("*Tr/*.nii.gz")}
    wanted = sorted(begun.union(order.indices))
    outcome = make_set(replace(order, indices=wanted), workers=1)
    assert outcome.made + outcome.before == len(wanted)
    assert not list(order.output.rglob(".writing-*"))
    assert violations(order.output) == []
    alone = Order(order.subjects, tmp_path / "alone", PLAIN, seed=4)
    make_set(alone, workers=1)
    assert content(alone.output).items() <= content(order.output).items()


def test_folders_of_nnunet_and_of_the_published_program_are_read(order, tmp_path):
    for layout in ("nnunet", "drdm"):
        made = replace(order, output=tmp_path / layout, layout=layout)
        make_set(made, workers=1)
        found = find_subjects(made.output)
        assert len(found) == 3
        assert found[0].read().segmentations[0].names[0].name == ("liver" if layout == "nnunet" else "label 3")


def test_names_and_colors_come_from_the_header_of_a_segmentation_of_slicer(tmp_path):
    image = sitk.GetImageFromArray(case().segmentations[0].volume.values)
    for key, value in {"Name": "liver", "LabelValue": "3", "Color": "0.5 0 1"}.items():
        image.SetMetaData(f"Segment0_{key}", value)
    path = tmp_path / "organ.seg.nrrd"
    sitk.WriteImage(image, str(path))
    assert read_label_names(path) == (LabelName(3, "liver", "#8000FF"),)


def test_landmarks_are_written_where_they_went(order, tmp_path):
    table = tmp_path / "points.csv"
    table.write_text("x,y,z\n" + "\n".join(f"{-x},{-y},{z}" for x, y, z in case().landmarks))
    files = SubjectFiles("anna", order.subjects[0].images, order.subjects[0].segmentations, table)
    make_set(Order((files,), tmp_path / "set", PLAIN), workers=1)
    points = read_points(tmp_path / "set" / "landmarksTr" / "anna_0000.csv")
    expected = Synthesizer(files.read(), PLAIN).variant(0).subject.landmarks
    np.testing.assert_allclose(points, expected, atol=1e-3)


def shell(*arguments):
    return main(["synthesize", *map(str, arguments)])


def test_the_shell_makes_a_set_and_says_how_it_went(folder, tmp_path, capsys):
    arguments = ["--image", folder / "anna.nii.gz", "--segmentation", folder / "anna_seg.nii.gz"]
    arguments += ["--output", tmp_path / "out", "--count", 2, "--strength", "subtle", "--workers", 1]
    assert shell(*arguments) == 0
    assert "2 variants made" in capsys.readouterr().out
    assert violations(tmp_path / "out") == []
    assert shell(*arguments) == 0
    assert "0 variants made, 2 were there" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--count", 1], "--image"),
        (["--count", 0], "at least 1"),
        (["--count", 1, "--input", "nowhere"], "no folder 'nowhere'"),
        (["--count", 1, "--input", "{folder}", "--strength", 2], "0 to 1"),
        (["--count", 1, "--input", "{folder}", "--rotation", 500], "rotation"),
        (["--count", 1, "--input", "{folder}", "--landmarks", "x.csv"], "belong to --image"),
        (["--count", 1, "--image", "{folder}/anna.nii.gz"], "nnU-Net needs a segmentation"),
        (["--count", 1, "--image", "{folder}/none.nii.gz"], "there is no file"),
        (["--count", 1, "--input", "{folder}", "--format", "registration", "--image-model", "any"], "one case"),
        (["--count", 1, "--input", "{empty}"], "no labeled case"),
    ],
)
def test_wrong_input_is_one_line_that_helps(arguments, text, folder, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    filled = [str(a).format(folder=folder, empty=tmp_path / "empty") for a in arguments]
    assert shell("--output", tmp_path / "out", *filled) == 2
    error = capsys.readouterr().err
    assert text in error
    assert error.count("\n") == 1
