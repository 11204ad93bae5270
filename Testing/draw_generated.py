"""Draw Documentation/images/brains.png: images that a diffusion made, three slices of each.

    .venv/bin/python Testing/draw_generated.py FOLDER [FOLDER ...]

Each FOLDER, as ``generate`` writes it, becomes two rows of four images.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from DiffusionCore.images.frame import middle
from DiffusionCore.space import Grid
from DiffusionCore.storage.volumes import read_volume
from DiffusionCore.transforms import Affine, resample

OUTPUT = Path(__file__).parents[1] / "Documentation" / "images" / "brains.png"
SIZE, SPACING = (96, 112, 88), 2.0  # voxels and mm of what is drawn
COLUMNS, IMAGES = 4, 8
BRIGHTEST = 1.7  # times the mean of the foreground


def picture(path: Path) -> np.ndarray:
    """Return an axial, a coronal and a sagittal slice beside each other: (rows, columns), 0..1."""
    image = read_volume(path)
    grid = Grid(SIZE, (SPACING,) * 3).with_center(tuple(map(float, middle(image))))
    gray = resample(image, grid, Affine.identity()).values / BRIGHTEST
    k, j, i = (n // 2 for n in gray.shape)
    shown = []
    for index in ((k + 3,), (slice(None), j), (slice(None), slice(None), i + 3)):
        flat = gray[index].clip(0, 1)
        tall = np.zeros((SIZE[1], flat.shape[1]))
        tall[(SIZE[1] - len(flat)) // 2 :][: len(flat)] = flat[::-1]
        shown.append(tall)
    return np.concatenate(shown, 1)


def main(folders: list[str]) -> None:
    """Draw it."""
    rows = []
    for folder in folders:
        paths = [path for path in sorted(Path(folder).glob("image_*.nii.gz")) if not path.name.endswith("_seg.nii.gz")]
        pictures = [picture(path) for path in paths[:IMAGES]]
        rows += [np.concatenate(pictures[n : n + COLUMNS], 1) for n in range(0, len(pictures), COLUMNS)]
    OUTPUT.parent.mkdir(exist_ok=True)
    Image.fromarray((255 * np.concatenate(rows)).astype(np.uint8)).save(OUTPUT, optimize=True)


if __name__ == "__main__":
    main(sys.argv[1:])
