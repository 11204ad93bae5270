"""Frame of images: the grid, the intensities, the labels and the classes that all images of a model share."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from DiffusionCore.affine.foreground import center_of_mass, working_volume
from DiffusionCore.checks import VolumeError, check_range
from DiffusionCore.interpolation.pull import Interpolation, pull
from DiffusionCore.space import Frame, Grid, Volume
from DiffusionCore.transforms.affine import map_points
from DiffusionCore.transforms.base import lattice, voxel_centers


@dataclass(frozen=True)
class Intensities:
    """Those of the images, relative to the mean of the foreground of each: 0 is background, 1 a usual tissue.

    Attributes:
        mean, deviation: over all voxels.
        largest: no voxel is brighter.

    Raises:
        ValueError: a number is out of its range.
    """

    mean: float
    deviation: float
    largest: float

    def __post_init__(self) -> None:
        check_range(self, 0, math.inf, "mean")
        check_range(self, 1e-6, math.inf, "deviation", "largest")

    def standardized(self, images: Tensor) -> Tensor:
        """Return ``images`` in deviations from the mean."""
        return (images - self.mean) / self.deviation

    def restored(self, standardized: Tensor) -> Tensor:
        """Return what ``standardized`` images stand for."""
        return self.mean + self.deviation * standardized

    @property
    def limits(self) -> tuple[float, float]:
        """The smallest and the largest value of a standardized image."""
        return -self.mean / self.deviation, (self.largest - self.mean) / self.deviation


@dataclass(frozen=True)
class ImageFrame:
    """What all images of a model have in common.

    The axes of the grid are those of the body (RAS), whatever the axes of an image in its file, and its middle lies on
    the center of mass of the labels if there are any, else on that of the foreground.

    Attributes:
        size: voxels along (i, j, k).
        spacing: mm, along all axes.
        intensities: those of the images.
        labels: the values of the label maps, increasing; empty for a model that sees none.
        classes: the names of the kinds of images.

    Raises:
        ValueError: labels that do not increase, or a name that stands twice.
    """

    size: tuple[int, int, int]
    spacing: float
    intensities: Intensities
    labels: tuple[int, ...] = ()
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if list(self.labels) != sorted(set(self.labels)):
            raise ValueError(f"'labels' must increase, got {self.labels}")
        if len(set(self.classes)) < len(self.classes):
            raise ValueError(f"'classes' must differ, got {self.classes}")

    @property
    def grid(self) -> Grid:
        """The grid about the origin of RAS space."""
        return centered_grid(self.size, self.spacing)

    def positions(self) -> Tensor:
        """Return where each voxel lies in the frame, UNIT: (1, 3, K, J, I), float32."""
        points = lattice(self.grid.matrix(Frame.VOXEL, Frame.UNIT), self.size, slice(None), torch.float32)
        return points.movedim(-1, 0)[None]

    @property
    def unknown_label(self) -> int:
        """The number that a network sees where no label is known."""
        return len(self.labels)

    def label_numbers(self, values: NDArray) -> Tensor:
        """Return the numbers 0.. of the label ``values`` in the list of the frame, in their shape, int64.

        Raises:
            VolumeError: a value is no label of the frame.
        """
        table = np.array(self.labels)
        numbers = np.searchsorted(table, values).clip(max=max(0, len(table) - 1))
        wrong = values if not len(table) else values[table[numbers] != values]
        if wrong.size:
            known = ", ".join(map(str, self.labels)) or "none; it was trained without label maps"
            raise VolumeError(f"The label map has the label {wrong.flat[0]}; the model knows: {known}.")
        return torch.from_numpy(numbers.astype(np.int64))


def centered_grid(size: tuple[int, int, int], spacing: float) -> Grid:
    """Return the grid of ``size`` voxels of ``spacing`` mm along the axes of the body, its middle at the origin."""
    return Grid(size, (spacing, spacing, spacing)).with_center((0.0, 0.0, 0.0))


def middle(image: Volume, labels: Volume | None = None) -> NDArray[np.float64]:
    """Return where the middle of the frame lies in an image (3,), RAS mm."""
    if labels is None:
        return center_of_mass(image)
    return center_of_mass(Volume((labels.values != 0).astype(np.uint8), labels.grid))


def placed_image(image: Volume, grid: Grid, center: NDArray[np.float64]) -> Tensor:
    """Return ``image`` on ``grid`` moved to ``center`` (RAS mm): (1, 1, K, J, I) float32, mean of the foreground 1."""
    working = working_volume(image, min(grid.spacing))
    return pull(torch.from_numpy(working.values)[None, None], _located(working.grid, grid, center))


def placed_labels(labels: Volume, grid: Grid, center: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the nearest ``labels`` (K, J, I) at ``grid`` moved to ``center`` (RAS mm); outside is 0."""
    values = torch.from_numpy(labels.values.astype(np.int64))[None, None]
    points = _located(labels.grid, grid, center)
    return pull(values, points, interpolation=Interpolation.NEAREST, fill=0)[0, 0].numpy()


def _located(source: Grid, grid: Grid, center: NDArray[np.float64]) -> Tensor:
    """Return the VOXEL points (1, K, J, I, 3) of ``source`` at the voxels of ``grid`` moved to ``center``."""
    matrix = torch.from_numpy(source.matrix(Frame.RAS, Frame.VOXEL)).float()
    points = voxel_centers(grid, dtype=torch.float32) + torch.from_numpy(center).float()
    return map_points(matrix, points)[None]
