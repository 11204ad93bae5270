"""Metrics of sets of images: cases worked out by hand, and their order on sets that are more and more alike."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from DiffusionCore.images.set_metrics import (
    frechet_distance,
    histogram_distance,
    kernel_distance,
    mean_similarity,
    nearest,
    nearest_other,
    random_features,
    standardized,
)
from DiffusionCore.losses.structural_similarity import multiscale_structural_similarity, structural_similarity

SIZE = (20, 24, 18)


def generator(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def bodies(count: int, seed: int = 1, *, size=SIZE, bright: float = 1.0) -> torch.Tensor:
    """Return balls of random places, sizes and textures."""
    axes = torch.meshgrid(*(torch.linspace(-1, 1, n) for n in size), indexing="ij")
    drawn = generator(seed)
    images = []
    for _ in range(count):
        center, radius = 0.3 * torch.randn(3, generator=drawn), 0.5 + 0.2 * torch.rand(1, generator=drawn)
        distance = sum((axis - at) ** 2 for axis, at in zip(axes, center, strict=True)).sqrt()
        texture = 1 + 0.2 * torch.randn(size, generator=drawn)
        images.append(bright * texture * (distance < radius))
    return torch.stack(images)[:, None]


def test_the_frechet_distance_of_known_normals():
    """Of N(0, 1) x N(0, 4) and N(3, 9) x N(0, 4): 3^2 + (3 - 1)^2."""
    first = torch.randn(200_000, 2, generator=generator(), dtype=torch.float64) * torch.tensor([1.0, 2.0])
    second = torch.randn(200_000, 2, generator=generator(2), dtype=torch.float64) * torch.tensor([3.0, 2.0])
    second[:, 0] += 3
    assert frechet_distance(first, second) == pytest.approx(13.0, rel=0.02)
    assert frechet_distance(first[:40], first[:40]) == pytest.approx(0.0, abs=1e-9)
    assert frechet_distance(first[:50], second[:50]) == pytest.approx(frechet_distance(second[:50], first[:50]))


def test_the_kernel_distance_by_hand_and_its_mean_for_one_law():
    first, second = torch.tensor([[0.0], [1.0]]).double(), torch.tensor([[2.0], [3.0]]).double()
    # kernel (x y + 1)^3: within 1 and 343; between 1, 1, 27, 64
    assert kernel_distance(first, second) == pytest.approx(1 + 343 - 2 * (1 + 1 + 27 + 64) / 4)
    drawn = torch.randn(40, 2, 6, 3, generator=generator(), dtype=torch.float64)
    values = torch.tensor([kernel_distance(a, b) for a, b in drawn])
    assert abs(values.mean()) < 3 * values.std() / len(values) ** 0.5
    assert (values < 0).any()


def test_features_are_fixed_and_tell_bodies_from_other_bodies():
    images = bodies(3)
    features = random_features(images)
    assert features.shape == (3, 224)
    assert torch.equal(features, random_features(images))
    assert_close(features[1:2], random_features(images[1:2]), atol=1e-5, rtol=1e-4)
    moved = random_features(images.roll(5, 3))
    assert (moved - features).abs().max() > 1e-3


def test_sets_of_one_law_are_nearer_than_others_by_every_distance():
    reference, like = bodies(24, 1), bodies(24, 2)
    blurred = torch.nn.functional.avg_pool3d(like, 3, 1, 1)
    features = random_features(reference)
    for other in (blurred, 1.5 * like):
        for distance in (frechet_distance, kernel_distance):
            near, far = (
                distance(standardized(features, features), standardized(random_features(images), features))
                for images in (like, other)
            )
            assert near < 0.5 * far


def test_the_distance_of_intensities_is_how_far_they_move():
    images = bodies(6)
    assert histogram_distance(images, images) == 0
    inside = images[images > 0.05]
    assert histogram_distance(images, 1.2 * images) == pytest.approx(0.2 * inside.mean().item(), rel=0.02)
    assert histogram_distance(images, torch.zeros_like(images)) == np.inf


def test_copies_are_found_and_are_nearer_than_others_are_to_each_other():
    reference = bodies(8)
    images = torch.cat([reference[5:6] + 1e-3, bodies(1, 7)])
    found, usual = nearest(images, reference), nearest_other(reference)
    assert found.numbers[0] == 5
    assert found.distances[0] == pytest.approx(1e-3, rel=0.05)
    assert found.distances[0] < 0.01 * usual.median
    assert found.distances[1] > 0.5 * usual.median
    by_hand = (images[1] - reference[found.numbers[1]]).square().mean().sqrt().item()
    assert found.distances[1] == pytest.approx(by_hand, rel=1e-4)
    assert all(number != own for own, number in enumerate(usual.numbers))


def test_sets_that_vary_less_are_more_alike():
    images = bodies(5)
    assert mean_similarity(images[:1].repeat(4, 1, 1, 1, 1)) == pytest.approx(1.0, abs=1e-5)
    assert mean_similarity(0.5 * images + 0.5 * images[:1]) > mean_similarity(images)
    assert np.isnan(mean_similarity(images[:1]))
    assert 0 < mean_similarity(bodies(20)) < 1  # of 190 pairs not all


def test_one_scale_of_several_is_the_structural_similarity():
    images = bodies(2, size=(12, 14, 10))
    many, one = (
        similarity(images[:1], images[1:], peak=1.0)
        for similarity in (multiscale_structural_similarity, structural_similarity)
    )
    assert many.item() == pytest.approx(one.item(), abs=1e-5)


def test_several_scales_are_used_where_there_is_room():
    """With a shift of the brightness alone, only the luminance of the last scale is below 1."""
    image = torch.zeros(1, 1, 40, 44, 36) + 0.5
    powers = [0.0448, 0.2856, 0.3001]
    luminance = (2 * 0.5 * 0.7 + 1e-4) / (0.5**2 + 0.7**2 + 1e-4)
    value = multiscale_structural_similarity(image, image + 0.2).item()
    assert value == pytest.approx(luminance ** (powers[2] / sum(powers)), abs=5e-4)


def test_sets_that_cannot_be_compared_are_refused():
    with pytest.raises(ValueError, match="at least two"):
        frechet_distance(torch.zeros(1, 3), torch.zeros(4, 3))
    with pytest.raises(ValueError, match="second"):
        kernel_distance(torch.zeros(4, 3), torch.zeros(4, 2))
