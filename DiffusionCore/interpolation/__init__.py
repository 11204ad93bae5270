"""Values between voxels: knows voxel coordinates only, no geometry."""

from DiffusionCore.interpolation.affine import pull_affine
from DiffusionCore.interpolation.pull import Interpolation, inside, pull
from DiffusionCore.interpolation.shifts import enlarged, moved_voxels, pull_at

__all__ = ["Interpolation", "enlarged", "inside", "moved_voxels", "pull", "pull_affine", "pull_at"]
