"""A small picture of each case, to look through a whole cohort: in planes of the body, as in a film strip."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from DiffusionCore.film_strip import gray, pictures, plane_grids, white_of
from DiffusionCore.interpolation import Interpolation
from DiffusionCore.report import Pair
from DiffusionCore.space import Grid, Volume
from DiffusionCore.storage.volumes import read_volume
from DiffusionCore.synthesis.inputs import SubjectFiles
from DiffusionCore.transforms.affine import Affine
from DiffusionCore.transforms.base import Transform
from DiffusionCore.transforms.resample import resample

THUMBNAIL = "thumbnail.jpg"
_PIXELS, _GAP = 130, 3  # along the longest side of a plane; between the planes
_VARIANTS = 3
_TONES = np.array([(90, 160, 255), (255, 160, 90), (90, 220, 160), (240, 220, 90), (220, 90, 160)]) / 255


def draw_registration(folder: Path, pair: Pair, transform: Transform) -> None:
    """Write the picture of a registration: checkerboards of both images, as they lay above, as they lie now below."""
    shown = [pair.initial or Affine.identity(), transform]
    fixed, moving = pair.fixed, pair.moving
    white = white_of(fixed), white_of(moving)
    columns = [pictures(fixed, moving, shown, grid, white)[2:4] for grid in plane_grids(fixed, _PIXELS)]
    _write(folder / THUMBNAIL, [[column[row] for column in columns] for row in range(len(shown))])


def draw_variants(folder: Path, files: SubjectFiles, records: Sequence[dict[str, Any]]) -> None:
    """Write the picture of a set of variants: the case on the left, then the first of ``records``, with their labels.

    Pairs (``--format registration``) show their fixed image.
    """
    case = files.read()
    own = case.segmentations[0].volume if len(case.segmentations) == 1 else None  # layers may overlap
    made = [_read(folder, record, labeled=own is not None) for record in records[:_VARIANTS]]
    grids = plane_grids(case.images[0], _PIXELS)[:2]
    white = white_of(case.images[0])
    _write(
        folder / THUMBNAIL,
        [[_outlined(image, labels, grid, white) for image, labels in ((case.images[0], own), *made)] for grid in grids],
    )


def _read(folder: Path, record: dict[str, Any], *, labeled: bool) -> tuple[Volume, Volume | None]:
    """Return image and labels of a variant: every layout names the image first, and then its labels."""
    image, *rest = (folder / name for name in record["files"])
    return read_volume(image, slices=1), read_volume(rest[0], slices=1) if labeled else None


def _outlined(image: Volume, labels: Volume | None, grid: Grid, white: float) -> NDArray[np.float64]:
    """Return a plane of ``image`` with a rim around each label; its place among the labels chooses the tone."""
    picture = gray(resample(image, grid, Affine.identity()), white)
    if labels is None:
        return picture
    values = resample(labels, grid, Affine.identity(), interpolation=Interpolation.NEAREST).values[0].astype(int)
    rim = np.zeros(values.shape, bool)
    rim[1:] |= values[1:] != values[:-1]
    rim[:, 1:] |= values[:, 1:] != values[:, :-1]
    rim &= values > 0
    places = np.searchsorted(np.unique(labels.values), values[rim])  # a layout may number the labels anew
    picture[rim] = 0.2 * picture[rim] + 0.8 * _TONES[places % len(_TONES)]
    return picture


def _write(path: Path, rows: Sequence[Sequence[NDArray[np.float64]]]) -> None:
    """Write pictures as a table; each is centered in its cell."""
    lines = []
    for row in rows:
        height = max(picture.shape[0] for picture in row)
        lines.append(np.concatenate([_padded(picture, height) for picture in row], 1))
    width = max(line.shape[1] for line in lines)
    table = np.concatenate([np.pad(line, ((0, _GAP), (0, width - line.shape[1]), (0, 0))) for line in lines])
    sitk.WriteImage(sitk.GetImageFromArray((255 * table.clip(0, 1)).astype(np.uint8), isVector=True), str(path))


def _padded(picture: NDArray[np.float64], height: int) -> NDArray[np.float64]:
    above = (height - picture.shape[0]) // 2
    return np.pad(picture, ((above, height - picture.shape[0] - above), (0, _GAP), (0, 0)))
