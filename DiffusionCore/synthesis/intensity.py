"""Random changes of intensities, in the type and range of the image."""

from __future__ import annotations

import numpy as np
import torch

from DiffusionCore.space import Volume
from DiffusionCore.space.intensities import intensity_levels
from DiffusionCore.training.corruption import Corruptions, corrupt


def changed_intensities(image: Volume, probability: float, *, generator: torch.Generator) -> Volume:
    """Return ``image`` with a random gamma, a smooth bias field and noise, each with ``probability``.

    They act between the background and the bright end of the image; what is darker than the background becomes it.
    """
    values = image.values
    dark, _, bright = intensity_levels(values)
    if bright <= dark:
        return image
    unit = torch.from_numpy((values.astype(np.float32) - dark) / (bright - dark)).clamp(min=0)
    wanted = Corruptions(stripes=0, doubling=0, shadow=0, gamma=probability, bias=probability, noise=probability)
    drawn = corrupt(unit[None, None], wanted, generator=generator)[0, 0].numpy().astype(np.float64)
    result = dark + (bright - dark) * drawn
    if values.dtype.kind in "ui":
        limits = np.iinfo(values.dtype)
        result = np.clip(np.rint(result), limits.min, limits.max)
    return Volume(result.astype(values.dtype), image.grid)
