"""Synthetic folds of the cortex: where they are, what they are made of, and what two related images share."""

from dataclasses import replace

import torch
from torch.testing import assert_close

from DiffusionCore.training.anatomy import Tissue
from DiffusionCore.training.corruption import Corruptions
from DiffusionCore.training.field_pairs import FieldPairsConfig, draw_field_pairs
from DiffusionCore.training.folding import FOLDED, draw_folds, folded
from DiffusionCore.training.shape_pool import draw_shape_pool

STILL = FieldPairsConfig(
    size=(20, 28, 24),
    spacing=7.0,
    deviation=(0.0, 0.0),
    unknown=0.0,
    same_contrast=1.0,
    remapped=0.0,
    corruptions=Corruptions(*[0.0] * 10),
)
POOL = draw_shape_pool(3, generator=torch.Generator().manual_seed(0))
SIZE = (20, 26, 24)


def generator(seed: int = 2) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def brain(inner=Tissue.DEEP_GRAY_MEDIAL):
    """Return the shares (1, tissues, K, J, I) of a block of cortex around a core of another tissue."""
    shares = torch.zeros(1, len(Tissue), *SIZE)
    shares[:, Tissue.CORTEX, 2:-2, 2:-2, 2:-2] = 1
    shares[:, :, 7:13, 9:17, 9:15] = 0
    shares[:, inner, 7:13, 9:17, 9:15] = 1
    return shares


def seen(shares, contrasts):
    return torch.einsum("bct,btkji->bckji", contrasts, shares)


def test_folds_are_made_of_fluid_gray_and_white_matter_and_leave_what_is_no_cortex():
    shares, contrasts = brain(), torch.rand(1, 2, len(Tissue), generator=generator())
    before = seen(shares, contrasts)
    after = folded(before, shares, contrasts, draw_folds(1, SIZE, generator=generator()))
    cortex = shares[0, Tissue.CORTEX] > 0
    assert_close(after[..., ~cortex], before[..., ~cortex])
    for image in range(2):
        values = after[0, image, cortex]
        made = contrasts[0, image, list(FOLDED)]
        assert made.min() - 1e-5 <= values.min() < values.max() <= made.max() + 1e-5
        nearest = (values[:, None] - made).abs().min(1)
        assert all((nearest.indices == kind).float().mean() > 0.1 for kind in range(len(FOLDED)))


def test_folds_do_not_reach_the_middle_of_a_large_brain():
    shares = torch.zeros(1, len(Tissue), 40, 44, 42)
    shares[:, Tissue.CORTEX, 2:-2, 2:-2, 2:-2] = 1
    contrasts = torch.rand(1, 2, len(Tissue), generator=generator())
    before = seen(shares, contrasts)
    changed = (folded(before, shares, contrasts, draw_folds(1, (40, 44, 42), generator=generator())) - before).abs()
    assert changed[..., 18:22, 20:24, 19:23].max() < 1e-5
    assert changed[..., 3, :, :].max() > 0.1


def test_the_folds_of_two_images_agree_by_every_degree():
    noise = draw_folds(200, (8, 9, 10), generator=generator())
    assert_close(noise.std((2, 3, 4)), torch.ones(200, 2), atol=0.35, rtol=0)
    alike = (noise - noise.mean((2, 3, 4), keepdim=True)).flatten(2)
    alike = (alike[:, 0] * alike[:, 1]).sum(1) / alike.norm(dim=2).prod(1)
    assert alike.max() > 0.97
    assert 0.3 < alike.mean() < 0.7
    assert alike.min() < 0.2


def test_images_with_folds_of_their_own_differ_where_nothing_moves():
    def unlikeness(share):
        pairs = draw_field_pairs(POOL, replace(STILL, folded=share), 8, generator=generator())
        return (pairs.fixed - pairs.moving).abs().mean((1, 2, 3, 4))

    assert (unlikeness(0.0) < 1e-5).all()
    assert (unlikeness(1.0) > 1e-3).all()


def test_a_higher_power_prefers_small_velocities_and_keeps_the_largest():
    sizes = {}
    for power in (1.0, 3.0):
        config = replace(STILL, deviation=(0.0, 4.0), power=power)
        pairs = draw_field_pairs(POOL, config, 40, generator=generator())
        inside = (pairs.mask * pairs.velocities.square()).sum((1, 2, 3, 4)) / pairs.mask.sum((1, 2, 3, 4)) / 3
        sizes[power] = 14 * inside.sqrt()
    assert_close(sizes[3.0] / 4, (sizes[1.0] / 4) ** 3, atol=0.01, rtol=0.05)
    assert sizes[1.0].max() < 4.4


def test_pairs_with_folds_are_the_same_for_the_same_seed():
    config = replace(STILL, folded=0.5)
    first, again, other = (draw_field_pairs(POOL, config, 3, generator=generator(seed)) for seed in (2, 2, 3))
    assert all(torch.equal(one, two) for one, two in zip(first, again, strict=True))
    assert not torch.equal(first.moving, other.moving)
