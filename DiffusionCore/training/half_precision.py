"""Where half precision must not be used: refused, because nothing else would tell."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from DiffusionCore.checks import ConfigError
from DiffusionCore.training.settings import LoopSettings


def refuse_random_gradients(network: nn.Module, device: torch.device, settings: LoopSettings) -> None:
    """Let ``network`` raise ConfigError where its gradients in bfloat16 would be random numbers.

    Measured with torch 2.13 on CPUs: the backward pass of a convolution in bfloat16 with a stride of 1 and a kernel of
    more than one voxel reads memory that nobody wrote if an axis of its input has two voxels and there are some 48
    channels. In float16 and float32 it is right.
    """
    if device.type != "cpu" or settings.precision != "bfloat16":
        return
    for module in network.modules():
        if isinstance(module, nn.Conv3d) and max(module.kernel_size) > 1 and min(module.stride) == 1:
            module.register_forward_pre_hook(_refuse)


def _refuse(module: nn.Module, inputs: tuple[Any, ...]) -> None:
    size = tuple(inputs[0].shape[:1:-1])
    if min(size) == 2:
        raise ConfigError(
            f"At its coarsest resolution this network would see {size} voxels; with 2 along an axis the gradients in "
            "bfloat16 are random on a CPU. Add precision=float32, or take larger images or patches, a smaller spacing, "
            "or fewer levels of the network."
        )
