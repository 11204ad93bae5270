"""Gradient checkpointing: the same gradients, for less that is kept, in every network of more than a few layers."""

import copy
from dataclasses import replace

import pytest
import torch
from line_recipe import SETTINGS, LineRecipe, assert_same_weights
from torch import nn

from DiffusionCore.networks.affine_denoiser import AffineDenoiser, AffineDenoiserConfig
from DiffusionCore.networks.diffusereg import DiffuseReg, DiffuseRegConfig
from DiffusionCore.networks.image_denoiser import ImageDenoiser, ImageDenoiserConfig
from DiffusionCore.networks.loop_denoiser import LoopDenoiser, LoopDenoiserConfig
from DiffusionCore.networks.published_recovery import PublishedRecovery, PublishedRecoveryConfig
from DiffusionCore.networks.recomputing import recompute_parts
from DiffusionCore.networks.recovery import RecoveryConfig, RecoveryNetwork
from DiffusionCore.networks.swin import SwinConfig
from DiffusionCore.networks.voxelmorph import VoxelMorph, VoxelMorphConfig
from DiffusionCore.training.loop import train


def noise(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


TIMES = torch.tensor([3, 40])
NETWORKS = {
    "affine": (AffineDenoiser(AffineDenoiserConfig((8, 16, 16), 4, 8)), (noise(2, 2, 16, 18, 14), TIMES)),
    "voxelmorph": (VoxelMorph(VoxelMorphConfig((8, 12, 16))), (noise(2, 5, 16, 20, 24),)),
    "diffusereg": (
        LoopDenoiser(LoopDenoiserConfig((8, 12), embedding=8)),
        (noise(2, 5, 16, 12, 20), noise(2, 3, 8, 6, 10), noise(2, 3, 8, 6, 10), TIMES),
    ),
    "published-diffusereg": (
        DiffuseReg(DiffuseRegConfig(SwinConfig(6, (2, 2), (1, 2)), roles="told")),
        (noise(2, 2, 16, 16, 16), noise(2, 3, 16, 16, 16), TIMES),
    ),
    "drdm": (
        RecoveryNetwork(RecoveryConfig((16, 24, 20), channels=64, blocks=4, embedding=8)),
        (noise(2, 1, 20, 24, 16), noise(2, 1, 20, 24, 16), noise(2, 3, 10, 12, 8), torch.tensor([3.0, 9.0])),
    ),
    "published-drdm": (PublishedRecovery(PublishedRecoveryConfig()), (noise(2, 1, 16, 16, 16), TIMES)),
    "image": (
        ImageDenoiser(ImageDenoiserConfig(2, (8, 12), heads=2, embedding=8)),
        (noise(2, 1, 12, 16, 20), noise(2, 3, 12, 16, 20), torch.zeros(2, 12, 16, 20).long(), TIMES * 0, TIMES),
    ),
}


def gradients(network, inputs):
    """Return the gradients of a number that ``network`` makes of ``inputs``, and how many values it kept for them."""
    held = []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: held.append(x.numel()) or x, lambda x: x):
        made = network(*inputs)
        parts = [made] if isinstance(made, torch.Tensor) else list(made)
        loss = sum(part.float().square().mean() for part in parts)
    loss.backward()
    return {name: weight.grad for name, weight in network.named_parameters()}, sum(held)


@pytest.mark.parametrize("name", NETWORKS)
def test_computing_twice_changes_no_gradient_and_keeps_less(name):
    network, inputs = NETWORKS[name]
    with torch.random.fork_rng():
        torch.manual_seed(1)
        for weight in network.parameters():
            nn.init.normal_(weight, std=0.1)
    again = copy.deepcopy(network)
    recompute_parts(again)
    (expected, kept), (found, kept_again) = gradients(network, inputs), gradients(again, inputs)
    assert list(again.state_dict()) == list(network.state_dict())
    assert all(torch.equal(found[key], value) for key, value in expected.items() if value is not None)
    assert any(value is not None and value.abs().amax() > 0 for value in expected.values())
    assert kept_again < 0.7 * kept


def test_a_training_that_computes_twice_ends_with_the_same_weights(tmp_path):
    class Deep(LineRecipe):
        def network(self):
            return nn.Sequential(super().network(), nn.Linear(1, 1))

    runs = [tmp_path / "plain", tmp_path / "recomputing"]
    for run, recompute in zip(runs, (False, True), strict=True):
        train(Deep(), run, replace(SETTINGS, steps=10, recompute=recompute))
    assert_same_weights(*runs)
