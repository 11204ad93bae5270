"""Registration by the published affine diffusion alone, with its choices as settings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import cast

import torch

from DiffusionCore.affine.account import StepAccount
from DiffusionCore.affine.pair import WorkingPair
from DiffusionCore.affine.published import AffineDiffusionConfig, PublishedSampler, load_published
from DiffusionCore.affine.resuming import affine_state, times_done
from DiffusionCore.affine.steps import Step
from DiffusionCore.checks import ConfigError
from DiffusionCore.diffusion.reverse import (
    Graded,
    GroupUpdate,
    StdRatio,
    StraightUpdate,
    VarianceRatio,
    Weights,
    spaced_times,
)
from DiffusionCore.space import Volume
from DiffusionCore.transforms.affine import Affine

_SPACINGS = (8.0, 4.0)  # of the working images: only the account of the steps needs them


class Share(Enum):
    """How much of its estimate each step takes: the published ratio of deviations, that of variances, a fixed list."""

    STD = "std"
    VARIANCE = "variance"
    GRADED = "graded"


class Fraction(Enum):
    """What a fraction of a transform is: along the straight line (published), or in the Lie group."""

    STRAIGHT = "straight"
    GROUP = "group"


class Direction(Enum):
    """From fixed to moving; then the published correction with swapped images; or the mean of both ways."""

    ONE_WAY = "one way"
    CORRECTED = "corrected"
    AVERAGED = "averaged"


@dataclass(frozen=True)
class PublishedSettings:
    """How the published affine diffusion registers.

    Attributes:
        model: name or path of a model of the kind "published-affine".
        count: how many of the times of its diffusion are visited, evenly spaced; None for all.
        weights: how much of its estimate each step takes.
        update: what a fraction of a transform is.
        direction: which ways are gone.
    """

    model: str
    count: int | None = None
    weights: Share = Share.STD
    update: Fraction = Fraction.GROUP
    direction: Direction = Direction.ONE_WAY

    def expected_steps(self, after: Step | None = None) -> int:
        """Return how many steps a registration has that does not end early; those up to ``after`` count, too.

        Raises:
            CheckpointError: the model is not to be found, damaged or of another kind.
            ConfigError: the model has fewer times than ``count``.
        """
        config = load_published(self.model)[1]
        times = spaced_times(config.steps, _count(self, config))
        passes = 2 if self.direction is Direction.CORRECTED else 1
        if after is None:
            return 1 + passes * len(times)
        return after.index + 1 + max(1, passes * len(times) - _steps_done(times, config.steps, passes, after))


class PublishedPipeline:
    """Registers pairs as ``settings`` say; the network is loaded once.

    Raises:
        CheckpointError: the model is not to be found, damaged or of another kind.
        ConfigError: the model has fewer times than ``settings.count``.
    """

    def __init__(self, settings: PublishedSettings, *, device: str = "auto") -> None:
        network, config = load_published(settings.model, device)
        count = _count(settings, config)
        update = {Fraction.STRAIGHT: StraightUpdate, Fraction.GROUP: GroupUpdate}[settings.update]
        weights = _weights(settings.weights, config, count)
        self._passes = 2 if settings.direction is Direction.CORRECTED else 1
        self._sampler = PublishedSampler(network, config, count=count, weights=weights, update=update)
        self._walk = {
            Direction.ONE_WAY: self._sampler.steps,
            Direction.CORRECTED: self._sampler.corrected_steps,
            Direction.AVERAGED: self._sampler.averaged_steps,
        }[settings.direction]

    @torch.inference_mode()
    def steps(
        self,
        fixed: Volume,
        moving: Volume,
        *,
        initial: Affine | None = None,
        generator: torch.Generator,
        after: Step | None = None,
    ) -> Iterator[Step]:
        """Yield the steps from ``initial``, or from the alignment of the centers of both foregrounds.

        With ``after``, go on from its transform, at the first time of the diffusion below its own; a step of another
        method is a start like any other. Where no time is left, the step is given once more.

        Raises:
            ConfigError: the transform of ``after`` is not affine.
        """
        pair = WorkingPair(fixed, moving, _SPACINGS)
        account = StepAccount(pair, generator=generator, after=after)
        if after is None:
            start, first = initial or pair.centered(), 0
            yield account.step("center", start, 1.0)
        else:
            start = affine_state(after)
            first = _steps_done(self._sampler.times, self._sampler.config.steps, self._passes, after)
            if first == self._passes * len(self._sampler.times):
                yield account.step("diffusion", start)
        for seen in self._walk(fixed, moving, initial=start, first=first):
            yield account.step(seen.phase, cast(Affine, seen.transform), seen.time)


def _steps_done(times: tuple[int, ...], total: int, passes: int, after: Step) -> int:
    """Return how many steps of the diffusion lie behind ``after``; in which pass it is, its number tells."""
    if after.phase != "diffusion":
        return 0
    done = times_done(times, total, after)
    second = passes == 2 and after.index > len(times)
    return len(times) + done if second else done


def _count(settings: PublishedSettings, config: AffineDiffusionConfig) -> int:
    count = config.steps if settings.count is None else settings.count
    if not 1 <= count <= config.steps:
        raise ConfigError(
            f"The model '{settings.model}' was trained for {config.steps} steps, so 1 to {config.steps} can be taken, "
            f"not {count}. Ask for fewer, or leave the number out for all."
        )
    return count


def _weights(share: Share, config: AffineDiffusionConfig, count: int) -> Weights:
    law = config.build_law()
    match share:
        case Share.STD:
            return StdRatio(law.linear, law.shift)
        case Share.VARIANCE:
            return VarianceRatio(law.linear, law.shift)
        case Share.GRADED:
            return Graded.spread(count)
