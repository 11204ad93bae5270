"""Frames: the coordinate systems that a point can live in.

::

      voxel        0       1       2       3          index of the voxel center, order (i, j, k)
      |    .   |   .   |   .   |   .   |
     -1                +1                              UNIT: [-1, 1] spans the outer voxel *borders*
"""

from __future__ import annotations

from enum import Enum


class Frame(Enum):
    """The coordinate system of a point; inside the package points are RAS unless another frame is named."""

    VOXEL = "voxel"  # (i, j, k), the center of the first voxel is (0, 0, 0)
    UNIT = "unit"  # [-1, 1] from border to border of the grid, order (i, j, k)
    RAS = "ras"  # mm, to the Right, Anterior, Superior: the frame of Slicer
    LPS = "lps"  # mm, to the Left, Posterior, Superior: the frame of ITK and of most files
