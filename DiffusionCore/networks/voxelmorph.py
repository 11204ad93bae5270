"""From a pair of images to the velocity field that carries one to the other: our form of VoxelMorph."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from DiffusionCore.checks import check_range, check_shape

_SLOPE = 0.2  # of the leaky rectifiers, as published


@dataclass(frozen=True)
class VoxelMorphConfig:
    """What the network sees, and its widths.

    Attributes:
        widths: channels at a half, a quarter, an eighth, ... of the image.
        blocks: residual blocks at each of them but the first.
        force_window: voxels a side of the local correlation whose force the network sees beside the images; None for
            the images alone.

    Raises:
        ValueError: a number is out of its range.
    """

    widths: tuple[int, ...] = (32, 64, 128)
    blocks: int = 1
    force_window: int | None = 5

    def __post_init__(self) -> None:
        if len(self.widths) < 2 or min(self.widths) < 1:
            raise ValueError(f"'widths' must be two or more positive numbers, got {self.widths}")
        check_range(self, 0, math.inf, "blocks")
        if self.force_window is not None and (self.force_window < 3 or self.force_window % 2 == 0):
            raise ValueError(f"'force_window' must be odd and at least 3, or none, got {self.force_window}")

    @property
    def inputs(self) -> int:
        """Channels of the input: fixed and moving image, and the three of the force if it is seen."""
        return 2 if self.force_window is None else 5


class VoxelMorph(nn.Module):
    """Estimate the stationary velocity between a fixed and a moving image, on a grid of half their resolution.

    ::

        images n -> conv 4, stride 2 -> n/2 ------------------------------ + -> conv -> conv -> velocity, n/2
                      conv 4, stride 2 -> n/4, blocks ------- + -> blocks --^
                        conv 4, stride 2 -> n/8, blocks ------^   conv 1, twice as large

    Images of any size are padded by their border values and the velocity is cropped. It starts at zero.
    ``stride``: image voxels per voxel of the velocity.

    Source: Balakrishnan et al., VoxelMorph (IEEE TMI 2019): the U-Net, the half resolution; the force among the
    inputs, residual blocks, and sums in the place of joined channels (most of the time was spent on these) are our own.
    """

    stride = 2

    def __init__(self, config: VoxelMorphConfig) -> None:
        super().__init__()
        self.config = config
        widths = config.widths
        self.enter = nn.Conv3d(config.inputs, widths[0], 4, stride=2, padding=1)
        self.down = nn.ModuleList(
            nn.Sequential(nn.LeakyReLU(_SLOPE), nn.Conv3d(fine, coarse, 4, 2, 1), *_blocks(coarse, config))
            for fine, coarse in pairwise(widths)
        )
        self.up = nn.ModuleList(nn.Conv3d(coarse, fine, 1) for fine, coarse in pairwise(widths))
        self.refine = nn.ModuleList(nn.Sequential(*_blocks(width, config)) for width in widths[1:-1])
        self.leave = nn.Sequential(
            nn.LeakyReLU(_SLOPE), nn.Conv3d(widths[0], widths[0], 3, padding=1), nn.LeakyReLU(_SLOPE)
        )
        self.velocity = nn.Conv3d(widths[0], 3, 3, padding=1)
        nn.init.zeros_(self.velocity.weight)
        nn.init.zeros_(torch.as_tensor(self.velocity.bias))
        # twice as fast on the CPU below 64 channels
        self.to(memory_format=torch.channels_last_3d)  # pyright: ignore[reportCallIssue]

    def forward(self, images: Tensor) -> Tensor:
        """Return velocities (B, 3, K/2, J/2, I/2), float32, sizes rounded up, of ``images`` (B, inputs, K, J, I).

        Components are (i, j, k), in voxels of the velocity's own grid, whose voxels hold 2 x 2 x 2 of the image. They
        carry points of the fixed image (channel 0) to those of the moving one (channel 1).
        """
        check_shape(images, f"B {self.config.inputs} K J I", name="images")
        k, j, i = (-(-n // 2) for n in images.shape[2:])
        return self.velocity(self.features(images)).float()[:, :, :k, :j, :i].contiguous()

    def features(self, images: Tensor, condition: Callable[[int, Tensor], Tensor] = lambda level, x: x) -> Tensor:
        """Return what the velocity is made of: (B, widths[0], K/2, J/2, I/2), padded to a ``multiple``.

        ``condition`` changes what goes down at a half (level 0), a quarter (1), ... of the images.
        """
        images = padded(images, self.multiple).contiguous(memory_format=torch.channels_last_3d)
        hidden, skips = condition(0, self.enter(images)), []
        for level, down in enumerate(self.down, start=1):
            skips.append(hidden)
            hidden = condition(level, down(hidden))
        for level in reversed(range(len(skips))):
            hidden = skips[level] + F.interpolate(self.up[level](hidden), scale_factor=2)
            if level:
                hidden = self.refine[level - 1](hidden)
        return self.leave(hidden)

    @property
    def multiple(self) -> int:
        """What divides the sizes of the images, once they are padded."""
        return 2 ** len(self.config.widths)


class ResidualBlock(nn.Module):
    """x + conv(rectifier(conv(rectifier(x)))), which starts as the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        first, second = nn.Conv3d(width, width, 3, padding=1), nn.Conv3d(width, width, 3, padding=1)
        nn.init.zeros_(second.weight)
        nn.init.zeros_(torch.as_tensor(second.bias))
        self.layers = nn.Sequential(nn.LeakyReLU(_SLOPE), first, nn.LeakyReLU(_SLOPE), second)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, width, K, J, I)."""
        return x + self.layers(x)


def padded(images: Tensor, multiple: int) -> Tensor:
    """Return ``images`` (B, C, K, J, I) continued by their upper borders, up to sizes that ``multiple`` divides."""
    missing = [-n % multiple for n in images.shape[2:]]
    if not any(missing):
        return images
    return F.pad(images, (0, missing[2], 0, missing[1], 0, missing[0]), mode="replicate")


def _blocks(width: int, config: VoxelMorphConfig) -> list[nn.Module]:
    return [ResidualBlock(width) for _ in range(config.blocks)]
