"""Corruptions: reproducible, drawn for each image by itself, and true to the background."""

import inspect

import pytest
import torch

from DiffusionCore.training import corruption
from DiffusionCore.training.corruption import Corruptions, corrupt
from DiffusionCore.training.image_batches import displaced, foreground, mean_within

DRAWS = [draw for name, draw in inspect.getmembers(corruption) if name.startswith("draw_")]
ALL = Corruptions(*[0.7] * 10)


def images(batch: int = 5) -> torch.Tensor:
    """A textured ellipsoid in a box of three different sizes."""
    k, j, i = torch.meshgrid(*(torch.linspace(-1, 1, n) for n in (17, 22, 19)), indexing="ij")
    texture = 0.6 + 0.2 * torch.sin(7 * i) * torch.cos(5 * j + k)
    solid = (k / 0.7) ** 2 + (j / 0.7) ** 2 + (i / 0.6) ** 2 < 1
    return (texture * solid)[None, None].repeat(batch, 1, 1, 1, 1)


def generator(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("draw", DRAWS)
def test_a_draw_keeps_shape_and_background_and_changes_every_chosen_image(draw):
    clean = images()
    changed = draw(clean, probability=1.0, generator=generator())
    assert changed.shape == clean.shape
    assert changed.dtype == clean.dtype
    assert torch.isfinite(changed).all()
    assert changed.min() >= 0
    assert changed[:, :, 0].abs().max() == 0  # far from the object
    assert ((changed - clean).abs().amax((1, 2, 3, 4)) > 1e-3).float().mean() >= 0.6
    assert torch.equal(clean, images())


@pytest.mark.parametrize("draw", DRAWS)
def test_a_probability_of_zero_changes_nothing(draw):
    assert torch.equal(draw(images(), probability=0.0, generator=generator()), images())


def test_the_same_generator_gives_the_same_batch_and_another_seed_another():
    first = corrupt(images(), ALL, generator=generator())
    assert torch.equal(first, corrupt(images(), ALL, generator=generator()))
    assert not torch.equal(first, corrupt(images(), ALL, generator=generator(4)))


def test_the_global_random_state_is_neither_used_nor_moved():
    torch.manual_seed(0)
    state = torch.get_rng_state()
    corrupt(images(), ALL, generator=generator())
    assert torch.equal(state, torch.get_rng_state())


def test_each_image_of_a_batch_is_corrupted_by_itself():
    changed = corrupt(images(), ALL, generator=generator())
    for first in range(5):
        for second in range(first):
            assert not torch.equal(changed[first], changed[second])


def test_about_the_asked_share_of_a_batch_is_changed():
    clean = images(200)
    changed = corruption.draw_bias(clean, probability=0.3, generator=generator())
    assert 0.2 < ((changed != clean).flatten(1).any(1)).float().mean() < 0.4


def test_the_default_leaves_contours_where_they_are_apart_from_motion():
    appearance = Corruptions(stripes=0, doubling=0)
    changed = corrupt(images(), appearance, generator=generator())
    assert (changed[images() == 0] == 0).all()


def test_a_cut_removes_at_most_its_share_of_the_foreground():
    clean = images(60)
    for draw, most in ((corruption.draw_cut, 0.4), (corruption.draw_slab, 0.5)):
        kept = foreground(draw(clean, probability=1.0, generator=generator())).flatten(1).sum(1)
        share = 1 - kept / foreground(clean).flatten(1).sum(1)
        assert share.max() <= most + 0.05  # the share is measured on every seventh voxel
        assert share.max() > most - 0.1
        assert share.min() < 0.1


def test_a_displacement_along_i_moves_along_the_last_axis():
    shift = torch.tensor([2.0, 0.0, 0.0]).view(1, 3, 1, 1, 1)
    moved = displaced(images(1), shift)
    torch.testing.assert_close(moved[..., :-2], images(1)[..., 2:])


def test_gamma_and_shadow_keep_the_maximum():
    clean = images()
    for draw in (corruption.draw_gamma, corruption.draw_shadow):
        changed = draw(clean, probability=1.0, generator=generator())
        torch.testing.assert_close(changed.amax((1, 2, 3, 4)), clean.amax((1, 2, 3, 4)))


def test_an_empty_image_stays_empty():
    assert corrupt(torch.zeros(4, 1, 9, 8, 7), ALL, generator=generator()).abs().max() == 0


def test_the_mean_within_a_mask_ignores_the_rest_and_can_always_be_divided_by():
    clean = images(2)
    mask = foreground(clean)
    clean[~mask] = 7.0
    assert torch.allclose(mean_within(clean, mask)[0], clean[0][mask[0]].mean())
    assert mean_within(clean * 0, mask).min() > 0
    assert mean_within(clean, mask & ~mask).min() > 0
