"""Where voxels are: frames, grids and volumes. Plain numbers and numpy; no torch."""

from DiffusionCore.space.frames import Frame
from DiffusionCore.space.grid import Grid
from DiffusionCore.space.volume import Volume

__all__ = ["Frame", "Grid", "Volume"]
