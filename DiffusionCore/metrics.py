"""How good a registration is: overlap, error in mm, similarity and regularity; each number with its unit and source."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from DiffusionCore.space import Grid
from DiffusionCore.transforms.base import Transform
from DiffusionCore.transforms.displacement import jacobian_determinant

_PART = 2**18  # voxels in a joint histogram at a time: making one takes many times the memory of its samples
_SMALLEST_JACOBIAN = 1e-3  # floor under the logarithm, as in the tables of the peers: folded voxels count as ln 0.001


def dice(first: ArrayLike, second: ArrayLike) -> dict[int, float]:
    """Return 2 |A and B| / (|A| + |B|) of every label but 0 that occurs in either label map (Dice, Ecology 26, 1945).

    Raises:
        TypeError: the labels are not integers.
        ValueError: the shapes differ.
    """
    a, b = np.asarray(first), np.asarray(second)
    if a.dtype.kind not in "biu" or b.dtype.kind not in "biu":
        raise TypeError(f"Label maps must be of an integer type, got {a.dtype} and {b.dtype}")
    _check_same_shape(a, b)
    counts_a, counts_b, counts_both = _counts(a), _counts(b), _counts(a[a == b])
    labels = sorted((counts_a.keys() | counts_b.keys()) - {0})
    return {n: 2 * counts_both.get(n, 0) / (counts_a.get(n, 0) + counts_b.get(n, 0)) for n in labels}


def mean_dice(scores: dict[int, float]) -> float:
    """Return the mean of the Dice ``scores``, every label with the same weight; NaN where there is no label."""
    return float(np.mean(list(scores.values()))) if scores else float("nan")


def point_error(estimate: Transform, truth: Transform, points: Tensor) -> Tensor:
    """Return how far apart both transforms take each of the RAS ``points`` (..., 3): (...), mm, float64."""
    points = points.double()
    return (estimate.map(points) - truth.map(points)).norm(dim=-1)


def normalized_cross_correlation(first: ArrayLike, second: ArrayLike, mask: ArrayLike | None = None) -> float:
    """Return the correlation of two images of one shape over ``mask``: -1..1, no unit; 0 where one is constant."""
    a, b = _pair(first, second, mask)
    a, b = a - a.mean(), b - b.mean()
    scale = np.sqrt((a @ a) * (b @ b))
    return float(np.clip((a @ b) / scale, -1, 1)) if scale > 0 else 0.0


def mutual_information(first: ArrayLike, second: ArrayLike, mask: ArrayLike | None = None, *, bins: int = 32) -> float:
    """Return the mutual information of two images of one shape over ``mask``, nats (Viola and Wells, IJCV 24, 1997).

    It is that of the joint histogram of ``bins`` x ``bins`` equal bins from the minimum to the maximum of each image.
    """
    a, b = _pair(first, second, mask)
    limits = [(a.min(), a.max()), (b.min(), b.max())]
    joint = np.zeros((bins, bins))
    for start in range(0, len(a), _PART):
        part = slice(start, start + _PART)
        joint += np.histogram2d(a[part], b[part], bins=bins, range=limits)[0]
    joint /= len(a)
    apart = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    filled = joint > 0
    return float((joint[filled] * np.log(joint[filled] / apart[filled])).sum())


@dataclass(frozen=True)
class JacobianStatistics:
    """Regularity of a transform, from the Jacobian determinant J of its mapping in mm (1 = the volume is kept).

    Attributes:
        minimum: the smallest J.
        percent_folded: share of the voxels with J <= 0, in percent.
        log_deviation: standard deviation of ln J, J taken as 0.001 where it is below.
    """

    minimum: float
    percent_folded: float
    log_deviation: float


def jacobian_statistics(transform: Transform, grid: Grid, mask: ArrayLike | None = None) -> JacobianStatistics:
    """Return the statistics of the Jacobian determinant at the voxels of ``grid`` (of ``mask`` (K, J, I), if given).

    Raises:
        ValueError: the mask has another shape than the grid, or is empty.
    """
    jacobian = jacobian_determinant(transform, grid).numpy()
    values = _masked(jacobian, mask).astype(np.float64)
    logarithm = np.log(np.maximum(values, _SMALLEST_JACOBIAN))
    return JacobianStatistics(float(values.min()), float(100 * (values <= 0).mean()), float(logarithm.std()))


def _counts(labels: NDArray) -> dict[int, int]:
    values, counts = np.unique(labels, return_counts=True)
    return dict(zip(map(int, values), map(int, counts), strict=True))


def _pair(first: ArrayLike, second: ArrayLike, mask: ArrayLike | None) -> tuple[NDArray, NDArray]:
    a, b = np.asarray(first), np.asarray(second)
    _check_same_shape(a, b)
    return _masked(a, mask).astype(np.float64), _masked(b, mask).astype(np.float64)


def _masked(values: NDArray, mask: ArrayLike | None) -> NDArray:
    """Return the values, flat, where ``mask`` is not 0."""
    if mask is None:
        chosen = values.ravel()
    else:
        where = np.asarray(mask) != 0
        _check_same_shape(values, where)
        chosen = values[where]
    if not chosen.size:
        raise ValueError("There is no voxel to measure: the image or its mask is empty")
    return chosen


def _check_same_shape(a: NDArray, b: NDArray) -> None:
    if a.shape != b.shape:
        raise ValueError(f"Both arrays must have the same shape, got {a.shape} and {b.shape}; resample one first")
