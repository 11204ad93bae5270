"""What a folder or a manifest of training images holds is told file by file, and subjects stay together."""

import csv
import json
import re
import subprocess
import sys
import time

import numpy as np
import pytest
from image_world import ball, write_balls

from DiffusionCore.__main__ import main
from DiffusionCore.checks import DiffusionCoreError, StorageError
from DiffusionCore.jobs.data_scan import DataScan
from DiffusionCore.space import Grid, Volume
from DiffusionCore.storage.volumes import write_volume
from DiffusionCore.training.cases import Case, find_cases
from DiffusionCore.training.scan import held_out, scan


def case(subject, pair=""):
    return Case(image=subject, subject=subject, pair=pair)


@pytest.fixture
def folder(tmp_path):
    """Return a folder of three balls, one in the sub-folder "late", and of files that cannot be used."""
    write_balls(tmp_path)
    image, labels = ball(1)
    write_volume(tmp_path / "constant.nrrd", Volume(0 * image.values, image.grid))
    (tmp_path / "broken.nii.gz").write_bytes(b"no image")
    write_volume(tmp_path / "fractions.mha", image)
    write_volume(tmp_path / "fractions_seg.mha", Volume(labels.values + np.float32(0.5), labels.grid))
    write_volume(tmp_path / "elsewhere.nii.gz", image)
    write_volume(tmp_path / "elsewhere_seg.nii.gz", ball(0)[1])
    (tmp_path / "notes.txt").write_text("not an image")
    return tmp_path


def test_a_scan_tells_what_is_there_and_what_is_wrong_with_each_bad_file(folder):
    seen = []
    found = scan(folder, lambda look, total: seen.append((look, total)))
    assert [case.name for case in found.cases] == ["ball_0", "ball_1", "ball_2"]
    assert [case.labels is not None for case in found.cases] == [True, True, False]
    assert found.modalities == ("late",)
    assert found.labels == (3, 40)
    wrong = {look.case.image.name: look.problem for look in found.problems}
    assert wrong.keys() == {"broken.nii.gz", "constant.nrrd", "elsewhere.nii.gz", "fractions.mha"}
    assert "constant" in wrong["constant.nrrd"]
    assert "do not lie on the grid" in wrong["elsewhere.nii.gz"]
    assert "whole numbers" in wrong["fractions.mha"]
    assert seen == [(look, 7) for look in found.looks]
    assert found.summary() == "3 images of 3 subjects, 2 with labels (2 values), modalities late, 4 left out"


@pytest.mark.parametrize("form", ["csv", "json"])
def test_a_manifest_says_whose_each_image_is(folder, form):
    rows = [
        {"image": "ball_0.nii.gz", "label": "ball_0_seg.nii.gz", "subject": "ann", "modality": "T1", "pair": "a"},
        {"image": "late/ball_2.nii.gz", "subject": "bob", "pair": "a"},
        {"image": "missing.nii.gz", "label": "", "subject": "eve"},
        {"image": "ball_1.nii.gz", "label": "missing_seg.nii.gz"},
    ]
    manifest = folder / f"list.{form}"
    if form == "json":
        manifest.write_text(json.dumps(rows))
    else:
        with manifest.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)
    found = scan(manifest)
    assert [(case.name, case.subject, case.modality, case.pair) for case in found.cases] == [
        ("ball_0", "ann", "T1", "a"),
        ("ball_2", "bob", "", "a"),
    ]
    assert [look.case.image.name for look in found.problems] == ["missing.nii.gz", "ball_1.nii.gz"]
    assert "missing_seg.nii.gz" in found.problems[1].problem


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("picture\nball.nii.gz\n", "column 'picture'; known are image, label, subject, modality, pair"),
        ("image,subject\nball.nii.gz,ann\n,bob\n", "names no image in row 2"),
        ("image\n", "holds no images"),
    ],
)
def test_a_manifest_that_cannot_be_followed_is_refused(tmp_path, text, message):
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(StorageError, match=message):
        find_cases(tmp_path / "list.csv")


