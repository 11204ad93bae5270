"""How good a registration is: overlap, error in mm, similarity and regularity; each number with its unit and source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from DiffusionCore.losses import LocalCorrelation
from DiffusionCore.space import Frame, Grid
from DiffusionCore.transforms.affine import Affine
from DiffusionCore.transforms.base import Transform
from DiffusionCore.transforms.displacement import jacobian_determinant, mapped_edges

_PART = 2**18  # voxels in a joint histogram at a time, which bounds the memory
_PLANES = 32  # that are correlated at a time, likewise
_SMALLEST_JACOBIAN = 1e-3  # floor under the logarithm, as in the tables of the peers: folded voxels count as ln 0.001

_Box = tuple[slice, ...]


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


def hausdorff95(first: ArrayLike, second: ArrayLike, spacing: tuple[float, float, float]) -> dict[int, float]:
    """Return the 95 % Hausdorff distance, mm, of every label but 0 that occurs in both label maps (K, J, I).

    The larger one of the two 95th percentiles of the distances from the border voxels of one region to the nearest
    border voxel of the other (Huttenlocher et al., IEEE TPAMI 15, 1993, with a percentile in place of the maximum). A
    border voxel has a neighbor across a face that is not of the region; ``spacing`` is along (i, j, k), mm.

    Raises:
        ValueError: the shapes differ.
    """
    from scipy.ndimage import binary_erosion, distance_transform_edt, find_objects

    a, b = np.asarray(first), np.asarray(second)
    _check_same_shape(a, b)
    boxes = [find_objects(labels.astype(np.int32)) for labels in (a, b)]
    result = {}
    for label, (box_a, box_b) in enumerate(zip(*boxes, strict=False), 1):
        if box_a is None or box_b is None:
            continue
        pairs = zip(box_a, box_b, strict=True)
        both = tuple(slice(min(x.start, y.start), max(x.stop, y.stop)) for x, y in pairs)
        edges = []
        for labels in (a, b):
            region = np.pad(labels[both] == label, 1)
            edges.append(region & ~binary_erosion(region))
        far = [np.asarray(distance_transform_edt(~edge, sampling=spacing[::-1])) for edge in edges]
        result[label] = float(max(np.percentile(far[1][edges[0]], 95), np.percentile(far[0][edges[1]], 95)))
    return result


def inverse_consistency(forward: Transform, backward: Transform, points: Tensor) -> Tensor:
    """Return how far there and back leads from each of the RAS ``points`` (..., 3): (...), mm, float64.

    |backward(forward(x)) - x| (Christensen and Johnson, IEEE Trans. Medical Imaging 20, 2001).
    """
    points = points.double()
    return (backward.map(forward.map(points)) - points).norm(dim=-1)


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
    limits = [(float(x.min()), float(x.max())) for x in (a, b)]
    counts = np.zeros(bins * bins)
    for start in range(0, len(a), _PART):
        part = slice(start, start + _PART)
        rows, columns = (_bins(x[part], bins, *limit) for x, limit in zip((a, b), limits, strict=True))
        counts += np.bincount(bins * rows + columns, minlength=len(counts))
    joint = counts.reshape(bins, bins) / len(a)
    apart = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    filled = joint > 0
    return float((joint[filled] * np.log(joint[filled] / apart[filled])).sum())


def local_correlation(first: ArrayLike, second: ArrayLike, mask: ArrayLike | None = None, *, window: int = 7) -> float:
    """Return the mean squared correlation, 0..1, over the cubes of ``window`` voxels about the voxels of ``mask``.

    Avants et al., Medical Image Analysis 12, 2008 (SyN); see ``losses.LocalCorrelation``. Variances below 1e-5 of the
    squared range of an image count as noise.

    Raises:
        ValueError: the shapes differ, or the mask is empty.
    """
    a, b = np.asarray(first), np.asarray(second)
    _check_same_shape(a, b)
    weights = np.ones(a.shape, np.float32) if mask is None else (np.asarray(mask) != 0).astype(np.float32)
    _check_same_shape(a, weights)
    if not weights.any():
        raise ValueError("There is no voxel to measure: the mask is empty")
    limits = [(float(x.min()), float(x.max())) for x in (a, b)]
    total = 0.0
    for inner, outer in _slabs(weights, window // 2):  # of which the outer holds the cubes of all voxels of the inner
        counted = np.zeros_like(weights[outer])
        own = tuple(slice(i.start - o.start, i.stop - o.start) for i, o in zip(inner, outer, strict=True))
        counted[own] = weights[inner]
        parts = [_ranged(x[outer], *limit) for x, limit in zip((a, b), limits, strict=True)]
        image, other, mass = (torch.from_numpy(part)[None, None] for part in (*parts, counted))
        reference = LocalCorrelation(image, window=window, floor=1e-5, weights=mass)
        total += float(reference.value(other)) * float(counted.sum(dtype=np.float64))
    return total / float(weights.sum(dtype=np.float64))


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


def gradient_rms(transform: Transform, grid: Grid, mask: ArrayLike | None = None) -> float:
    """Return the root mean square of |dT/dx - M| (Frobenius norm, no unit), M the mean of dT/dx (our own).

    How much a transform bends over the voxels of ``mask``: shear and rotation too, which the Jacobian determinant does
    not see. An affine transform has 0.

    Raises:
        ValueError: the mask has another shape than the grid, or is empty.
    """
    if isinstance(transform, Affine):
        return 0.0
    where = np.ones(grid.shape, bool) if mask is None else np.asarray(mask) != 0
    _check_same_shape(np.empty(grid.shape, bool), where)
    if not where.any():
        raise ValueError("There is no voxel to measure: the mask is empty")
    per_voxel = np.linalg.inv(grid.matrix(Frame.VOXEL, Frame.RAS)[:3, :3])
    total, products = np.zeros((3, 3)), np.zeros((3, 3))
    for slab, edges in mapped_edges(transform, grid):
        chosen = torch.stack([edge[:, torch.from_numpy(where[slab])] for edge in edges]).double()  # (edge, xyz, N)
        total += chosen.sum(-1).numpy()
        flat = chosen.flatten(1)
        products += (flat @ flat.T).numpy()
    # |D P - mean|^2, with the edges as columns of D and P per voxel, is a trace of products of edges
    spread = (products - total @ total.T / where.sum()) / where.sum()
    return float(np.sqrt(max(0.0, np.trace(per_voxel.T @ spread @ per_voxel))))


def _bins(values: NDArray, bins: int, low: float, high: float) -> NDArray[np.intp]:
    """Return in which of so many equal ``bins`` from ``low`` to ``high`` each of ``values`` (N,) falls."""
    width = (high - low) / bins if high > low else 1.0
    return np.minimum((values - low) / width, bins - 1).astype(np.intp)


def _counts(labels: NDArray) -> dict[int, int]:
    values, counts = np.unique(labels, return_counts=True)
    return dict(zip(map(int, values), map(int, counts), strict=True))


def _ranged(values: NDArray, low: float, high: float) -> NDArray[np.float32]:
    """Return ``values`` as single precision, 0 at ``low`` and 1 at ``high``."""
    return ((values.astype(np.float64) - low) / max(high - low, 1e-300)).astype(np.float32)


def _slabs(weights: NDArray, margin: int) -> Iterator[tuple[_Box, _Box]]:
    """Yield boxes that together hold the ``weights`` (K, J, I) that are not 0, and each with a ``margin`` of voxels."""
    sides = []
    for axis in range(3):
        found = np.flatnonzero(weights.any(tuple({0, 1, 2} - {axis})))
        sides.append(slice(int(found[0]), int(found[-1]) + 1))
    k, *plane = sides
    for start in range(k.start, k.stop, _PLANES):
        inner = (slice(start, min(start + _PLANES, k.stop)), *plane)
        around = zip(inner, weights.shape, strict=True)
        yield inner, tuple(slice(max(0, s.start - margin), min(n, s.stop + margin)) for s, n in around)


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
