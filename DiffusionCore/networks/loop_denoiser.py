"""From a noised velocity, the best estimate so far and the images as it warps them, to a better estimate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from DiffusionCore.checks import check_range, check_shape
from DiffusionCore.networks.blocks import FilmBlock, TimeEmbedding
from DiffusionCore.networks.voxelmorph import padded

_SLOPE = 0.2  # of the leaky rectifiers
_LEAST = 2 * math.log(0.02)  # the smallest variance: without one, pairs that need nothing would have none


@dataclass(frozen=True)
class LoopDenoiserConfig:
    """The widths of the network, and what it sees of the images.

    Attributes:
        widths: channels at a half, a quarter, an eighth, ... of the images.
        blocks: residual blocks at each resolution.
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

        fixed, moving as warped by the estimate, force - conv 4, stride 2 -> n/2
        noised velocity, estimate ------------------------------- conv 3 -> + -> U-Net, half resolution -> correction
        time -> embedding: scale and shift within every block          estimate + correction    -> variance of its error

    The correction starts at zero, the variance at about one. ``stride``: image voxels per voxel of the velocity.

    Source: our own; what it is shown was measured to help (images re-warped by the estimate, and the force of their
    local correlation).
    """

    stride = 2

    def __init__(self, config: LoopDenoiserConfig) -> None:
        super().__init__()
        self.config = config
        widths = config.widths
        self.time = TimeEmbedding(config.embedding)
        self.images = nn.Conv3d(5, widths[0], 4, stride=2, padding=1)
        self.fields = nn.Conv3d(6, widths[0], 3, padding=1)
        self.enter = self._blocks(widths[0])
        self.down = nn.ModuleList(nn.Conv3d(fine, coarse, 4, 2, 1) for fine, coarse in pairwise(widths))
        self.deep = nn.ModuleList(self._blocks(width) for width in widths[1:])
        self.up = nn.ModuleList(nn.Conv3d(coarse, fine, 1) for fine, coarse in pairwise(widths))
        self.leave = self._blocks(widths[0])
        self.correction = nn.Conv3d(widths[0], 3, 3, padding=1)
        self.variance = nn.Conv3d(widths[0], 1, 3, padding=1)
        for last in (self.correction, self.variance):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(torch.as_tensor(last.bias))
        # twice as fast on the CPU below 64 channels
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
        embedding = self.time(times)
        multiple = 2 ** len(self.config.widths)
        seen = self.images(padded(images, multiple).contiguous(memory_format=torch.channels_last_3d))
        fields = padded(torch.cat([state, estimate], 1), multiple // 2)
        hidden = seen + self.fields(fields.contiguous(memory_format=torch.channels_last_3d))
        hidden = _through(self.enter, hidden, embedding)
        skips = []
        for down, blocks in zip(self.down, self.deep, strict=True):
            skips.append(hidden)
            hidden = _through(blocks, down(F.leaky_relu(hidden, _SLOPE)), embedding)
        for skip, up in zip(reversed(skips), reversed(self.up), strict=True):
            hidden = skip + F.interpolate(up(hidden), scale_factor=2)
        hidden = F.leaky_relu(_through(self.leave, hidden, embedding), _SLOPE)
        correction, variance = (last(hidden)[:, :, :k, :j, :i].float() for last in (self.correction, self.variance))
        return LoopEstimate(estimate + correction, torch.logaddexp(variance, torch.tensor(_LEAST).to(variance)))

    def _blocks(self, width: int) -> nn.ModuleList:
        return nn.ModuleList(FilmBlock(width, self.config.embedding) for _ in range(self.config.blocks))


def _through(blocks: nn.Module, x: Tensor, embedding: Tensor) -> Tensor:
    for block in cast(nn.ModuleList, blocks):
        x = block(x, embedding)
    return x
