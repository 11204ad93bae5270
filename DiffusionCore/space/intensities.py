"""What is dark and what is bright in an image, without the few voxels that are neither."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from DiffusionCore.space.volume import Volume

_SHARE = 0.05  # of the way from the background to the bright end
_BRIGHT = 99.5  # percentile: the bright end without a few hot voxels
_DARK = 0.5  # percentile: the background without a few padded or ringing voxels
_SUBSAMPLE = 200_000  # voxels that percentiles are taken from
_BEYOND = 4.0  # times the way from the background to the bright end: brighter is no tissue


def intensity_levels(values: NDArray) -> tuple[float, float, float]:
    """Return (background, threshold, bright end) of the intensities ``values`` of any shape."""
    flat = values.reshape(-1)
    dark, bright = np.percentile(flat[:: 1 + flat.size // _SUBSAMPLE].astype(np.float32), [_DARK, _BRIGHT])
    if bright <= dark:  # the object is smaller than half a percent of the image
        dark, bright = float(flat.min()), float(flat.max())
    return float(dark), float(dark + _SHARE * (bright - dark)), float(bright)


def without_outliers(volume: Volume) -> Volume:
    """Return ``volume`` with what is brighter than any tissue, as metal or hot voxels, as bright as the most can be.

    That is four times as far from the background as the bright end. An image without such voxels is returned as it is.
    """
    dark, _, bright = intensity_levels(volume.values)
    most = dark + _BEYOND * (bright - dark)
    if volume.values.max() <= most:
        return volume
    return Volume(np.minimum(volume.values, np.array(most).astype(volume.values.dtype)), volume.grid)
