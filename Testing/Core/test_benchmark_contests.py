"""The contests of the benchmarks: each suite has some, all contestants can enter, and they compute the same."""

import importlib

import pytest
import torch

from DiffusionCore.losses import SelfSimilarity, bending_penalty, gradient_penalty, structural_similarity
from DiffusionCore.space import Grid
from DiffusionCore.transforms import Displacement, jacobian_determinant
from Testing.Benchmarks.options import Options
from Testing.Benchmarks.race import Contest, able
from Testing.Benchmarks.run import SUITES
from Testing.Benchmarks.suites import published_losses as published
from Testing.Benchmarks.suites.kernels import determinants
from Testing.Benchmarks.suites.scene import Scene

SHAPE = (14, 17, 20)
SMALL = Options(sizes=(SHAPE,), rounds=2, quick=True)
SPACING = (0.8, 1.0, 3.0)


@pytest.fixture(scope="module")
def scene():
    return Scene(SHAPE, "cpu")


@pytest.mark.parametrize("suite", SUITES)
def test_each_suite_has_a_contest_with_us_in_it(suite):
    contest = next(importlib.import_module(SUITES[suite]).contests(SMALL))
    assert contest.benchmark
    assert contest.size
    assert contest.calls


@pytest.mark.parametrize("suite", ["kernels", "losses"])
def test_all_contestants_can_compute(suite):
    for contest in importlib.import_module(SUITES[suite]).contests(SMALL):
        entered, failures = able(contest)
        assert not failures, contest.benchmark
        assert next(iter(entered.calls)) == "ours"
        assert len(entered.calls) > 1 or contest.missing


@pytest.mark.parametrize("benchmark", ["warp", "warp of three channels", "four channels", "composition"])
def test_who_is_raced_against_gives_the_same(benchmark):
    contest = next(c for c in importlib.import_module(SUITES["kernels"]).contests(SMALL) if c.benchmark == benchmark)
    expected = contest.calls["ours"]()
    for peer in ("torch", "grid_sample"):
        if peer in contest.calls:
            torch.testing.assert_close(contest.calls[peer](), expected, rtol=0, atol=2e-4)


def test_determinants_by_gradients_are_ours(scene):
    grid = Grid(SHAPE[::-1], (1.0, 1.0, 1.0))
    expected = jacobian_determinant(Displacement(scene.shifts[0], grid), grid)
    torch.testing.assert_close(determinants(scene.shifts[0]), expected, rtol=0, atol=1e-3)


def test_published_losses_are_ours(scene):
    image, other, field = scene.image, scene.other, scene.shifts
    for found, expected in (
        (published.similarity(image, other), structural_similarity(image, other, window=9)),
        (published.gradient_penalty(field, SPACING), gradient_penalty(field, SPACING)),
        (published.bending_energy(field, SPACING), bending_penalty(field, SPACING)),
    ):
        torch.testing.assert_close(found, expected[0])


def test_the_published_context_is_ours_inside(scene):
    inside = torch.zeros_like(scene.image)
    inside[..., 3:-3, 3:-3, 3:-3] = 1
    context, known = published.self_similarity(scene.image), published.self_similarity(scene.other)
    apart = ((context - known).square().mean(1, keepdim=True) * inside).sum()
    most = 2 * (known.var(1, correction=0, keepdim=True) * inside).sum()
    torch.testing.assert_close(
        1 - apart / most, SelfSimilarity(scene.other, weights=inside).value(scene.image)[0], rtol=0, atol=1e-5
    )


def test_scipy_warps_alike():
    contest = next(importlib.import_module(SUITES["kernels"]).contests(SMALL))
    found = torch.from_numpy(contest.calls["scipy"]())
    torch.testing.assert_close(found, contest.calls["ours"]()[0, 0], rtol=0, atol=2e-4)


def test_a_contest_goes_on_without_the_peer_that_fails_but_not_without_us():
    def fail():
        raise MemoryError("too large\nby far")

    entered, failures = able(Contest("c", "s", {"ours": int, "peer": fail, "other": int}))
    assert list(entered.calls) == ["ours", "other"]
    assert failures == ["peer: MemoryError: too large"]
    with pytest.raises(MemoryError):
        able(Contest("c", "s", {"ours": fail, "peer": int}))
