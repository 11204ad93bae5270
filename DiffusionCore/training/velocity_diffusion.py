"""Recipe of the diffusion of coarse velocities: a network corrects its estimate of the velocity between two images.

As in use, it is applied several times: it sees the noised velocity, its own last estimate, the moving image as that
warps it, and the force that would make the images more alike. Every estimate has its loss. Its control is the same
network without the noised velocity. Source: our own.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from DiffusionCore.checks import check_range
from DiffusionCore.deformable.pair_images import pair_images
from DiffusionCore.deformable.sampled import KIND
from DiffusionCore.deformable.velocity_diffusion import VelocityDiffusionConfig
from DiffusionCore.diffusion.gaussian import CleanTarget, draw_times, noised
from DiffusionCore.networks.loop_denoiser import LoopDenoiser, LoopDenoiserConfig
from DiffusionCore.training.field_pairs import FieldPairs, FieldPairsConfig, draw_field_pairs, draw_objects
from DiffusionCore.training.tissue_pool import TissuePool
from DiffusionCore.training.voxelmorph import warped

_MEASURED = 16  # batches of pairs from which the deviation of the velocities comes
_OUTSIDE = 0.1  # weight of the velocity where there is no object, beside 1 inside
_LEAST = 1.0  # the smallest weight of a time: the first estimates, from noise alone, count as well


@dataclass(frozen=True)
class VelocityDiffusionRecipeConfig:
    """What is drawn, and what is minimized.

    Attributes:
        batch: pairs in a batch.
        heads, shapes: synthetic heads, and random shapes, in the pool.
        passes: estimates, each a correction of the one before.
        pairs: what the pairs are like.
        diffusion: the noise. Its deviation is measured if it is not given.
        network: the network.

    Raises:
        ValueError: a number is out of its range.
    """

    batch: int = 4
    heads: int = 120
    shapes: int = 40
    passes: int = 2
    pairs: FieldPairsConfig = field(default_factory=FieldPairsConfig)
    diffusion: VelocityDiffusionConfig = field(default_factory=VelocityDiffusionConfig)
    network: LoopDenoiserConfig = field(default_factory=LoopDenoiserConfig)

    def __post_init__(self) -> None:
        check_range(self, 1, math.inf, "batch", "heads", "passes")
        check_range(self, 0, math.inf, "shapes")


class VelocityDiffusionRecipe:
    """Train a LoopDenoiser on pairs of synthetic objects (see the module docstring)."""

    kind = KIND

    def __init__(self, config: VelocityDiffusionRecipeConfig, *, pool: TissuePool | None = None, seed: int = 0) -> None:
        self.batch = config.batch
        self._given = config
        self._pool = pool
        self._seed = seed

    @functools.cached_property
    def config(self) -> VelocityDiffusionRecipeConfig:
        """The configuration, with the deviation of the velocities, measured at first use where it was not given."""
        given = self._given
        if given.diffusion.deviation is not None:
            return given
        generator = torch.Generator().manual_seed(self._seed)
        drawn = [self._draw_pairs(generator) for _ in range(_MEASURED)]
        mask, velocities = (torch.cat([getattr(pairs, name) for pairs in drawn]) for name in ("mask", "velocities"))
        deviation = ((mask * velocities.square()).sum() / mask.sum() / 3).sqrt().item()
        return replace(given, diffusion=replace(given.diffusion, deviation=deviation))

    @functools.cached_property
    def pool(self) -> TissuePool:
        """The objects, drawn at first use (about a minute)."""
        if self._pool is not None:
            return self._pool
        return draw_objects(self._given.heads, self._given.shapes, seed=self._seed)

    def network(self) -> LoopDenoiser:
        """Return an untrained network."""
        return LoopDenoiser(self._given.network)

    def draw(self, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Return the four parts of ``FieldPairs``, times (B,), and smooth noise like the velocities."""
        pairs = self._draw_pairs(generator)
        diffusion = self._given.diffusion
        times = draw_times(diffusion.schedule, self.batch, generator=generator)
        return *pairs, times, diffusion.draw_noise(tuple(pairs.velocities.shape), generator=generator)

    def loss(self, network: Callable[..., Tensor], *batch: Tensor) -> tuple[Tensor, dict[str, float]]:
        """Return the mean loss of the passes, and distances from the right velocity in mm: at the start, at the end.

        The loss is the squared error in deviations, by min(max(SNR, 1), 5): min-SNR, but for the first estimates.
        """
        *parts, times, noise = batch
        pairs, diffusion, window = FieldPairs(*parts), self.config.diffusion, self.config.network.force_window
        clean = pairs.velocities / diffusion.measured
        weights = _OUTSIDE + (1 - _OUTSIDE) * pairs.mask
        if diffusion.form == "regression":
            times, state = torch.full_like(times, diffusion.schedule.steps), torch.zeros_like(clean)
        else:
            kept = diffusion.schedule.alpha_bar(times)
            state = noised(clean, noise, kept)
            counts = CleanTarget().min_snr(kept).clamp(min=_LEAST).to(clean)
            weights = weights * counts[:, None, None, None, None]
        losses, estimate, moved = [], torch.zeros_like(clean), pairs.moving
        for _ in range(self.config.passes):
            images = pair_images(pairs.fixed, moved, window)
            estimate = network(images, state, estimate.detach(), times).float()
            losses.append((weights * (estimate - clean).square()).mean())
            moved = warped(pairs.moving, diffusion.measured * estimate.detach())
        start, error = (self._distance(other, pairs) for other in (torch.zeros_like(clean), estimate.detach()))
        return torch.stack(losses).mean(), {"start": start, "error": error}

    def _distance(self, estimate: Tensor, pairs: FieldPairs) -> float:
        """Return the mean distance, mm, of an ``estimate`` in deviations from the right velocity, over the objects."""
        left = self.config.diffusion.measured * estimate - pairs.velocities
        distance = 2 * self.config.pairs.spacing * left.norm(dim=1, keepdim=True)
        return ((distance * pairs.mask).sum() / pairs.mask.sum()).item()

    def _draw_pairs(self, generator: torch.Generator) -> FieldPairs:
        return draw_field_pairs(self.pool, self._given.pairs, self.batch, generator=generator)