def test_the_subject_of_an_image_is_read_as_in_bids(tmp_path):
    for name in ("sub-01/ses-a/anat/sub-01_T1w", "sub-01/ses-b/anat/sub-01_T1w", "sub-02_T1w"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / f"{name}.nii.gz").write_bytes(b"an image")
    found = find_cases(tmp_path)
    assert [(case.subject, case.modality) for case in found] == [("sub-01", "anat"), ("sub-01", "anat"), ("sub-02", "")]


def test_a_place_that_is_none_is_refused(tmp_path):
    with pytest.raises(StorageError, match="there is no folder"):
        scan(tmp_path / "nowhere")


def test_subjects_are_held_out_whole_and_the_same_ones_whatever_else_is_there():
    cases = [case(f"s{n % 10}") for n in range(30)]
    kept = held_out(cases, 0.2)
    subjects = {c.subject for c, out in zip(cases, kept, strict=True) if out}
    assert len(subjects) == 2
    assert all(out == (c.subject in subjects) for c, out in zip(cases, kept, strict=True))
    assert held_out(cases[:10], 0.2) == kept[:10]
    assert {tuple(held_out(cases[:10], 0.2, seed=seed)) for seed in range(5)} != {tuple(kept[:10])}


def test_pairs_are_not_torn_apart():
    cases = [case("a", "1"), case("b", "1"), case("b", "2"), case("c", "2"), case("d", "3"), case("e", "3")]
    for seed in range(6):
        kept = held_out(cases, 0.5, seed=seed)
        assert len(set(kept[:4])) == len(set(kept[4:])) == 1
        assert kept[0] != kept[4]


def test_something_is_held_out_and_something_is_left():
    assert sum(held_out([case("a"), case("b")], 0.01)) == sum(held_out([case("a"), case("b")], 0.99)) == 1
    assert held_out([case("a")], 0.5) == [False]
    assert held_out([case("a"), case("b")], 0.0) == [False, False]


