"""The self-similarity context: against its plain definition, autograd and finite differences; blind to the contrast."""

from itertools import combinations, product

import pytest
import torch
from torch.nn.functional import pad
from torch.testing import assert_close

from DiffusionCore.losses import SelfSimilarity, self_similarity

SHAPE = (5, 6, 7)
NEIGHBORS = ((0, 0, 1), (0, 0, -1), (0, 1, 0), (0, -1, 0), (1, 0, 0), (-1, 0, 0))
PAIRS = [(a, b) for a, b in combinations(NEIGHBORS, 2) if a != tuple(-x for x in b)]


def images(count, seed=0, shape=SHAPE):
    return torch.rand(count, 1, *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def plain_context(image, patch, floor):
    """The definition, voxel of the patch by voxel; autograd derives it."""
    reach = patch // 2 + 1
    around, there = (pad(values, (reach,) * 6) for values in (image, torch.ones_like(image)))
    k, j, i = image.shape[2:]

    def at(values, shift):
        z, y, x = (reach + s for s in shift)
        return values[:, :, z : z + k, y : y + j, x : x + i]

    distances = []
    for a, b in PAIRS:
        total = torch.zeros_like(image)
        for shift in product(range(1 - reach, reach), repeat=3):
            one, other = (tuple(s + n for s, n in zip(shift, end, strict=True)) for end in (a, b))
            total = total + (at(around, one) - at(around, other)) ** 2 * at(there, one) * at(there, other)
        distances.append(total / patch**3)
    distance = torch.cat(distances, 1)
    return torch.exp(-distance / (distance.mean(1, keepdim=True) + floor))


def plain_likeness(image, reference, patch, floor, weights):
    context = plain_context(reference, patch, floor)
    apart = (plain_context(image, patch, floor) - context).square().mean(1, keepdim=True)
    most = 2 * (context - context.mean(1, keepdim=True)).square().mean(1, keepdim=True)
    return 1 - (apart * weights).sum((1, 2, 3, 4)) / (most * weights).sum((1, 2, 3, 4))


def test_six_neighbors_make_twelve_pairs():
    assert len(PAIRS) == 12


@pytest.mark.parametrize("patch", [1, 3, 5])
@pytest.mark.parametrize("shape", [SHAPE, (1, 6, 4)])
def test_value_and_slope_are_those_that_autograd_finds_in_the_definition(patch, shape):
    image, reference = images(2, 1, shape).requires_grad_(), images(2, 2, shape)
    weights = images(1, 3, shape)
    plain = plain_likeness(image, reference, patch, 1e-2, weights)
    value, slope = SelfSimilarity(reference, patch=patch, floor=1e-2, weights=weights).value_and_slope(image.detach())
    assert_close(value, plain.detach())
    assert_close(slope, torch.autograd.grad(plain.sum(), image)[0])


def test_the_slope_is_that_of_finite_differences():
    comparison = SelfSimilarity(images(1, 2, (3, 4, 5)), floor=1e-2)

    class Likeness(torch.autograd.Function):
        @staticmethod
        def forward(ctx, image):
            value, slope = comparison.value_and_slope(image)
            ctx.save_for_backward(slope)
            return value

        @staticmethod
        def backward(ctx, above):
            return ctx.saved_tensors[0] * above

    assert torch.autograd.gradcheck(Likeness.apply, images(1, 1, (3, 4, 5)).requires_grad_())


def test_as_a_loss_it_has_the_slope_of_small_steps():
    image, reference = images(2, seed=3).requires_grad_(), images(2, seed=4)
    assert torch.autograd.gradcheck(lambda x: self_similarity(x, reference), (image,), atol=1e-6)
    assert_close(self_similarity(image.detach(), reference), SelfSimilarity(reference).value(image))


def test_no_contrast_matters_and_an_image_is_most_like_itself():
    tissues = images(1, 4, (6, 6, 7)).mul(4).floor()
    for axis in (2, 3, 4):
        tissues = tissues.repeat_interleave(3, axis)
    reference = torch.tensor([0.0, 0.3, 0.6, 0.9], dtype=torch.float64)[tissues.long()]
    inverted, remapped = 1 - reference, torch.tensor([0.0, 0.9, 0.5, 0.2], dtype=torch.float64)[tissues.long()]
    comparison = SelfSimilarity(reference, floor=1e-6)
    assert float(comparison.value(reference)) == 1
    assert float(comparison.value(inverted)) == pytest.approx(1, abs=1e-9)
    shifted = remapped.roll(2, -1)
    assert float(comparison.value(remapped)) > float(comparison.value(shifted)) + 0.2


def test_it_does_not_know_a_patch_without_a_middle_or_images_of_other_shapes():
    with pytest.raises(ValueError, match="odd number of voxels, got 4"):
        SelfSimilarity(images(1), patch=4)
    with pytest.raises(ValueError, match="reference"):
        SelfSimilarity(images(1)[0])
    with pytest.raises(ValueError, match="weights"):
        SelfSimilarity(images(1), weights=images(1, shape=(5, 6, 8)))
    with pytest.raises(ValueError, match="image"):
        SelfSimilarity(images(1)).value(images(1, shape=(5, 6, 8)))
