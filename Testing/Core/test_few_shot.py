"""The few-shot experiment: arms that differ in geometry alone, no case on both sides, and a run that can go on."""

import json
from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
import torch
from strategies import oblique_grid

from DiffusionCore import Segmentation, Subject, Synthesizer
from DiffusionCore.metrics import jacobian_statistics
from DiffusionCore.space import Frame, Volume
from DiffusionCore.storage.volumes import write_volume
from DiffusionCore.synthesis.inputs import find_subjects
from DiffusionCore.transforms import Displacement
from Testing.Benchmarks.few_shot.__main__ import main
from Testing.Benchmarks.few_shot.arms import arms
from Testing.Benchmarks.few_shot.cases import Window, box, classes, read_case, shown
from Testing.Benchmarks.few_shot.experiment import chosen, scores, tilted
from Testing.Benchmarks.few_shot.learning import Pool, draw
from Testing.Benchmarks.few_shot.page import write_page
from Testing.Benchmarks.few_shot.plan import Plan

GRID = oblique_grid((30, 34, 28), (5.0, 4.6, 5.4))
PLAN = Plan(cases=2, variants=2, spacing=4.0, window=(16, 20, 24), jitter=2, widths=(8, 16), steps=150, intensity=0.3)
PLACES = {59: (-0.2, 0.0, 0.1), 60: (0.2, 0.0, 0.1), 51: (-0.1, 0.3, 0.2), 52: (0.1, 0.3, 0.2)}


def brain(seed=0):
    """An ellipsoid with two bright pairs in it, a little elsewhere for every seed."""
    generator = np.random.default_rng(seed)
    k, j, i = np.meshgrid(*(np.linspace(-1, 1, n) for n in GRID.shape), indexing="ij")
    values = np.where(i**2 / 0.6 + j**2 / 0.8 + k**2 / 0.6 < 1, 300.0, 0.0)
    labels = np.zeros(GRID.shape, np.uint8)
    shift = generator.normal(0, 0.03, 3)
    for label, place in PLACES.items():
        x, y, z = place + shift
        ball = (i - x) ** 2 + (j - y) ** 2 + (k - z) ** 2 < 0.025
        labels[ball], values[ball] = label, 500 if label > 55 else 100
    labels[2, 2, 2] = 11  # of no structure that counts
    values += (values > 0) * generator.normal(0, 10, GRID.shape)
    return Subject(f"brain{seed}", (Volume(values.astype(np.int16), GRID),), (Segmentation(Volume(labels, GRID)),))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("few") / "cases"
    found.mkdir()
    for seed in range(5):
        case = brain(seed)
        write_volume(found / f"{case.name}.nii.gz", case.images[0])
        write_volume(found / f"{case.name}_seg.nii.gz", case.segmentations[0].volume)
    return found


def start(folder, output, *more):
    threads = torch.get_num_threads()
    try:
        main(["--data", str(folder), "--output", str(output), *more], PLAN)
    finally:
        torch.set_num_threads(threads)
    return {path.name: path.stat().st_mtime_ns for path in output.glob("*.json")}


def test_every_training_leaves_a_row_that_is_not_made_again_and_the_page_has_them_all(folder, tmp_path):
    output = tmp_path / "out"
    first = start(folder, output, "--seeds", "1", "--arms", "none")
    again = start(folder, output, "--seeds", "2", "--arms", "none")
    last = start(folder, output, "--seeds", "1", "--arms", "none", "symmetric")
    assert [sorted(each) for each in (first, again, last)] == [
        ["0-none.json"],
        ["0-none.json", "1-none.json"],
        ["0-none.json", "0-symmetric.json", "1-none.json"],
    ]
    assert first["0-none.json"] == again["0-none.json"] == last["0-none.json"]
    rows = [json.loads((output / name).read_text()) for name in sorted(last)]
    for row in rows:
        assert not set(row["trained_on"]) & set(row["upright"])
        assert len(row["upright"]) == len(row["tilted"]) == 3
        assert np.mean([score["dice"]["thalamus"] for score in row["upright"].values()]) > 0.5
    assert rows[0]["trained_on"] == rows[1]["trained_on"] != rows[2]["trained_on"]
    page = (output / "few_shot.md").read_text()
    assert "| none | 2 |" in page
    assert "| symmetric | 1 |" in page


def test_results_of_other_settings_are_not_mixed(folder, tmp_path, capsys):
    (tmp_path / "0-none.json").write_text(json.dumps({"arm": "none", "seed": 0, "plan": {"cases": 3}}))
    with pytest.raises(SystemExit):
        start(folder, tmp_path, "--seeds", "1", "--arms", "none")
    assert "other settings" in capsys.readouterr().err


def test_a_finer_case_is_brought_to_the_spacing_with_the_labels_that_count(folder):
    files = find_subjects(folder)[0]
    coarse, kept = read_case(files, 6.0), read_case(files, 2.0)
    assert coarse.images[0].grid.spacing == (6.0, 6.0, 6.0)
    assert kept.images[0].grid.is_close(GRID)
    labels = {*np.unique(kept.segmentations[0].volume.values).tolist()}
    assert labels == {0, *PLACES}
    volume = [(c.segmentations[0].volume.values > 0).sum() * np.prod(c.images[0].grid.spacing) for c in (coarse, kept)]
    assert volume[0] == pytest.approx(volume[1], rel=0.2)


