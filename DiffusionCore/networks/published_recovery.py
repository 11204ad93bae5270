"""The published recovery network: a small recurrent U-Net of residual atrous blocks, in 2D and 3D.

::

    image (+) t -> 3 atrous, 10 ------------------------------------ join (+) t -> 3 atrous, 10 -> conv 3 -> field
                     `- conv 4 / 2 (+) t -> 3 atrous, 20 ------ join (+) t -> 3 atrous, 10 -'
                          `- conv 4 / 2 (+) t -> 3 atrous, 40 - join (+) t -> 3 atrous, 20 -'
                               `- conv 4 / 2 (x) t -> 3 atrous, 40 -'        joined after a transposed conv 4 / 2

(+) adds an embedding of the time to every channel, (x) multiplies by it. The published program applies it twice, the
second time to the image as the first field warps it (``deformation.published_recovery``).

Source: Zheng et al., DRDM (Medical Image Analysis 110, 2026), and the settings of its published program.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from DiffusionCore.checks import check_range
from DiffusionCore.networks.blocks import sinusoidal

_SLOPE = 1e-6  # of the LeakyReLU
_RATES = (1, 3)


@dataclass(frozen=True)
class PublishedRecoveryConfig:
    """The network's dimensions (2 or 3), channels of the image, number of times, and width of their table.

    Raises:
        ValueError: a number is out of its range.
    """

    dimensions: Literal[2, 3] = 3
    inputs: int = 1
    steps: int = 80
    embedding: int = 100

    def __post_init__(self) -> None:
        check_range(self, 1, math.inf, "inputs", "steps", "embedding")


class PublishedRecovery(nn.Module):
    """images (B, C, [K,] J, I), sides multiples of 8, and times (B,), whole numbers -> displacements in voxels.

    (B, 2 | 3, [K,] J, I), components along (i, j[, k]), that undo the last part of a deformation: the image read at
    x + u(x) looks as it did before. They are clamped to the image's own size.
    """

    def __init__(self, config: PublishedRecoveryConfig) -> None:
        super().__init__()
        self.config = config
        n, width = config.dimensions, config.embedding
        conv = nn.Conv2d if n == 2 else nn.Conv3d
        raised = nn.ConvTranspose2d if n == 2 else nn.ConvTranspose3d
        times = torch.arange(config.steps)
        self.times = nn.Parameter(sinusoidal(times, width), requires_grad=False)
        self.embeddings = nn.ModuleList(_embedding(width, out) for out in (1, 10, 20, 40, 80, 40, 20))
        self.down = nn.ModuleList(
            [
                _blocks(n, config.inputs, 10, 10, 10, normalized=True),
                _blocks(n, 10, 20, 20, 20, normalized=True),
                _blocks(n, 20, 40, 40, 40, normalized=True),
            ]
        )
        self.shrink = nn.ModuleList(conv(c, c, 4, 2, 1) for c in (10, 20, 40))
        self.middle = _blocks(n, 40, 20, 20, 40, normalized=True)
        self.grow = nn.ModuleList(raised(c, c, 4, 2, 1) for c in (40, 20, 10))
        self.up = nn.ModuleList(
            [
                _blocks(n, 80, 40, 20, 20, normalized=False),
                _blocks(n, 40, 20, 10, 10, normalized=False),
                _blocks(n, 20, 10, 10, 10, normalized=False),
            ]
        )
        self.leave = conv(10, n, 3, padding=1)

    def forward(self, images: Tensor, times: Tensor) -> Tensor:
        """Return the displacement that one look at the images finds."""
        table = self.times[times]
        signals = [layer(table)[(...,) + (None,) * self.config.dimensions] for layer in self.embeddings]
        features, x = [], images
        for level, (block, shrink) in enumerate(zip(self.down, self.shrink, strict=True)):
            features.append(block(x + signals[level]))
            x = shrink(features[-1])
        x = self.middle(x * signals[3])
        for level, (block, grow) in enumerate(zip(self.up, self.grow, strict=True)):
            x = block(torch.cat([features[-1 - level], grow(x)], 1) + signals[4 + level])
        limit = torch.tensor(images.shape[:1:-1], device=images.device) - 1
        limit = limit.view(1, -1, *[1] * self.config.dimensions)
        return self.leave(x).clamp(-limit, limit)


class _Atrous(nn.Module):
    """conv 3 -> instance norm, if any -> + <- chain of LeakyReLU, dilated conv 3 -> LeakyReLU."""

    def __init__(self, dimensions: int, inputs: int, outputs: int, *, normalized: bool) -> None:
        super().__init__()
        conv = nn.Conv2d if dimensions == 2 else nn.Conv3d
        norm = nn.InstanceNorm2d if dimensions == 2 else nn.InstanceNorm3d
        self.enter = conv(inputs, outputs, 3, padding=1)
        self.norm = norm(outputs, affine=True) if normalized else nn.Identity()
        self.chain = nn.ModuleList(conv(outputs, outputs, 3, padding=rate, dilation=rate) for rate in _RATES)

    def forward(self, x: Tensor) -> Tensor:
        kept = hidden = self.norm(self.enter(x))
        for conv in self.chain:
            hidden = conv(F.leaky_relu(hidden, _SLOPE))
        return F.leaky_relu(hidden + kept, _SLOPE)


def _blocks(dimensions: int, *channels: int, normalized: bool) -> nn.Sequential:
    return nn.Sequential(*(_Atrous(dimensions, a, b, normalized=normalized) for a, b in pairwise(channels)))


def _embedding(width: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, outputs), nn.ReLU(), nn.Linear(outputs, outputs))
