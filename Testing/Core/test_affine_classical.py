"""Foreground, mutual information, rotation search, polish and acceptance of the affine registration."""

import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from DiffusionCore.affine.acceptance import AcceptanceSettings, acceptable, weigh
from DiffusionCore.affine.caution import cautious_shift
from DiffusionCore.affine.climb import Batch, Pace, climb
from DiffusionCore.affine.foreground import center_of_mass, extent, foreground_mask, working_volume
from DiffusionCore.affine.local_correlation import local_correlation_slope, standardized
from DiffusionCore.affine.pair import WorkingPair
from DiffusionCore.affine.polish import PolishSettings, polish, polish_briefly
from DiffusionCore.affine.sampling import Reading, Sampler
from DiffusionCore.affine.search import SearchSettings, rotation_set, search
from DiffusionCore.affine.similarity import BINS, joint_histogram, mutual_information, mutual_information_slope
from DiffusionCore.space import Frame, Grid, Volume
from DiffusionCore.transforms.affine import Affine, Group

OBLIQUE = tuple(map(tuple, Affine.exponential([0.2, -0.3, 0.4, 0, 0, 0]).matrix[:3, :3].numpy()))
FIXED = Grid((52, 60, 46), (3.0, 3.0, 3.5), (-70.0, 120.0, 40.0), OBLIQUE)
MOVING = Grid((64, 70, 76), (3.2, 3.0, 3.0), (-300.0, -60.0, -500.0))


def generator():
    return torch.Generator().manual_seed(3)


def shape(points):
    """Return the intensities (N,) of an object without symmetry, radius ~70 mm, at points (N, 3) about its center."""
    x, y, z = (points / 70).T
    values = 0.5 * ((x / 0.8) ** 2 + y**2 + (z / 0.75) ** 2 < 1)
    for value, center, radius in (
        (0.35, (0.4, 0.3, 0.1), 0.3), (-0.2, (-0.3, 0.45, 0.2), 0.25), (0.5, (-0.1, -0.5, -0.3), 0.28),
        (0.2, (0.3, -0.2, 0.45), 0.22), (-0.3, (-0.45, -0.25, 0.1), 0.2),
    ):  # fmt: skip
        values = values + value * (((np.stack([x, y, z], -1) - center) ** 2).sum(-1) < radius**2)
    return values * (1 + 0.2 * np.sin(9 * x) * np.cos(7 * y + 2 * z))


def image(grid, center, truth=None, *, inverted=False, noise=0.02):
    """Return the object drawn on ``grid``, moved by ``truth`` (fixed to moving points) where given."""
    points = grid.map(np.indices(grid.shape).reshape(3, -1)[::-1].T, Frame.VOXEL, Frame.RAS)
    back = points if truth is None else truth.inverse().map(torch.from_numpy(points)).numpy()
    values = shape(back - center)
    values = np.where(values > 0.02, 1.6 - values, 0) if inverted else values
    values = ndimage.gaussian_filter(values.reshape(grid.shape), 0.6)
    return Volume((1000 * values + 1000 * noise * np.random.default_rng(1).random(grid.shape)).astype(np.int16), grid)


CENTER = FIXED.center + np.array([3.0, -4.0, 2.0])


def placed(parameters):
    """Return a transform of the object about its center, and onto the middle of the moving grid."""
    return Affine.translation(MOVING.center - CENTER + np.array([6, -5, 4])) @ Affine.exponential(parameters, CENTER)


def error(transform, truth):
    points = torch.from_numpy(CENTER + 50 * np.random.default_rng(0).normal(size=(300, 3)) / math.sqrt(3))
    return float((transform.map(points) - truth.map(points)).norm(dim=-1).mean())


def test_faint_tails_are_not_foreground():
    clean = image(FIXED, CENTER, noise=0)
    tails = Volume(clean.values + 30 * np.random.default_rng(2).random(FIXED.shape), FIXED)
    assert foreground_mask(tails).sum() == pytest.approx(foreground_mask(clean).sum(), rel=0.03)
    assert foreground_mask(tails).sum() < 0.4 * (tails.values > 0).sum()
    np.testing.assert_allclose(center_of_mass(tails), center_of_mass(clean), atol=0.5)


@pytest.mark.parametrize("offset", [-1024, 0, 300])
def test_foreground_does_not_depend_on_the_level_of_the_background(offset):
    volume = image(FIXED, CENTER)
    shifted = Volume(volume.values.astype(np.float64) + offset, FIXED)
    np.testing.assert_array_equal(foreground_mask(shifted), foreground_mask(volume))
    np.testing.assert_allclose(working_volume(shifted, 6.0).values, working_volume(volume, 6.0).values, atol=1e-4)


