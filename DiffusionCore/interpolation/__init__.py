"""Values between voxels: knows voxel coordinates only, no geometry."""

from DiffusionCore.interpolation.pull import Interpolation, inside, pull

__all__ = ["Interpolation", "inside", "pull"]
