"""RegistrationJob: everything that a registration in another process needs to know."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from DiffusionCore.checks import ConfigError
from DiffusionCore.space import Volume
from DiffusionCore.space.plain import Matrix, PlainTransform

PIPELINE = "DiffusionCore.registration:load_pipeline"


@dataclass(frozen=True, eq=False)
class ResumePoint:
    """The step of an earlier run from which a run goes on: its ``index``, ``phase``, diffusion ``time`` and state."""

    index: int
    phase: str
    time: float
    transform: PlainTransform


@dataclass(frozen=True, eq=False)
class RegistrationJob:
    """One registration.

    Attributes:
        fixed, moving: the images.
        fixed_labels, moving_labels: integer labels on the grids of the images: overlap is measured, the moving ones are
            carried along.
        method: one of `DiffusionCore.registration.METHODS`, e.g. "affine".
        settings: of that method, as in its JSON form, partial: what is missing takes its default.
        seed: of all chance in the run.
        device: "auto", "cpu", "cuda" or "cuda:i".
        initial: where to start; None lets the method decide.
        resume: go on from there instead of starting anew.
        samples: how many runs with different seeds; more than one gives the spread between them.
        want_moved: give the moving image on the fixed grid at the end.
        factory: "module:function" that makes the pipeline out of (settings, device); for methods of your own.
    """

    fixed: Volume
    moving: Volume
    fixed_labels: Volume | None = None
    moving_labels: Volume | None = None
    method: str = "affine"
    settings: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    device: str = "auto"
    initial: Matrix | None = None
    resume: ResumePoint | None = None
    samples: int = 1
    want_moved: bool = False
    factory: str = PIPELINE


def plain_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """Return ``settings`` as JSON gives them back: tuples become lists.

    Raises:
        ConfigError: they are no object, or hold something that has no JSON form.
    """
    try:
        plain = json.loads(json.dumps(settings))
    except (TypeError, ValueError) as error:
        raise ConfigError(f"The settings must be plain numbers and text: {error}.") from error
    if not isinstance(plain, dict):
        raise ConfigError(f"The settings must be plain numbers and text: by their names, not {settings!r}.")
    return plain
