"""Affine transforms in RAS mm, and their Lie algebra.

An element of the algebra is a (4, 4) matrix ``[[skew(w) + S, v], [0, 0]]``, with the rotation vector w (rad), a
symmetric stretch S (log-scales and shears) and the velocity v (mm). As numbers, in this order::

    RIGID       w_x w_y w_z  v_x v_y v_z
    SIMILARITY  w_x w_y w_z  v_x v_y v_z  s                                   (S = s I)
    AFFINE      w_x w_y w_z  v_x v_y v_z  S_xx S_yy S_zz  S_xy S_xz S_yz

Its exponential is always invertible, exp(-L) is the exact inverse of exp(L), and rigid stays rigid on any grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from DiffusionCore.checks import GeometryError, check_shape
from DiffusionCore.space import Frame, Grid
from DiffusionCore.transforms.base import SLAB_VOXELS, Transform, k_slabs, lattice

_NO_LOGARITHM = (
    "This affine transform has no real logarithm: it reflects, or turns by 180 degrees (nearly, if it also shears). "
    "Apply the reflection or half turn as a transform of its own and take the logarithm of the rest."
)


class Group(IntEnum):
    """A subgroup of the affine maps; the value is its number of parameters."""

    RIGID = 6
    SIMILARITY = 7
    AFFINE = 12


@dataclass(frozen=True, eq=False)
class Affine(Transform):
    """x -> M x + t, held as one (4, 4) float64 matrix on the CPU, RAS mm.

    Raises:
        GeometryError: the matrix is singular, not finite, or has another last row than 0 0 0 1.
    """

    matrix: Tensor

    def __post_init__(self) -> None:
        matrix = _float64(self.matrix).clone()
        check_shape(matrix, "4 4", name="matrix")
        if not torch.isfinite(matrix).all() or torch.linalg.det(matrix[:3, :3]).abs() < 1e-9:
            raise GeometryError(f"An affine transform must be invertible, got {matrix.tolist()}.")
        last_row = torch.tensor([0.0, 0.0, 0.0, 1.0], dtype=torch.float64)
        if (matrix[3] - last_row).abs().amax() > 1e-6:
            raise GeometryError(f"The last row of an affine matrix must be 0 0 0 1, got {matrix[3].tolist()}.")
        matrix[3] = last_row
        object.__setattr__(self, "matrix", matrix)

    @classmethod
    def identity(cls) -> Affine:
        """Return x -> x."""
        return cls(torch.eye(4, dtype=torch.float64))

    @classmethod
    def translation(cls, shift: ArrayLike | Tensor) -> Affine:
        """Return x -> x + ``shift`` (3,), mm."""
        matrix = torch.eye(4, dtype=torch.float64)
        matrix[:3, 3] = _float64(shift)
        return cls(matrix)

    @classmethod
    def exponential(cls, parameters: ArrayLike | Tensor, center: ArrayLike | Tensor = (0.0, 0.0, 0.0)) -> Affine:
        """Return exp of the 6, 7 or 12 ``parameters`` (module docstring) about ``center`` (3,), RAS mm."""
        return cls(torch.linalg.matrix_exp(algebra_matrix(_float64(parameters)))).about(center)

    def logarithm(self, center: ArrayLike | Tensor = (0.0, 0.0, 0.0), group: Group = Group.AFFINE) -> Tensor:
        """Return the parameters, float64, whose exponential about ``center`` is this transform.

        For a smaller ``group`` the part of the logarithm outside it is dropped.
        """
        return algebra_parameters(logarithm(self.about(-_float64(center)).matrix), group)

    def about(self, center: ArrayLike | Tensor) -> Affine:
        """Return the same map with its origin moved to ``center`` (3,), RAS mm: x -> c + T(x - c)."""
        shift = Affine.translation(center)
        return Affine(shift.matrix @ self.matrix @ torch.linalg.inv(shift.matrix))

    def nearest(self, group: Group, center: ArrayLike | Tensor = (0.0, 0.0, 0.0)) -> Affine:
        """Return the transform of ``group`` that is nearest in its linear part and takes ``center`` to the same point.

        It exists for every transform, also where there is no logarithm: the rotation is that of the polar
        decomposition (never a reflection), the scale of a similarity the geometric mean of the singular values.
        """
        if group is Group.AFFINE:
            return self
        left, stretch, right = torch.linalg.svd(self.matrix[:3, :3])
        left[:, 2] *= torch.linalg.det(left @ right).sign()
        scale = stretch.log().mean().exp() if group is Group.SIMILARITY else 1.0
        center, matrix = _float64(center), self.matrix.clone()
        matrix[:3, :3] = scale * (left @ right)
        matrix[:3, 3] = self.map(center) - matrix[:3, :3] @ center
        return Affine(matrix)

    def fraction(self, share: float, center: ArrayLike | Tensor = (0.0, 0.0, 0.0)) -> Affine:
        """Return exp(share * log T) about ``center``: ``share`` 0 is the identity, 1 the transform itself."""
        return Affine.exponential(share * self.logarithm(center), center)

    def displacement_after(self, vectors: Tensor, grid: Grid) -> Tensor:
        """Return M u(x) + (M - 1) x + t at the voxel centers of ``grid``; u are ``vectors`` (3, K, J, I) there."""
        change = (self.matrix - torch.eye(4, dtype=torch.float64)).numpy() @ grid.matrix(Frame.VOXEL, Frame.RAS)
        linear, result = self.matrix[:3, :3].to(vectors), torch.empty_like(vectors)
        for slab in k_slabs(grid, SLAB_VOXELS):
            shifts = lattice(change, grid.size, slab, vectors.dtype).movedim(-1, 0)
            torch.add(torch.einsum("ab,bkji->akji", linear, vectors[:, slab]), shifts, out=result[:, slab])
        return result

    def map(self, points: Tensor) -> Tensor:
        """Return M x + t for ``points`` (..., 3), RAS mm."""
        check_shape(points, "... 3", name="points")
        matrix = self.matrix.to(points)
        return points @ matrix[:3, :3].T + matrix[:3, 3]

    def inverse(self) -> Affine:
        """Return the exact inverse."""
        return Affine(torch.linalg.inv(self.matrix))

    def __matmul__(self, inner: Transform) -> Transform:
        return Affine(self.matrix @ inner.matrix) if isinstance(inner, Affine) else super().__matmul__(inner)


def map_points(matrices: Tensor, points: Tensor) -> Tensor:
    """Return M x + t of ``points`` (..., N, 3) under affine ``matrices`` (..., 4, 4), in their common dtype.

    Whatever frames the matrices lead between; leading axes broadcast, so many matrices may share points (N, 3).
    """
    return points @ matrices[..., :3, :3].mT + matrices[..., None, :3, 3]


def algebra_matrix(parameters: Tensor) -> Tensor:
    """Return the algebra elements (..., 4, 4) of ``parameters`` (..., 6 | 7 | 12); differentiable."""
    count = parameters.shape[-1]
    if count not in tuple(Group):
        raise ValueError(f"'parameters' must have 6, 7 or 12 entries in the last axis, got {tuple(parameters.shape)}")
    wx, wy, wz, vx, vy, vz, *rest = parameters.unbind(-1)
    zero = torch.zeros_like(wx)
    sxx, syy, szz, sxy, sxz, syz = rest if count == 12 else (*(rest * 3 or [zero] * 3), zero, zero, zero)
    rows = [sxx, sxy - wz, sxz + wy, vx, sxy + wz, syy, syz - wx, vy, sxz - wy, syz + wx, szz, vz]
    return torch.stack([*rows, zero, zero, zero, zero], -1).unflatten(-1, (4, 4))


def algebra_parameters(element: Tensor, group: Group = Group.AFFINE) -> Tensor:
    """Return the parameters (..., group) of algebra elements (..., 4, 4): the projection on the group's algebra."""
    linear = element[..., :3, :3]
    skew, stretch = (linear - linear.mT) / 2, (linear + linear.mT) / 2
    rotation = torch.stack([skew[..., 2, 1], skew[..., 0, 2], skew[..., 1, 0]], -1)
    diagonal = stretch.diagonal(dim1=-2, dim2=-1)
    shears = torch.stack([stretch[..., 0, 1], stretch[..., 0, 2], stretch[..., 1, 2]], -1)
    parts = {Group.RIGID: [], Group.SIMILARITY: [diagonal.mean(-1, keepdim=True)], Group.AFFINE: [diagonal, shears]}
    return torch.cat([rotation, element[..., :3, 3], *parts[group]], -1)


