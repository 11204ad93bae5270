"""A labeled case: what goes through one deformation together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from DiffusionCore.checks import GeometryError, VolumeError, check_shape
from DiffusionCore.space import Volume
from DiffusionCore.storage.label_names import LabelName, completed
from DiffusionCore.synthesis.labels import label_volumes

_SAME_GRID = 0.1  # mm


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Labels on the grid of an image: whole numbers in ``volume``, 0 for the background, and ``names`` for all others.

    Segments that overlap come as several segmentations, the layers of one file: ``layer`` is 0 for the first, and all
    whose layer is not 0 belong to the one before.

    Raises:
        VolumeError: the values are not whole numbers of at least 0.
    """

    volume: Volume
    names: tuple[LabelName, ...] = ()
    layer: int = 0

    def __post_init__(self) -> None:
        values = self.volume.values
        if values.dtype.kind not in "bui":
            whole = np.isfinite(values).all() and np.array_equal(values, np.round(values))
            if not whole or abs(values).max() >= 2**24:
                raise VolumeError("A segmentation must hold whole numbers, one per label; this one has fractions.")
            object.__setattr__(self, "volume", Volume(values.astype(np.int32), self.volume.grid))
        if self.volume.values.min() < 0:
            raise VolumeError(f"Labels must be at least 0, got {self.volume.values.min()} in a segmentation.")
        object.__setattr__(self, "names", completed(self.names, label_volumes(self.volume.values)))


@dataclass(frozen=True, eq=False)
class Subject:
    """A case with everything that shares its space: a volume, or a single slice, which is deformed within its plane.

    Attributes:
        name: what the user calls it.
        images: its channels, all on one grid; the first one says where there is tissue.
        segmentations: on the same grid.
        landmarks: points (N, 3), RAS mm.

    Raises:
        GeometryError: something lies on another grid than the first image.
        VolumeError: there is no image, or the first one holds nothing.
    """

    name: str
    images: tuple[Volume, ...]
    segmentations: tuple[Segmentation, ...] = ()
    landmarks: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        if not self.images:
            raise VolumeError(f"The case '{self.name}' has no image.")
        self.images[0].require_registrable(f"'{self.name}'", slice_too=True)
        grid = self.images[0].grid
        for what, others in (("image", self.images[1:]), ("segmentation", [s.volume for s in self.segmentations])):
            for other in others:
                if not other.grid.is_close(grid, tolerance=_SAME_GRID):
                    raise GeometryError(
                        f"Of the case '{self.name}', one {what} does not lie on the grid of the first image: its size "
                        f"is {other.grid.size}, that of the image {grid.size}, or their spacing, origin or axes "
                        "differ. Resample it to the image first."
                    )
        if self.landmarks is not None:
            check_shape(self.landmarks, "N 3", name="landmarks")


def in_layers(segmentations: Sequence[Segmentation]) -> list[list[Segmentation]]:
    """Return ``segmentations`` by the files that they come from: one each, or all the layers of one."""
    files: list[list[Segmentation]] = []
    for each in segmentations:
        if each.layer and files:
            files[-1].append(each)
        else:
            files.append([each])
    return files


def variant_name(source: str, index: int) -> str:
    """Return what variant ``index`` of the case ``source`` is called."""
    return f"{source}_{index:04d}"
