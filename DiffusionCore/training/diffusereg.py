"""Recipe of DiffuseReg: a network learns to find the noise in the field between two images.

Each field is noised up to a random time. The loss is the squared error of the estimate, and that of the field which
the estimate makes: the unlikeness of the images that it aligns, and its roughness. Source: Zhuo and Shen, DiffuseReg
(MICCAI 2024); exact fields of synthetic pairs are our own, those of a network cap what can be learned.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

import torch
from torch import Tensor

from DiffusionCore.build import build_network
from DiffusionCore.checks import check_range
from DiffusionCore.deformable.diffusereg_pipeline import KIND
from DiffusionCore.deformable.field_diffusion import FieldDiffusionConfig, FieldStatistics
from DiffusionCore.deformable.pair_images import pair_images
from DiffusionCore.diffusion.gaussian import draw_times, noised
from DiffusionCore.losses import gradient_penalty, structural_similarity
from DiffusionCore.models import find_model
from DiffusionCore.networks.diffusereg import DiffuseReg, DiffuseRegConfig
from DiffusionCore.storage.checkpoint import load_checkpoint
from DiffusionCore.training.case_pool import CasePool
from DiffusionCore.training.field_pairs import (
    FieldPairs,
    FieldPairsConfig,
    displacements,
    draw_field_pairs,
    draw_objects,
)
from DiffusionCore.training.image_batches import displaced, foreground
from DiffusionCore.training.pair_pictures import pair_pictures
from DiffusionCore.training.tissue_pool import TissuePool
from DiffusionCore.training.voxelmorph import warped

_MEASURED = 16  # batches of pairs from which the statistics of the fields come
_WINDOW = 9  # voxels a side of the structural similarity, as published


@dataclass(frozen=True)
class DiffuseRegRecipeConfig:
    """What is drawn, and what is minimized.

    Attributes:
        batch: pairs in a batch.
        heads, shapes: synthetic heads, and random shapes, in the pool.
        data: folder of labeled cases, of which ``heads`` random variants are in the pool instead; None for none.
        teacher: name or path of a VoxelMorph whose fields are learned, as published; None for the exact ones.
        similarity: weight of 1 - the structural similarity of the warped moving and the fixed image.
        smoothness: weight of the mean squared difference of neighboring vectors, in voxels.
        image_terms: "plain", as published, or "signal": both weighted by alpha_bar, as the estimate of the field is
            mostly noise at late times.
        pairs: what the pairs are like.
        diffusion: the noise. Its statistics are measured if they are not given.
        network: the network.

    Raises:
        ValueError: a number is out of its range.
    """

    batch: int = 1
    heads: int = 120
    shapes: int = 60
    data: str | None = None
    teacher: str | None = None
    similarity: float = 1.0
    smoothness: float = 0.1
    image_terms: Literal["plain", "signal"] = "plain"
    pairs: FieldPairsConfig = field(default_factory=FieldPairsConfig)
    diffusion: FieldDiffusionConfig = field(default_factory=FieldDiffusionConfig)
    network: DiffuseRegConfig = field(default_factory=DiffuseRegConfig)

    def __post_init__(self) -> None:
        check_range(self, 1, math.inf, "batch", "heads")
        check_range(self, 0, math.inf, "shapes", "similarity", "smoothness")


class FieldTeacher(Protocol):
    """Says which field is to be learned for pairs."""

    def __call__(self, pairs: FieldPairs) -> Tensor:
        """Return displacements (B, 3, K, J, I), components (i, j, k) in voxels of the images."""
        ...


def exact_fields(pairs: FieldPairs) -> Tensor:
    """Return the displacements that ``pairs`` were made with, a ``FieldTeacher``."""
    k, j, i = pairs.fixed.shape[2:]
    return displacements(pairs.velocities, (k, j, i))


class NetworkTeacher:
    """Teaches what a VoxelMorph sees, as published. ``model``: its name or path; ``passes``: its estimates."""

    def __init__(self, model: str, *, passes: int = 3) -> None:
        checkpoint = load_checkpoint(find_model(model))
        self._network = build_network(checkpoint)
        self._window = checkpoint.config["network"].get("force_window")
        self._passes = passes

    @torch.no_grad()
    def __call__(self, pairs: FieldPairs) -> Tensor:
        """Return displacements (B, 3, K, J, I), components (i, j, k) in voxels of the images."""
        k, j, i = pairs.fixed.shape[2:]
        velocities, moved = torch.zeros(()), pairs.moving
        for _ in range(self._passes):
            velocities = velocities + self._network(pair_images(pairs.fixed, moved, self._window))
            moved = warped(pairs.moving, velocities)
        return displacements(velocities, (k, j, i))


class DiffuseRegRecipe:
    """Train a DiffuseReg on pairs of synthetic objects (see the module docstring)."""

    kind = KIND

    def __init__(
        self,
        config: DiffuseRegRecipeConfig,
        *,
        pool: TissuePool | CasePool | None = None,
        teacher: FieldTeacher | None = None,
        seed: int = 0,
    ) -> None:
        self.batch = config.batch
        self._given = config
        self._pool = pool
        self._teacher = teacher
        self._seed = seed

    @functools.cached_property
    def config(self) -> DiffuseRegRecipeConfig:
        """The configuration, with the statistics of the fields, measured at first use where they were not given."""
        given = self._given
        if given.diffusion.statistics is not None:
            return given
        generator = torch.Generator().manual_seed(self._seed)
        fields = torch.cat([self._draw_pairs(generator)[1] for _ in range(_MEASURED)])
        return replace(given, diffusion=replace(given.diffusion, statistics=FieldStatistics.of(fields)))

    @functools.cached_property
    def pool(self) -> TissuePool | CasePool:
        """The objects, drawn at first use (about a minute)."""
        if self._pool is not None:
            return self._pool
        config = self._given
        return draw_objects(config.heads, config.shapes, seed=self._seed, data=config.data, config=config.pairs)

    @functools.cached_property
    def teacher(self) -> FieldTeacher:
        """Who says which fields are learned."""
        if self._teacher is not None:
            return self._teacher
        return exact_fields if self._given.teacher is None else NetworkTeacher(self._given.teacher)

    def network(self) -> DiffuseReg:
        """Return an untrained network."""
        return DiffuseReg(self._given.network)

    def draw(self, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Return images (B, 2, K, J, I) (fixed, moving), fields (B, 3, K, J, I) in voxels, times (B,) and noise."""
        images, fields = self._draw_pairs(generator)
        times = draw_times(self._given.diffusion.schedule, self.batch, generator=generator)
        return images, fields, times, torch.randn(fields.shape, generator=generator)

    def loss(self, network: Callable[..., Tensor], *batch: Tensor) -> tuple[Tensor, dict[str, float]]:
        """Return the loss; and distances from the right field in mm, of no field and of the estimate.

        They are means over the fixed object, and over the batch by alpha_bar: at late times nobody can know.
        """
        images, fields, times, noise = batch
        config, statistics = self.config, self.config.diffusion.measured
        kept, target = config.diffusion.schedule.alpha_bar(times), config.diffusion.build_target()
        clean = statistics.standardized(fields)
        state = noised(clean, noise, kept)
        estimate = network(images, state, times).float()
        squares = (estimate - target.of(clean, noise, kept)).square().mean()
        found = statistics.restored(target.clean(estimate, state, kept))
        share = kept.to(fields) if config.image_terms == "signal" else torch.ones_like(kept).to(fields)
        fixed, moving = images[:, :1], images[:, 1:]
        likeness = structural_similarity(displaced(moving, found), fixed, window=_WINDOW)
        # the published mean over components and axes, where the penalty is a sum over both
        roughness = gradient_penalty(found, (1.0, 1.0, 1.0)) / 9
        terms = share * (config.similarity * (1 - likeness) + config.smoothness * roughness)
        spacing = config.pairs.spacing
        before, after = (
            (kept.to(fields) * spacing * _distance(fields - other, fixed)).sum().item() / kept.sum().item()
            for other in (torch.zeros_like(found), found.detach())
        )
        metrics = {"squares": squares.item(), "likeness": likeness.mean().item(), "start": before, "error": after}
        return squares + terms.mean(), metrics

    def pictures(self, network: Callable[..., Tensor], *batch: Tensor) -> dict[str, Tensor]:
        """Return pictures of the images, as the field that the network finds behind the noise warps them."""
        images, fields, times, noise = batch
        config, statistics = self.config, self.config.diffusion.measured
        kept = config.diffusion.schedule.alpha_bar(times)
        state = noised(statistics.standardized(fields), noise, kept)
        clean = config.diffusion.build_target().clean(network(images, state, times).float(), state, kept)
        return pair_pictures(images[:, :1], images[:, 1:], displaced(images[:, 1:], statistics.restored(clean)))

    def _draw_pairs(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        pairs = draw_field_pairs(self.pool, self._given.pairs, self.batch, generator=generator)
        return torch.cat([pairs.fixed, pairs.moving], 1), self.teacher(pairs)


def _distance(vectors: Tensor, images: Tensor) -> Tensor:
    """Return the mean length (B,) of ``vectors`` (B, 3, K, J, I) where ``images`` (B, 1, K, J, I) show an object."""
    mask = foreground(images)
    length = vectors.norm(dim=1, keepdim=True) * mask
    return length.sum((1, 2, 3, 4)) / mask.sum((1, 2, 3, 4)).clamp(min=1)
