"""From a noised velocity, the best estimate so far and the images as it warps them, to a better estimate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from DiffusionCore.checks import check_range, check_shape
from DiffusionCore.networks.blocks import TimeEmbedding
from DiffusionCore.networks.voxelmorph import VoxelMorph, VoxelMorphConfig, padded

_LEAST = 2 * math.log(0.02)  # the smallest variance: without one, pairs that need nothing would have none


@dataclass(frozen=True)
class LoopDenoiserConfig:
    """The widths of the network, and what it sees of the images.

    Attributes:
        widths: channels at a half, a quarter, an eighth, ... of the images.
        blocks: residual blocks at each of them but the first.
        embedding: width of the embedding of the time, even.
        force_window: voxels a side of the local correlation whose force is seen beside the images.

    Raises:
        ValueError: a number is out of its range.
    """

    widths: tuple[int, ...] = (32, 64, 128)
    blocks: int = 1
    embedding: int = 64
    force_window: int = 5

    def __post_init__(self) -> None:
        if len(self.widths) < 2 or min(self.widths) < 1:
            raise ValueError(f"'widths' must be two or more positive numbers, got {self.widths}")
        check_range(self, 0, math.inf, "blocks")
        check_range(self, 2, math.inf, "embedding")
        if self.embedding % 2:
            raise ValueError(f"'embedding' must be even, got {self.embedding}")
        if self.force_window < 3 or self.force_window % 2 == 0:
            raise ValueError(f"'force_window' must be odd and at least 3, got {self.force_window}")


class LoopEstimate(NamedTuple):
    """What a LoopDenoiser says of a clean velocity, float32.

    Attributes:
        velocity: (B, 3, K/2, J/2, I/2), in deviations, sizes rounded up.
        log_variance: (B, 1, K/2, J/2, I/2), ln of the variance that the error of each component has, in squared
            deviations.
    """

    velocity: Tensor
    log_variance: Tensor

    def spread(self) -> Tensor:
        """Return the root mean square length of the error, (B, K/2, J/2, I/2), in deviations.

        It is what ``mean_and_spread`` says of samples.
        """
        return (3 * self.log_variance[:, 0].exp()).sqrt()


class LoopDenoiser(nn.Module):
    """Correct the estimate of a clean velocity, again and again, on a grid of half the resolution of the images.

    ::

        fixed, moving as warped by the estimate, force - a VoxelMorph -> correction       estimate + correction
        noised velocity, estimate - conv 3 -> + within it, at the half resolution      `-> variance of its error
        time -> embedding: scale and shift of what goes down, at every resolution

    With no noised velocity, a new one estimates just what its VoxelMorph does, so it can begin with a trained one. The
    correction starts at zero, the variance at about one. ``stride``: image voxels per voxel of the velocity.

    Source: our own; what it is shown was measured to help (images re-warped by the estimate, and the force of their
    local correlation). The scale and shift: Perez et al., FiLM (AAAI 2018), eq. 2.
    """

    stride = 2

    def __init__(self, config: LoopDenoiserConfig) -> None:
        super().__init__()
        self.config = config
        self.time = TimeEmbedding(config.embedding)
        self.looks = VoxelMorph(VoxelMorphConfig(config.widths, config.blocks, config.force_window))
        self.fields = nn.Conv3d(6, config.widths[0], 3, padding=1)
        self.films = nn.ModuleList(nn.Linear(config.embedding, 2 * width) for width in config.widths)
        hidden, last = nn.Conv3d(config.widths[0], config.widths[0], 3, padding=1), nn.Conv3d(config.widths[0], 1, 1)
        self.variance = nn.Sequential(hidden, nn.LeakyReLU(0.2), last)
        for layer in (self.fields, last, *self.films):
            nn.init.zeros_(torch.as_tensor(layer.weight))
            nn.init.zeros_(torch.as_tensor(layer.bias))
        self.to(memory_format=torch.channels_last_3d)  # pyright: ignore[reportCallIssue]

    def forward(self, images: Tensor, state: Tensor, estimate: Tensor, times: Tensor) -> LoopEstimate:
        """Return the new estimate, and how wrong it may be.

        Args:
            images: (B, 5, K, J, I), as ``pair_images`` makes them of the fixed image and the moving one behind
                ``estimate``.
            state: the noised velocity (B, 3, K/2, J/2, I/2), in deviations.
            estimate: the best one so far, likewise.
            times: (B,), of the diffusion.

        Raises:
            ValueError: the shapes do not fit.
        """
        check_shape(images, "B 5 K J I", name="images")
        k, j, i = (-(-n // 2) for n in images.shape[2:])
        for name, field in (("state", state), ("estimate", estimate)):
            check_shape(field, f"{len(images)} 3 {k} {j} {i}", name=name)
        embedding = F.silu(self.time(times))
        fields = padded(torch.cat([state, estimate], 1), self.looks.multiple // 2)

        def condition(level: int, hidden: Tensor) -> Tensor:
            if level == 0:
                hidden = hidden + self.fields(fields.contiguous(memory_format=torch.channels_last_3d))
            scale, shift = self.films[level](embedding)[:, :, None, None, None].chunk(2, 1)
            return hidden * (1 + scale) + shift

        features = self.looks.features(images, condition)
        correction, variance = (
            last(features)[:, :, :k, :j, :i].float() for last in (self.looks.velocity, self.variance)
        )
        return LoopEstimate(estimate + correction, torch.logaddexp(variance, torch.tensor(_LEAST).to(variance)))
