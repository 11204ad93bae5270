"""Other contrasts of an image, for pairs whose labels stay those that they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from DiffusionCore.space import Volume
from DiffusionCore.space.intensities import intensity_levels


class Contrast(Enum):
    """How the foreground of an image is shown."""

    SAME = "same"
    INVERTED = "inverted"
    REMAPPED = "remapped"


def shown_in(volume: Volume, contrast: Contrast) -> Volume:
    """Return ``volume`` in another contrast: from bright to dark, or with its middle intensities as the brightest.

    The background becomes 0; the foreground, as ``intensity_levels`` finds it, has intensities from 0.05 to 1.1.
    """
    match contrast:
        case Contrast.SAME:
            return volume
        case Contrast.INVERTED:
            return _changed(volume, lambda share: 1.05 - share)
        case Contrast.REMAPPED:
            return _changed(volume, lambda share: 1.1 - 1.8 * abs(share - 0.55))


def _changed(volume: Volume, curve: Callable[[NDArray], NDArray]) -> Volume:
    dark, threshold, bright = intensity_levels(volume.values)
    share = np.clip((volume.values.astype(np.float32) - dark) / (bright - dark), 0, 1)
    values = np.where(volume.values > threshold, np.maximum(curve(share), 0.05), 0)
    return replace(volume, values=values.astype(np.float32))
