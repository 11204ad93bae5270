"""Register two volumes: an iterator of steps, and the function that runs it to its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch

from DiffusionCore.affine.foreground import working_volume
from DiffusionCore.affine.pair import WorkingPair
from DiffusionCore.affine.polish import Climb, PolishSettings, climb
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

_POSE_SPACING = 4.0  # mm of the images that a pose network sees through its window


@dataclass(frozen=True)
class AffineSettings:
    """How an affine registration runs.

    Attributes:
        group: which maps are allowed in the end.
        model: name or path of a pose network; None leaves that phase out.
        fractions: of the predicted logarithm that each pose step follows.
        search: the safety net for what the network never saw.
        trial: the short climb from every candidate.
        polish: the climbs from the best one, one for each level from the second coarsest to the finest.
        trial_points, polish_points: fixed points of a climb.
        show_every: iterations of a climb between two steps.
    """

    group: Group = Group.AFFINE
    model: str | None = "pose"
    fractions: tuple[float, ...] = GRADED
    search: SearchSettings = field(default_factory=SearchSettings)
    trial: PolishSettings = field(default_factory=lambda: PolishSettings(40, 0.6, 0.15))
    polish: tuple[PolishSettings, ...] = (PolishSettings(50, 0.3, 0.05), PolishSettings(70, 0.3, 0.01))
    trial_points: int = 3000
    polish_points: int = 12_000
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
    for step in affine_steps(
        fixed, moving, settings, network=network, initial=initial_transform, generator=generator
    ):
        times[step.phase] = times.get(step.phase, 0.0) + time.perf_counter() - since
        steps.append(step)
        on_step(step)
        if stopped := should_stop():
            break
        since = time.perf_counter()
    since = time.perf_counter()
    warped = resample(moving, fixed.grid, steps[-1].transform)
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
    """Yield the steps of an affine registration: center, pose (the diffusion), search, polish.

    The first step is ``initial``, or the alignment of the centers of both foregrounds. Every proposal is a candidate:
    the best one after a short climb, by mutual information x overlap, is polished. Source: our own.
    """
    pair = WorkingPair(fixed, moving)
    trial = pair.samples(1, settings.trial_points, generator=generator)
    count = 0

    def step(phase: str, transform: Affine, diffusion_time: float = 0.0) -> Step:
        nonlocal count
        count += 1
        return Step(count - 1, phase, diffusion_time, transform, _metrics(pair, transform, trial))

    start = initial or pair.centered()
    yield step("center", start, 1.0)
    candidates, left = [start], 1.0
    if network is not None:
        for fraction, transform in zip(settings.fractions, _pose_transforms(network, pair, fixed, moving, settings), strict=True):
            left *= 1 - fraction
            yield step("pose", transform, left)
        candidates.append(transform)
    candidates += search(pair, start, settings.search, generator=generator)

    def climbed(matrices: torch.Tensor, level: int, points: int, polish: PolishSettings) -> Iterator[Climb]:
        samples = trial if points == settings.trial_points else pair.samples(level, points, generator=generator)
        at = pair.levels[level]
        return climb(matrices, samples, at.moving, pair.radius, at.spacing, settings.group, polish)

    *_, trials = climbed(pair.onto(candidates), 1, settings.trial_points, settings.trial)
    best = int((trials.information * trials.overlap).argmax())
    matrices = trials.matrices[best : best + 1]
    yield step("search", pair.transforms(matrices)[0])
    for level, polish in enumerate(settings.polish, start=1):
        for iteration, state in enumerate(climbed(matrices, level, settings.polish_points, polish)):
            if iteration and (iteration % settings.show_every == 0 or iteration == polish.iterations):
                yield step("polish", pair.transforms(state.matrices)[0])
            matrices = state.matrices


def _metrics(pair: WorkingPair, transform: Affine, samples: Samples) -> dict[str, float]:
    reading = pair.levels[1].moving.read(pair.onto([transform]), samples.points)
    information = mutual_information(joint_histogram(samples.bins, reading.positions, reading.inside))
    return {"mutual_information": float(information), "overlap": float(reading.inside.mean())}


def _pose_transforms(
    network: PoseNetwork, pair: WorkingPair, fixed: Volume, moving: Volume, settings: AffineSettings
) -> Iterator[Affine]:
    """Yield the transform from fixed to moving after each pose step of both images."""
    frame = PoseFrame(network.config.size, network.config.spacing)
    traces = []
    for volume, extent in ((fixed, pair.fixed), (moving, pair.moving)):
        small = working_volume(volume, _POSE_SPACING)
        image = torch.from_numpy(np.ascontiguousarray(small.values))[None, None]
        poses = start_poses(torch.from_numpy(extent.center)[None])
        traces.append(pose_steps(network, image, small.grid, poses, frame, settings.fractions))
    for fixed_pose, moving_pose in zip(*traces, strict=True):
        yield Affine(moving_pose[0] @ torch.linalg.inv(fixed_pose[0]))
