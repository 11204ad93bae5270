"""Metrics: cases worked out by hand, with their units."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from strategies import affines, grids, oblique_grid, seeds, smooth_vectors, smooth_volume

from DiffusionCore import metrics
from DiffusionCore.metrics import (
    dice,
    gradient_rms,
    hausdorff95,
    inverse_consistency,
    jacobian_statistics,
    local_correlation,
    mean_dice,
    mutual_information,
    normalized_cross_correlation,
    point_error,
)
from DiffusionCore.space import Grid
from DiffusionCore.transforms import Affine, Displacement, Group, Velocity, voxel_centers

GRID = oblique_grid()


def test_dice_of_known_overlaps():
    first = np.array([[[1, 1, 1, 2, 2, 0, 5]]], np.uint8)
    second = np.array([[[1, 1, 2, 2, 0, 0, 9]]], np.int64)
    scores = dice(first, second)
    assert scores == {1: 4 / 5, 2: 1 / 2, 5: 0.0, 9: 0.0}
    assert mean_dice(scores) == pytest.approx(0.325)


def test_equal_labels_overlap_fully_and_background_does_not_count():
    labels = np.random.default_rng(0).integers(0, 4, (3, 5, 4))
    assert dice(labels, labels) == {1: 1.0, 2: 1.0, 3: 1.0}
    assert dice(labels * 0, labels * 0) == {}
    assert math.isnan(mean_dice({}))


def test_dice_wants_integers_of_one_shape():
    with pytest.raises(TypeError, match="float64"):
        dice(np.ones((2, 3, 4)), np.ones((2, 3, 4), int))
    with pytest.raises(ValueError, match="same shape"):
        dice(np.ones((2, 3, 4), int), np.ones((4, 3, 2), int))


def test_the_error_of_a_translation_is_its_length_in_mm():
    errors = point_error(Affine.translation((3, 4, 12)), Affine.identity(), voxel_centers(GRID))
    assert errors.shape == GRID.shape
    torch.testing.assert_close(errors, torch.full(GRID.shape, 13.0, dtype=torch.float64))


@given(affines(), seeds)
def test_the_error_of_a_rotation_grows_with_the_distance_from_its_axis(inner, seed):
    quarter = Affine.exponential([0, 0, math.pi / 2, 0, 0, 0])
    x = torch.from_numpy(np.random.default_rng(seed).normal(size=(9, 3)) * 50)
    expected = math.sqrt(2) * inner.map(x)[:, :2].norm(dim=-1)
    torch.testing.assert_close(point_error(quarter @ inner, inner, x), expected)


def test_correlation_sees_linear_contrast_and_its_sign():
    image = smooth_volume(GRID).values
    assert normalized_cross_correlation(image, 3 * image + 7) == pytest.approx(1)
    assert normalized_cross_correlation(image, -image) == pytest.approx(-1)
    assert normalized_cross_correlation(image, np.ones_like(image)) == 0
    noise = np.random.default_rng(5).normal(size=image.shape)
    assert abs(normalized_cross_correlation(image, noise)) < 0.1
    reference = np.corrcoef(image.ravel(), (image + 100 * noise).ravel())[0, 1]
    assert normalized_cross_correlation(image, image + 100 * noise) == pytest.approx(reference)


def test_mutual_information_of_known_histograms():
    two = np.array([0.0, 1.0] * 8)
    assert mutual_information(two, two, bins=2) == pytest.approx(math.log(2))
    assert mutual_information(two, 5 - 3 * two, bins=2) == pytest.approx(math.log(2))
    assert mutual_information(two, np.array([0.0, 0.0, 1.0, 1.0] * 4), bins=2) == pytest.approx(0, abs=1e-12)
    assert mutual_information(np.array([0.0, 0, 1, 2]), np.array([0.0, 0, 1, 1]), bins=3) == pytest.approx(math.log(2))


def test_a_mask_limits_every_similarity():
    image = smooth_volume(GRID).values
    other = image.copy()
    mask = np.zeros(GRID.shape, bool)
    mask[4:9, 5:20, 3:17] = True
    other[~mask] = np.random.default_rng(0).normal(size=(~mask).sum()) * 1000
    assert normalized_cross_correlation(image, other, mask) == pytest.approx(1)
    assert normalized_cross_correlation(image, other) < 0.5
    assert mutual_information(image, other, mask) > mutual_information(image, other) + 0.5
    with pytest.raises(ValueError, match="empty"):
        normalized_cross_correlation(image, other, mask & False)
    with pytest.raises(ValueError, match="same shape"):
        mutual_information(image, other, mask[1:])


@given(grids(smallest=3), affines())
def test_an_affine_has_one_jacobian_whatever_the_grid(grid, affine):
    statistics = jacobian_statistics(affine, grid)
    assert statistics.minimum == pytest.approx(float(torch.linalg.det(affine.matrix[:3, :3])), rel=1e-5)
    assert statistics.percent_folded == 0
    assert statistics.log_deviation == pytest.approx(0, abs=1e-6)


@given(grids(smallest=3), affines(Group.RIGID, translation=5.0))
def test_a_rigid_field_keeps_the_volume_on_left_handed_grids_too(grid, rigid):
    statistics = jacobian_statistics(Displacement.of(rigid, grid), grid)
    assert statistics.minimum == pytest.approx(1, abs=2e-3)
    assert statistics.percent_folded == 0


def test_folding_is_counted_in_percent_of_the_voxels():
    grid = Grid((8, 5, 6), (2.0, 1.0, 3.0))
    x = voxel_centers(grid)[..., 0]
    vectors = torch.zeros(3, *grid.shape)
    vectors[0] = torch.where(x < 8, -2 * x, -2 * 6.0 + 0 * x)  # mapped: 0 -2 -4 -6 | -4 -2 0 2, J -1 in the first half
    statistics = jacobian_statistics(Displacement(vectors, grid), grid)
    assert statistics.minimum == pytest.approx(-1)
    assert statistics.percent_folded == pytest.approx(100 * 4 / 8)
    half = np.zeros(grid.shape, bool)
    half[:, :, 5:] = True
    assert jacobian_statistics(Displacement(vectors, grid), grid, half).percent_folded == 0


def test_a_wilder_flow_has_a_larger_deviation_and_its_inverse_the_same():
    calm, wild = (jacobian_statistics(Velocity(smooth_vectors(GRID, x), GRID), GRID).log_deviation for x in (1.0, 3.0))
    assert 2 * calm < wild < 4 * calm
    backward = jacobian_statistics(Velocity(-smooth_vectors(GRID, 3.0), GRID), GRID).log_deviation
    assert backward == pytest.approx(wild, rel=0.1)


def boxes(shape, *corners):
    """Return label maps with boxes from low to high (k, j, i) corners: 1, 2, ..."""
    labels = np.zeros(shape, np.uint8)
    for label, (low, high) in enumerate(corners, 1):
        labels[tuple(map(slice, low, high))] = label
    return labels


def test_the_hausdorff_distance_of_shifted_boxes_is_the_shift_in_mm():
    shape = (12, 14, 20)
    first = boxes(shape, ((2, 2, 2), (6, 7, 8)), ((8, 8, 10), (11, 12, 15)), ((0, 0, 0), (1, 1, 1)))
    second = boxes(shape, ((2, 2, 5), (6, 7, 11)), ((8, 8, 10), (11, 12, 15)))
    assert hausdorff95(first, second, (1.5, 0.7, 2.0)) == {1: pytest.approx(4.5), 2: 0.0}
    assert hausdorff95(first * 0, second, (1.0, 1.0, 1.0)) == {}
    with pytest.raises(ValueError, match="same shape"):
        hausdorff95(first, second[1:], (1.0, 1.0, 1.0))


def test_a_few_stray_voxels_do_not_count_in_the_hausdorff_distance():
    first = boxes((30, 30, 30), ((5, 5, 5), (15, 15, 15)))
    second = first.copy()
    second[28, 28, 28] = 1
    assert hausdorff95(first, second, (1.0, 1.0, 1.0)) == {1: 0.0}


@given(affines())
def test_there_and_back_by_the_inverse_leads_nowhere(affine):
    x = voxel_centers(GRID)
    assert float(inverse_consistency(affine, affine.inverse(), x).max()) < 1e-6
    shifted = Affine.translation((3, 4, 12)) @ affine.inverse()
    assert float((inverse_consistency(affine, shifted, x) - 13).abs().max()) < 1e-6


def test_the_local_correlation_is_1_for_any_linear_relation_and_low_for_noise():
    image = smooth_volume(GRID).values
    assert local_correlation(image, 3 - 2 * image) == pytest.approx(1.0, abs=0.02)
    noise = np.random.default_rng(1).normal(size=image.shape)
    assert local_correlation(image, noise) < 0.05
    half = np.zeros(image.shape)
    half[:, :, : image.shape[2] // 2] = 1
    mixed = np.where(half > 0, image, image.mean() + image.std() * noise)
    assert local_correlation(image, mixed, half) > local_correlation(image, mixed, 1 - half) + 0.5
    with pytest.raises(ValueError, match="mask is empty"):
        local_correlation(image, noise, half * 0)


def test_the_local_correlation_is_the_mean_over_the_mask_whatever_the_slabs(monkeypatch):
    image = smooth_volume(GRID).values
    other = image + image.std() * np.random.default_rng(2).normal(size=image.shape)
    mask = np.random.default_rng(3).random(image.shape) < 0.2
    mask[:2] = mask[:, -3:] = False
    whole = local_correlation(image, other, mask)
    assert 0.1 < whole < 0.9
    monkeypatch.setattr(metrics, "_PLANES", 2)
    assert local_correlation(image, other, mask) == pytest.approx(whole, rel=1e-5)


def test_the_information_is_that_of_the_joint_histogram():
    first, second = np.random.default_rng(4).normal(size=(2, 3000))
    second += first
    joint = np.histogram2d(first, second, 32)[0] / first.size
    apart = joint.sum(1, keepdims=True) * joint.sum(0)
    filled = joint > 0
    expected = (joint[filled] * np.log(joint[filled] / apart[filled])).sum()
    assert mutual_information(first, second) == pytest.approx(expected, rel=1e-9)


@given(affines())
def test_an_affine_transform_does_not_bend(affine):
    assert gradient_rms(affine, GRID) == 0
    assert gradient_rms(Displacement.of(affine, GRID), GRID) < 1e-3


def test_the_gradient_of_a_known_shear_is_found_whatever_affine_follows():
    """u_y = a sin(x / r) has du_y/dx = a / r cos(x / r) alone."""
    x = voxel_centers(GRID)[..., 0]
    vectors = torch.zeros(3, *GRID.shape)
    vectors[1] = 4 * torch.sin(x / 8)
    slope = torch.cos(x / 8) / 2
    expected = float((slope - slope.mean()).square().mean().sqrt())
    field = Displacement(vectors, GRID)
    assert gradient_rms(field, GRID) == pytest.approx(expected, rel=0.03)
    turn = Affine.exponential([0.4, -0.3, 1.0, 20, 30, -10], GRID.center)
    assert gradient_rms(turn @ field, GRID) == pytest.approx(expected, rel=0.03)
    assert jacobian_statistics(field, GRID).log_deviation < 0.02
