"""Recipe of the published recovery network: cubes, its own random deformations and losses; images without annotation.

Source: Zheng et al., DRDM (Medical Image Analysis 110, 2026), and its published program; without its random turns and
crops. Time 0, where there is nothing to undo, is not drawn.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from DiffusionCore.checks import check_range
from DiffusionCore.deformation.published import NOISE, STEPS, draw_velocity, published_fields
from DiffusionCore.deformation.published_recovery import displaced, published_loss, recurrent
from DiffusionCore.networks.published_recovery import PublishedRecovery, PublishedRecoveryConfig
from DiffusionCore.space import Grid, Volume
from DiffusionCore.training.cases import usable_volumes
from DiffusionCore.training.recovery import image_files
from DiffusionCore.transforms import Affine, resample

_SHOWN = 3  # steps in the pictures; from its times on, a recovery has 40 in the mean


class PublishedBatch(NamedTuple):
    """``images`` (B, 1, N, N, N) in 0..1, their ``times`` (B,), the last ``increments`` (B, 3, N, N, N) in voxels."""

    images: Tensor
    times: Tensor
    increments: Tensor


@dataclass(frozen=True)
class PublishedRecoveryRecipeConfig:
    """What is drawn.

    Attributes:
        data: folder of images, at any depth; label maps (NAME_seg) are left out.
        held_out: the last so many images, by name, are not used.
        batch: images in a batch.
        size: voxels of the cubes that the images are brought to, a multiple of 32.
        network: the network, of 3 dimensions.

    Raises:
        ValueError: a number is out of its range.
    """

    data: str = ""
    held_out: int = 0
    batch: int = 4
    size: int = 128
    network: PublishedRecoveryConfig = field(default_factory=PublishedRecoveryConfig)

    def __post_init__(self) -> None:
        check_range(self, 1, math.inf, "batch")
        check_range(self, 0, math.inf, "held_out")
        if self.size < 32 or self.size % 32:
            raise ValueError(f"'size' must be a multiple of 32, got {self.size}")
        if self.network.dimensions != 3 or self.network.inputs != 1:
            raise ValueError("'network' must have 3 dimensions and 1 input to learn from volumes")


class PublishedRecoveryRecipe:
    """Train a ``PublishedRecovery`` on a folder of images (see the module docstring)."""

    kind = "published-drdm"

    def __init__(self, config: PublishedRecoveryRecipeConfig, *, images: Tensor | None = None, seed: int = 0) -> None:
        self.config = config
        self.batch = config.batch
        self._given = images

    @functools.cached_property
    def images(self) -> Tensor:
        """The images as cubes (V, 1, N, N, N) in 0..1, read at first use."""
        if self._given is not None:
            return self._given
        files = image_files(self.config.data, self.config.held_out)
        return torch.cat([cube(volume, self.config.size) for volume in usable_volumes(files)])

    def network(self) -> PublishedRecovery:
        """Return an untrained network."""
        return PublishedRecovery(self.config.network)

    def draw(self, generator: torch.Generator) -> PublishedBatch:
        """Return deformed images with the last increment of each."""
        chosen = torch.randint(len(self.images), (self.batch,), generator=generator)
        times = torch.randint(1, STEPS, (self.batch,), generator=generator)
        velocities = draw_velocity(self.batch, generator=generator)
        noise = draw_velocity(self.batch, share=NOISE, generator=generator)
        fields = [
            published_fields(velocities[n : n + 1], noise[n : n + 1], int(times[n]), self.config.size)
            for n in range(self.batch)
        ]
        deformations, increments = (torch.cat(parts) for parts in zip(*fields, strict=True))
        return PublishedBatch(displaced(self.images[chosen], deformations), times, increments)

    def loss(self, network: Callable[..., Tensor], *batch: Tensor) -> tuple[Tensor, dict[str, float]]:
        """Return the published loss of two looks, and the share of the increment that is left, rms."""
        drawn = PublishedBatch(*batch)
        found = recurrent(lambda images, times: network(images, times).float(), drawn.images, drawn.times)
        left = displaced(found, drawn.increments) + drawn.increments
        share = left.square().mean().sqrt() / drawn.increments.square().mean().sqrt()
        return published_loss(found, drawn.increments), {"left": share.item()}

    def pictures(self, network: Callable[..., Tensor], *batch: Tensor) -> dict[str, Tensor]:
        """Return the deformed images, and what is left of that after each of the first steps of a recovery."""
        drawn = PublishedBatch(*batch)
        images, times, total = drawn.images, drawn.times, torch.zeros_like(drawn.increments)
        shown = {"deformed": images}
        for step in range(1, _SHOWN + 1):
            found = recurrent(lambda images, times: network(images, times).float(), displaced(images, total), times)
            total, times = found + displaced(total, found), (times - 1).clamp(min=1)
            shown[f"step {step}"] = displaced(images, total)
        return shown


def cube(volume: Volume, size: int) -> Tensor:
    """Return ``volume`` with its longest side on ``size`` voxels, the rest padded: (1, 1, size, size, size) in 0..1."""
    volume.require_registrable("training")
    spacing = max(volume.grid.extent) / size
    x, y, z = volume.grid.center.tolist()
    grid = Grid((size, size, size), (spacing, spacing, spacing), direction=volume.grid.direction).with_center((x, y, z))
    low, high = float(volume.values.min()), float(volume.values.max())
    shares = Volume(((volume.values.astype(np.float32) - low) / (high - low)), volume.grid)
    return torch.from_numpy(resample(shares, grid, Affine.identity()).values)[None, None]
