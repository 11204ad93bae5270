"""The report of a registration: what it reached, how long it took, and everything needed to repeat it."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

import DiffusionCore
from DiffusionCore import metrics
from DiffusionCore.affine.foreground import foreground_mask
from DiffusionCore.interpolation import Interpolation
from DiffusionCore.space import Frame, Volume
from DiffusionCore.transforms.affine import Affine
from DiffusionCore.transforms.base import Transform
from DiffusionCore.transforms.displacement import Displacement
from DiffusionCore.transforms.resample import resample

if TYPE_CHECKING:
    from DiffusionCore.affine.steps import Step

HEADLINES = (
    ("mean_dice", "Dice"),
    ("landmark_error_mm", "landmark error mm"),
    ("true_error_mm", "true error mm"),
    ("mutual_information", "MI"),
)
"""What a table over many pairs shows of ``measure``: the key, and a title."""

_POINTS = 20_000  # at which the inverse is tried
_PACKAGES = ("torch", "numpy", "scipy", "SimpleITK", "nibabel", "safetensors")


@dataclass(frozen=True)
class Pair:
    """Two images to align, and what is known about them.

    Attributes:
        fixed, moving: the images.
        fixed_segmentation, moving_segmentation: integer labels on the grids of the images.
        initial: where the registration starts; None starts from the centers of mass.
        truth: the transform that should be found, where it is known.
        points: RAS mm (N, 3) in the fixed image, where the error against ``truth`` is measured.
        landmarks: corresponding points, RAS mm, (N, 2, 3): fixed, moving.
    """

    fixed: Volume
    moving: Volume
    fixed_segmentation: Volume | None = None
    moving_segmentation: Volume | None = None
    initial: Affine | None = None
    truth: Transform | None = None
    points: NDArray | None = None
    landmarks: NDArray | None = None


def measure(pair: Pair, transform: Transform, warped: Volume | None = None) -> dict[str, Any]:
    """Return how well ``transform`` aligns ``pair``, as plain numbers.

    ``mutual_information`` (nats), ``local_correlation`` (squared, cubes of 7 voxels) and
    ``normalized_cross_correlation`` over the fixed foreground; ``mean_dice`` and ``dice`` per label, ``mean_hd95_mm``
    and ``hd95_mm``, where both segmentations are there; ``landmark_error_mm`` and ``true_error_mm`` (mean, median,
    largest) where landmarks or the truth are known. Definitions: ``metrics``.

    Args:
        pair: the images and what is known about them.
        transform: fixed -> moving, RAS mm.
        warped: the moving image through ``transform``, if it is at hand.
    """
    fixed, grid = pair.fixed, pair.fixed.grid
    # outside the moving image is what its background is: air in a CT is not 0
    warped = warped or resample(pair.moving, grid, transform, fill=float(pair.moving.values.min()))
    values = warped.values
    inside = foreground_mask(fixed)
    result: dict[str, Any] = {
        "mutual_information": metrics.mutual_information(fixed.values, values, inside),
        "local_correlation": metrics.local_correlation(fixed.values, values, inside) if inside.any() else 0.0,
        "normalized_cross_correlation": metrics.normalized_cross_correlation(fixed.values, values, inside),
    }
    if pair.fixed_segmentation is not None and pair.moving_segmentation is not None:
        labels = resample(pair.moving_segmentation, grid, transform, interpolation=Interpolation.NEAREST)
        scores = metrics.dice(pair.fixed_segmentation.values, labels.values)
        result["mean_dice"] = metrics.mean_dice(scores) if scores else None
        result["dice"] = {str(label): score for label, score in scores.items()}
        distances = metrics.hausdorff95(pair.fixed_segmentation.values, labels.values, grid.spacing)
        result["mean_hd95_mm"] = float(np.mean(list(distances.values()))) if distances else None
        result["hd95_mm"] = {str(label): distance for label, distance in distances.items()}
    if pair.landmarks is not None and len(pair.landmarks):
        points = torch.from_numpy(pair.landmarks)
        result["landmark_error_mm"] = _summary((transform.map(points[:, 0]) - points[:, 1]).norm(dim=-1).numpy())
    if pair.truth is not None and pair.points is not None:
        errors = metrics.point_error(transform, pair.truth, torch.from_numpy(pair.points))
        result["true_error_mm"] = _summary(errors.numpy())
    return result


def mean_of(measures: dict[str, Any], key: str) -> float | None:
    """Return ``key`` of what ``measure`` returned, of errors their mean; None where it was not measured."""
    value = measures.get(key)
    return value["mean"] if isinstance(value, dict) else value


def regularity(transform: Transform, fixed: Volume) -> dict[str, float]:
    """Return how regular ``transform`` is over the foreground of ``fixed``: see ``metrics``.

    ``minimum``, ``percent_folded`` and ``log_deviation`` of the Jacobian determinant, ``gradient_rms``, and
    ``inverse_consistency_mm``: the mean of how far there and back, by the inverse as it is computed, leads.
    """
    grid = fixed.grid
    if isinstance(transform, Affine):
        statistics = metrics.jacobian_statistics(transform, grid.resized((1, 1, 1)))
        return {**asdict(statistics), "gradient_rms": 0.0, "inverse_consistency_mm": 0.0}
    inside = foreground_mask(fixed)
    mask = inside if inside.any() else None
    baked = Displacement.of(transform, grid)
    where = np.arange(inside.size) if mask is None else np.flatnonzero(mask)
    kji = np.unravel_index(where[:: 1 + len(where) // _POINTS], grid.shape)
    points = torch.from_numpy(grid.map(np.stack(kji[::-1], -1), Frame.VOXEL, Frame.RAS))
    return {
        **asdict(metrics.jacobian_statistics(baked, grid, mask)),
        "gradient_rms": metrics.gradient_rms(baked, grid, mask),
        "inverse_consistency_mm": float(metrics.inverse_consistency(transform, transform.inverse(), points).mean()),
    }


def phase_times(steps: Sequence[Step], times: dict[str, float]) -> dict[str, float]:
    """Return the seconds per phase, rounded, in the order in which the phases came."""
    order = dict.fromkeys([*(step.phase for step in steps), *times])
    return {phase: round(times[phase], 4) for phase in order if phase in times}


def describe(volume: Volume) -> dict[str, Any]:
    """Return the geometry and the type of an image."""
    grid = volume.grid
    return {
        "size": list(grid.size),
        "spacing_mm": [round(s, 6) for s in grid.spacing],
        "origin_ras_mm": [round(x, 4) for x in grid.origin],
        "type": str(volume.values.dtype),
    }


def versions() -> dict[str, str]:
    """Return the versions of this package, of what it computes with, and of the machine."""
    found = {"DiffusionCore": DiffusionCore.__version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {**found, "system": f"{platform.system()} {platform.machine()}"}


def _summary(errors: NDArray) -> dict[str, float]:
    return {"mean": float(errors.mean()), "median": float(np.median(errors)), "largest": float(errors.max())}
