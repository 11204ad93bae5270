"""Register a pair with the user watching, and write what came out."""

from __future__ import annotations

import argparse
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from DiffusionCore.affine.steps import Step
from DiffusionCore.build import choose_device
from DiffusionCore.cautions import cautions
from DiffusionCore.commands.progress import PoliteStop, StepBar
from DiffusionCore.commands.settings import method_of, settings_from
from DiffusionCore.config import to_dict
from DiffusionCore.film_strip import draw_film_strip
from DiffusionCore.interpolation import Interpolation
from DiffusionCore.jobs.measures import spread_kind
from DiffusionCore.registration import Registration, register
from DiffusionCore.report import Pair, describe, measure, phase_times, regularity, versions
from DiffusionCore.storage.transforms import write_transform
from DiffusionCore.storage.volumes import write_volume
from DiffusionCore.transforms.affine import Affine
from DiffusionCore.transforms.resample import resample
from DiffusionCore.uncertainty import median_and_most

TRANSFORM, WARPED, WARPED_LABELS = "transform.h5", "warped.nii.gz", "warped_segmentation.nii.gz"
REPORT, FILM_STRIP, STEPS, UNCERTAINTY = "report.json", "film-strip.png", "steps", "uncertainty.nii.gz"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """A registration and all that ``report.json`` says about it."""

    registration: Registration
    report: dict[str, Any]


def run_pair(pair: Pair, options: argparse.Namespace) -> Outcome:
    """Register ``pair`` as ``options`` (see ``add_run_arguments``) say, with a bar and a polite stop."""
    with PoliteStop() as stop, StepBar(settings_from(options).expected_steps()) as bar:
        return run_silently(pair, options, on_step=bar, should_stop=stop)


def run_silently(
    pair: Pair,
    options: argparse.Namespace,
    *,
    on_step: Callable[[Step], None] = lambda step: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Register ``pair`` as ``options`` (see ``add_run_arguments``) say; what it came to is told by ``on_step``."""
    settings = settings_from(options)
    device = str(choose_device(options.device))
    began = time.perf_counter()
    registration = register(
        pair.fixed,
        pair.moving,
        settings,
        initial_transform=pair.initial,
        seed=options.seed,
        device=device,
        on_step=on_step,
        should_stop=should_stop,
    )
    seconds = time.perf_counter() - began
    spread = registration.steps[-1].spread
    phases = {step.phase for step in registration.steps}
    report = {
        "stopped_early": registration.stopped,
        "cautions": cautions(settings, phases, registration.transform, pair.fixed.grid, spread),
        "metrics": {
            "before": measure(pair, pair.initial or Affine.identity()),
            "after": measure(pair, registration.transform, registration.warped),
        },
        "jacobian": regularity(registration.transform, pair.fixed),
        "seconds": {"total": round(seconds, 3), **phase_times(registration.steps, registration.times)},
        "steps": len(registration.steps),
        "matrix_fixed_to_moving_ras_mm": _matrix(registration),
        "images": {"fixed": describe(pair.fixed), "moving": describe(pair.moving)},
        "settings": {"method": method_of(options), **to_dict(settings)},
        "seed": options.seed,
        "device": device,
        "versions": versions(),
    }
    if spread is not None and (known := median_and_most(pair.fixed, spread.values)) is not None:
        report["uncertainty_mm"] = {"median": known[0], "95_percent_below": known[1], "is": spread_kind(spread)}
    return Outcome(registration, report)


def write_outcome(folder: Path, pair: Pair, outcome: Outcome, *, keep_steps: bool) -> None:
    """Write the transform, the warped images, the trajectory, the picture and the report into ``folder``."""
    registration, grid = outcome.registration, pair.fixed.grid
    write_transform(folder / TRANSFORM, registration.transform, grid)
    write_volume(folder / WARPED, registration.warped)
    if pair.moving_segmentation is not None:
        labels = resample(pair.moving_segmentation, grid, registration.transform, interpolation=Interpolation.NEAREST)
        write_volume(folder / WARPED_LABELS, labels)
    if (spread := registration.steps[-1].spread) is not None:
        write_volume(folder / UNCERTAINTY, spread.values)
    if keep_steps:
        write_steps(folder / STEPS, registration.steps)
    _draw(folder / FILM_STRIP, pair, registration)
    outcome.report["files"] = sorted([*(item.name for item in folder.iterdir()), REPORT])
    (folder / REPORT).write_text(json.dumps(outcome.report, indent=2) + "\n", encoding="utf-8")


def write_steps(folder: Path, steps: list[Step]) -> None:
    """Write the trajectory: an ITK transform per step, and ``steps.json`` with the phase, the time and the metrics."""
    folder.mkdir()
    rows = []
    for step in steps:
        kind = "tfm" if isinstance(step.transform, Affine) else "h5"  # a field as text would take a minute
        name = f"step_{step.index:03d}.{kind}"
        write_transform(folder / name, step.transform, None)
        row = {"index": step.index, "phase": step.phase, "time": step.time, "metrics": step.metrics, "file": name}
        rows.append(row)
    (folder / "steps.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def _draw(path: Path, pair: Pair, registration: Registration) -> None:
    try:
        draw_film_strip(path, pair.fixed, pair.moving, registration.steps)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "PIL":
            raise
        _log.warning("No picture was drawn: the package 'pillow' is missing (pip install pillow).")


def _matrix(registration: Registration) -> list[list[float]] | None:
    transform = registration.transform
    return transform.matrix.tolist() if isinstance(transform, Affine) else None
