"""From names and configurations to objects: the one table of networks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from DiffusionCore.checks import CheckpointError, DeviceError
from DiffusionCore.config import from_dict
from DiffusionCore.models import find_model
from DiffusionCore.networks.affine_denoiser import AffineDenoiser, AffineDenoiserConfig
from DiffusionCore.networks.diffusereg import DiffuseReg, DiffuseRegConfig
from DiffusionCore.networks.image_denoiser import ImageDenoiser, ImageDenoiserConfig
from DiffusionCore.networks.loop_denoiser import LoopDenoiser, LoopDenoiserConfig
from DiffusionCore.networks.pose_network import PoseNetwork, PoseNetworkConfig
from DiffusionCore.networks.published_recovery import PublishedRecovery, PublishedRecoveryConfig
from DiffusionCore.networks.published_voxelmorph import PublishedVoxelMorph, PublishedVoxelMorphConfig
from DiffusionCore.networks.recovery import RecoveryConfig, RecoveryNetwork
from DiffusionCore.networks.voxelmorph import VoxelMorph, VoxelMorphConfig
from DiffusionCore.storage.checkpoint import Checkpoint, load_checkpoint

NETWORKS = {
    "pose": (PoseNetwork, PoseNetworkConfig),
    "published-affine": (AffineDenoiser, AffineDenoiserConfig),
    "published-voxelmorph": (PublishedVoxelMorph, PublishedVoxelMorphConfig),
    "voxelmorph": (VoxelMorph, VoxelMorphConfig),
    "diffusereg": (LoopDenoiser, LoopDenoiserConfig),
    "drdm": (RecoveryNetwork, RecoveryConfig),
    "published-drdm": (PublishedRecovery, PublishedRecoveryConfig),
    "published-diffusereg": (DiffuseReg, DiffuseRegConfig),
    "image": (ImageDenoiser, ImageDenoiserConfig),
}


def build_network(checkpoint: Checkpoint) -> nn.Module:
    """Return the network of ``checkpoint`` with its weights, in float32 and ready for use.

    Raises:
        CheckpointError: the kind is unknown, or the weights do not fit the configuration.
        ConfigError: the configuration is none of such a network.
    """
    if checkpoint.kind not in NETWORKS:
        raise CheckpointError(
            f"A checkpoint of the kind '{checkpoint.kind}' cannot be used; known: {', '.join(NETWORKS)}."
        )
    network_class, config_class = NETWORKS[checkpoint.kind]
    config = from_dict(config_class, checkpoint.config.get("network"))
    try:
        with _no_more_weights_than(sum(tensor.numel() for tensor in checkpoint.weights.values())):
            network = network_class(config)
        network.load_state_dict({name: tensor.float() for name, tensor in checkpoint.weights.items()})
    except RuntimeError as error:
        raise CheckpointError(f"The weights do not fit the configuration in the same file: {error}") from error
    return network.eval().requires_grad_(False)


@contextmanager
def _no_more_weights_than(count: int) -> Iterator[None]:
    """Raise RuntimeError as soon as a network that is built inside has far more: a file must not fill the memory.

    Up to twice as many pass, as networks share weights or replace some that they have just made.
    """
    found = 0

    def add(module: nn.Module, name: str, weight: nn.Parameter | None) -> None:
        nonlocal found
        found += 0 if weight is None else weight.numel()
        if found > 2 * count:
            raise RuntimeError(f"the file holds {count} numbers, and the configuration describes more")

    hook = register_module_parameter_registration_hook(add)
    try:
        yield
    finally:
        hook.remove()


def load_network(name: str, kind: str, device: str = "auto") -> nn.Module:
    """Return the network of the model ``name`` (a shipped or installed name, or a path) on ``device``."""
    return build_network(load_checkpoint(find_model(name), kind)).to(choose_device(device))


def choose_device(device: str) -> torch.device:
    """Return the torch device of "auto", "cpu", "cuda" or "cuda:i"; "auto" takes a GPU if there is one.

    Raises:
        DeviceError: the device is not there.
    """
    available = gpus()
    if device == "auto":
        return torch.device(available[0] if available else "cpu")
    if device == "cpu" or device in available or (device == "cuda" and available):
        return torch.device(device)
    raise DeviceError(f"The device '{device}' is not there; available: {', '.join(['cpu', *available])}.")


def gpus() -> list[str]:
    """Return the GPUs of this machine, "cuda:0" and on."""
    return [f"cuda:{i}" for i in range(torch.cuda.device_count())]
