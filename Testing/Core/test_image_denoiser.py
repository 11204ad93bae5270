"""The network of the image diffusion: conditions, sizes, gradients, patches, and memory."""

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from DiffusionCore.networks.image_denoiser import (
    ImageDenoiser,
    ImageDenoiserConfig,
    voxels_apart,
    voxels_joined,
)

CONFIG = ImageDenoiserConfig(2, (8, 12), heads=2, embedding=16, labels=5, label_channels=3, classes=3)


def generator(seed: int = 2) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def network(config: ImageDenoiserConfig = CONFIG) -> ImageDenoiser:
    """Return a network whose last layers are not zero any more."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        made = ImageDenoiser(config)
        for parameter in made.parameters():
            torch.nn.init.normal_(parameter, std=0.1)
    return made.eval()


def inputs(size=(8, 12, 16), batch: int = 2):
    state, *position = torch.randn(4, batch, 1, *size, generator=generator())
    position = torch.cat(position, 1)
    labels = torch.randint(6, (batch, *size), generator=generator(3))
    return state, position, labels, torch.tensor([1, 3])[:batch], torch.tensor([30, 800])[:batch]


def test_the_first_estimate_is_zero():
    assert not ImageDenoiser(CONFIG)(*inputs()).any()


@pytest.mark.parametrize("size", [(8, 12, 16), (9, 5, 7), (3, 2, 2)])
def test_any_size_gives_an_estimate_of_this_size(size):
    given = inputs(size)
    assert network()(*given).shape == given[0].shape


def test_every_condition_matters_and_gradients_reach_every_parameter():
    made, given = network(), inputs()
    before = made(*given)
    for number in range(5):
        changed = [value.flip(0) if at == number else value for at, value in enumerate(given)]
        assert (made(*changed) - before).abs().max() > 1e-4
    before.square().mean().backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in made.parameters())


def test_a_network_without_conditions_ignores_them():
    made, (state, position, labels, classes, times) = network(replace(CONFIG, labels=0, classes=0)), inputs()
    again = made(state, position, 0 * labels, 0 * classes, times)
    assert torch.equal(made(state, position, labels, classes, times), again)


def test_a_batch_gives_what_its_items_give_one_by_one():
    made, given = network(), inputs()
    alone = [made(*(value[n : n + 1] for value in given)) for n in range(2)]
    assert_close(made(*given), torch.cat(alone), atol=1e-4, rtol=1e-4)


def test_labels_guide_the_place_where_they_lie():
    made = network(replace(CONFIG, heads=0))
    state, position, labels, classes, times = inputs((48, 16, 16), 1)
    moved = labels.clone()
    moved[:, :2, :2, :2] = (moved[:, :2, :2, :2] + 1) % 5
    change = (made(state, position, moved, classes, times) - made(state, position, labels, classes, times)).abs()
    assert change[:, :, :4, :4, :4].max() > 1e-3
    assert change[:, :, -8:].max() == 0


def test_attention_reaches_every_voxel():
    made, (state, *rest) = network(), inputs((48, 16, 16), 1)
    moved = state.clone()
    moved[:, :, :2] += 1
    assert (made(moved, *rest) - made(state, *rest))[:, :, -4:].abs().max() > 1e-6


def test_the_inside_of_a_patch_is_treated_as_in_the_whole_image():
    made = network(replace(CONFIG, widths=(8,), heads=0))
    state, position, labels, classes, times = inputs((40, 16, 16), 1)
    whole = made(state, position, labels, classes, times)[:, :, 14:20]
    patch = made(state[:, :, 2:34], position[:, :, 2:34], labels[:, 2:34], classes, times)[:, :, 12:18]
    assert_close(patch, whole, atol=1e-5, rtol=1e-4)


def test_joined_voxels_come_apart_again_and_stay_neighbors():
    images = torch.randn(2, 3, 4, 6, 8, generator=generator())
    joined = voxels_joined(images, 2)
    assert joined.shape == (2, 24, 2, 3, 4)
    assert torch.equal(joined[1, 8:16, 1, 2, 3], images[1, 1, 2:4, 4:6, 6:8].flatten())
    assert torch.equal(voxels_apart(joined, 2), images)


def test_shapes_that_do_not_fit_are_refused():
    state, position, labels, classes, times = inputs()
    with pytest.raises(ValueError, match="position"):
        network()(state, position[..., 1:], labels, classes, times)
    with pytest.raises(ValueError, match="labels"):
        network()(state, position, labels[1:], classes, times)


@pytest.mark.parametrize("change", [{"widths": ()}, {"heads": 5}, {"embedding": 7}, {"joined": 0}, {"labels": -1}])
def test_numbers_that_do_not_fit_are_refused(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        replace(CONFIG, **change)
