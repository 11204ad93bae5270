"""Transforms in RAS mm, from fixed to moving points; the right operand of ``@`` acts first."""

from DiffusionCore.transforms.affine import Affine, Group
from DiffusionCore.transforms.base import Chain, Transform, voxel_centers
from DiffusionCore.transforms.displacement import Displacement, jacobian_determinant
from DiffusionCore.transforms.resample import resample
from DiffusionCore.transforms.velocity import Velocity

__all__ = [
    "Affine",
    "Chain",
    "Displacement",
    "Group",
    "Transform",
    "Velocity",
    "jacobian_determinant",
    "resample",
    "voxel_centers",
]