def test_extent_of_a_ball_is_its_center_and_radius():
    points = FIXED.map(np.indices(FIXED.shape).reshape(3, -1)[::-1].T, Frame.VOXEL, Frame.RAS)
    ball = (np.linalg.norm(points - CENTER, axis=1) < 60).reshape(FIXED.shape).astype(np.uint8)
    found = extent(Volume(ball, FIXED))
    np.testing.assert_allclose(found.center, CENTER, atol=0.1)
    assert found.radius == pytest.approx(60, abs=0.3)


def test_a_working_volume_keeps_a_ramp_where_it_is():
    points = FIXED.map(np.indices(FIXED.shape).reshape(3, -1)[::-1].T, Frame.VOXEL, Frame.RAS)
    coarse = working_volume(Volume((500 + points[:, 0]).reshape(FIXED.shape), FIXED), 9.0)
    at = coarse.grid.map(np.indices(coarse.grid.shape).reshape(3, -1)[::-1].T, Frame.VOXEL, Frame.RAS)[:, 0]
    inner = np.zeros(coarse.grid.shape, bool)
    inner[2:-2, 2:-2, 2:-2] = True
    inner &= coarse.values > 0
    slope, offset = np.polyfit(at[inner.ravel()], coarse.values[inner], 1)
    moved = (coarse.values[inner] - offset) / slope - at[inner.ravel()]
    assert abs(moved).max() < 0.2  # mm; the voxels are 9 mm
    assert inner.sum() > 1000


def test_a_working_pair_bounds_its_memory_and_still_finds_the_object(monkeypatch):
    monkeypatch.setattr("DiffusionCore.affine.pair._MOST", 20_000)
    truth = placed([0.1, -0.08, 0.06, 2, 3, -2, 0, 0, 0, 0, 0, 0])
    pair = WorkingPair(image(FIXED, CENTER), image(MOVING, CENTER, truth))
    assert max(volume.values.size for level in pair.levels for volume in (level.fixed, level.moving.volume)) <= 20_000
    final = polished(pair, pair.centered(), PolishSettings(), generator=generator())
    assert error(final, truth) < 1


def test_mutual_information_of_equal_samples_is_high_and_of_independent_ones_nearly_zero():
    values = 1 + 20 * torch.rand(1, 20000, generator=generator())
    bins = values[0].round().long()
    same = mutual_information(joint_histogram(bins, values))
    other = mutual_information(joint_histogram(bins, values.flip(-1)))
    assert same > 1.5
    assert 0 <= other < 0.02


