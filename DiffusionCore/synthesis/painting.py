"""New images for deformed labels: a diffusion of images paints where they say that tissue is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from DiffusionCore.affine.foreground import foreground_mask
from DiffusionCore.checks import VolumeError
from DiffusionCore.generation import GenerationSettings, ImageModel, generate
from DiffusionCore.space import Volume
from DiffusionCore.synthesis.subject import Subject
from DiffusionCore.transforms import Affine, resample


@dataclass(frozen=True, eq=False)
class Painter:
    """Paints images that look like that of a case.

    Attributes:
        model: the diffusion.
        scale: the mean of the foreground of the case, which its images get.
        kind: of the numbers of the case.
    """

    model: ImageModel
    scale: float
    kind: np.dtype

    @classmethod
    def of(cls, subject: Subject, model: str) -> Painter:
        """Return the painter for ``subject`` by the model of this name or path.

        Raises:
            VolumeError: the case has several images or no labels, or labels that the model does not know.
            CheckpointError: there is no such model, or it is of another kind.
        """
        if len(subject.images) != 1 or not subject.segmentations:
            raise VolumeError(
                f"New images need one image and its labels; '{subject.name}' has {len(subject.images)} images and "
                f"{len(subject.segmentations)} segmentations."
            )
        image = subject.images[0]
        mask = foreground_mask(image)
        scale = float(image.values[mask].mean()) if mask.any() else 1.0
        loaded = ImageModel.load(model, "cpu")
        loaded.conditions(labels=subject.segmentations[0].volume)
        return cls(loaded, scale, image.values.dtype)

    def image(self, labels: Volume, number: int, *, seed: int) -> Volume:
        """Return image ``number`` of ``seed`` for ``labels``, on their grid; it is for ever the same."""
        steps = list(generate(self.model, number, seed=seed, settings=GenerationSettings(), labels=labels))
        painted = resample(steps[-1].image, labels.grid, Affine.identity()).values * self.scale
        if self.kind.kind in "iu":
            limits = np.iinfo(self.kind)
            painted = np.clip(np.round(painted), limits.min, limits.max)
        return Volume(painted.astype(self.kind), labels.grid)
