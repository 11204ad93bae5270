"""The denoiser of DiffuseReg: its size, what it sees, and that it takes any images."""

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from DiffusionCore.config import from_json, to_json
from DiffusionCore.networks.diffusereg import DiffuseReg, DiffuseRegConfig
from DiffusionCore.networks.swin import SwinConfig

SMALL = DiffuseRegConfig(SwinConfig(12, (2, 2), (3, 6)))
SIZE = (10, 17, 12)  # k, j, i; no multiple of anything that the network needs


def network(config=SMALL):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return DiffuseReg(config)


def inputs(batch=2, size=SIZE):
    generator = torch.Generator().manual_seed(2)
    images = torch.rand(batch, 2, *size, generator=generator)
    field = torch.randn(batch, 3, *size, generator=generator)
    return images, field, torch.tensor([3, 1700, 40])[:batch]


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_published_size():
    """The published network has 437 M by our arithmetic; ours lacks what comes after the last tokens of the images.

    That is, of their transformer, the last merge, and of the last block all but its first norm: nothing reads them.
    """
    with torch.device("meta"):
        published = DiffuseReg(DiffuseRegConfig())
    assert count(published.field) == 49_051_830
    assert count(published) == 411_462_735
    width = 960
    last_merge = 16 * width**2 + 16 * width
    last_block = 12 * width**2 + 11 * width + 147 * 24
    assert count(published.images) + last_merge + last_block == count(published.field) - 2 * 8 * 120
    assert round((count(published) + last_merge + last_block) / 1e6) == 437


def test_the_mask_costs_no_parameters():
    bare = replace(SMALL, swin=replace(SMALL.swin, mask="none"))
    assert count(network(bare)) == count(network())
    assert not torch.equal(network(bare)(*inputs()), network()(*inputs()))


@pytest.mark.parametrize("size", [SIZE, (16, 32, 24), (1, 8, 5), (9, 3, 1)])
def test_any_size_of_image_gives_noise_of_that_size(size):
    images, field, times = inputs(size=size)
    estimate = network()(images, field, times)
    assert estimate.shape == field.shape
    assert torch.isfinite(estimate).all()


def test_a_batch_gives_what_its_items_give_one_by_one():
    images, field, times = inputs(3)
    net = network()
    together = net(images, field, times)
    alone = [net(images[n : n + 1], field[n : n + 1], times[n : n + 1]) for n in range(3)]
    assert_close(together, torch.cat(alone), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("roles", ["alike", "told"])
def test_gradients_reach_every_parameter(roles):
    net = network(replace(SMALL, roles=roles))
    net(*inputs()).square().mean().backward()
    silent = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
    assert not silent


def test_images_time_and_field_all_matter():
    images, field, times = inputs()
    net = network()
    before = net(images, field, times)
    for changed in (
        net(images.flip(2), field, times),
        net(images, field.flip(2), times),
        net(images, field, times + 90),
    ):
        assert (changed - before).abs().mean() > 1e-4


def test_a_condition_serves_every_step_and_several_samples():
    images, field, times = inputs()
    net = network()
    condition = net.encode(images)
    for time in (times, times + 100):
        assert torch.equal(net.denoise(condition, field, time), net(images, field, time))
    samples = field.repeat_interleave(3, 0) + torch.arange(3).repeat(2)[:, None, None, None, None]
    many = net.denoise(condition.repeated(3), samples, times.repeat_interleave(3))
    assert_close(many, net(images.repeat_interleave(3, 0), samples, times.repeat_interleave(3)), atol=1e-5, rtol=1e-4)


def test_the_scale_of_the_intensities_does_not_matter():
    images, field, times = inputs()
    net = network()
    assert_close(net(1000 * images - 300, field, times), net(images, field, times), atol=1e-4, rtol=1e-3)


def test_the_published_network_cannot_tell_the_moving_from_the_fixed_image_and_ours_can():
    images, field, times = inputs()
    for roles, same in (("alike", True), ("told", False)):
        net = network(replace(SMALL, roles=roles))
        difference = (net(images.flip(1), field, times) - net(images, field, times)).abs().max()
        assert (difference < 1e-5) == same


def test_shapes_that_do_not_fit_are_refused():
    images, field, times = inputs()
    net = network()
    with pytest.raises(ValueError, match="images"):
        net(images[:, :1], field, times)
    with pytest.raises(ValueError, match="field"):
        net(images, field[..., :-1], times)
    with pytest.raises(ValueError, match="times"):
        net(images, field, times[:1])


def test_an_odd_width_is_refused():
    with pytest.raises(ValueError, match=r"swin\.width"):
        DiffuseRegConfig(SwinConfig(9, (1,), (3,)))


def test_the_configuration_survives_json():
    config = DiffuseRegConfig(SwinConfig(24, (2, 2), (3, 6), mask="none"), "told")
    assert from_json(DiffuseRegConfig, to_json(config)) == config
