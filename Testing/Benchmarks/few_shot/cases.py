"""The cases: read at one spacing, with the labels of a few structures, and the window of them that a network sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from DiffusionCore.affine.foreground import center_of_mass
from DiffusionCore.interpolation import Interpolation
from DiffusionCore.space import Frame, Volume
from DiffusionCore.space.intensities import intensity_levels
from DiffusionCore.synthesis.inputs import SubjectFiles
from DiffusionCore.synthesis.subject import Segmentation, Subject
from DiffusionCore.transforms import Affine, Transform, resample

STRUCTURES = {
    "lateral ventricle": (51, 52),
    "thalamus": (59, 60),
    "caudate": (36, 37),
    "putamen": (57, 58),
    "pallidum": (55, 56),
    "hippocampus": (47, 48),
    "amygdala": (31, 32),
    "accumbens": (23, 30),
}
"""Right and left label of each class, in the protocol of Neuromorphometrics; class 1 is the first one."""

_BLUR = 0.4  # deviation of the smoothing before a coarser sampling, in voxels of the latter


def read_case(files: SubjectFiles, spacing: float) -> Subject:
    """Return the case with the labels of the structures only, at ``spacing`` mm if it is finer along every axis."""
    case = files.read()
    image, labels = case.images[0], case.segmentations[0].volume
    kept = np.isin(labels.values, [label for pair in STRUCTURES.values() for label in pair])
    labels = Volume(np.where(kept, labels.values, 0).astype(np.uint8), labels.grid)
    if max(image.grid.spacing) < spacing:
        width = [_BLUR * spacing / s for s in image.grid.spacing[::-1]]
        image = Volume(gaussian_filter(image.values.astype(np.float32), width), image.grid)
        grid = image.grid.with_spacing(spacing)
        image = resample(image, grid, Affine.identity())
        labels = resample(labels, grid, Affine.identity(), interpolation=Interpolation.NEAREST)
    return Subject(files.name, (image,), (Segmentation(labels),))


def moved(case: Subject, transform: Transform) -> Subject:
    """Return ``case`` seen through ``transform``, on its own grid."""
    image, labels = case.images[0], case.segmentations[0].volume
    seen = resample(image, image.grid, transform, fill=intensity_levels(image.values)[0])
    labels = resample(labels, image.grid, transform, interpolation=Interpolation.NEAREST)
    return Subject(case.name, (seen,), (Segmentation(labels),))


def classes(case: Subject) -> NDArray[np.uint8]:
    """Return the class (K, J, I) of every voxel: 0 for the background, both sides of a structure in one."""
    table = np.zeros(256, np.uint8)
    for number, pair in enumerate(STRUCTURES.values(), 1):
        table[list(pair)] = number
    return table[case.segmentations[0].volume.values]


def shown(case: Subject) -> NDArray[np.float32]:
    """Return the image (K, J, I), the background as 0 and the bright end as 1."""
    values = case.images[0].values.astype(np.float32)
    dark, _, bright = intensity_levels(values)
    return np.maximum((values - dark) / (bright - dark), 0)


@dataclass(frozen=True)
class Window:
    """A box of ``size`` voxels (K, J, I) whose middle lies ``offset`` voxels from the center of the tissue."""

    size: tuple[int, int, int]
    offset: tuple[float, float, float]

    @classmethod
    def about(cls, cases: Sequence[Subject], size: tuple[int, int, int]) -> Window:
        """Return the window about the structures of ``cases``: the mean of the middles of their boxes."""
        offsets = []
        for case in cases:
            inside = np.argwhere(classes(case))
            offsets.append((inside.min(0) + inside.max(0)) / 2 - _center(case))
        k, j, i = np.mean(offsets, 0).tolist()
        return cls(size, (k, j, i))

    def wider(self, voxels: int) -> Window:
        """Return the window with ``voxels`` more on each side."""
        k, j, i = (n + 2 * voxels for n in self.size)
        return Window((k, j, i), self.offset)

    def start(self, case: Subject) -> NDArray[np.int64]:
        """Return the first voxel (K, J, I) of the window in ``case``, found from its image alone."""
        return np.rint(_center(case) + self.offset - (np.array(self.size) - 1) / 2).astype(np.int64)

    def cut(self, case: Subject) -> tuple[torch.Tensor, torch.Tensor]:
        """Return image, float16, and classes, uint8, in the window."""
        image, truth = (box(values, self.start(case), self.size) for values in (shown(case), classes(case)))
        return torch.from_numpy(image).half(), torch.from_numpy(truth)


def box(values: NDArray, start: NDArray, size: tuple[int, ...]) -> NDArray:
    """Return the part of ``values`` of ``size`` from voxel ``start`` on, 0 beyond the borders."""
    result = np.zeros(size, values.dtype)
    first, last = np.maximum(start, 0), np.minimum(start + np.array(size), values.shape)
    source = tuple(map(slice, first, np.maximum(last, first)))
    target = tuple(map(slice, first - start, np.maximum(last, first) - start))
    result[target] = values[source]
    return result


def _center(case: Subject) -> NDArray[np.float64]:
    image = case.images[0]
    return image.grid.map(center_of_mass(image), Frame.RAS, Frame.VOXEL)[::-1]
