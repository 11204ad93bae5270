"""The recovery network: from a deformed anatomy, and how strongly it was deformed, to the velocity that did it.

::

    image I, W = I(x + u) as a first registration u brings it to the symmetric template M, which the network carries
    I, M, W, W mirrored, forces from W to M, u, u mirrored
         -> space to depth (4 voxels a side) -> conv 1 -> residual blocks, conditioned on the level
         -> + gain u -> velocity on the lattice of the blocks, where the coarse part of a field lives

What is unnatural about an image is seen against what is natural: without the template it learned nothing, and with u it
finds half as much again as with the forces of one look (our own measurements). A convolution does not see the other
side of the body, hence the mirror images.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from DiffusionCore.checks import check_range
from DiffusionCore.networks.blocks import TimeEmbedding

_FLOOR = 0.003  # under the square of a force, in squared intensities
_SEEN = 4 + 3  # channels at the spacing of the images: I, M, W, W mirrored; forces
_FOUND = 2 * 3  # channels at that of the first registration: u, u mirrored
FINEST = 2  # voxels of the images to one of the first registration


@dataclass(frozen=True)
class RecoveryConfig:
    """Size of the network.

    Attributes:
        size: voxels of its images along (i, j, k), multiples of ``block``; i is from left to right.
        spacing: mm between them.
        block: voxels a side that become one lattice point, a multiple of 4.
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
    channels: int = 64
    blocks: int = 4
    embedding: int = 64
    smallest: float = 2.0
    largest: float = 16.0

    def __post_init__(self) -> None:
        check_range(self, 1, math.inf, "block", "channels", "blocks", "embedding")
        check_range(self, 1e-3, math.inf, "spacing", "smallest")
        check_range(self, self.smallest, math.inf, "largest")
        if self.block % 4:
            raise ValueError(f"'block' must be a multiple of 4 voxels, got {self.block}")
        if any(n < self.block or n % self.block for n in self.size):
            raise ValueError(f"'size' must be multiples of the block, {self.block} voxels, got {self.size}")


class RecoveryNetwork(nn.Module):
    """images, levels and a first registration -> velocities (B, 3, K/4, J/4, I/4).

    A velocity has unit variance where the deformation was exp(level x velocity), mm along (i, j, k). The ``template``
    (1, 1, K, J, I), whose two halves are alike, is stored with the weights.

    Source: our own, after Zheng et al., DRDM (Medical Image Analysis 110, 2026).
    """

    template: Tensor

    def __init__(self, config: RecoveryConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("template", torch.zeros(1, 1, *reversed(config.size)))
        self.level = TimeEmbedding(config.embedding)
        inputs = _SEEN * config.block**3 + _FOUND * (config.block // FINEST) ** 3
        self.enter = nn.Conv3d(inputs, config.channels, 1)
        self.blocks = nn.ModuleList(_Block(config.channels, config.embedding) for _ in range(config.blocks))
        self.leave = nn.Conv3d(config.channels, 3, 3, padding=1)
        self.gain = nn.Linear(config.embedding, 1)
        for layer in (self.leave, self.gain):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(torch.as_tensor(layer.bias))

    def forward(self, images: Tensor, warped: Tensor, shifts: Tensor, levels: Tensor) -> Tensor:
        """Return the velocities that most probably deformed ``images``.

        Args:
            images: (B, 1, K, J, I), mean of the foreground 1.
            warped: the images at x + u, which look more like the template, likewise.
            shifts: u (B, 3, K/2, J/2, I/2), in voxels of its own.
            levels: (B,), mm.
        """
        config = self.config
        template = self.template.expand(len(images), -1, -1, -1, -1)
        forces = demons_force(warped - template, slopes(template), _FLOOR)
        seen = torch.cat([images, template, warped, warped.flip(-1), forces], 1)
        found = torch.cat([shifts, mirrored_field(shifts)], 1)
        x = self.enter(torch.cat([_to_depth(seen, config.block), _to_depth(found, config.block // FINEST)], 1))
        share = (levels / config.smallest).log() / max(1e-6, math.log(config.largest / config.smallest))
        embedding = self.level(100 * share)
        for block in self.blocks:
            x = block(x, embedding)
        length = FINEST * config.spacing / levels.view(-1, 1, 1, 1, 1)  # of a voxel of the shifts, in units
        undone = -length * F.avg_pool3d(shifts, config.block // FINEST)
        return self.leave(x) + self.gain(F.silu(embedding))[:, :, None, None, None] * undone


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


def slopes(images: Tensor) -> Tensor:
    """Return the slopes of ``images`` (B, 1, K, J, I) along (i, j, k), per voxel: (B, 3, K, J, I)."""
    return torch.cat([torch.gradient(images, dim=axis)[0] for axis in (4, 3, 2)], 1)


def demons_force(difference: Tensor, slopes: Tensor, floor: float) -> Tensor:
    """Return d g / (|g|^2 + d^2 + floor), for the ``difference`` d (B, 1, K, J, I) and ``slopes`` g (B, 3, K, J, I).

    Source: Thirion (Medical Image Analysis 2, 1998), eq. 4; the floor is our own.
    """
    return difference * slopes / (slopes.square().sum(1, keepdim=True) + difference.square() + floor)


def mirrored_field(vectors: Tensor) -> Tensor:
    """Return the mirror image of ``vectors`` (B, 3, K, J, I), along (i, j, k), across the middle of i."""
    return torch.cat([-vectors[:, :1], vectors[:, 1:]], 1).flip(-1)


def _to_depth(x: Tensor, block: int) -> Tensor:
    """Return ``x`` (B, C, K, J, I) with each block of voxels as channels: (B, C block^3, K/b, J/b, I/b)."""
    batch, channels, k, j, i = x.shape
    split = x.view(batch, channels, k // block, block, j // block, block, i // block, block)
    return split.permute(0, 1, 3, 5, 7, 2, 4, 6).reshape(batch, -1, k // block, j // block, i // block)
