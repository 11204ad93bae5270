"""Register two volumes: an iterator of steps, and the function that runs it to its end."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch

from DiffusionCore.affine.acceptance import AcceptanceSettings, acceptable, weigh
from DiffusionCore.affine.caution import cautious_shift
from DiffusionCore.affine.foreground import working_volume
from DiffusionCore.affine.pair import WorkingPair
from DiffusionCore.affine.polish import PolishSettings, polish, polish_briefly
from DiffusionCore.affine.pose import GRADED, PoseFrame, pose_steps, start_poses
from DiffusionCore.affine.sampling import Samples
from DiffusionCore.affine.search import SearchSettings, search
from DiffusionCore.affine.similarity import joint_histogram, mutual_information
from DiffusionCore.affine.steps import Step
from DiffusionCore.build import load_network
from DiffusionCore.networks.pose_network import PoseNetwork
from DiffusionCore.space import Volume
from DiffusionCore.transforms.affine import Affine, Group
from DiffusionCore.transforms.base import Transform
from DiffusionCore.transforms.resample import resample

_METRIC_POINTS = 3000  # of the fixed foreground, for the metrics of a step
_POSE_SPACING = 4.0  # mm of the images that a pose network sees through its window


@dataclass(frozen=True)
class AffineSettings:
    """How an affine registration runs.

    Attributes:
        model: name or path of a pose network; None leaves that phase out.
        fractions: of the predicted logarithm that each pose step follows.
        search: the safety net for what the network never saw.
        acceptance: when a result is believed.
        polish: the short climb from every candidate, and the climbs from the best one.
        show_every: iterations of a climb between two steps.
    """

    model: str | None = "pose"
    fractions: tuple[float, ...] = GRADED
    search: SearchSettings = field(default_factory=SearchSettings)
    acceptance: AcceptanceSettings = field(default_factory=AcceptanceSettings)
    polish: PolishSettings = field(default_factory=PolishSettings)
    show_every: int = 10


@dataclass(frozen=True)
class Registration:
    """What a registration gives: ``warped`` is the moving image on the fixed grid, ``times`` the seconds per phase."""

    transform: Transform
    steps: list[Step]
    warped: Volume
    times: dict[str, float]
    stopped: bool


def register(
    fixed: Volume,
    moving: Volume,
    settings: AffineSettings | None = None,
    *,
    initial_transform: Affine | None = None,
    seed: int = 0,
    device: str = "auto",
    on_step: Callable[[Step], None] = lambda step: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Registration:
    """Return the registration of ``moving`` to ``fixed``; ``on_step`` sees every step as soon as it is made.

    If ``should_stop()`` answers True after a step, that step is the result.

    Raises:
        VolumeError: an image is empty, constant or not finite.
        CheckpointError: the model is not to be found or damaged.
    """
    settings = settings or AffineSettings()
    network = load_network(settings.model, "pose", device) if settings.model else None
    generator = torch.Generator().manual_seed(seed)
    steps: list[Step] = []
    times: dict[str, float] = {}
    stopped, since = False, time.perf_counter()
    for step in affine_steps(fixed, moving, settings, network=network, initial=initial_transform, generator=generator):
        times[step.phase] = times.get(step.phase, 0.0) + time.perf_counter() - since
        steps.append(step)
        on_step(step)
        if stopped := should_stop():
            break
        since = time.perf_counter()
    since = time.perf_counter()
    # outside the moving image is what its background is: air in a CT is not 0
    warped = resample(moving, fixed.grid, steps[-1].transform, fill=float(moving.values.min()))
    times["resample"] = time.perf_counter() - since
    return Registration(steps[-1].transform, steps, warped, times, stopped)


@torch.inference_mode()
def affine_steps(
    fixed: Volume,
    moving: Volume,
    settings: AffineSettings,
    *,
    network: PoseNetwork | None,
    initial: Affine | None,
    generator: torch.Generator,
) -> Iterator[Step]:
    """Yield the steps of an affine registration: center, pose (the diffusion), search, polish or caution.

    The first step is ``initial``, or the alignment of the centers of both foregrounds. Every proposal is a candidate:
    the best one after a short climb, by mutual information x overlap, is polished. Where no pose stands out from the
    others ("caution"), an initial transform is kept, and without one only a shift is made. Source: our own.
    """
    pair = WorkingPair(fixed, moving)
    samples = pair.samples(1, _METRIC_POINTS, generator=generator)
    numbers = itertools.count()

    def step(phase: str, transform: Affine, diffusion_time: float = 0.0) -> Step:
        return Step(next(numbers), phase, diffusion_time, transform, _metrics(pair, transform, samples))

    start = initial or pair.centered()
    yield step("center", start, 1.0)
    candidates, left = [start], 1.0
    if network is not None:
        poses = _pose_transforms(network, pair, fixed, moving, settings.fractions)
        for fraction, transform in zip(settings.fractions, poses, strict=True):
            left *= 1 - fraction
            transform = _projected(transform, settings.polish.group, pair)
            yield step("pose", transform, left)
            candidates[1:] = [transform]
    candidates += search(pair, start, settings.search, generator=generator)
    ranked = polish_briefly(pair, candidates, settings.polish, generator=generator)
    best = ranked[0].transform
    yield step("search", best)
    if not weigh(pair, ranked, settings.acceptance, generator=generator).convinces(settings.acceptance):
        yield step("caution", start if initial else cautious_shift(pair, generator=generator))
        return
    for iteration, state in enumerate(polish(pair, best, settings.polish, generator=generator), start=1):
        last = state.transform
        if iteration % settings.show_every == 0:
            yield step("polish", last)
    kept = acceptable(pair, last, best, settings.acceptance, generator=generator)
    yield step("polish", last if kept else best)


def _metrics(pair: WorkingPair, transform: Affine, samples: Samples) -> dict[str, float]:
    reading = pair.levels[1].moving.read(pair.onto([transform]), samples.points)
    information = mutual_information(joint_histogram(samples.bins, reading.positions, reading.inside))
    return {"mutual_information": float(information), "overlap": float(reading.inside.mean())}


def _projected(transform: Affine, group: Group, pair: WorkingPair) -> Affine:
    """Return the part of ``transform`` that lies in ``group`` about the fixed center."""
    center = pair.fixed.center
    return Affine.exponential(transform.logarithm(center, group), center)


def _pose_transforms(
    network: PoseNetwork, pair: WorkingPair, fixed: Volume, moving: Volume, fractions: tuple[float, ...]
) -> Iterator[Affine]:
    """Yield the transform from fixed to moving after each pose step of both images."""
    frame = PoseFrame(network.config.size, network.config.spacing)
    traces = []
    for volume, extent in ((fixed, pair.fixed), (moving, pair.moving)):
        small = working_volume(volume, _POSE_SPACING)
        image = torch.from_numpy(np.ascontiguousarray(small.values))[None, None]
        poses = start_poses(torch.from_numpy(extent.center)[None])
        traces.append(pose_steps(network, image, small.grid, poses, frame, fractions))
    for fixed_pose, moving_pose in zip(*traces, strict=True):
        yield Affine(moving_pose[0] @ torch.linalg.inv(fixed_pose[0]))