def test_a_scan_needs_no_torch(folder):
    code = (
        "import sys; from pathlib import Path; from DiffusionCore.training.scan import scan; "
        "print(scan(Path(sys.argv[1])).summary()); assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("3 images")


def ended(followed):
    deadline = time.monotonic() + 120
    while followed.running:
        assert time.monotonic() < deadline
        followed.poll()
        time.sleep(0.02)
    return followed


def test_the_shell_shows_a_row_for_each_image_and_why_others_are_left_out(folder, capsys):
    assert main(["scan", str(folder)]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["image", "subject", "modality", "voxels", "mm", "labels"]
    assert re.fullmatch(r"ball_0 +ball_0 +30 x 28 x 26 +3 x 3\.2 x 3\.5 +2", rows[0])
    assert re.fullmatch(r"ball_2 +ball_2 +late +32 x 28 x 26 +3 x 3\.2 x 3\.5", rows[2])
    assert [row.split(":")[1].strip() for row in rows if row.startswith("left out")] == [
        str(folder / name) for name in ("broken.nii.gz", "constant.nrrd", "elsewhere.nii.gz", "fractions.mha")
    ]
    assert rows[-1] == "3 images of 3 subjects, 2 with labels (2 values), modalities late, 4 left out"


def test_a_panel_follows_a_scan_in_another_process(folder):
    followed = ended(DataScan(folder))
    assert (followed.failure, followed.of, len(followed.seen)) == ("", 7, 7)
    assert [seen.image.name for seen in followed.seen] == [look.case.image.name for look in scan(folder).looks]
    good = {seen.image.name: seen for seen in followed.seen if not seen.problem}
    assert good.keys() == {"ball_0.nii.gz", "ball_1.nii.gz", "ball_2.nii.gz"}
    assert good["ball_1.nii.gz"].size == (31, 28, 26)
    assert good["ball_1.nii.gz"].spacing == pytest.approx((3.0, 3.2, 3.5))
    assert [good[f"ball_{n}.nii.gz"].labels for n in range(3)] == [2, 2, 0]


def test_a_scan_that_cannot_be_done_says_why(tmp_path):
    assert "there is no folder" in ended(DataScan(tmp_path / "nowhere")).failure
    with pytest.raises(DiffusionCoreError, match="cannot be checked: 'no-python'"):
        DataScan(tmp_path, python="no-python")


def test_a_scan_that_is_closed_leaves_no_process(folder):
    followed = DataScan(folder)
    followed.close()
    assert (followed.running, followed.failure, followed.poll()) == (False, "", False)


@pytest.fixture
def nnunet(tmp_path):
    """Return a set as nnU-Net has it: two channels of two cases in different formats, one without labels."""
    for name in ("imagesTr", "labelsTr", "imagesTs"):
        (tmp_path / name).mkdir()
    for number, name in enumerate(("heart_a", "heart_b")):
        image, labels = ball(number)
        for channel, ending in enumerate((".nii.gz", ".nrrd")):
            write_volume(tmp_path / "imagesTr" / f"{name}_{channel:04d}{ending}", image)
        write_volume(tmp_path / "imagesTs" / f"{name}_0000.mha", image)
        if number == 0:
            write_volume(tmp_path / "labelsTr" / f"{name}.mha", labels)
    return tmp_path


@pytest.mark.parametrize("key", ["channel_names", "modality"])
def test_a_set_of_nnunet_has_a_case_for_each_channel_and_keeps_its_test_images(nnunet, key):
    (nnunet / "dataset.json").write_text(json.dumps({key: {"0": "T1", "1": "FLAIR"}, "labels": {"background": 0}}))
    found = scan(nnunet)
    assert [(case.subject, case.modality, case.labels is not None) for case in found.cases] == [
        ("heart_a", "T1", True),
        ("heart_a", "FLAIR", True),
        ("heart_b", "T1", False),
        ("heart_b", "FLAIR", False),
    ]
    assert found.labels == (3, 40)
    assert not found.problems


def test_a_set_of_nnunet_needs_no_description_but_none_that_is_broken(nnunet):
    assert [case.modality for case in find_cases(nnunet)] == ["channel 0", "channel 1"] * 2
    (nnunet / "dataset.json").write_text("[]")
    with pytest.raises(StorageError, match="channel_names"):
        find_cases(nnunet)


def test_a_folder_of_dicom_files_says_how_to_make_volumes_of_them(tmp_path):
    (tmp_path / "series").mkdir()
    (tmp_path / "series" / "IM0001").write_bytes(bytes(128) + b"DICM" + bytes(100))
    with pytest.raises(StorageError, match="DICOM"):
        find_cases(tmp_path)
    write_volume(tmp_path / "volume.nrrd", ball(0)[0])
    assert [case.name for case in find_cases(tmp_path)] == ["volume"]


def test_a_flat_image_is_left_out_with_the_reason(tmp_path):
    image, _ = ball(0)
    grid = Grid((*image.grid.size[:2], 1), image.grid.spacing)
    write_volume(tmp_path / "slice.nii.gz", Volume(image.values[12:13], grid))
    (problem,) = scan(tmp_path).problems
    assert "3D" in problem.problem


@pytest.mark.parametrize("hot", [0, 12])
def test_hot_voxels_do_not_change_what_is_learned_of_the_others(tmp_path, hot):
    image, _ = ball(0)
    values = image.values.copy()
    flat = values.reshape(-1)
    flat[1000 : 1000 + hot * 40 : 40] = 30_000
    write_volume(tmp_path / "ball.nii.gz", Volume(values, image.grid))
    read, _ = find_cases(tmp_path)[0].read()
    assert read.values.dtype == image.values.dtype
    assert read.values.max() <= 4 * image.values.max()
    kept = values < 30_000
    assert np.array_equal(read.values[kept], image.values[kept])
