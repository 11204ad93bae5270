"""The default affine registration: center, pose (the diffusion), search, compare, polish or caution."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import torch

from DiffusionCore.affine.acceptance import AcceptanceSettings, acceptable, credit, information, weigh
from DiffusionCore.affine.account import StepAccount
from DiffusionCore.affine.caution import cautious_shift
from DiffusionCore.affine.foreground import Extent, working_volume
from DiffusionCore.affine.pair import WorkingPair
from DiffusionCore.affine.polish import PolishSettings, polish, polish_briefly
from DiffusionCore.affine.pose import GRADED, PoseFrame, best_start, pose_steps
from DiffusionCore.affine.published import PublishedSampler, load_published
from DiffusionCore.affine.resuming import affine_state, split_fractions, times_done
from DiffusionCore.affine.search import SearchSettings, rotation_set, search
from DiffusionCore.affine.steps import Step
from DiffusionCore.build import load_network
from DiffusionCore.diffusion.reverse import spaced_times
from DiffusionCore.networks.pose_network import PoseNetwork
from DiffusionCore.networks.precision import computing
from DiffusionCore.space import Grid, Volume
from DiffusionCore.transforms.affine import Affine

CAUTION = "caution"  # the last phase where no pose is believed
_POSE, _SEARCH, _COMPARE, _POLISH = range(1, 5)  # the phases after the center
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

    def expected_steps(self, after: Step | None = None) -> int:
        """Return how many steps a registration has that does not end early; those up to ``after`` count, too.

        Raises:
            CheckpointError: the model of the comparison is not to be found, damaged or of another kind.
        """
        fractions = self.fractions if self.model else ()
        compared = load_published(self.comparison)[1].steps if self.comparison else 0
        climbed = sum(stage.pace.steps + 1 for stage in self.polish.stages)
        poses = len(fractions)
        if after is not None and after.phase == "pose":
            poses = len(split_fractions(fractions, after)[1])
        if after is not None and after.phase == "compare":
            compared -= times_done(spaced_times(compared, compared), compared, after)
        ahead = (1, poses, 1, compared, climbed // self.show_every + 1)[_entry(after) :]
        return sum(ahead) + (0 if after is None else after.index + 1)


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
        self,
        fixed: Volume,
        moving: Volume,
        *,
        initial: Affine | None = None,
        generator: torch.Generator,
        after: Step | None = None,
    ) -> Iterator[Step]:
        """Yield the steps from ``initial``, or from the alignment of the centers of both foregrounds.

        Every proposal is a candidate: the best one after a short climb, by mutual information x overlap, is compared
        and polished. Where no pose stands out from the others (``CAUTION``), an initial transform is kept, and without
        one only a shift is made. Source: our own.

        With ``after``, go on from its transform with the phases that come after it: with the poses that are left, or,
        from a search or later, with what refines it (who goes on from there believes it). A polish is made anew from
        there. A step of a phase that is not known here is an initial transform. What comes out is never less credible
        (``acceptance.credit``) than what it started from.

        Raises:
            ConfigError: the transform of ``after`` is not affine.
        """
        pair, entry = WorkingPair(fixed, moving), _entry(after)
        account = StepAccount(pair, generator=generator, after=after)
        former = None if after is None else affine_state(after).nearest(self.settings.polish.group, pair.fixed.center)
        course = _Course(fixed, moving, pair, account, generator, after, former)
        best = former
        if best is None or entry <= _SEARCH:
            best = yield from self._sought(course, initial)
        if best is None:
            return
        if self._comparer is not None and entry <= _COMPARE:
            best = yield from self._compared(course, self._comparer, best)
        yield from self._polished(course, best)

    def _sought(self, course: _Course, initial: Affine | None) -> Generator[Step, None, Affine | None]:
        """Yield the poses, and the best of all candidates; return it, or None where it was not to be believed."""
        settings, pair, account = self.settings, course.pair, course.account
        group, generator = settings.polish.group, course.generator
        behind, ahead, left = (), settings.fractions, 1.0
        start = (initial or pair.centered()).nearest(group, pair.fixed.center)
        candidates = [start]
        match course:
            case _Course(after=Step(phase="pose", time=left) as after, former=Affine() as former):
                behind, ahead = split_fractions(ahead, after)
                candidates = [start, former]
            case _Course(former=Affine() as former):
                start, candidates = former, [former]
            case _:
                yield account.step("center", start, 1.0)
        if self._poser is not None:
            poses = _pose_transforms(self._poser, course, behind, ahead, settings.restarts)
            for fraction, transform in zip(ahead, poses, strict=True):
                left *= 1 - fraction
                transform = transform.nearest(group, pair.fixed.center)
                yield account.step("pose", transform, left)
                candidates[1:] = [transform]
        candidates += search(pair, start, settings.search, generator=generator)
        ranked = polish_briefly(pair, candidates, settings.polish, generator=generator)
        yield account.step("search", ranked[0].transform)
        evidence = weigh(pair, ranked, start, settings.acceptance, generator=generator)
        if evidence.convinces(settings.acceptance):
            return ranked[0].transform
        yield account.step(CAUTION, course.never_less(start if initial else cautious_shift(pair)))
        return None

    def _compared(self, course: _Course, comparer: PublishedSampler, best: Affine) -> Generator[Step, None, Affine]:
        """Yield the steps of the comparison; return what they reached, or ``best`` if that has more information."""
        pair, after, first = course.pair, course.after, 0
        if after is not None and after.phase == "compare":
            first = times_done(comparer.times, comparer.config.steps, after)
        compared = best
        for seen in comparer.steps(course.fixed, course.moving, initial=best, first=first):
            compared = cast(Affine, seen.transform).nearest(self.settings.polish.group, pair.fixed.center)
            yield course.account.step("compare", compared, seen.time)
        now, before = information(pair, [compared, best], generator=course.own_generator())
        return compared if now > before else best

    def _polished(self, course: _Course, best: Affine) -> Iterator[Step]:
        settings, pair, generator = self.settings, course.pair, course.generator
        matrices = pair.onto([best])
        for iteration, standing in enumerate(polish(pair, best, settings.polish, generator=generator), start=1):
            matrices = standing.matrices
            if iteration % settings.show_every == 0:
                yield course.account.step("polish", pair.transforms(matrices)[0])
        last = pair.transforms(matrices)[0]
        kept = acceptable(pair, last, best, settings.acceptance, generator=generator)
        yield course.account.step("polish", course.never_less(last if kept else best))


@dataclass(frozen=True)
class _Course:
    """One registration under way: it goes on ``after`` a step with the transform ``former``, if these are not None."""

    fixed: Volume
    moving: Volume
    pair: WorkingPair
    account: StepAccount
    generator: torch.Generator
    after: Step | None
    former: Affine | None

    def own_generator(self) -> torch.Generator:
        """Return a generator for what may be left out, so that leaving it out changes nothing that follows."""
        return torch.Generator().manual_seed(self.generator.initial_seed())

    def never_less(self, found: Affine) -> Affine:
        """Return ``found``, or the former transform if that is more credible."""
        if self.former is None:
            return found
        now, before = credit(self.pair, [found, self.former], generator=self.own_generator())
        return found if now >= before else self.former


def _entry(after: Step | None) -> int:
    """Return the number of the phase in which a run goes on."""
    if after is None:
        return 0
    return {"search": _COMPARE, "compare": _COMPARE, "polish": _POLISH}.get(after.phase, _POSE)


def _pose_transforms(
    network: PoseNetwork, course: _Course, behind: tuple[float, ...], ahead: tuple[float, ...], restarts: int
) -> Iterator[Affine]:
    """Yield the transform from fixed to moving after each of the pose steps ``ahead`` of both images.

    A transform alone does not tell the two poses that it is made of. The way of the fixed image involves no chance, so
    it is gone again, the steps ``behind``; the pose of the moving image is then what the transform makes of it.
    """
    frame = PoseFrame(network.config.size, network.config.spacing)
    device, pair = next(network.parameters()).device, course.pair

    def predict(windows: torch.Tensor) -> torch.Tensor:
        with computing(torch.float32, device):
            return network(windows.to(device)).cpu()

    def image(volume: Volume) -> tuple[torch.Tensor, Grid]:
        small = working_volume(volume, _POSE_SPACING)
        return torch.from_numpy(np.ascontiguousarray(small.values))[None, None], small.grid

    def start(seen: tuple[torch.Tensor, Grid], extent: Extent) -> torch.Tensor:
        return best_start(predict, *seen, torch.from_numpy(extent.center), rotation_set(restarts), frame)

    fixed, moving = image(course.fixed), image(course.moving)
    fixed_pose = start(fixed, pair.fixed)
    if course.former is not None and behind:
        *_, fixed_pose = pose_steps(predict, *fixed, fixed_pose, frame, behind)
        moving_pose = course.former.matrix @ fixed_pose
    else:
        moving_pose = start(moving, pair.moving)
    traces = (
        pose_steps(predict, *seen, pose, frame, ahead) for seen, pose in ((fixed, fixed_pose), (moving, moving_pose))
    )
    for fixed_pose, moving_pose in zip(*traces, strict=True):
        yield Affine(moving_pose[0] @ torch.linalg.inv(fixed_pose[0]))
