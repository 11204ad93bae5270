"""Variants of a labeled case: everything in it goes through one deformation, and is resampled once."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from DiffusionCore.checks import DiffusionCoreError
from DiffusionCore.interpolation import Interpolation
from DiffusionCore.space import Grid, Volume
from DiffusionCore.space.intensities import intensity_levels
from DiffusionCore.synthesis.anatomy import Anatomy
from DiffusionCore.synthesis.checks import SampleChecks, check_sample
from DiffusionCore.synthesis.fields import FieldSource, RandomFields, RecoveredFields
from DiffusionCore.synthesis.intensity import changed_intensities
from DiffusionCore.synthesis.labels import LabelStatistics
from DiffusionCore.synthesis.mixtures import MixedFields
from DiffusionCore.synthesis.painting import Painter
from DiffusionCore.synthesis.settings import SynthesisSettings
from DiffusionCore.synthesis.subject import Segmentation, Subject
from DiffusionCore.transforms import Affine, Displacement, Transform, resample


class SampleRefusedError(DiffusionCoreError):
    """No draw of a sample passed its checks."""


@dataclass(frozen=True, eq=False)
class Variant:
    """A deformed case.

    Attributes:
        index: its number among the variants of its seed.
        subject: its images, segmentations and landmarks; grids and types are those of the case.
        transform: points of the variant to points of the case, RAS mm.
        field: the same as one displacement on the grid of the images.
        stages: of the deformation, where a network recovered it: the random one first, the one that was used last.
        checks: what was measured of it.
        redrawn: why each earlier draw was refused.
    """

    index: int
    subject: Subject
    transform: Transform
    field: Displacement
    stages: tuple[Transform, ...]
    checks: SampleChecks
    redrawn: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Draft:
    """One draw, before its images are made."""

    whole: Transform
    field: Displacement
    stages: tuple[Transform, ...]
    segmentations: tuple[Segmentation, ...]
    checks: SampleChecks


class Synthesizer:
    """Makes variants of ``subject``; variant ``index`` of a seed is the same for ever, alone or among others.

    Raises:
        GeometryError: the image is too thin to be deformed.
        CheckpointError: there is no such model, or it is of another kind.
        StorageError: there are too few registrations to the case.
        VolumeError: the image model knows none of the labels, or not all.
    """

    def __init__(self, subject: Subject, settings: SynthesisSettings | None = None) -> None:
        self.subject = subject
        self.settings = settings or SynthesisSettings()
        self.anatomy = Anatomy.of(subject, self.settings)
        self._fields = _fields(subject, self.anatomy, self.settings)
        self._painter = None if self.settings.image_model is None else Painter.of(subject, self.settings.image_model)
        self._background = [intensity_levels(image.values)[0] for image in subject.images]

    def variant(self, index: int, *, seed: int = 0) -> Variant:
        """Return variant ``index`` of ``seed``.

        Raises:
            SampleRefusedError: none of the allowed draws passed the checks; the text says why they failed.
        """
        refused: list[str] = []
        for attempt in range(self.settings.limits.attempts):
            generator = sample_generator(seed, index, attempt)
            draft = self._draft(generator)
            if not draft.checks.refused:
                made = Subject(
                    self.subject.name,
                    self._images(draft, index, seed, generator),
                    draft.segmentations,
                    self._landmarks(draft.whole),
                )
                return Variant(index, made, draft.whole, draft.field, draft.stages, draft.checks, tuple(refused))
            refused.append("; ".join(draft.checks.refused))
        raise SampleRefusedError(
            f"Sample {index} of '{self.subject.name}' was drawn {len(refused)} times and refused each time, at last "
            f"because {refused[-1]}. Choose a smaller strength or wider limits."
        )

    def deformed(self, field: Displacement) -> Subject:
        """Return the images and segmentations of the case seen through ``field``, on its grid."""
        return Subject(self.subject.name, self._resampled(field), self._segmentations(field))

    def _draft(self, generator: torch.Generator) -> _Draft:
        grid = self.subject.images[0].grid
        anatomy, settings = self.anatomy, self.settings
        stages = self._fields.draw(anatomy, generator=generator)
        deformation = stages[-1]
        whole = (
            _random_affine(settings, grid, anatomy.center, generator) @ deformation if _moves(settings) else deformation
        )
        field = Displacement.of(whole, grid)
        segmentations = self._segmentations(field)
        limits = settings.limits
        counted = limits.counted / limits.volume_change  # so that what shrank within the limits still has its parts
        labels = [LabelStatistics.of(each.volume.values, counted) for each in segmentations]
        checks = check_sample(anatomy, deformation, whole, field, labels, settings)
        return _Draft(whole, field, tuple(stages), segmentations, checks)

    def _segmentations(self, field: Displacement) -> tuple[Segmentation, ...]:
        return tuple(
            replace(each, volume=resample(each.volume, field.grid, field, interpolation=Interpolation.NEAREST))
            for each in self.subject.segmentations
        )

    def _resampled(self, field: Displacement) -> tuple[Volume, ...]:
        return tuple(
            resample(image, field.grid, field, fill=background)
            for image, background in zip(self.subject.images, self._background, strict=True)
        )

    def _images(self, draft: _Draft, index: int, seed: int, generator: torch.Generator) -> tuple[Volume, ...]:
        if self._painter is None:
            images = self._resampled(draft.field)
        else:
            images = (self._painter.image(draft.segmentations[0].volume, index, seed=seed),)
        if not self.settings.intensity:
            return images
        return tuple(changed_intensities(i, self.settings.intensity, generator=generator) for i in images)

    def _landmarks(self, whole: Transform) -> NDArray[np.float64] | None:
        """Return the landmarks of the case where they lie in the variant."""
        points = self.subject.landmarks
        return None if points is None else whole.inverse().map(torch.from_numpy(points)).numpy()


def _fields(subject: Subject, anatomy: Anatomy, settings: SynthesisSettings) -> FieldSource:
    """Return where the deformations of ``subject`` come from."""
    image = subject.images[0]
    if settings.registrations is not None:
        return MixedFields.read(Path(settings.registrations), subject.name, anatomy.law)
    return RandomFields(image.grid) if settings.model is None else RecoveredFields(image, settings.model)


def sample_generator(seed: int, index: int, attempt: int = 0) -> torch.Generator:
    """Return the generator of one draw of a sample: it depends on these three numbers alone."""
    words = np.random.SeedSequence((seed, index, attempt)).generate_state(1)  # torch keeps 32 bits of a seed
    return torch.Generator().manual_seed(int(words[0]))


def _moves(settings: SynthesisSettings) -> bool:
    return any((settings.rotation, settings.scale, settings.translation))


def _random_affine(settings: SynthesisSettings, grid: Grid, center: NDArray, generator: torch.Generator) -> Affine:
    """Return a random affine map about ``center``; that of a single slice turns, scales and moves it in its plane."""
    deviations = [math.radians(settings.rotation)] * 3 + [settings.translation] * 3 + [settings.scale] * 3
    numbers = torch.randn(9, generator=generator, dtype=torch.float64) * torch.tensor(deviations, dtype=torch.float64)
    parameters = torch.cat([numbers, torch.zeros(3, dtype=torch.float64)])
    if grid.slice_axis is None:
        return Affine.exponential(parameters, center)
    turns, shifts, scales = parameters[:9].view(3, 3)  # about and along the axes of the image
    turns *= torch.arange(3) == grid.slice_axis
    for part in (shifts, scales):
        part[grid.slice_axis] = 0
    axes = torch.eye(4, dtype=torch.float64)
    axes[:3, :3] = torch.tensor(grid.direction)
    return Affine(axes @ Affine.exponential(parameters).matrix @ axes.T).about(center)
