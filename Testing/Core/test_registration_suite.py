"""The benchmark of whole registrations: its made pairs, who takes part, and what counts as their time."""

from functools import partial

import pytest
from shell_world import world  # noqa: F401

from DiffusionCore.benchmark.cases import find_cases
from DiffusionCore.benchmark.scores import score
from DiffusionCore.sample import make_sample
from DiffusionCore.transforms import Affine
from Testing.Benchmarks import made_pairs
from Testing.Benchmarks.options import Options
from Testing.Benchmarks.race import Spent, cpu_seconds, seconds_of
from Testing.Benchmarks.suites.registration import contests

SIZE = (26, 34, 29)


@pytest.fixture
def coarse(monkeypatch):
    """Let the template be one of 4 mm, which is there in a moment."""
    for cached in (made_pairs._template, made_pairs._deformations):
        cached.cache_clear()
    monkeypatch.setattr(made_pairs, "make_sample", partial(make_sample, resolution=4))
    yield
    for cached in (made_pairs._template, made_pairs._deformations):
        cached.cache_clear()


def test_the_truth_of_a_made_pair_aligns_it_and_its_size_is_the_one_asked_for(coarse, tmp_path):
    made_pairs.write_pair(tmp_path / "head", SIZE, seed=3)
    (case,) = find_cases(tmp_path)
    pair = case.pair()
    assert pair.fixed.grid.shape == pair.moving.grid.shape == SIZE
    truth, nothing = score(pair, pair.truth), score(pair, Affine.identity())
    assert truth["true_error"] == 0 < 5 < nothing["true_error"]
    assert truth["dice"] > 0.6 > 0.5 > nothing["dice"]
    assert truth["percent_folded"] == 0


def test_made_pairs_have_cubic_voxels_about_as_many_as_the_cube(coarse):
    k, j, i = made_pairs.shape_of(96)
    assert k * j * i == pytest.approx(96**3, rel=0.02)
    extent = made_pairs._template().images[0].grid.extent
    assert [a / n for a, n in zip(extent, (i, j, k), strict=True)] == pytest.approx([extent[0] / i] * 3, rel=0.02)


def test_who_is_not_there_is_named_with_the_way_to_get_it(world, tmp_path):  # noqa: F811
    folder = tmp_path / "bodies" / "first"
    folder.mkdir(parents=True)
    for ours, theirs in (("", ""), ("_labels", "_seg")):
        for role in ("fixed", "moving"):
            (folder / f"{role}{theirs}.nii.gz").write_bytes(getattr(world, role + ours).read_bytes())
    affine, deformable = contests(Options(sizes=(), data=folder.parent))
    assert affine.size == deformable.size == "first first, 2 mm"
    assert list(affine.calls) == ["ours-affine"]
    assert list(affine.missing) == ["greedy-affine", "ants-affine", "elastix-affine"]
    assert "Testing/constraints-peers.txt" in affine.missing["ants-affine"]
    assert list(deformable.calls) == ["ours", "ours-fast", "ours-accurate"]


def test_what_counts_is_the_registration_without_the_start_of_its_process(coarse):
    races = contests(Options(sizes=(SIZE,)))  # while it is there, so are the images
    affine = next(races)
    begun = cpu_seconds()
    spent = affine.calls["ours-affine"]()
    assert 0 < spent.cpu < cpu_seconds() - begun
    assert "mm off" in affine.notes["ours-affine"]()


def test_what_a_call_says_of_its_time_is_believed():
    assert seconds_of(lambda: Spent(cpu=7, wall=9), cpu_seconds) == 7
    assert seconds_of(lambda: Spent(cpu=7, wall=9), lambda: 0.0) == 9
