"""Box sums, squared local correlation and its force: against plain definitions, autograd and finite differences."""

import pytest
import torch
from torch.nn.functional import avg_pool3d
from torch.testing import assert_close

from DiffusionCore.interpolation import pull
from DiffusionCore.losses import LocalCorrelation, box_sum, force, local_correlation, with_gradient
from DiffusionCore.losses.box import box_counts

SHAPE = (11, 12, 13)


def images(count, seed=0, shape=SHAPE, dtype=torch.float64):
    return torch.rand(count, 1, *shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def plain_correlation(image, reference, window, floor):
    """The definition, by pooling that leaves out what lies beyond the border; autograd derives it."""

    def mean(values):
        return avg_pool3d(values, window, stride=1, padding=window // 2, count_include_pad=False)

    cross = mean(image * reference) - mean(image) * mean(reference)
    variances = [mean(x * x) - mean(x) ** 2 + floor for x in (image, reference)]
    return (cross**2 / (variances[0] * variances[1])).mean((1, 2, 3, 4))


@pytest.mark.parametrize("width", [1, 3, 5, 7, 9, 11])
def test_box_sums_and_counts_are_those_of_pooling(width):
    image = images(2)
    expected = avg_pool3d(image, width, stride=1, padding=width // 2, divisor_override=1)
    assert_close(box_sum(image, width), expected)
    ones = torch.ones_like(image[0, 0])
    assert_close(box_counts(SHAPE, width, like=image), box_sum(ones, width))


def test_a_box_is_its_own_adjoint():
    a, b = images(1, 1), images(1, 2)
    assert_close((box_sum(a, 5) * b).sum(), (a * box_sum(b, 5)).sum())


@pytest.mark.parametrize("width", [0, 4, -3])
def test_a_box_without_a_middle_is_refused(width):
    with pytest.raises(ValueError, match=f"odd number of voxels, got {width}"):
        box_sum(images(1), width)


@pytest.mark.parametrize("window", [3, 5, 9])
def test_value_and_slopes_are_those_that_autograd_finds_in_the_definition(window):
    image, reference = images(2, 1).requires_grad_(), images(2, 2).requires_grad_()
    weights = torch.tensor([0.7, -1.3], dtype=torch.float64)
    ours = local_correlation(image, reference, window=window, floor=1e-3)
    found = torch.autograd.grad((ours * weights).sum(), [image, reference])
    plain = plain_correlation(image, reference, window, 1e-3)
    assert_close(ours, plain)
    assert_close(found, torch.autograd.grad((plain * weights).sum(), [image, reference]))


def test_the_slopes_are_those_of_finite_differences():
    pair = [images(1, seed, (4, 5, 3)).requires_grad_() for seed in (1, 2)]
    assert torch.autograd.gradcheck(lambda a, b: local_correlation(a, b, window=3, floor=1e-2), pair)


def test_weights_choose_the_centers_that_count():
    image, reference = images(1, 1), images(1, 2)
    weights = torch.zeros_like(image)
    weights[..., 3, 4, 5] = 2.0
    one = LocalCorrelation(reference, window=3, weights=weights).value_and_slope(image)[1]
    reached = torch.zeros_like(one, dtype=torch.bool)
    reached[..., 2:5, 3:6, 4:7] = True
    assert (one[~reached] == 0).all()
    assert (one[reached] != 0).any()


def test_an_image_is_like_itself_whatever_its_scale_offset_or_sign():
    image = images(1)
    for other in (image, 3 * image + 7, -image):
        assert float(local_correlation(other, image, floor=1e-9)) == pytest.approx(1.0, abs=1e-5)


def test_even_images_are_like_nothing_and_give_no_force():
    value, slope = LocalCorrelation(torch.full((1, 1, *SHAPE), 0.3)).value_and_slope(images(1, dtype=torch.float32))
    assert float(value) == pytest.approx(0.0, abs=1e-8)
    assert slope.abs().max() < 1e-8


def test_the_force_is_the_derivative_by_the_displacement_in_mm():
    """Of a smooth image, whose interpolant and central differences have one slope."""
    shape, spacing = (10, 12, 14), (1.5, 0.8, 2.0)
    axes = torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in shape), indexing="ij")
    k, j, i = axes
    image = (0.3 * i + 0.2 * j - 0.25 * k + 5)[None, None]  # linear, so that both slopes are exact
    reference = images(1, 3, shape)
    correlation = LocalCorrelation(reference, floor=1e-2)
    shift = 0.2 * torch.rand(1, *shape, 3, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    coordinates = (torch.stack([i, j, k], -1)[None] + shift).requires_grad_()
    value, found = force(correlation, with_gradient(image, spacing), coordinates)
    plain = local_correlation(pull(image, coordinates, fill=None), reference, window=5, floor=1e-2)
    (expected,) = torch.autograd.grad(plain.sum(), coordinates)
    assert_close(value, plain)
    inner = (slice(None), slice(None), *(slice(2, -2),) * 3)
    per_mm = expected.movedim(-1, 1) / torch.tensor(spacing, dtype=torch.float64)[:, None, None, None]
    assert_close(found[inner], per_mm[inner])


@pytest.mark.parametrize("bad", [(1, 2, *SHAPE), (1, 1, 11, 12, 14)])
def test_images_of_another_shape_are_refused(bad):
    with pytest.raises(ValueError, match="must have the shape"):
        LocalCorrelation(images(1)).value(torch.rand(bad))
