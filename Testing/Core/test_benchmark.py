"""The benchmark: which pairs it finds, how it judges every contestant, and what it says of those that fail."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from shell_world import FIXED_GRID, TRUTH, world  # noqa: F401
from strategies import oblique_grid, smooth_volume

from DiffusionCore.__main__ import main
from DiffusionCore.affine.foreground import foreground_mask
from DiffusionCore.benchmark import contestant, race
from DiffusionCore.benchmark.cases import find_cases
from DiffusionCore.benchmark.contrasts import Contrast, shown_in
from DiffusionCore.benchmark.cost import Cost
from DiffusionCore.benchmark.page import write_page
from DiffusionCore.benchmark.peers import Task, convexadam_centers
from DiffusionCore.benchmark.scores import score
from DiffusionCore.checks import StorageError
from DiffusionCore.report import Pair, measure
from DiffusionCore.space import Frame, Volume
from DiffusionCore.storage.transforms import write_transform
from DiffusionCore.storage.volumes import read_volume, write_volume
from DiffusionCore.transforms import Affine, resample

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def pairs(world, tmp_path):  # noqa: F811
    """Return a folder with the pair of ``world`` in heads/first, and only its images in bodies/of mine/second."""
    folder = tmp_path / "pairs"
    for inner, labeled in (("heads/first", True), ("bodies/of mine/second", False)):
        (folder / inner).mkdir(parents=True)
        for role in ("fixed", "moving"):
            (folder / inner / f"{role}.nii.gz").write_bytes(getattr(world, role).read_bytes())
            if labeled:
                labels = getattr(world, f"{role}_labels").read_bytes()
                (folder / inner / f"{role}_seg.nii.gz").write_bytes(labels)
    write_transform(folder / "heads" / "first" / "truth.h5", TRUTH)
    (folder / "bodies" / "of mine" / "second" / "pair.json").write_text('{"kind": "same subject, cross-modality"}')
    (folder / "heads" / "not a pair").mkdir()
    (folder / "heads" / "not a pair" / "fixed.txt").write_text("")
    return folder


def benchmark(pairs, output, *more):
    return main(["benchmark", "--pairs", str(pairs), "--output", str(output), *map(str, more)])


def test_pairs_are_found_at_any_depth_with_what_is_known_about_them(pairs):
    second, first = find_cases(pairs)
    assert (second.data_set, second.name, second.other_contrast) == ("bodies", "second", True)
    assert (first.data_set, first.name, first.other_contrast) == ("heads", "first", False)
    assert second.fixed_segmentation is second.truth is None
    assert first.pair().moving_segmentation.values.max() == 2


def test_a_folder_without_pairs_is_told(tmp_path):
    with pytest.raises(StorageError, match="no pair below"):
        find_cases(tmp_path)
    with pytest.raises(StorageError, match="no folder"):
        find_cases(tmp_path / "missing")


def test_the_true_transform_has_the_best_score_and_folds_nothing(pairs):
    pair = find_cases(pairs)[1].pair()
    truth, nothing = score(pair, TRUTH), score(pair, Affine.identity())
    assert truth["dice"] > 0.85 > 0.7 > nothing["dice"]
    assert truth["true_error"] < 1e-6 < 10 < nothing["true_error"]
    assert truth["mutual_information"] > nothing["mutual_information"]
    assert truth["percent_folded"] == 0
    assert truth["log_deviation"] == pytest.approx(0, abs=1e-6)


def test_no_level_of_the_intensities_matters_where_the_moving_image_ends(pairs):
    image = find_cases(pairs)[1].pair().fixed
    as_ct = Volume(image.values - 1024, image.grid)
    measured = [measure(Pair(each, each), Affine.translation((25.0, 0.0, 0.0))) for each in (image, as_ct)]
    for name in ("mutual_information", "local_correlation", "normalized_cross_correlation"):
        assert measured[1][name] == pytest.approx(measured[0][name], abs=1e-3)


def test_of_many_labels_the_groups_are_told_apart():
    labels = np.zeros(FIXED_GRID.shape, np.int32)
    labels.reshape(-1)[:2100] = np.repeat(np.arange(1, 211), 10)
    other = np.where(labels >= 100, 0, labels)  # every cortical label is lost
    image = smooth_volume(FIXED_GRID)
    row = score(Pair(image, image, Volume(labels, FIXED_GRID), Volume(other, FIXED_GRID)), Affine.identity())
    assert row["dice_subcortical"] == 1
    assert row["dice_cortical"] == 0


def test_contestants_run_each_in_a_process_of_its_own_and_stand_on_one_page(pairs, tmp_path, capsys):
    output = tmp_path / "results"
    assert benchmark(pairs, output, "--only", "heads", "--ours", "ours-affine", "--peers", "greedy, ants-affine") == 0
    ours, greedy, ants = json.loads((output / "report.json").read_text())
    assert ours["status"] == "ok"
    assert ours["dice"] > 0.85
    assert ours["cpu"] > 0
    assert ours["memory_peak"] > ours["memory_before"]
    assert greedy["status"] == ants["status"] == "not installed"
    page = (output / "page.md").read_text()
    assert "| ours-affine | 0.8" in page
    assert "| not installed |" in page
    assert (output / "dice-time.png").stat().st_size > 1000
    assert str(output) in capsys.readouterr().out


def test_a_contestant_that_does_not_exist_is_answered_with_those_that_do(pairs, tmp_path, capsys):
    assert benchmark(pairs, tmp_path / "results", "--peers", "elastics") == 2
    assert "no contestant 'elastics'. There are: ours-affine" in capsys.readouterr().err
    assert benchmark(pairs, tmp_path / "results", "--only", "hands") == 2
    assert "'hands'" in capsys.readouterr().err


@pytest.mark.parametrize("contrast", [Contrast.INVERTED, Contrast.REMAPPED])
def test_another_contrast_keeps_background_and_foreground_and_turns_bright_tissue_dark(pairs, contrast):
    image = find_cases(pairs)[1].pair().moving
    shown, there = shown_in(image, contrast), foreground_mask(image)
    assert shown.grid == image.grid
    assert shown.values.min() == shown.values[~there].max() == 0
    assert 0.05 <= shown.values[there].min() < shown.values[there].max() <= 1.1
    bright = image.values > np.quantile(image.values[there], 0.9)
    assert shown.values[bright].mean() < shown.values[there].mean()
    assert shown_in(image, Contrast.SAME) is image


def test_all_contestants_see_the_other_contrast(pairs, tmp_path):
    seen = tmp_path / "seen.nii.gz"
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\ncp "$5" "{seen}"\necho "$@" >&2\nexit 1\n')  # -m contestant NAME FIXED MOVING ...
    python.chmod(0o755)
    case = find_cases(pairs)[1]
    (row,) = race.Race(contrast=Contrast.INVERTED, python=str(python)).run(case, ["greedy"])
    assert row["contrast"] == "inverted"
    assert row["status"].endswith("--other-contrast")
    np.testing.assert_allclose(read_volume(seen).values, shown_in(case.pair().moving, Contrast.INVERTED).values)


def test_the_page_shows_earlier_rows_too_and_those_that_are_run_anew_in_their_place(pairs, tmp_path, capsys):
    row = {"data_set": "heads", "pair": "first", "contrast": "same", "spacing": None, "status": "ok", "load": 2.5}
    earlier = [
        {**row, "contestant": "greedy", "dice": 0.71, "log_deviation": 0.3, "cpu": 4.0},
        {**row, "contestant": "ours", "contrast": "remapped", "dice": 0.82, "log_deviation": 0.2, "cpu": 2.0},
        {**row, "contestant": "ours", "dice": 0.11, "log_deviation": 0.2},  # of no known cost
    ]
    (tmp_path / "rows.json").write_text(json.dumps(earlier))
    more = ["--only", "heads", "--ours", "", "--rows", tmp_path / "rows.json", "--note", "a quiet machine"]
    assert benchmark(pairs, tmp_path / "results", *more) == 0
    page = (tmp_path / "results" / "page.md").read_text()
    assert "- a quiet machine\n" in page
    assert "at most 2.5." in page
    assert "- `ours`: `register --method deformable`" in page
    assert "- `greedy`: greedy's affine and deformable registration: NCC" in page
    same, other = page.split("## heads, images as they lie there")[1].split("## heads, moving image remapped")
    assert same.index("| ours | 0.110") < same.index("| greedy | 0.710")
    assert "| ours | 0.820" in other
    anew = ["--only", "heads", "--ours", "", "--peers", "greedy", "--rows", tmp_path / "rows.json"]
    assert benchmark(pairs, tmp_path / "results", *anew) == 0
    kept = json.loads((tmp_path / "results" / "report.json").read_text())
    assert [(r["contestant"], r["contrast"], r["status"]) for r in kept] == [
        ("ours", "same", "ok"),
        ("greedy", "same", "not installed"),
        ("ours", "remapped", "ok"),
    ]
    (tmp_path / "rows.json").write_text("[1]")
    assert benchmark(pairs, tmp_path / "results", *anew) == 2
    assert "no report.json of a benchmark" in capsys.readouterr().err


def test_one_that_cannot_be_started_takes_its_reason_to_the_page_and_the_others_run_on(pairs, tmp_path):
    rows = race.Race(python=str(tmp_path / "no python")).run(find_cases(pairs)[1], ["greedy", "elastix"])
    assert [row["status"].endswith("does not run: No such file or directory") for row in rows] == [True, True]


def test_a_pair_that_cannot_be_read_takes_its_reason_to_the_page_and_the_others_run_on(pairs, tmp_path):
    (pairs / "bodies" / "of mine" / "second" / "moving.nii.gz").write_bytes(b"no image")
    output = tmp_path / "results"
    assert benchmark(pairs, output, "--ours", "ours-affine, ours-affine") == 1
    bodies, heads = json.loads((output / "report.json").read_text())
    assert bodies["status"].startswith("not usable: ")
    assert "moving.nii.gz" in bodies["status"]
    assert heads["status"] == "ok"
    assert "not usable" in (output / "page.md").read_text()


def test_one_that_crashes_tells_its_last_line(pairs, tmp_path, monkeypatch):
    monkeypatch.setitem(contestant.OURS, "ours-broken", ("--method", "none such"))  # known here, not over there
    (row,) = race.Race().run(find_cases(pairs)[1], ["ours-broken"])
    assert row["status"].startswith("failed (exit code 1): KeyError: 'ours-broken'")
    assert "dice" not in row


def test_coarser_images_lie_where_the_finer_ones_do():
    grid = oblique_grid((40, 36, 28), (0.8, 1.0, 3.0))
    points = (np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), -1) - (14, 18, 20)) * (3.0, 1.0, 0.8)
    ball = Volume(np.exp(-((points**2).sum(-1)) / 2 / 6**2).astype(np.float32), grid)
    coarse = race._at(ball, 2.0)
    assert coarse.grid.spacing == (2.0, 2.0, 3.0)

    def center(volume):
        places = np.stack(np.meshgrid(*map(np.arange, volume.grid.shape), indexing="ij"), -1)[..., ::-1]
        mean = (places * volume.values[..., None]).sum((0, 1, 2)) / volume.values.sum()
        return volume.grid.map(mean, Frame.VOXEL, Frame.RAS)

    assert np.linalg.norm(center(coarse) - center(ball)) < 0.05


def test_means_of_a_data_set_leave_out_what_failed_or_is_missing(tmp_path):
    good = {"data_set": "a", "contestant": "x", "status": "ok"}
    rows = [
        {**good, "pair": "1", "dice": 0.5, "cpu": 2.0},
        {**good, "pair": "2", "dice": 0.7, "cpu": 4.0},
        {"data_set": "a", "contestant": "x", "status": "failed", "pair": "3"},
        {"data_set": "a", "contestant": "y", "status": "ok", "pair": "1", "dice": 0.4},
    ]
    write_page(tmp_path / "page.md", rows, title="t", facts=[], picture=None)
    page = (tmp_path / "page.md").read_text()
    assert "| x | 0.600 | 3.0 | 2 of 3 pairs |" in page
    assert "| y | 0.400 |  | 1 of 3 pairs |" in page


def test_convexadam_sees_air_beyond_a_ct(tmp_path, monkeypatch):
    shown = []

    def convex_adam_pt(fixed, moving, **settings):
        shown.append(moving)
        return np.zeros((*moving.shape, 3))

    # the tool itself needs packages that contradict ours: here only what it is shown
    stand_in = SimpleNamespace(convex_adam_pt=convex_adam_pt)
    monkeypatch.setitem(sys.modules, "convexAdam", SimpleNamespace(convex_adam_MIND=stand_in))
    monkeypatch.setitem(sys.modules, "convexAdam.convex_adam_MIND", stand_in)
    ct = Volume((smooth_volume(FIXED_GRID).values - 1024).astype(np.float32), FIXED_GRID)
    part = resample(ct, FIXED_GRID.padded((0, -3, 0)), Affine.identity())
    task = Task(tmp_path / "fixed.nii.gz", tmp_path / "moving.nii.gz", tmp_path, other_contrast=True, threads=1)
    write_volume(task.fixed, ct)
    write_volume(task.moving, part)
    convexadam_centers(task, Cost())
    assert shown[0].max() <= part.values.max() < 0


def test_costs_add_up_and_count_only_what_is_inside():
    cost = Cost()
    for _ in range(2):
        with cost:
            sum(range(300_000))
    assert cost.cpu > 0
    assert cost.wall > 0
    before = cost.wall
    sum(range(300_000))
    assert cost.wall == before


def test_the_memory_of_a_contestant_is_its_own_and_not_that_of_who_started_it():
    held = np.ones(80_000_000)  # 640 MB, which Linux counts into ru_maxrss of a child
    code = "from DiffusionCore.benchmark.cost import peak_memory; print(peak_memory())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert 5 < float(done.stdout) < held.nbytes / 2**20 / 2
