"""A network that is used computes the same as one that is trained, but for the last digits, and faster."""

import pytest
import torch
from torch.autograd.profiler import profile
from torch.testing import assert_close

from DiffusionCore.build import build_network
from DiffusionCore.models import find_model
from DiffusionCore.networks.precision import computing
from DiffusionCore.storage.checkpoint import load_checkpoint

CPU = torch.device("cpu")
SLOW = "aten::slow_conv3d"


def operations(function):
    """Return what ``function`` returns, and the names of the operations of torch that it took."""
    with profile() as record:
        result = function()
    return result, {event.name for event in record.function_events or []}


@pytest.mark.parametrize(("kernel", "stride", "batch"), [(3, 1, 1), (4, 2, 1), (3, 1, 2), (1, 1, 1)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last_3d])
def test_convolutions_in_use_give_what_those_in_training_give(kernel, stride, batch, layout):
    torch.manual_seed(kernel)
    layer = torch.nn.Conv3d(6, 9, kernel, stride, kernel // 2).to(memory_format=layout)
    images = torch.randn(batch, 6, 11, 8, 13)
    trained = layer(images).detach()
    with torch.inference_mode(), computing(torch.float32, CPU):
        used = layer(images)
    assert used.layout is torch.strided
    assert_close(used, trained, atol=1e-5, rtol=1e-5)


def test_the_shipped_pose_network_takes_no_slow_convolution_in_use():
    network = build_network(load_checkpoint(find_model("pose"))).eval()
    size = network.config.size
    images = torch.rand(1, 1, size, size, size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        plain, before = operations(lambda: network(images))
        with computing(torch.float32, CPU):
            found, after = operations(lambda: network(images))
    assert any(name.startswith(SLOW) for name in before)
    assert not any(name.startswith(SLOW) for name in after)
    assert_close(found, plain, atol=1e-4, rtol=1e-4)


def test_a_handful_of_voxels_with_many_channels_is_left_to_torch():
    layer = torch.nn.Conv3d(256, 256, 3, 2, 1)
    images = torch.rand(1, 256, 2, 2, 2, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode(), computing(torch.float32, CPU):
        _, names = operations(lambda: layer(images))
    assert any(name.startswith(SLOW) for name in names)


def test_where_gradients_are_taken_nothing_changes():
    torch.manual_seed(0)
    layer, images = torch.nn.Conv3d(3, 4, 3), torch.randn(1, 3, 9, 7, 8)
    plain = layer(images)
    with computing(torch.float32, CPU):
        same = layer(images)
    assert torch.equal(same, plain)
    same.sum().backward()
    assert layer.weight.grad.abs().max() > 0
