"""Structural similarity as a loss: against a plain convolution, against differences, and for odd images."""

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from DiffusionCore.losses import structural_similarity

SIZE = (9, 12, 7)  # k, j, i


def images(batch=2, size=SIZE, dtype=torch.float64):
    generator = torch.Generator().manual_seed(4)
    image, noise = torch.rand(2, batch, 1, *size, generator=generator, dtype=dtype)
    return image, 0.6 * image + 0.4 * noise


def plain(image, reference, window, peak=1.0):
    """Structural similarity by a full convolution, as in the paper, averaged over the voxels."""
    line = torch.exp(-((torch.arange(window).double() - window // 2) ** 2) / (2 * 1.5**2))
    cube = line[:, None, None] * line[:, None] * line
    kernel = (cube / cube.sum())[None, None]

    def blur(x):
        return F.conv3d(F.pad(x, (window // 2,) * 6, mode="reflect"), kernel)

    mean, other = blur(image), blur(reference)
    variance, other_variance = blur(image**2) - mean**2, blur(reference**2) - other**2
    covariance = blur(image * reference) - mean * other
    first, second = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    light = (2 * mean * other + first) / (mean**2 + other**2 + first)
    texture = (2 * covariance + second) / (variance + other_variance + second)
    return (light * texture).mean((1, 2, 3, 4))


@pytest.mark.parametrize("window", [3, 9])
@pytest.mark.parametrize("peak", [1.0, 4.0])
def test_it_is_that_of_a_plain_convolution_with_mirrored_borders(window, peak):
    image, reference = images()
    expected = plain(image, reference, window, peak)
    assert_close(structural_similarity(image, reference, window=window, peak=peak), expected)


def test_the_slopes_by_both_images_are_those_of_the_plain_one():
    image, reference = (x.requires_grad_() for x in images())
    scale = torch.tensor([1.0, -2.5], dtype=torch.float64)
    expected = torch.autograd.grad((plain(image, reference, 9) * scale).sum(), (image, reference))
    found = torch.autograd.grad((structural_similarity(image, reference) * scale).sum(), (image, reference))
    for slope, wanted in zip(found, expected, strict=True):
        assert_close(slope, wanted)


def test_the_slope_is_that_of_differences():
    image, reference = images(1, (4, 3, 5))
    image.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: structural_similarity(x, reference, window=5), image)


def test_an_image_is_wholly_like_itself_and_less_like_others():
    image, reference = images()
    assert_close(structural_similarity(image, image), torch.ones(2, dtype=torch.float64))
    assert structural_similarity(image, reference).max() < 0.95
    assert structural_similarity(image, 1 - image).max() < 0.1


@pytest.mark.parametrize("size", [(1, 8, 6), (2, 3, 1), (1, 1, 1)])
def test_images_smaller_than_the_window_are_mirrored_as_often_as_it_takes(size):
    image, reference = images(1, size)
    reference.requires_grad_()
    value = structural_similarity(image, reference)
    value.sum().backward()
    assert 0 < value.item() < 1
    assert torch.isfinite(reference.grad).all()


def test_a_constant_image_has_a_value():
    flat = torch.zeros(1, 1, *SIZE)
    assert structural_similarity(flat, flat).item() == pytest.approx(1.0)


def test_what_does_not_fit_is_refused():
    image, reference = images()
    with pytest.raises(ValueError, match="reference"):
        structural_similarity(image, reference[..., :-1])
    with pytest.raises(ValueError, match="window"):
        structural_similarity(image, reference, window=8)
