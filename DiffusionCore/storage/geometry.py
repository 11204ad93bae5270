"""Grids as files tell them: placed by a matrix to RAS, or by origin, spacing and direction of an ITK image in LPS."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import ArrayLike, NDArray

from DiffusionCore.checks import GeometryError, StorageError
from DiffusionCore.space import Frame, Grid

LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])
_ROUNDING = 1e-9  # directions this near to orthogonal are kept as they are


def grid_from_header(voxel_to_ras: ArrayLike, size: tuple[int, ...], path: Path) -> Grid:
    """Return the grid (size (i, j, k)) of a header's (4, 4) matrix, made exactly orthogonal where rounding bent it.

    Raises:
        StorageError: the axes are sheared or singular, a spacing is zero.
    """
    try:
        grid = Grid.from_matrix(voxel_to_ras, (size[0], size[1], size[2]))
    except GeometryError as error:
        raise StorageError(f"The geometry in the header of '{path}' cannot be used. {error}") from error
    axes = np.array(grid.direction)
    if abs(axes.T @ axes - np.eye(3)).max() <= _ROUNDING:
        return grid
    left, _, right = np.linalg.svd(axes)
    return replace(grid, direction=tuple(map(tuple, left @ right)))


def grid_of(image: sitk.Image, path: Path) -> Grid:
    """Return the RAS grid of a 3D ITK image that was read from ``path``."""
    matrix = np.eye(4)
    matrix[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    matrix[:3, 3] = image.GetOrigin()
    matrix[:3] *= LPS_TO_RAS[:, None]
    return grid_from_header(matrix + 0.0, image.GetSize(), path)


def image_on(values: NDArray, grid: Grid, *, vector: bool = False) -> sitk.Image:
    """Return the ITK image of ``values`` (K, J, I) or, for ``vector``, (K, J, I, C) on ``grid``."""
    image = sitk.GetImageFromArray(values, isVector=vector)
    image.SetSpacing(grid.spacing)
    image.SetOrigin(grid.map((0, 0, 0), Frame.VOXEL, Frame.LPS).tolist())
    image.SetDirection((np.array(grid.direction) * LPS_TO_RAS[:, None] + 0.0).ravel().tolist())
    return image
