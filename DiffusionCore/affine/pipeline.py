"""The default affine registration: center, pose (the diffusion), search, compare, polish or caution."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import torch

from DiffusionCore.affine.acceptance import AcceptanceSettings, acceptable, information, weigh
from DiffusionCore.affine.account import StepAccount
from DiffusionCore.affine.caution import cautious_shift
from DiffusionCore.affine.foreground import working_volume
from DiffusionCore.affine.pair import WorkingPair
from DiffusionCore.affine.polish import PolishSettings, polish, polish_briefly
from DiffusionCore.affine.pose import GRADED, PoseFrame, best_start, pose_steps
from DiffusionCore.affine.published import PublishedSampler, load_published
from DiffusionCore.affine.search import SearchSettings, rotation_set, search
from DiffusionCore.affine.steps import Step
from DiffusionCore.build import load_network
from DiffusionCore.networks.pose_network import PoseNetwork
from DiffusionCore.space import Volume
from DiffusionCore.transforms.affine import Affine

_POSE_SPACING = 4.0  # mm of the images that a pose network sees through its window


@dataclass(frozen=True)
class AffineSettings:
    """How an affine registration runs.

    Attributes:
        model: name or path of a pose network; None leaves that phase out.
        fractions: of the predicted logarithm that each pose step follows.
        restarts: rotations of each image from which the pose steps are tried; the first one is none.
        search: the safety net for what the network never saw.
        acceptance: when a result is believed.
        comparison: name or path of a network that compares both images and removes what is left after the search;
            None leaves that phase out.
        polish: the short climb from every candidate, and the climbs from the best one.
        show_every: iterations of a climb between two steps.
    """

    model: str | None = "pose"
    fractions: tuple[float, ...] = GRADED
    restarts: int = 8
    search: SearchSettings = field(default_factory=SearchSettings)
    acceptance: AcceptanceSettings = field(default_factory=AcceptanceSettings)
    comparison: str | None = None
    polish: PolishSettings = field(default_factory=PolishSettings)
    show_every: int = 10

    def expected_steps(self) -> int:
        """Return how many steps a registration has that does not end early.

        Raises:
            CheckpointError: the model of the comparison is not to be found, damaged or of another kind.
        """
        poses = len(self.fractions) if self.model else 0
        compared = load_published(self.comparison)[1].steps if self.comparison else 0
        climbed = sum(stage.pace.steps + 1 for stage in self.polish.stages)
        return 1 + poses + 1 + compared + climbed // self.show_every + 1


class AffinePipeline:
    """Registers pairs as ``settings`` say; the networks are loaded once.

    Raises:
        CheckpointError: a model is not to be found, damaged or of another kind.
    """

    def __init__(self, settings: AffineSettings, *, device: str = "auto") -> None:
        self.settings = settings
        self._poser = cast(PoseNetwork, load_network(settings.model, "pose", device)) if settings.model else None
        self._comparer = PublishedSampler(*load_published(settings.comparison, device)) if settings.comparison else None

    @torch.inference_mode()
    def steps(
        self, fixed: Volume, moving: Volume, *, initial: Affine | None = None, generator: torch.Generator
    ) -> Iterator[Step]:
        """Yield the steps from ``initial``, or from the alignment of the centers of both foregrounds.

        Every proposal is a candidate: the best one after a short climb, by mutual information x overlap, is compared
        and polished. Where no pose stands out from the others ("caution"), an initial transform is kept, and without
        one only a shift is made. Source: our own.
        """
        settings, pair = self.settings, WorkingPair(fixed, moving)
        account = StepAccount(pair, generator=generator)
        group = settings.polish.group
        start = (initial or pair.centered()).nearest(group, pair.fixed.center)
        yield account.step("center", start, 1.0)
        candidates, left = [start], 1.0
        if self._poser is not None:
            poses = _pose_transforms(self._poser, pair, fixed, moving, settings.fractions, settings.restarts)
            for fraction, transform in zip(settings.fractions, poses, strict=True):
                left *= 1 - fraction
                transform = transform.nearest(group, pair.fixed.center)
                yield account.step("pose", transform, left)
                candidates[1:] = [transform]
        candidates += search(pair, start, settings.search, generator=generator)
        ranked = polish_briefly(pair, candidates, settings.polish, generator=generator)
        best = ranked[0].transform
        yield account.step("search", best)
        evidence = weigh(pair, ranked, start, settings.acceptance, generator=generator)
        if not evidence.convinces(settings.acceptance):
            yield account.step("caution", start if initial else cautious_shift(pair))
            return
        if self._comparer is not None:
            compared = best
            for seen in self._comparer.steps(fixed, moving, initial=best):
                compared = cast(Affine, seen.transform).nearest(group, pair.fixed.center)
                yield account.step("compare", compared, seen.time)
            own = torch.Generator().manual_seed(generator.initial_seed())  # so that one that is left changes nothing
            now, before = information(pair, [compared, best], generator=own)
            best = compared if now > before else best
        last = best
        for iteration, state in enumerate(polish(pair, best, settings.polish, generator=generator), start=1):
            last = state.transform
            if iteration % settings.show_every == 0:
                yield account.step("polish", last)
        kept = acceptable(pair, last, best, settings.acceptance, generator=generator)
        yield account.step("polish", last if kept else best)


def _pose_transforms(
    network: PoseNetwork, pair: WorkingPair, fixed: Volume, moving: Volume, fractions: tuple[float, ...], restarts: int
) -> Iterator[Affine]:
    """Yield the transform from fixed to moving after each pose step of both images."""
    frame = PoseFrame(network.config.size, network.config.spacing)
    device = next(network.parameters()).device

    def predict(windows: torch.Tensor) -> torch.Tensor:
        return network(windows.to(device)).cpu()

    traces = []
    for volume, extent in ((fixed, pair.fixed), (moving, pair.moving)):
        small = working_volume(volume, _POSE_SPACING)
        image = torch.from_numpy(np.ascontiguousarray(small.values))[None, None]
        poses = best_start(predict, image, small.grid, torch.from_numpy(extent.center), rotation_set(restarts), frame)
        traces.append(pose_steps(predict, image, small.grid, poses, frame, fractions))
    for fixed_pose, moving_pose in zip(*traces, strict=True):
        yield Affine(moving_pose[0] @ torch.linalg.inv(fixed_pose[0]))
