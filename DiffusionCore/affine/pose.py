"""The reverse process of poses: each image is carried, step by step, to the canonical frame of a pose network.

The state of an image is its pose Q, from canonical mm (about the center of the frame) to RAS mm. A step renders the
*original* image through Q, asks the network for the pose that is left, and follows a fraction of its logarithm::

    Q <- Q exp(fraction log A),    A = network(image o Q)

The transform from fixed to moving is Q_moving Q_fixed^-1; an error that both poses share cancels in it. Small
fractions come first, where the network sees the least. Source: our own; the step is that of the published spatial
diffusion system in the Lie group, with a list of fractions in the place of the ratio of standard deviations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from DiffusionCore.checks import GeometryError
from DiffusionCore.diffusion.reverse import GRADED
from DiffusionCore.interpolation.pull import pull
from DiffusionCore.space import Frame, Grid
from DiffusionCore.transforms.affine import logarithm, map_points

_TRIAL = (0.5, 0.7)  # fractions of the steps that a start is judged by
_FOUND = 10.0  # mm of misfit after them that leave no doubt; of heads turned by up to 180 degrees, found, 2 to 23
_STRETCH = (0.5, 2.0)  # singular values of a predicted pose beyond these are cut: no head is so small or large

Predict = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class PoseFrame:
    """The window in which a pose network sees an image: ``size`` voxels of ``spacing`` mm on each side."""

    size: int
    spacing: float

    def points(self) -> Tensor:
        """Return the points (n, n, n, 3) of the window, mm from its middle, in the order (k, j, i) of a tensor."""
        axis = (torch.arange(self.size) - (self.size - 1) / 2) * self.spacing
        k, j, i = torch.meshgrid(axis, axis, axis, indexing="ij")
        return torch.stack([i, j, k], -1)


def start_poses(centers: Tensor, rotations: Tensor | None = None) -> Tensor:
    """Return poses (..., 4, 4), float64, that turn by ``rotations`` (..., 3, 3) and move to ``centers`` (..., 3)."""
    poses = torch.eye(4, dtype=torch.float64).expand(*centers.shape[:-1], 4, 4).clone()
    poses[..., :3, 3] = centers
    if rotations is not None:
        poses[..., :3, :3] = rotations
    return poses


def pose_steps(
    predict: Predict, image: Tensor, grid: Grid, poses: Tensor, frame: PoseFrame, fractions: tuple[float, ...] = GRADED
) -> Iterator[Tensor]:
    """Yield the poses (B, 4, 4) of one image after each of ``fractions``, from the start ``poses`` (B, 4, 4).

    Args:
        predict: from windows (B, 1, n, n, n) to the poses (B, 4, 4) left in them, mm from the middle.
        image: (1, 1, K, J, I) float32 on ``grid``, background 0, mean of the foreground 1.
    """
    for fraction in fractions:
        left = nearest_pose(predict(render(image, grid, poses, frame)).double())
        poses = poses @ torch.stack([_share(each, fraction) for each in left])
        yield poses


def best_start(
    predict: Predict, image: Tensor, grid: Grid, center: Tensor, rotations: Tensor, frame: PoseFrame
) -> Tensor:
    """Return the pose (1, 4, 4) about ``center`` (3,) with the one of ``rotations`` (R, 3, 3) to start from.

    They are followed for a few steps; the one after which the network sees the least misfit is taken. The first keeps
    its place unless another one is better by a fifth, so that nothing turns without need; the others are not even tried
    where it has found the pose. Arguments as for ``pose_steps``.
    """
    poses = start_poses(center.expand(len(rotations), 3), rotations)
    first, others = poses[:1], poses[1:]
    if not len(others):
        return first
    misfit = _misfit(predict, image, grid, first, frame)
    if misfit <= _FOUND:
        return first
    misfits = _misfit(predict, image, grid, others, frame)
    return others[misfits.argmin()][None] if misfits.min() < 0.8 * misfit else first


def _misfit(predict: Predict, image: Tensor, grid: Grid, poses: Tensor, frame: PoseFrame) -> Tensor:
    """Return how much is left (B,), mm, when ``poses`` (B, 4, 4) have been followed for a few steps."""
    *_, tried = pose_steps(predict, image, grid, poses, frame, _TRIAL)
    left = predict(render(image, grid, tried, frame)).double() - torch.eye(4, dtype=torch.float64)
    reach = frame.size * frame.spacing / 4  # mm; where the linear part is weighed against the shift
    return (left[:, :3, 3].square().sum(-1) + (reach * left[:, :3, :3]).square().sum((-1, -2))).sqrt()


def render(image: Tensor, grid: Grid, poses: Tensor, frame: PoseFrame) -> Tensor:
    """Return what ``poses`` (B, 4, 4) show of ``image`` (1, 1, K, J, I): (B, 1, n, n, n)."""
    to_voxel = (torch.from_numpy(grid.matrix(Frame.RAS, Frame.VOXEL)) @ poses).float()
    return windows(image.expand(len(poses), -1, -1, -1, -1), to_voxel, frame)


def windows(images: Tensor, to_voxel: Tensor, frame: PoseFrame) -> Tensor:
    """Return windows (B, 1, n, n, n) of ``images`` (B, 1, K, J, I).

    ``to_voxel`` (B, 4, 4) takes points of a window, mm from its middle, to VOXEL points of its image.
    """
    points = frame.points()
    return pull(images, map_points(to_voxel, points.flatten(0, 2)).view(len(images), *points.shape))


def _share(left: Tensor, fraction: float) -> Tensor:
    """Return the ``fraction`` of the pose ``left`` (4, 4); along a straight line where it has no logarithm."""
    try:
        return torch.linalg.matrix_exp(fraction * logarithm(left))
    except GeometryError:
        return nearest_pose(torch.lerp(torch.eye(4, dtype=left.dtype), left, fraction)[None])[0]


def nearest_pose(matrices: Tensor) -> Tensor:
    """Return affine ``matrices`` (B, 4, 4) with their linear parts made proper: no reflection, no collapse."""
    left, stretch, right = torch.linalg.svd(matrices[:, :3, :3])
    sign = torch.linalg.det(left @ right).sign()
    left = torch.cat([left[..., :2], left[..., 2:] * sign[:, None, None]], -1)
    proper = matrices.clone()
    proper[:, :3, :3] = left @ torch.diag_embed(stretch.clamp(*_STRETCH)) @ right
    return proper