def test_seeds_that_follow_each_other_share_no_cases_until_all_were_taken():
    taken = [chosen(15, 5, seed) for seed in range(6)]
    assert sorted(chain(*taken[:3])) == sorted(chain(*taken[3:])) == list(range(15))
    assert taken[0] != taken[3]


def test_a_window_that_is_cut_and_put_back_is_the_image_within_it():
    case = brain()
    window = Window.about([case], PLAN.window)
    image, truth = window.cut(case)
    assert tuple(image.shape) == PLAN.window
    back = box(image.float().numpy(), -window.start(case), GRID.shape)
    inside = box(np.ones(PLAN.window, bool), -window.start(case), GRID.shape)
    assert np.allclose(back, np.where(inside, shown(case), 0), atol=1e-3)
    assert (truth > 0).sum() == (classes(case) > 0).sum()


def test_every_arm_sees_the_same_places_and_intensities():
    case = brain()
    sample = Window.about([case], PLAN.window).wider(PLAN.jitter).cut(case)
    pools = [[Pool(sample)], [Pool(sample, [sample, sample])]]
    for seed in range(9):
        (image, truth), (other, others) = (draw(p, PLAN, torch.Generator().manual_seed(seed)) for p in pools)
        assert torch.equal(image, other)
        assert torch.equal(truth, others)


@pytest.mark.parametrize("name", [name for name in arms(PLAN) if name != "none"])
def test_an_arm_moves_image_and_labels_together_and_without_loss(name):
    case = brain()
    for variant in arms(replace(PLAN, variants=3))[name](case):
        values, labels = variant.images[0].values, variant.segmentations[0].volume.values
        assert not np.array_equal(labels, case.segmentations[0].volume.values)
        assert set(np.unique(labels)) >= set(PLACES)
        assert values[labels == 59].mean() > 400
        assert values[labels == 51].mean() < 200


def test_elastic_variants_move_as_far_as_asked_for_and_do_not_fold():
    case = brain()
    wanted = Synthesizer(case).anatomy.wanted
    points = tuple(Volume(along, GRID) for along in coordinates())  # carried along, they say where a voxel came from
    region = case.images[0].values > 200
    for variant in arms(PLAN)["elastic"](replace(case, images=case.images + points)):
        moved = np.stack([volume.values for volume in variant.images[1:]]) - coordinates()
        assert np.linalg.norm(moved, axis=0)[region].mean() == pytest.approx(wanted, rel=0.1)
        assert jacobian_statistics(Displacement(torch.from_numpy(moved), GRID), GRID, region).percent_folded == 0


def coordinates():
    points = GRID.map(np.moveaxis(np.indices(GRID.shape)[::-1], 0, -1), Frame.VOXEL, Frame.RAS)
    return np.moveaxis(points, -1, 0)


def test_a_tilted_case_is_turned_by_the_angle_about_its_tissue():
    case = brain()
    turned = tilted(case, 20.0, 3)
    first, second = (np.argwhere(c.segmentations[0].volume.values == 60).mean(0) for c in (case, turned))
    assert 0.5 < np.linalg.norm((first - second) * GRID.spacing[::-1]) < 20
    assert np.array_equal(turned.images[0].values, tilted(case, 20.0, 3).images[0].values)


class Oracle(torch.nn.Module):
    """Gives the scores that it was made with."""

    def __init__(self, truth):
        super().__init__()
        self.scores = torch.nn.functional.one_hot(truth.long(), 9).movedim(-1, 0)[None].float()

    def forward(self, images):
        return self.scores


def test_what_lies_beyond_the_window_counts_as_missed():
    case = brain()
    whole = Window.about([case], PLAN.window)
    small = replace(whole, size=(16, 4, 24))
    perfect = scores(Oracle(whole.cut(case)[1]), case, whole)
    partial = scores(Oracle(small.cut(case)[1]), case, small)
    assert perfect["dice"] == {"lateral ventricle": 1.0, "thalamus": 1.0}
    assert perfect["hd95"] == {"lateral ventricle": 0.0, "thalamus": 0.0}
    assert partial["dice"]["thalamus"] < 0.9


def test_the_page_pairs_trainings_of_one_seed(tmp_path):
    def row(arm, seed, *values):
        cases = {f"case {n}": {"dice": {"thalamus": v}, "hd95": {"thalamus": 2.0}} for n, v in enumerate(values)}
        return {"arm": arm, "seed": seed, "upright": cases, "tilted": cases, "cpu_variants": 1.0, "cpu_training": 2.0}

    rows = [row("none", 0, 0.6, 0.8), row("none", 1, 0.7, 0.9), row("plain", 0, 0.7, 0.74), row("plain", 1, 0.8, 0.92)]
    write_page(tmp_path / "page.md", [*rows, row("plain", 2, 0.0, 0.1)], ["none", "symmetric", "plain"])
    page = (tmp_path / "page.md").read_text()
    assert "| none | 2 | 0.750 ± 0.071 | 0.750 ± 0.071 | 2.00 ± 0.00 | 3 |" in page
    assert page.count("| +0.040 ± 0.020 (3 of 4) |  |") == 2
    assert "symmetric" not in page
