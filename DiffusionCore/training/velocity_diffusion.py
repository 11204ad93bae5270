"""Recipe of the diffusion of coarse velocities: a network corrects its estimate of the velocity between two images.

As in use, it is applied several times: it sees the noised velocity, its own last estimate, the moving image as that
warps it, and the force that would make the images more alike. Every estimate, with the error that it expects of
itself, has its loss. Its control is the same network without the noised velocity. Source: our own.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from DiffusionCore.build import build_network
from DiffusionCore.checks import CheckpointError, check_range
from DiffusionCore.deformable.pair_images import pair_images
from DiffusionCore.deformable.sampled import KIND
from DiffusionCore.deformable.velocity_diffusion import VelocityDiffusionConfig
from DiffusionCore.diffusion.gaussian import draw_times, noised
from DiffusionCore.models import find_model
from DiffusionCore.networks.loop_denoiser import LoopDenoiser, LoopDenoiserConfig, LoopEstimate
from DiffusionCore.storage.checkpoint import load_checkpoint
from DiffusionCore.training.case_pool import CasePool
from DiffusionCore.training.field_pairs import FieldPairs, FieldPairsConfig, draw_field_pairs, draw_objects
from DiffusionCore.training.tissue_pool import TissuePool
from DiffusionCore.training.voxelmorph import field_pictures, warped

VOXELMORPH = "voxelmorph"
_MEASURED = 16  # batches of pairs from which the deviation of the velocities comes
_OUTSIDE = 0.1  # weight of the velocity where there is no object, beside 1 inside
_SPREAD = 0.1  # weight of the stated variance in the loss
_TINY = 1e-8  # under the root of a distance, so that it has a slope at 0


@dataclass(frozen=True)
class VelocityDiffusionRecipeConfig:
    """What is drawn, and what is minimized.

    Attributes:
        batch: pairs in a batch.
        heads, shapes: synthetic heads, and random shapes, in the pool.
        data: folder of labeled cases, of which ``heads`` random variants are in the pool instead; None for none.
        passes: estimates with a loss, each a correction of the one before.
        ahead: the most estimates before these, without a loss: a random number in every batch, so that the network
            knows what it makes in more passes.
        blind: share of the pairs of a diffusion for which it is a regression: the last time, and no noised velocity.
        begin: name or path of a model whose weights the training begins with, of the kind "diffusereg" or
            "voxelmorph"; None for random ones.
        pairs: what the pairs are like.
        diffusion: the noise. Its deviation is measured if it is not given.
        network: the network.

    Raises:
        ValueError: a number is out of its range.
    """

    batch: int = 4
    heads: int = 120
    shapes: int = 40
    data: str | None = None
    passes: int = 2
    ahead: int = 2
    blind: float = 0.5
    begin: str | None = None
    pairs: FieldPairsConfig = field(default_factory=FieldPairsConfig)
    diffusion: VelocityDiffusionConfig = field(default_factory=VelocityDiffusionConfig)
    network: LoopDenoiserConfig = field(default_factory=LoopDenoiserConfig)

    def __post_init__(self) -> None:
        check_range(self, 1, math.inf, "batch", "heads", "passes")
        check_range(self, 0, math.inf, "shapes", "ahead")
        check_range(self, 0, 1, "blind")


class VelocityDiffusionRecipe:
    """Train a LoopDenoiser on pairs of synthetic objects (see the module docstring)."""

    kind = KIND

    def __init__(
        self, config: VelocityDiffusionRecipeConfig, *, pool: TissuePool | CasePool | None = None, seed: int = 0
    ) -> None:
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
    def pool(self) -> TissuePool | CasePool:
        """The objects, drawn at first use (about a minute)."""
        if self._pool is not None:
            return self._pool
        config = self._given
        return draw_objects(config.heads, config.shapes, seed=self._seed, data=config.data, config=config.pairs)

    def network(self) -> LoopDenoiser:
        """Return the network to begin with.

        Raises:
            CheckpointError: there is no such model, or it is of another kind.
        """
        network = LoopDenoiser(self._given.network)
        if self._given.begin is None:
            return network
        begun = load_checkpoint(find_model(self._given.begin))
        if begun.kind not in (KIND, VOXELMORPH):
            raise CheckpointError(
                f"A training begins with a model of the kind '{KIND}' or '{VOXELMORPH}', got '{begun.kind}'."
            )
        weights = build_network(begun).state_dict()
        if begun.kind == KIND:
            network.load_state_dict(weights)
            return network
        network.looks.load_state_dict(weights)
        with torch.no_grad():
            for part in network.looks.velocity.parameters():  # from voxels to deviations
                part /= self.config.diffusion.measured
        return network

    def draw(self, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Return the four parts of ``FieldPairs``, times (B,), smooth noise like the velocities, whether the network
        sees the noised velocity (B,), and how many passes come ahead ()."""
        pairs = self._draw_pairs(generator)
        diffusion = self._given.diffusion
        times = draw_times(diffusion.schedule, self.batch, generator=generator)
        noise = diffusion.draw_noise(tuple(pairs.velocities.shape), generator=generator)
        seen = torch.rand(self.batch, generator=generator) >= self._given.blind
        return *pairs, times, noise, seen, torch.randint(self._given.ahead + 1, (), generator=generator)

    def loss(self, network: Callable[..., LoopEstimate], *batch: Tensor) -> tuple[Tensor, dict[str, float]]:
        """Return the mean loss of the passes, and distances in mm: of no velocity from the right one ("start"), of the
        last estimate ("error"), and what the network believes the latter to be ("stated")."""
        pairs = FieldPairs(*batch[:4])
        clean = pairs.velocities / self.config.diffusion.measured
        estimates, weights = self._estimates(network, *batch), _OUTSIDE + (1 - _OUTSIDE) * pairs.mask
        losses = [(weights * objective(estimate, clean)).mean() for estimate in estimates]
        last = estimates[-1]
        of = {"start": clean, "error": last.velocity.detach() - clean, "stated": last.spread().detach()[:, None]}
        return torch.stack(losses).mean(), {name: self._distance(error, pairs) for name, error in of.items()}

    def pictures(self, network: Callable[..., LoopEstimate], *batch: Tensor) -> dict[str, Tensor]:
        """Return pictures of what the last estimate does to the images."""
        fixed, moving, *_ = batch
        last = self._estimates(network, *batch)[-1]
        return field_pictures(fixed, moving, self.config.diffusion.measured * last.velocity)

    def _estimates(self, network: Callable[..., LoopEstimate], *batch: Tensor) -> list[LoopEstimate]:
        """Return the estimates that have a loss; each begins with the one before, and leaves that as it is."""
        *parts, times, noise, seen, ahead = batch
        pairs, diffusion, window = FieldPairs(*parts), self.config.diffusion, self.config.network.force_window
        clean = pairs.velocities / diffusion.measured
        if diffusion.form == "regression":
            seen = torch.zeros_like(seen)
        times = torch.where(seen, times, diffusion.schedule.steps)
        state = seen[:, None, None, None, None] * noised(clean, noise, diffusion.schedule.alpha_bar(times))

        def estimated(before: Tensor) -> LoopEstimate:
            moved = warped(pairs.moving, diffusion.measured * before)
            return network(pair_images(pairs.fixed, moved, window), state, before, times)

        velocity, estimates = torch.zeros_like(clean), []
        with torch.no_grad():
            for _ in range(int(ahead)):
                velocity = estimated(velocity).velocity
        for _ in range(self.config.passes):
            estimates.append(estimated(velocity))
            velocity = estimates[-1].velocity.detach()
        return estimates

    def _distance(self, error: Tensor, pairs: FieldPairs) -> float:
        """Return the mean length, mm, of ``error`` (B, 1 or 3, K, J, I) in deviations, over the objects."""
        distance = 2 * self.config.pairs.spacing * self.config.diffusion.measured * error.norm(dim=1, keepdim=True)
        return ((distance * pairs.mask).sum() / pairs.mask.sum()).item()

    def _draw_pairs(self, generator: torch.Generator) -> FieldPairs:
        return draw_field_pairs(self.pool, self._given.pairs, self.batch, generator=generator)


def objective(estimate: LoopEstimate, clean: Tensor) -> Tensor:
    """Return the loss (B, 1, K, J, I) of an ``estimate`` of ``clean`` (B, 3, K, J, I).

    With e the error of the velocity, and s^2 the stated variance of each of its three components::

        |e| + a (|e|^2 / s^2 + 3 ln s^2) / 2

    e has no slope in the second term, which is least where s^2 is the mean of |e|^2 / 3: what a velocity is does not
    depend on what is thought of its error. Distances instead of squares, because large deformations would else count
    the most. Source: our own.
    """
    squared = (estimate.velocity - clean).square().sum(1, keepdim=True)
    stated = squared.detach() * (-estimate.log_variance).exp() + 3 * estimate.log_variance
    return (squared + _TINY).sqrt() + _SPREAD * stated / 2
