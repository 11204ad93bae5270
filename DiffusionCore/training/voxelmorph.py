"""Recipe of the networks that estimate velocity fields: synthetic pairs, with or without their known fields.

The network is applied several times, as in use: each estimate is what the ones before have left, and it sees the moving
image as they warp it. Every estimate has its loss. Source: our own (learning from known fields, and in passes); the
losses without them are those of Balakrishnan et al., VoxelMorph (IEEE TMI 2019), eq. 5, 7 and 8.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from DiffusionCore.checks import check_range
from DiffusionCore.deformable.pair_images import FLOOR, pair_images
from DiffusionCore.losses import gradient_penalty, local_correlation
from DiffusionCore.networks.published_voxelmorph import PublishedVoxelMorph, PublishedVoxelMorphConfig
from DiffusionCore.networks.voxelmorph import VoxelMorph, VoxelMorphConfig
from DiffusionCore.training.case_pool import CasePool
from DiffusionCore.training.field_pairs import (
    FieldPairs,
    FieldPairsConfig,
    displacements,
    draw_field_pairs,
    draw_objects,
)
from DiffusionCore.training.image_batches import displaced
from DiffusionCore.training.pair_pictures import pair_pictures, warped_grid
from DiffusionCore.training.tissue_pool import TissuePool

_WINDOW = 9  # voxels a side of the local correlation as a loss, as published
_TINY = 1e-6  # voxels squared, under the root of a distance, so that it has a slope at 0
_OUTSIDE = 0.1  # weight of the field where there is no object, beside 1 inside
_LINES = 0.6  # of the brightest voxel: how bright a grid is drawn


@dataclass(frozen=True)
class VoxelMorphRecipeConfig:
    """What is drawn, and what is minimized.

    Attributes:
        batch: pairs in a batch.
        heads, shapes: synthetic heads, and random shapes, in the pool.
        data: folder of labeled cases, of which ``heads`` random variants are in the pool instead; None for none.
        loss: "field", the mean distance in mm from the known velocity; or without it, the unlikeness of the warped
            moving and the fixed image, "correlation" (local, 9 voxels a side) or "squares", plus ``smoothness`` times
            the mean squared gradient of the velocity.
        smoothness: weight of that gradient (``gradient_penalty``). Published: 1 with the correlation and 0.01 with the
            squares, of twice a ninth of it, so 2/9 and 2/900.
        both_ways: whether the fixed image, warped by exp(-v), is compared with the moving one, too.
        passes: estimates, each of what the ones before have left.
        pairs: what the pairs are like.
        network: the network.

    Raises:
        ValueError: a number is out of its range.
    """

    batch: int = 4
    heads: int = 120
    shapes: int = 40
    data: str | None = None
    loss: Literal["field", "correlation", "squares"] = "field"
    smoothness: float = 1.0
    both_ways: bool = False
    passes: int = 2
    pairs: FieldPairsConfig = field(default_factory=FieldPairsConfig)
    network: VoxelMorphConfig | PublishedVoxelMorphConfig = field(default_factory=VoxelMorphConfig)

    def __post_init__(self) -> None:
        check_range(self, 1, math.inf, "batch", "heads", "passes")
        check_range(self, 0, math.inf, "shapes", "smoothness")


class VoxelMorphRecipe:
    """Train a VoxelMorph, or a published one, on pairs of synthetic objects (see the module docstring)."""

    def __init__(
        self, config: VoxelMorphRecipeConfig, *, pool: TissuePool | CasePool | None = None, seed: int = 0
    ) -> None:
        published = isinstance(config.network, PublishedVoxelMorphConfig)
        self.kind = "published-voxelmorph" if published else "voxelmorph"
        self.config = config
        self.batch = config.batch
        self._given = pool
        self._seed = seed

    @functools.cached_property
    def pool(self) -> TissuePool | CasePool:
        """The objects, drawn at first use (about a minute)."""
        if self._given is not None:
            return self._given
        config = self.config
        return draw_objects(config.heads, config.shapes, seed=self._seed, data=config.data, config=config.pairs)

    def network(self) -> VoxelMorph | PublishedVoxelMorph:
        """Return an untrained network."""
        config = self.config.network
        return VoxelMorph(config) if isinstance(config, VoxelMorphConfig) else PublishedVoxelMorph(config)

    def draw(self, generator: torch.Generator) -> FieldPairs:
        """Return pairs with their known velocities."""
        return draw_field_pairs(self.pool, self.config.pairs, self.config.batch, generator=generator)

    def loss(self, network: Callable[..., Tensor], *batch: Tensor) -> tuple[Tensor, dict[str, float]]:
        """Return the mean loss of the passes, and distances from the known velocity in mm: at the start, at the end."""
        pairs = FieldPairs(*batch)
        window = self.config.network.force_window
        losses, moved, velocities, left = [], pairs.moving, torch.zeros(()), torch.zeros(())
        for _ in range(self.config.passes):
            estimate = velocities + network(pair_images(pairs.fixed, moved, window))
            left = self._field_error(estimate, pairs)
            known = self.config.loss == "field"
            losses.append(left if known else unlikeness(estimate, pairs.fixed, pairs.moving, self.config))
            velocities = estimate.detach()
            moved = warped(pairs.moving, velocities)
        start = self._field_error(torch.zeros_like(pairs.velocities), pairs)
        return torch.stack(losses).mean(), {"start": start.item(), "error": left.item()}

    def pictures(self, network: Callable[..., Tensor], *batch: Tensor) -> dict[str, Tensor]:
        """Return pictures of what the network does to the images."""
        fixed, moving, *_ = batch
        return shown(network, fixed, moving, passes=self.config.passes, window=self.config.network.force_window)

    def _field_error(self, estimate: Tensor, pairs: FieldPairs) -> Tensor:
        """Return the mean distance from the known velocity, mm; a finer estimate is averaged."""
        if estimate.shape != pairs.velocities.shape:
            estimate = F.avg_pool3d(estimate, 2) / 2
        weights = _OUTSIDE + (1 - _OUTSIDE) * pairs.mask
        distance = ((estimate - pairs.velocities).square().sum(1, keepdim=True) + _TINY).sqrt()
        return 2 * self.config.pairs.spacing * (weights * distance).sum() / weights.sum()


def shown(
    network: Callable[..., Tensor], fixed: Tensor, moving: Tensor, *, passes: int, window: int | None
) -> dict[str, Tensor]:
    """Return pictures of what ``network`` does to images (B, 1, K, J, I) in so many ``passes``."""
    velocities, moved = torch.zeros((), device=fixed.device), moving
    for _ in range(passes):
        velocities = velocities + network(pair_images(fixed, moved, window))
        moved = warped(moving, velocities)
    return field_pictures(fixed, moving, velocities)


def field_pictures(fixed: Tensor, moving: Tensor, velocities: Tensor) -> dict[str, Tensor]:
    """Return pictures of images (B, 1, K, J, I) that ``velocities``, as for ``displacements``, register."""
    k, j, i = moving.shape[2:]
    offsets = displacements(velocities, (k, j, i))
    grid = warped_grid(offsets, _LINES * float(fixed.amax()))
    return pair_pictures(fixed, moving, displaced(moving, offsets)) | {"grid": grid}


class Likeness(Protocol):
    """How unlike images are, and how much smoothness counts: fields of ``VoxelMorphRecipeConfig``."""

    @property
    def loss(self) -> str: ...
    @property
    def smoothness(self) -> float: ...
    @property
    def both_ways(self) -> bool: ...


def unlikeness(velocities: Tensor, fixed: Tensor, moving: Tensor, config: Likeness) -> Tensor:
    """Return the published loss of ``velocities``, the mean of both ways if both count."""
    ways = [unlike(warped(moving, velocities), fixed, config.loss)]
    if config.both_ways:
        ways.append(unlike(warped(fixed, -velocities), moving, config.loss))
    penalty = gradient_penalty(velocities, (1.0, 1.0, 1.0)).mean()
    return torch.stack(ways).mean() + config.smoothness * penalty


def unlike(image: Tensor, reference: Tensor, loss: str) -> Tensor:
    """Return the mean squared difference ("squares"), or 1 minus the mean local correlation ("correlation")."""
    if loss == "squares":
        return (image - reference).square().mean()
    return 1 - local_correlation(image, reference, window=_WINDOW, floor=FLOOR).mean()


def warped(images: Tensor, velocities: Tensor) -> Tensor:
    """Return ``images`` (B, 1, K, J, I) seen through exp(v), ``velocities`` as for ``displacements``."""
    k, j, i = images.shape[2:]
    return displaced(images, displacements(velocities, (k, j, i)))
