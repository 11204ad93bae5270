"""The film strip: how the moving image settled on the fixed one, step by step, in three planes through the patient.

The planes are those of the body (axial, coronal, sagittal), whatever the axes of the images, in mm, in radiological
view: the patient's right is on the left; anterior is up in axial planes and on the left in sagittal ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from DiffusionCore.affine.foreground import center_of_mass, foreground_mask
from DiffusionCore.space import Frame, Grid, Volume
from DiffusionCore.storage.canvas import FAINT, Canvas
from DiffusionCore.transforms.affine import Affine
from DiffusionCore.transforms.base import Transform, voxel_centers
from DiffusionCore.transforms.resample import resample

if TYPE_CHECKING:
    from DiffusionCore.affine.steps import Step

_PIXELS = 210  # along the longest side of the shown box
_SQUARE = 29  # pixels along a side of a square of the checkerboard
_MARGIN = 8.0  # mm around the fixed foreground
_FIXED_TINT, _MOVING_TINT = np.array([0.84, 0.94, 1.0]), np.array([1.0, 0.86, 0.66])
_GAP, _LEFT, _TOP, _BOTTOM = 6, 34, 58, 34  # pixels between the planes, and around all of them
_LETTER = 4  # pixels from a letter to its edge


@dataclass(frozen=True)
class _Plane:
    """A plane of the body; ``letters`` stand at its left, right, top and bottom."""

    name: str
    along: tuple[int, int, int]
    down: tuple[int, int, int]
    letters: str


_PLANES = (
    _Plane("axial", (-1, 0, 0), (0, -1, 0), "RLAP"),
    _Plane("coronal", (-1, 0, 0), (0, 0, -1), "RLSI"),
    _Plane("sagittal", (0, -1, 0), (0, 0, -1), "APSI"),
)


def draw_film_strip(path: Path, fixed: Volume, moving: Volume, steps: Sequence[Step], *, frames: int = 5) -> None:
    """Write the picture (.png) of a registration to ``path``. Needs Pillow.

    Columns: the fixed image; the moving image through its own center; then checkerboards of both (fixed bluish, moving
    yellowish) at ``frames`` of the ``steps``, the last one among them; the moved image as the last step leaves it.
    """
    shown = [steps[index] for index in choose_frames(steps, fixed.grid, frames)]
    grids = plane_grids(fixed)
    whites = white_of(fixed), white_of(moving)
    transforms = [step.transform for step in shown]
    fixed, moving = (Volume(image.values.astype(np.float32, copy=False), image.grid) for image in (fixed, moving))
    height = _TOP + sum(grid.size[1] + _GAP for grid in grids) + _BOTTOM
    canvas = Canvas(_LEFT + (3 + len(shown)) * (_PIXELS + _GAP), height)
    top = _TOP
    for plane, grid in zip(_PLANES, grids, strict=True):
        across, down, _ = grid.size
        indent = _LEFT + (_PIXELS - across) // 2
        for column, picture in enumerate(pictures(fixed, moving, transforms, grid, whites)):
            canvas.paste(picture, (indent + column * (_PIXELS + _GAP), top))
        _letter_edges(canvas, plane.letters, indent, top, across, down)
        canvas.write_upwards(plane.name, (_LEFT // 2, top + down // 2), size=13, tone=FAINT)
        top += down + _GAP
    for column, title in enumerate(_titles(shown, steps[-1])):
        middle = _LEFT + column * (_PIXELS + _GAP) + _PIXELS / 2
        canvas.write(title, (middle, _TOP - 8), anchor="md", size=13)
    note = "Checkerboards: fixed bluish, moving yellowish.   Radiological view: the patient's right (R) is on the left."
    canvas.write(note, (_LEFT, height - _BOTTOM / 2), anchor="lm", tone=FAINT)
    canvas.save(path)


def choose_frames(steps: Sequence[Step], grid: Grid, count: int) -> list[int]:
    """Return at most ``count`` indices into ``steps``, the last one among them, far apart along the way of the points.

    The way of a step counts with its square root, so that a long jump does not hide the fine settling after it.
    """
    points = voxel_centers(grid.resized((4, 4, 4)))
    positions = torch.stack([step.transform.map(points) for step in steps])
    moved = (positions[1:] - positions[:-1]).norm(dim=-1).mean((1, 2, 3)).sqrt()
    way = torch.cat([moved.new_zeros(1), moved.cumsum(0)]).numpy()
    chosen = [len(steps) - 1]
    while len(chosen) < min(count, len(steps)):
        apart = abs(way[:, None] - way[chosen]).min(1)
        apart[chosen] = -1
        chosen.append(int(apart.argmax()))
    return sorted(chosen)


def plane_grids(fixed: Volume, pixels: int = _PIXELS) -> list[Grid]:
    """Return the grids of the planes: one voxel thick, square pixels, through the middle of the fixed foreground.

    So many ``pixels`` lie along the longest side of the box around it.
    """
    inside = np.flatnonzero(foreground_mask(fixed))
    kji = np.unravel_index(inside[:: 1 + len(inside) // 20_000], fixed.grid.shape)
    points = fixed.grid.map(np.stack(kji[::-1], -1), Frame.VOXEL, Frame.RAS)
    low, high = points.min(0) - _MARGIN, points.max(0) + _MARGIN
    pixel = float((high - low).max()) / pixels
    grids = []
    for plane in _PLANES:
        axes = np.array([plane.along, plane.down, np.cross(plane.along, plane.down)])
        size = [math.ceil(abs(axis) @ (high - low) / pixel) for axis in axes[:2]]
        # each in-plane axis runs down a coordinate of the body and so starts at its high end
        corner = np.where(axes[2] != 0, center_of_mass(fixed), high)
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = pixel * axes.T, corner
        grids.append(Grid.from_matrix(matrix, (size[0], size[1], 1)))
    return grids


def pictures(
    fixed: Volume, moving: Volume, shown: Sequence[Transform], grid: Grid, white: tuple[float, float]
) -> list[NDArray[np.float64]]:
    """Return the columns of one plane: colors 0..1, (rows, columns, 3); ``white`` of the fixed and the moving image."""
    centered = Affine.translation(center_of_mass(moving) - center_of_mass(fixed))
    still = gray(resample(fixed, grid, Affine.identity()), white[0])
    pictures = [still, gray(resample(moving, grid, centered), white[1])]
    board = _checkerboard(grid)[..., None]
    moved = [gray(resample(moving, grid, transform), white[1]) for transform in shown]
    return [*pictures, *(np.where(board, image * _MOVING_TINT, still * _FIXED_TINT) for image in moved), moved[-1]]


def white_of(image: Volume) -> float:
    """Return the intensity that is shown white."""
    return float(np.percentile(image.values[foreground_mask(image)], 99.5))


def gray(image: Volume, white: float) -> NDArray[np.float64]:
    """Return the plane ``image`` as a picture: colors 0..1, (rows, columns, 3)."""
    return np.repeat(np.clip(image.values[0] / white, 0, 1)[..., None], 3, -1)


def _checkerboard(grid: Grid) -> NDArray[np.bool_]:
    """Return where the moving image is shown; a square of the fixed image lies in the middle."""
    columns, rows = (np.floor((np.arange(n) - n / 2) / _SQUARE + 0.5).astype(int) for n in grid.size[:2])
    return (rows[:, None] + columns) % 2 == 1


def _titles(shown: Sequence[Step], last: Step) -> list[str]:
    titles = ["fixed", "moving"]
    for step in shown:
        similarity = step.metrics.get("mutual_information")
        first = f"step {step.index}: {step.phase}" + (" (last)" if step is last else "")
        titles.append(f"{first}\nt = {step.time:.2f}" + ("" if similarity is None else f"   MI {similarity:.2f}"))
    return [*titles, "moved"]


def _letter_edges(canvas: Canvas, letters: str, left: int, top: int, across: int, down: int) -> None:
    right, bottom, x, y = left + across, top + down, left + across / 2, top + down / 2
    places = ((left + _LETTER, y), (right - _LETTER, y), (x, top + _LETTER), (x, bottom - _LETTER))
    for letter, place, anchor in zip(letters, places, ("lm", "rm", "ma", "md"), strict=True):
        canvas.write(letter, place, anchor=anchor)
