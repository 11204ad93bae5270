"""A mosaic of images: three planes through the middle of each, side by side, in radiological view."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_INCH, _DPI, _GAP = 1.5, 110, 2  # inches per column; pixels between the planes
_BACKGROUND, _TEXT = "#101014", "#e8e8ea"


class Row(NamedTuple):
    """A row of a mosaic: its ``title``, and images (K, J, I) whose axes are those of the body, with a line on each."""

    title: str
    images: Sequence[NDArray]
    lines: Sequence[str]


def draw_mosaic(path: Path, rows: Sequence[Row]) -> None:
    """Write the picture (.png) of ``rows`` to ``path``; all images have one shape and one range. Needs matplotlib."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = max(len(row.images) for row in rows)
    brightest = max(float(np.percentile(image, 99.8)) for row in rows for image in row.images)
    shape = planes(rows[0].images[0]).shape
    height = _INCH * shape[0] / shape[1] + 0.35
    figure = Figure(figsize=(_INCH * columns, height * len(rows)), dpi=_DPI, facecolor=_BACKGROUND)
    FigureCanvasAgg(figure)
    for number, row in enumerate(rows):
        for column, (image, line) in enumerate(zip(row.images, row.lines, strict=True)):
            axes = figure.add_subplot(len(rows), columns, number * columns + column + 1)
            axes.imshow(planes(image), cmap="gray", vmin=0, vmax=max(brightest, 1e-6), interpolation="bilinear")
            axes.set_axis_off()
            title = f"{row.title}\n{line}" if column == 0 else f"\n{line}"
            axes.set_title(title, color=_TEXT, fontsize=7, loc="left", pad=2)
    figure.subplots_adjust(0.01, 0.01, 0.99, 1 - 0.3 / (height * len(rows)), 0.03, 0.12)
    figure.savefig(path, facecolor=_BACKGROUND)


def planes(image: NDArray) -> NDArray:
    """Return the axial, coronal and sagittal plane through the middle of ``image`` (K, J, I), one below the other.

    The patient's right is on the left; anterior is up in the axial plane and on the left in the sagittal one.
    """
    k, j, i = (n // 2 for n in image.shape)
    cuts = (image[k, ::-1, ::-1], image[::-1, j, ::-1], image[::-1, ::-1, i])
    width = max(cut.shape[1] for cut in cuts)
    padded = [np.pad(cut, ((0, _GAP), (0, width - cut.shape[1]))) for cut in cuts]
    return np.concatenate(padded)
