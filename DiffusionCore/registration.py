"""Register two volumes by the method that the settings stand for, with one loop for all methods."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch

from DiffusionCore.affine.pipeline import AffinePipeline, AffineSettings
from DiffusionCore.affine.published_pipeline import PublishedPipeline, PublishedSettings
from DiffusionCore.affine.steps import Step
from DiffusionCore.deformable.diffusereg_pipeline import DiffuseRegPipeline, PublishedDiffuseRegSettings
from DiffusionCore.deformable.pipeline import DeformablePipeline, DeformableSettings
from DiffusionCore.space import Volume
from DiffusionCore.transforms.affine import Affine
from DiffusionCore.transforms.base import Transform
from DiffusionCore.transforms.resample import resample

Settings = AffineSettings | PublishedSettings | DeformableSettings | PublishedDiffuseRegSettings
METHODS: dict[str, type[Settings]] = {
    "affine": AffineSettings,
    "published-affine": PublishedSettings,
    "deformable": DeformableSettings,
    "published-diffusereg": PublishedDiffuseRegSettings,
}


class Pipeline(Protocol):
    """A method with its networks loaded."""

    def steps(
        self,
        fixed: Volume,
        moving: Volume,
        *,
        initial: Affine | None,
        generator: torch.Generator,
        after: Step | None = None,
    ) -> Iterator[Step]:
        """Yield the steps from ``initial``, or from the start of the method; the last one is the result.

        With ``after``, a step of an earlier run, yield what comes after it, numbered on from it: at least one step.
        """
        ...


@dataclass(frozen=True)
class Registration:
    """What a registration gives: ``warped`` is the moving image on the fixed grid, ``times`` the seconds per phase."""

    transform: Transform
    steps: list[Step]
    warped: Volume
    times: dict[str, float]
    stopped: bool


def load_pipeline(settings: Settings, device: str = "auto") -> Pipeline:
    """Return the method that ``settings`` stand for, by their type.

    Raises:
        CheckpointError: a model is not to be found, damaged or of another kind.
        ConfigError: the model cannot do what the settings ask for.
        TypeError: these are the settings of no method.
    """
    match settings:
        case AffineSettings():
            return AffinePipeline(settings, device=device)
        case PublishedSettings():
            return PublishedPipeline(settings, device=device)
        case DeformableSettings():
            return DeformablePipeline(settings, device=device)
        case PublishedDiffuseRegSettings():
            return DiffuseRegPipeline(settings, device=device)
    names = ", ".join(kind.__name__ for kind in METHODS.values())
    raise TypeError(f"'settings' must be one of {names}, got {settings!r}")


def register(
    fixed: Volume,
    moving: Volume,
    settings: Settings | None = None,
    *,
    initial_transform: Affine | None = None,
    after: Step | None = None,
    seed: int = 0,
    device: str = "auto",
    on_step: Callable[[Step], None] = lambda step: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Registration:
    """Return the registration of ``moving`` to ``fixed``; ``on_step`` sees every step as soon as it is made.

    The type of ``settings`` is the method. If ``should_stop()`` answers True after a step, that step is the result.
    With ``after``, a step of an earlier registration of the pair, it goes on from there, by other settings or another
    seed if you like; its own steps are numbered on from it.

    Raises:
        VolumeError: an image is empty, constant or not finite.
        CheckpointError, TypeError: as load_pipeline.
        ConfigError: as load_pipeline; or the method cannot go on from the transform of ``after``.
    """
    pipeline = load_pipeline(settings or AffineSettings(), device)
    generator = torch.Generator().manual_seed(seed)
    steps: list[Step] = []
    times: dict[str, float] = {}
    stopped, since = False, time.perf_counter()
    for step in pipeline.steps(fixed, moving, initial=initial_transform, generator=generator, after=after):
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
