"""A print in gray of the states side by side: whoever cannot see colors must be able to tell them apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

STATES = ("ready", "running", "stopped-early", "finished", "older-step", "failed")
_WIDTH = 480


def gray_sheet(folder: Path) -> None:
    """Write the sheet from the pictures of the states in ``folder``, as far as they are there."""
    files = [folder / f"{name}.png" for name in (*(f"state-{state}" for state in STATES[:-1]), "error-worker-killed")]
    pictures = [np.asarray(Image.open(file).convert("L"))[:, :_WIDTH] for file in files if file.is_file()]
    if len(pictures) == len(files):
        rows = [np.concatenate(pictures[first : first + 3], axis=1) for first in (0, 3)]
        few = Image.fromarray(np.concatenate(rows)).quantize(32, dither=Image.Dither.NONE)
        few.save(folder / "sheet-states-in-gray.png", optimize=True)
