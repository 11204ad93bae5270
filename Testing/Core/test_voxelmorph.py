"""The networks that estimate velocity fields: sizes, parameters, start, precision, and that they can learn."""

import pytest
import torch
from torch.testing import assert_close

from DiffusionCore.build import build_network
from DiffusionCore.config import to_dict
from DiffusionCore.networks.published_voxelmorph import PublishedVoxelMorph, PublishedVoxelMorphConfig
from DiffusionCore.networks.voxelmorph import VoxelMorph, VoxelMorphConfig, padded
from DiffusionCore.storage.checkpoint import Checkpoint, load_checkpoint, save_checkpoint

SMALL = VoxelMorphConfig(widths=(8, 16, 16))
CONFIGS = [
    SMALL,
    VoxelMorphConfig(widths=(8, 16), blocks=2, force_window=None),
    PublishedVoxelMorphConfig("paper"),
    PublishedVoxelMorphConfig("reference"),
]


def network(config, *, awake: bool = True):
    """Return a network; ``awake`` with the layers that start at (nearly) zero replaced by random ones."""
    torch.manual_seed(0)
    made = VoxelMorph(config) if isinstance(config, VoxelMorphConfig) else PublishedVoxelMorph(config)
    if awake:
        for parameter in made.parameters():
            if parameter.abs().max() < 1e-3:
                torch.nn.init.normal_(parameter, std=0.05)
    return made


def images(config, batch: int = 2, shape: tuple[int, int, int] = (13, 18, 16)) -> torch.Tensor:
    channels = getattr(config, "inputs", 2)
    return torch.rand(batch, channels, *shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("form", "parameters"),
    [("paper", 259_675), ("reference", 327_331)],  # published
)
def test_the_published_numbers_of_parameters(form, parameters):
    assert sum(p.numel() for p in PublishedVoxelMorph(PublishedVoxelMorphConfig(form)).parameters()) == parameters


def test_the_default_network_keeps_its_2_034_051_parameters():
    assert sum(p.numel() for p in VoxelMorph(VoxelMorphConfig()).parameters()) == 2_034_051


@pytest.mark.parametrize("config", CONFIGS, ids=repr)
@pytest.mark.parametrize("shape", [(16, 32, 48), (13, 18, 15), (3, 2, 21), (1, 7, 5)])
def test_any_size_gives_a_field_on_the_grid_that_covers_it(config, shape):
    made = network(config)
    fields = made(images(config, 2, shape))
    assert fields.shape == (2, 3, *(-(-n // made.stride) for n in shape))
    assert fields.dtype == torch.float32
    assert fields.is_contiguous()
    assert torch.isfinite(fields).all()


@pytest.mark.parametrize("config", CONFIGS, ids=repr)
def test_padding_continues_the_border(config):
    made, pair = network(config), images(config, 1, (16, 32, 16))
    pair[:, :, -2:] = pair[:, :, -3:-2]
    assert_close(made(pair[:, :, :-2]), made(pair)[:, :, : 14 // made.stride], atol=1e-5, rtol=1e-4)
    assert padded(pair, 16) is pair


@pytest.mark.parametrize("config", CONFIGS, ids=repr)
def test_an_untrained_network_moves_nothing(config):
    assert network(config, awake=False)(images(config)).abs().max() < 1e-3


@pytest.mark.parametrize("config", CONFIGS, ids=repr)
def test_a_gradient_reaches_every_parameter(config):
    made = network(config)
    made(images(config)).square().sum().backward()
    without = [
        name for name, parameter in made.named_parameters() if parameter.grad is None or not parameter.grad.any()
    ]
    assert not without


@pytest.mark.parametrize("config", CONFIGS, ids=repr)
def test_a_pair_does_not_depend_on_the_others_of_its_batch_and_the_order_of_its_images_matters(config):
    made, batch = network(config), images(config, 3)
    together = made(batch)
    for n in range(3):
        assert_close(made(batch[n : n + 1])[0], together[n], atol=1e-5, rtol=1e-4)
    swapped = torch.cat([batch[:, 1:2], batch[:, :1], batch[:, 2:]], 1)
    assert (made(swapped) - together).abs().max() > 1e-4


def test_half_precision_agrees_with_single():
    made, pair = network(SMALL), images(SMALL)
    with torch.autocast("cpu", torch.bfloat16):
        half = made(pair)
    assert half.dtype == torch.float32
    assert_close(half, made(pair), rtol=0.1, atol=0.1)


def test_the_weights_lie_channels_last_as_the_processor_wants_them():
    assert network(SMALL).enter.weight.is_contiguous(memory_format=torch.channels_last_3d)


@pytest.mark.parametrize("config", CONFIGS, ids=repr)
def test_a_checkpoint_gives_the_network_back(config, tmp_path):
    made = network(config)
    kind = "voxelmorph" if isinstance(config, VoxelMorphConfig) else "published-voxelmorph"
    save_checkpoint(tmp_path / "m.safetensors", Checkpoint(kind, {"network": to_dict(config)}, made.state_dict(), {}))
    again = build_network(load_checkpoint(tmp_path / "m.safetensors", kind))
    assert again.config == config
    assert torch.equal(again(images(config)), made(images(config)))


@pytest.mark.parametrize(
    "arguments", [{"widths": (8,)}, {"widths": (8, 0)}, {"blocks": -1}, {"force_window": 4}, {"force_window": 1}]
)
def test_widths_and_windows_that_do_not_work_are_refused_by_name(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        VoxelMorphConfig(**arguments)


@pytest.mark.parametrize("config", CONFIGS, ids=repr)
def test_wrong_channels_are_refused(config):
    with pytest.raises(ValueError, match="images"):
        network(config)(images(config)[:, :1])


def test_it_learns_one_batch_by_heart():
    made, pair = network(SMALL, awake=False), images(SMALL, 2, (8, 16, 8))
    target = 0.5 * torch.randn(2, 3, 4, 8, 4, generator=torch.Generator().manual_seed(3))
    optimizer = torch.optim.Adam(made.parameters(), 5e-3)
    losses = []
    for _ in range(100):
        losses.append((made(pair) - target).square().mean())
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < 0.2 * losses[0]
