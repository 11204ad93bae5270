"""The images of a folder or a manifest (see ``cases``) in one frame; their class is their modality.

A file that cannot be used is left out and named in the log. What is read is kept prepared on the disk (``prepared``).
"""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from DiffusionCore.affine.foreground import foreground_mask
from DiffusionCore.checks import ConfigError, DiffusionCoreError, StorageError
from DiffusionCore.images.frame import ImageFrame, Intensities, centered_grid, middle, placed_image, placed_labels
from DiffusionCore.space import Frame, Grid, Volume
from DiffusionCore.training.cases import LABELS, Case, find_cases
from DiffusionCore.training.prepared import Arrays, prepared
from DiffusionCore.training.scan import held_out

_MARGIN = 1  # voxels between the objects and the borders of the frame

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class ImageFolder:
    """Images of a folder in one frame.

    Attributes:
        frame: theirs; all that is not asked for is measured.
        names: of the images, without ending, (V,).
        images: (V, 1, K, J, I) float16, the mean of the foreground of each is 1.
        labels: (V, K, J, I) int16, numbers of the labels of the frame, ``unknown_label`` for images without.
        classes: (V,) numbers of the classes of the frame, from 1; 0 for none.
        held_out: whether each is kept for validations; empty if none is.
        pairs: the name that each shares with those that it is paired with, empty for none; empty if there are none.
    """

    frame: ImageFrame
    names: tuple[str, ...]
    images: Tensor
    labels: Tensor
    classes: Tensor
    held_out: tuple[bool, ...] = ()
    pairs: tuple[str, ...] = ()

    @classmethod
    def read(
        cls,
        place: Path | str | None,
        *,
        spacing: float,
        size: tuple[int, int, int] | None = None,
        multiple: int = 1,
        labelled: bool = True,
        checked: float = 0.0,
    ) -> ImageFolder:
        """Return the images of ``place``, a folder or a manifest, at ``spacing`` mm, with their labels if ``labelled``.

        ``checked`` is the share of the subjects that is held out for validations (``scan.held_out``).

        Without ``size`` (i, j, k) the frame holds the foreground of all, its sizes rounded up to a ``multiple``.

        Raises:
            ConfigError: ``place`` is None: a recipe was not told where the images are.
            StorageError: there is no such place, or no image in it that can be used.
        """
        if place is None:
            raise ConfigError("This recipe learns from your images: give their folder, data=FOLDER.")
        found = find_cases(Path(place))
        cases, measures = _measured(found if labelled else [replace(case, labels=None) for case in found])
        if not cases:
            raise StorageError(
                f"No image in '{place}' can be used. Expected NAME.nii.gz (or .nrrd, .mha), with labels in "
                f"NAME{LABELS}.nii.gz on the same grid if there are any; the log says what is wrong with each file."
            )
        if size is None:
            reach = np.max([measure["reach"] for measure in measures], 0)
            i, j, k = (multiple * math.ceil((2 * mm / spacing + 2 * _MARGIN) / multiple) for mm in reach)
            size = (i, j, k)
        grid = centered_grid(size, spacing)
        placed = [
            prepared(
                case.files,
                {"what": "placed", "size": size, "spacing": spacing},
                functools.partial(_placed, case, grid, measure["center"]),
            )
            for case, measure in zip(cases, measures, strict=True)
        ]
        images = torch.cat([torch.from_numpy(arrays["image"]) for arrays in placed])
        maps = [arrays.get("labels") for arrays in placed]
        values = np.unique(np.concatenate([[0], *(np.unique(values) for values in maps if values is not None)]))
        kinds = sorted({case.modality for case in cases} - {""})
        frame = ImageFrame(
            size,
            spacing,
            Intensities(_rounded(images.mean()), _rounded(images.std()), _rounded(images.amax())),
            tuple(values.tolist()) if any(values is not None for values in maps) else (),
            tuple(kinds),
        )
        unknown = torch.full(grid.shape, frame.unknown_label)
        labels = [unknown if values is None else frame.label_numbers(values) for values in maps]
        classes = torch.tensor([1 + kinds.index(case.modality) if case.modality else 0 for case in cases])
        names = tuple(case.name for case in cases)
        kept = tuple(held_out(cases, checked))
        return cls(
            frame, names, images.half(), torch.stack(labels).short(), classes, kept, tuple(case.pair for case in cases)
        )

    def chosen(self, *, held_out: bool) -> Tensor:
        """Return the indices (N,) of the images that are, or are not, ``held_out``; of all if that leaves none."""
        everything = torch.arange(len(self.images))
        if not any(self.held_out):
            return everything
        return everything[torch.tensor(self.held_out) == held_out]


def _measured(cases: Sequence[Case]) -> tuple[list[Case], list[Arrays]]:
    """Return the cases that can be used, with the middle and the reach of each; the log names the others."""
    good, measures = [], []
    for case in cases:
        try:
            measures.append(prepared(case.files, {"what": "measures"}, functools.partial(_measures, case)))
        except DiffusionCoreError as error:
            _log.warning("'%s' was left out. %s", case.image.name, error)
        else:
            good.append(case)
    return good, measures


def _measures(case: Case) -> Arrays:
    image, labels = case.read()
    center = middle(image, labels)
    return {"center": center, "reach": _reach(image, center)}


def _placed(case: Case, grid: Grid, center: NDArray[np.float64]) -> Arrays:
    image, labels = case.read()
    arrays: Arrays = {"image": placed_image(image, grid, center).numpy()}
    if labels is not None:
        arrays["labels"] = placed_labels(labels, grid, center)
    return arrays


def _reach(image: Volume, center: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far the foreground reaches from ``center`` along R, A and S (3,), mm."""
    voxels = np.argwhere(foreground_mask(image))[:, ::-1]
    return np.abs(image.grid.map(voxels, Frame.VOXEL, Frame.RAS) - center).max(0)


def _rounded(value: Tensor) -> float:
    return round(float(value), 5)  # as a file of settings shows it
