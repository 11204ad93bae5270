"""What has to be known of a case before it is deformed: found once, used for every variant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from DiffusionCore.affine.foreground import foreground_mask
from DiffusionCore.checks import VolumeError
from DiffusionCore.deformation.random_fields import MultiScale
from DiffusionCore.deformation.strength import law_for, mean_displacement
from DiffusionCore.deformation.symmetry import BILATERAL, MidPlane, find_mid_plane
from DiffusionCore.space import Frame, Volume
from DiffusionCore.synthesis.labels import LabelStatistics
from DiffusionCore.synthesis.plausibility import VolumeReference
from DiffusionCore.synthesis.reference import RealVolumes, reference_of_model
from DiffusionCore.synthesis.settings import SynthesisSettings
from DiffusionCore.synthesis.subject import Subject

_POINTS = 4000
_TAIL = 0.5  # percent at either end that do not count for the extent


@dataclass(frozen=True, eq=False)
class Anatomy:
    """What is known of a case.

    Attributes:
        region: points of its tissue (N, 3), RAS mm: the brighter than background ones of the first image.
        center: of the tissue (3,), RAS mm.
        extent: mm, the largest one of the tissue along the axes of the image.
        wanted: mm, the mean displacement of the tissue that the settings ask for.
        law: of the random velocities.
        plane: of symmetry, if both sides are to deform alike.
        likeness: of both sides, -1..1; None if nobody looked.
        labels: of each segmentation.
        reference: of natural volumes of the labels of the first one, without those of this case.
    """

    region: Tensor
    center: NDArray[np.float64]
    extent: float
    wanted: float
    law: MultiScale
    plane: MidPlane | None
    likeness: float | None
    labels: tuple[LabelStatistics, ...]
    reference: VolumeReference | None

    @classmethod
    def of(cls, subject: Subject, settings: SynthesisSettings) -> Anatomy:
        """Return what is to be known of ``subject``.

        Raises:
            VolumeError: the reference in ``settings`` has labels that the case lacks.
        """
        image = subject.images[0]
        points = _tissue(image)
        low, high = np.percentile(points @ np.array(image.grid.direction), [_TAIL, 100 - _TAIL], axis=0)
        within = [axis for axis in range(3) if axis != image.grid.slice_axis]
        extent = max(high[axis] - low[axis] for axis in within) + max(image.grid.spacing[axis] for axis in within)
        wanted = settings.displacement
        if wanted is None:
            wanted = mean_displacement(settings.strength, extent)
        plane, likeness = (None, None) if settings.symmetry == "off" else find_mid_plane(image)
        if settings.symmetry == "auto" and likeness is not None and likeness < BILATERAL:
            plane = None
        plane = None if plane is None else plane.within(image.grid)
        labels = tuple(LabelStatistics.of(s.volume.values, settings.limits.counted) for s in subject.segmentations)
        region = torch.from_numpy(points)
        return cls(
            region,
            points.mean(0),
            float(extent),
            wanted,
            law_for(extent),
            plane,
            likeness,
            labels,
            _reference(labels, settings),
        )


def _reference(labels: Sequence[LabelStatistics], settings: SynthesisSettings) -> VolumeReference | None:
    """Return what the volumes of the first segmentation are judged by; None if there is nothing."""
    if not labels:
        return None
    given, volumes = settings.reference, labels[0].volumes
    if isinstance(given, RealVolumes):
        return given.for_case(volumes)
    if given is not None or settings.model is None:
        return given
    found = reference_of_model(settings.model)
    try:
        return None if found is None else found.for_case(volumes)
    except (ValueError, VolumeError):  # nobody asked for it: labels of another kind are not judged
        return None


def _tissue(image: Volume) -> NDArray[np.float64]:
    """Return points (N, 3), RAS mm, of the foreground, evenly taken; of the whole grid if there is none."""
    mask = foreground_mask(image)
    voxels = np.flatnonzero(mask) if mask.any() else np.arange(mask.size)
    chosen = voxels[:: max(1, len(voxels) // _POINTS)]
    return image.grid.map(np.stack(np.unravel_index(chosen, mask.shape)[::-1], -1), Frame.VOXEL, Frame.RAS)