def test_mutual_information_slope_is_that_of_autograd_and_of_finite_differences():
    bins = torch.randint(1, BINS - 1, (300,), generator=generator())
    moving = (1.2 + 20 * torch.rand(2, 300, generator=generator(), dtype=torch.float64)).requires_grad_()
    counted = (torch.rand(2, 300, generator=generator()) > 0.2).double()
    value, slope = mutual_information_slope(bins, moving.detach(), counted)
    score = mutual_information(joint_histogram(bins, moving, counted))
    torch.testing.assert_close(value, score.detach(), rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(slope, torch.autograd.grad(score.sum(), moving)[0], rtol=1e-5, atol=1e-8)
    small = moving[:, :12].detach().requires_grad_()
    assert torch.autograd.gradcheck(lambda m: mutual_information(joint_histogram(bins[:12], m)), small)


def test_local_correlation_slope_is_that_of_finite_differences():
    fixed = standardized(torch.rand(3, 27, generator=generator(), dtype=torch.float64))
    moving = (5 * torch.rand(2, 81, generator=generator(), dtype=torch.float64)).requires_grad_()
    inside = torch.ones(2, 81, dtype=torch.float64)
    inside[1, 30] = 0

    def value(positions):
        return local_correlation_slope(fixed, Reading(positions, positions, inside))[0]

    slope = local_correlation_slope(fixed, Reading(moving.detach(), moving, inside))[1]
    torch.testing.assert_close(slope, torch.autograd.grad(value(moving).sum(), moving)[0])
    assert (slope[1, 27:54] == 0).all()


def test_a_climb_follows_the_slope_of_its_parameters():
    volume = image(MOVING, MOVING.center)
    moving = Sampler(volume)
    points = 40 * torch.randn(500, 3, generator=generator())
    start = Affine.translation(MOVING.center + np.array([4, 2, 3])).matrix[None]
    goal = moving.read(start @ Affine.exponential([0, 0, 0, 2.0, 0, 0]).matrix, points).positions

    def similarity(reading):
        difference = goal - reading.positions
        return -(difference**2).sum(-1), 2 * difference

    batches = iter([Batch(points, similarity)] * 31)
    *_, end = climb(start, batches, moving, 70.0, 3.0, Group.RIGID, Pace(30, 0.2, 0.01))
    assert end.similarity > 0.05 * similarity(moving.read(start, points))[0]
    assert float(end.matrices[0, 0, 3] - start[0, 0, 3]) == pytest.approx(2.0, abs=0.2)


def test_rotations_are_proper_and_leave_no_hole():
    rotations = rotation_set(1000)
    torch.testing.assert_close(rotations @ rotations.mT, torch.eye(3).double().expand(1000, 3, 3))
    assert (torch.linalg.det(rotations) > 0).all()
    torch.testing.assert_close(rotations[0], torch.eye(3).double())
    asked = rotation_set(317)[1:]
    trace = (rotations.flatten(1) @ asked.flatten(1).T).amax(0)
    assert torch.rad2deg(torch.acos((trace.clamp(max=3) - 1) / 2)).max() < 22


def test_search_and_polish_capture_120_degrees_in_inverted_contrast():
    axis = np.array([0.48, -0.6, 0.64])
    truth = placed([*(axis * math.radians(120)), 8, -6, 5, 0.1, -0.05, 0.08, 0.02, -0.01, 0.02])
    pair = WorkingPair(image(FIXED, CENTER), image(MOVING, CENTER, truth, inverted=True))
    candidates = search(pair, pair.centered(), SearchSettings(candidates=6), generator=generator())
    assert len(candidates) == 6
    best = polish_briefly(pair, candidates, PolishSettings(), generator=generator())[0]
    assert error(best.transform, truth) < 3
    final = polished(pair, best.transform, PolishSettings(), generator=generator())
    assert error(final, truth) < 0.6


def test_polish_reaches_a_tenth_of_a_voxel():
    truth = placed([0.1, -0.08, 0.06, 2, 3, -2, 0.05, -0.04, 0.03, 0.02, -0.01, 0.02])
    pair = WorkingPair(image(FIXED, CENTER), image(MOVING, CENTER, truth))
    final = polished(pair, pair.centered(), PolishSettings(), generator=generator())
    assert error(final, truth) < 0.3


def test_the_rigid_group_stays_rigid():
    truth = placed([0.1, -0.08, 0.06, 2, 3, -2, 0.05, -0.04, 0.03, 0.02, -0.01, 0.02])
    pair = WorkingPair(image(FIXED, CENTER), image(MOVING, CENTER, truth))
    final = polished(pair, pair.centered(), PolishSettings(group=Group.RIGID), generator=generator())
    linear = final.matrix[:3, :3]
    torch.testing.assert_close(linear @ linear.T, torch.eye(3).double(), atol=1e-9, rtol=0)
    assert error(final, truth) < error(pair.centered(), truth)


def polished(pair, start, settings, *, generator):
    *_, last = polish(pair, start, settings, generator=generator)
    return pair.transforms(last.matrices)[0]


def cloud(grid, seed):
    """Return smooth random intensities inside a ball, alike to no other seed's."""
    points = grid.map(np.indices(grid.shape).reshape(3, -1)[::-1].T, Frame.VOXEL, Frame.RAS) - grid.center
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=grid.shape), 4)
    inside = (np.linalg.norm(points, axis=1) < 65).reshape(grid.shape)
    return Volume((inside * (10 + 5 * noise / noise.std())).clip(0).astype(np.float32), grid)


def ranked(pair):
    candidates = [pair.centered(), *search(pair, pair.centered(), SearchSettings(candidates=8), generator=generator())]
    return polish_briefly(pair, candidates, PolishSettings(), generator=generator())


def evidence(pair):
    return weigh(pair, ranked(pair), pair.centered(), AcceptanceSettings(), generator=generator())


def test_unlike_images_do_not_convince_and_are_hardly_moved():
    pair = WorkingPair(cloud(FIXED, 1), cloud(MOVING, 2))
    assert not evidence(pair).convinces(AcceptanceSettings())
    shift = cautious_shift(pair)
    torch.testing.assert_close(shift.matrix[:3, :3], torch.eye(3).double())
    assert error(shift, pair.centered()) < 0.3 * pair.radius


@pytest.mark.parametrize("inverted", [False, True])
def test_the_same_object_convinces_in_any_contrast(inverted):
    turned = placed([0.3, 0.4, 0, 0, 0, 0])
    pair = WorkingPair(image(FIXED, CENTER), image(MOVING, CENTER, turned, inverted=inverted))
    assert evidence(pair).convinces(AcceptanceSettings())


def test_the_cautious_shift_finds_a_clear_shift():
    truth = placed([0, 0, 0, 0, 0, 0])
    pair = WorkingPair(image(FIXED, CENTER), image(MOVING, CENTER, truth))
    assert error(cautious_shift(pair), truth) < 3


def test_what_loses_information_or_leaves_the_image_is_not_accepted():
    truth = placed([0, 0, 0, 0, 0, 0])
    pair = WorkingPair(image(FIXED, CENTER), image(MOVING, CENTER, truth))
    near, far = Affine.translation([1, 0, 0]) @ truth, Affine.translation([90, 0, 0]) @ truth
    assert acceptable(pair, truth, near, AcceptanceSettings(), generator=generator())
    assert not acceptable(pair, far, near, AcceptanceSettings(), generator=generator())
    away = Affine.translation([400, 0, 0]) @ truth
    assert not acceptable(pair, away, far, AcceptanceSettings(), generator=generator())