def logarithm(matrices: Tensor) -> Tensor:
    """Return the principal logarithms (..., 4, 4), float64, of affine ``matrices`` (..., 4, 4).

    Inverse scaling and squaring: square roots by the product form of the Denman-Beavers iteration until the linear
    part is near the identity, then the series of atanh (Higham, Functions of Matrices, SIAM 2008, eq. 6.29 and 11.6).

    Raises:
        GeometryError: a linear part has an eigenvalue on the negative real axis (a reflection, a turn by exactly 180
            degrees, or by nearly 180 degrees with a shear), where no real logarithm is defined.
    """
    identity = torch.eye(4, dtype=torch.float64, device=matrices.device)
    root = matrices.double()
    squarings = 0
    while (distance := (root - identity)[..., :3, :3].abs().amax()) > 0.1:
        if squarings == 40 or not torch.isfinite(distance):
            raise GeometryError(_NO_LOGARITHM)
        root = _square_root(root)
        squarings += 1
    # log(X) = 2 atanh((X - I)(X + I)^-1); each term gains a factor below 0.01 here
    quotient = torch.linalg.solve(root + identity, root - identity)
    square, power, total = quotient @ quotient, quotient, quotient
    for order in range(3, 17, 2):
        power = power @ square
        total = total + power / order
    return 2 * 2**squarings * total


def _square_root(matrix: Tensor) -> Tensor:
    """Return the principal square root (..., 4, 4); quadratic convergence, 30 iterations are the emergency brake."""
    identity = torch.eye(4, dtype=matrix.dtype, device=matrix.device)
    product, root, error = matrix, matrix, torch.inf
    for _ in range(30):
        inverse, info = torch.linalg.inv_ex(product)
        if info.any():
            raise GeometryError(_NO_LOGARITHM)
        root = root @ (identity + inverse) / 2
        product = (identity + (product + inverse) / 2) / 2
        error = (product - identity).abs().amax() / (1 + matrix.abs().amax())
        if error < 1e-12:
            return root
    if not error < 1e-8:  # rounding alone stays far below; without a real root the iteration wanders
        raise GeometryError(_NO_LOGARITHM)
    return root


def _float64(values: ArrayLike | Tensor) -> Tensor:
    """Return ``values`` as a float64 tensor on the CPU, outside of any graph."""
    if isinstance(values, Tensor):
        return values.detach().to("cpu", torch.float64)
    return torch.as_tensor(np.asarray(values, dtype=np.float64))
