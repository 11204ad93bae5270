"""The recovery network: from a deformed anatomy, and how strongly it was deformed, to the velocity that did it.

::

    image I -- beside the template M it carries:  I, M, I - M, demons forces at three scales
         -> space to depth (4 voxels a side) -> conv 1 -> residual blocks, conditioned on the level -> velocity

Without the template and its forces it learned nothing (our own measurement): what is unnatural about an image is seen
against what is natural. Velocities come on the lattice of the blocks, where the coarse part of a field lives.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from DiffusionCore.checks import check_range
from DiffusionCore.networks.blocks import TimeEmbedding

_FORCES = 3  # scales
_FLOOR = 0.003  # under the square of a force, in squared intensities
_INPUTS = 3 + 3 * _FORCES


@dataclass(frozen=True)
class RecoveryConfig:
    """Size of the network.

    Attributes:
        size: voxels of its images along (i, j, k), multiples of ``block``.
        spacing: mm between them.
        block: voxels a side that become one lattice point.
        channels: of the residual blocks.
        blocks: their number.
        embedding: width of the level's embedding.
        smallest, largest: mm, the levels it was trained on.

    Raises:
        ValueError: a number is out of its range, or the size no multiple of the block.
    """

    size: tuple[int, int, int] = (48, 56, 48)
    spacing: float = 4.0
    block: int = 4
    channels: int = 96
    blocks: int = 4
    embedding: int = 64
    smallest: float = 2.0
    largest: float = 12.0

    def __post_init__(self) -> None:
        check_range(self, 1, math.inf, "block", "channels", "blocks", "embedding")
        check_range(self, 1e-3, math.inf, "spacing", "smallest")
        check_range(self, self.smallest, math.inf, "largest")
        if any(n < self.block or n % self.block for n in self.size):
            raise ValueError(f"'size' must be multiples of the block, {self.block} voxels, got {self.size}")


class RecoveryNetwork(nn.Module):
    """images (B, 1, K, J, I), mean of the foreground 1; levels (B,), mm -> velocities (B, 3, K/4, J/4, I/4).

    A velocity has unit variance where the deformation was exp(level x velocity), RAS mm. The ``template``
    (1, 1, K, J, I) is stored with the weights.

    Source: our own, after Zheng et al., DRDM (Medical Image Analysis 110, 2026); forces of Thirion (Medical Image
    Analysis 2, 1998), eq. 4.
    """

    template: Tensor

    def __init__(self, config: RecoveryConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("template", torch.zeros(1, 1, *reversed(config.size)))
        self.level = TimeEmbedding(config.embedding)
        self.enter = nn.Conv3d(_INPUTS * config.block**3, config.channels, 1)
        self.blocks = nn.ModuleList(_Block(config.channels, config.embedding) for _ in range(config.blocks))
        self.leave = nn.Conv3d(config.channels, 3, 3, padding=1)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(torch.as_tensor(self.leave.bias))

    def forward(self, images: Tensor, levels: Tensor) -> Tensor:
        """Return the velocities that most probably deformed ``images`` at ``levels``."""
        x = self.enter(_to_depth(self._seen(images), self.config.block))
        share = (levels / self.config.smallest).log() / max(1e-6, math.log(self.config.largest / self.config.smallest))
        embedding = self.level(100 * share)
        for block in self.blocks:
            x = block(x, embedding)
        return self.leave(x)

    def _seen(self, images: Tensor) -> Tensor:
        """Return what the network looks at, (B, 12, K, J, I)."""
        template = self.template.expand(len(images), -1, -1, -1, -1)
        channels = [images, template, images - template]
        for scale in range(_FORCES):
            width = 2**scale  # voxels
            channels.append(_demons_forces(_blurred(images, width), _blurred(template, width)))
        return torch.cat(channels, 1)


class _Block(nn.Module):
    """norm, FiLM by the level, SiLU, conv 3, norm, SiLU, conv 3, added."""

    def __init__(self, channels: int, embedding: int) -> None:
        super().__init__()
        groups = math.gcd(8, channels)
        self.norm1, self.norm2 = nn.GroupNorm(groups, channels), nn.GroupNorm(groups, channels)
        self.conv1, self.conv2 = (nn.Conv3d(channels, channels, 3, padding=1) for _ in range(2))
        self.film = nn.Linear(embedding, 2 * channels)
        nn.init.zeros_(self.film.weight)
        nn.init.zeros_(self.film.bias)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        scale, shift = self.film(F.silu(embedding))[:, :, None, None, None].chunk(2, 1)
        hidden = self.conv1(F.silu(self.norm1(x) * (1 + scale) + shift))
        return x + self.conv2(F.silu(self.norm2(hidden)))


def _demons_forces(images: Tensor, template: Tensor) -> Tensor:
    """Return (I - M) grad M / (|grad M|^2 + (I - M)^2 + floor): (B, 3, K, J, I), along (i, j, k)."""
    slopes = torch.cat([torch.gradient(template, dim=axis)[0] for axis in (4, 3, 2)], 1)
    difference = images - template
    return difference * slopes / (slopes.square().sum(1, keepdim=True) + difference.square() + _FLOOR)


def _blurred(images: Tensor, width: int) -> Tensor:
    """Return the mean over boxes of ``width`` voxels a side, twice: a tent."""
    if width == 1:
        return images
    for _ in range(2):
        padded = F.pad(images, [width // 2, (width - 1) // 2] * 3, mode="replicate")
        images = F.avg_pool3d(padded, width, 1)
    return images


def _to_depth(x: Tensor, block: int) -> Tensor:
    """Return ``x`` (B, C, K, J, I) with each block of voxels as channels: (B, C block^3, K/b, J/b, I/b)."""
    batch, channels, k, j, i = x.shape
    split = x.view(batch, channels, k // block, block, j // block, block, i // block, block)
    return split.permute(0, 1, 3, 5, 7, 2, 4, 6).reshape(batch, -1, k // block, j // block, i // block)
