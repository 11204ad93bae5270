"""Resample: an image on one grid, seen through a transform, on another grid. The only resampling an image gets."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from DiffusionCore.checks import VolumeError
from DiffusionCore.interpolation import Interpolation, pull, pull_affine
from DiffusionCore.space import Frame, Grid, Volume
from DiffusionCore.transforms.affine import Affine
from DiffusionCore.transforms.base import SLAB_VOXELS, Chain, Transform, k_slabs
from DiffusionCore.transforms.displacement import Displacement, voxel_vectors
from DiffusionCore.transforms.velocity import Velocity


def resample(
    moving: Volume,
    grid: Grid,
    transform: Transform,
    *,
    interpolation: Interpolation = Interpolation.LINEAR,
    fill: float = 0.0,
    slab_voxels: int = SLAB_VOXELS,
) -> Volume:
    """Return ``moving`` on ``grid``: the value at x is moving(T(x)), of the numeric type of ``moving``.

    What lies outside of ``moving`` becomes ``fill``. Integers are rounded and clipped to their range; NEAREST moves
    every value bit for bit (labels). The work goes slab by slab along k, ``slab_voxels`` at a time, which bounds the
    memory beside the two images and never changes the result.

    Raises:
        VolumeError: ``moving`` holds complex or other values that are no real numbers.
    """
    dtype = moving.values.dtype.newbyteorder("=")
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        raise VolumeError(f"Resampling needs an image of real numbers of at most 64 bits, got {moving.values.dtype}.")
    values = np.ascontiguousarray(moving.values, dtype)
    nearest = interpolation is Interpolation.NEAREST
    outside = _bits(_cast(np.array([fill], dtype=np.float64), dtype)).item() if nearest else fill
    image = torch.from_numpy(_bits(values) if nearest else _wide(values))[None, None]
    sample = _sampler(image, moving.grid, grid, transform, interpolation, outside)
    result = np.empty(grid.shape, dtype)
    with torch.no_grad():
        for slab in k_slabs(grid, slab_voxels):
            sampled = sample(slab)[0, 0].numpy()
            result[slab] = sampled.view(dtype) if nearest else _cast(sampled, dtype)
    return Volume(result, grid)


def _sampler(
    image: Tensor, source: Grid, grid: Grid, transform: Transform, interpolation: Interpolation, fill: float
) -> Callable[[slice], Tensor]:
    """Return the function from k-slices of ``grid`` to what ``transform`` shows there of ``image`` on ``source``."""
    to_voxel, settings = source.matrix(Frame.RAS, Frame.VOXEL), {"interpolation": interpolation, "fill": fill}
    parts = _affine_and_field(transform)
    if parts is None:
        columns = torch.from_numpy(to_voxel)

        def at_points(slab: slice) -> Tensor:
            points = transform.map_voxels(grid, slab)
            coordinates = torch.addmm(columns[:3, 3], points.view(-1, 3), columns[:3, :3].T).view(points.shape)
            return pull(image, coordinates[None], **settings)

        return at_points
    affine, field = parts
    voxel_to_voxel = to_voxel @ affine.matrix.numpy() @ grid.matrix(Frame.VOXEL, Frame.RAS)
    precision = image.dtype if interpolation is Interpolation.LINEAR else torch.float64
    matrix = torch.from_numpy(voxel_to_voxel[None, :3]).to(precision)

    def along_grid(slab: slice) -> Tensor:
        shape = slab.stop - slab.start, *grid.shape[1:]
        shifts = None if field is None else voxel_vectors(field.slab_on(grid, slab), grid)[None]
        return pull_affine(image, matrix, shape, shifts, first=slab.start, **settings)

    return along_grid


def _affine_and_field(transform: Transform) -> tuple[Affine, Displacement | None] | None:
    """Return the affine part of ``transform`` and the displacement that acts before it, if it is made of these."""
    *outer, inner = transform.parts if isinstance(transform, Chain) and transform.parts else (transform,)
    field = inner.displacement if isinstance(inner, Velocity) else inner
    if isinstance(field, Affine):
        outer, field = [*outer, field], None
    if not isinstance(field, Displacement | None):
        return None
    affine = Affine.identity()
    for part in outer:
        if not isinstance(part, Affine):
            return None
        affine = Affine(affine.matrix @ part.matrix)
    return affine, field


def _wide(values: NDArray) -> NDArray:
    """Return ``values`` in the floating type that holds them: 24 bits of precision, or 53 where 24 would lose some."""
    small = values.dtype.itemsize <= 2 or values.dtype == np.float32
    return values.astype(np.float32 if small else np.float64, copy=False)


def _bits(values: NDArray) -> NDArray:
    """Return the same bytes as signed integers, the types that every torch operation knows."""
    return values.view(f"i{values.dtype.itemsize}")


def _cast(values: NDArray, dtype: np.dtype) -> NDArray:
    """Return floating ``values`` as ``dtype``; integers are rounded and clipped."""
    if dtype.kind == "f":
        return values.astype(dtype, copy=False)
    low, high = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    top = values.dtype.type(high)
    top = np.nextafter(top, values.dtype.type(0)) if int(top) > high else top
    return np.clip(np.nan_to_num(np.rint(values)), low, top).astype(dtype)
