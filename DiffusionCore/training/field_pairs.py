"""Synthetic pairs of images whose deformation is known: two contrasts of one object, and the exact field between them.

The fixed image shows an object at a random pose; the moving one shows it behind exp(-v), so that it is
moving(exp(v)(x)) = fixed(x) for the random velocity v, but for contrast, artifacts, a fine deformation of either
image that nobody can know, and the folds of the cortex, which may be those of two people. Source: our own; the sizes of
v are those measured between brains of two people.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from DiffusionCore.checks import check_range
from DiffusionCore.interpolation import enlarged, pull
from DiffusionCore.space import Frame, Grid
from DiffusionCore.training.anatomy import CENTER
from DiffusionCore.training.appearance import draw_contrasts, draw_presence, draw_remap
from DiffusionCore.training.case_pool import CasePool
from DiffusionCore.training.corruption import Corruptions, corrupt
from DiffusionCore.training.folding import draw_folds, folded
from DiffusionCore.training.head_pool import draw_head_pool
from DiffusionCore.training.image_batches import foreground, mean_within, smooth_noise
from DiffusionCore.training.shape_pool import draw_shape_pool
from DiffusionCore.training.tissue_pool import TissuePool, painted
from DiffusionCore.transforms.affine import algebra_matrix
from DiffusionCore.transforms.base import voxel_centers
from DiffusionCore.transforms.velocity import flow

_FINE_NODES = 20  # a side, of the deformation that nobody can know: about two voxels apart


@dataclass(frozen=True)
class FieldPairsConfig:
    """What the pairs are like.

    Attributes:
        size: voxels of the images along (i, j, k), even.
        spacing: mm between them.
        deviation: mm, the smallest and largest root mean square of a component of the velocity.
        power: of the uniform number that says where between the two it is; 1 makes all sizes alike likely, 2 prefers
            small ones, and makes one pair in thirteen need no more than a tenth of a voxel of 4 mm if it is 0 to 6 mm.
        nodes: a side, of the random control grids whose weighted sum the velocity is.
        unknown: mm, the largest root mean square of a component of the fine deformation of either image.
        folded: share of the pairs whose images have folds of their own, if they show synthetic objects.
        rotation: rad, deviation of each entry of the rotation vector of the pose.
        same_contrast: share of the pairs whose images have one contrast.
        remapped: share of the images whose intensities a random curve changes.
        corruptions: how often each corruption is applied to either image.

    Raises:
        ValueError: a number is out of its range.
    """

    size: tuple[int, int, int] = (40, 48, 40)
    spacing: float = 4.0
    deviation: tuple[float, float] = (0.3, 3.5)
    power: float = 1.0
    nodes: tuple[int, ...] = (4, 6, 12)
    unknown: float = 1.0
    folded: float = 0.0
    rotation: float = 0.15
    same_contrast: float = 0.5
    remapped: float = 0.15
    corruptions: Corruptions = field(default_factory=lambda: Corruptions(stripes=0.0, doubling=0.05))

    def __post_init__(self) -> None:
        if any(n < 8 or n % 2 for n in self.size):
            raise ValueError(f"'size' must be even numbers of at least 8, got {self.size}")
        if not self.nodes or min(self.nodes) < 2:
            raise ValueError(f"'nodes' must be numbers of at least 2, got {self.nodes}")
        if not 0 <= self.deviation[0] <= self.deviation[1]:
            raise ValueError(f"'deviation' must rise from at least 0, got {self.deviation}")
        check_range(self, 1e-3, math.inf, "spacing", "power")
        check_range(self, 0, math.inf, "unknown", "rotation")
        check_range(self, 0, 1, "same_contrast", "remapped", "folded")

    @property
    def grid(self) -> Grid:
        """The grid of the images, about the origin."""
        return Grid(self.size, (self.spacing, self.spacing, self.spacing)).with_center((0.0, 0.0, 0.0))


class FieldPairs(NamedTuple):
    """Pairs of a batch, all on one grid with the voxels K, J, I.

    Attributes:
        fixed, moving: (B, 1, K, J, I), background 0, mean of the foreground 1.
        velocities: (B, 3, K/2, J/2, I/2), components (i, j, k) in voxels of that coarser grid.
        mask: (B, 1, K/2, J/2, I/2) in [0, 1], where the fixed object is.
    """

    fixed: Tensor
    moving: Tensor
    velocities: Tensor
    mask: Tensor


def draw_objects(
    heads: int, shapes: int, *, seed: int, data: str | None = None, config: FieldPairsConfig | None = None
) -> TissuePool | CasePool:
    """Return a pool of so many synthetic heads and random shapes (about a minute).

    With ``data``, a folder of labeled cases, it is one of ``heads`` variants of these, for images as in ``config``.

    Raises:
        DiffusionCoreError: there are no labeled cases in the folder, or one cannot be read or deformed.
    """
    if data is not None:
        config = config or FieldPairsConfig()
        return CasePool.read(data, heads, config.size, config.spacing, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    drawn = draw_head_pool(heads, generator=generator)
    return drawn.joined(draw_shape_pool(shapes, generator=generator))


def draw_field_pairs(
    pool: TissuePool | CasePool, config: FieldPairsConfig, batch: int, *, generator: torch.Generator
) -> FieldPairs:
    """Return ``batch`` random pairs of objects of ``pool``."""
    if isinstance(pool, CasePool):
        volumes = pool.appearances(batch, config.same_contrast, generator=generator)
    else:
        volumes = _painted(pool, config, batch, generator)
    center = tuple(pool.grid.center) if isinstance(pool, CasePool) else CENTER
    poses = _draw_poses(batch, config.rotation, generator)
    points = voxel_centers(config.grid, dtype=torch.float32).movedim(-1, 0).expand(batch, -1, -1, -1, -1)

    still = _fine_deformation(points, config, generator)
    fixed = _render(volumes[:, :1], pool.grid, center, poses, points + still)
    mask = F.avg_pool3d(foreground(fixed).float(), 2)
    velocities = _draw_velocities(mask, config, generator)
    moved = config.spacing * displacements(-velocities, config.grid.shape)
    still = _fine_deformation(points, config, generator)
    moving = _render(volumes[:, 1:], pool.grid, center, poses, points + moved + still)

    images = _degraded(torch.cat([fixed, moving]), config, generator)
    return FieldPairs(images[:batch], images[batch:], velocities, mask)


def displacements(velocities: Tensor, size: tuple[int, int, int]) -> Tensor:
    """Return exp(v)(x) - x in voxels of images of ``size`` (K, J, I): (B, 3, K, J, I), as ``Velocity`` defines it.

    ``velocities`` (B, 3, K/s, J/s, I/s) are in voxels of their own grid, whose outer borders are those of the images
    (upper ones may lie beyond). Differentiable.
    """
    stride = round(size[0] / velocities.shape[2])
    flows = flow(velocities)
    fine = flows if stride == 1 else stride * enlarged(flows, [stride * n for n in flows.shape[2:]])
    return fine[:, :, : size[0], : size[1], : size[2]]


def _draw_velocities(mask: Tensor, config: FieldPairsConfig, generator: torch.Generator) -> Tensor:
    """Return smooth velocities in voxels of the grid of ``mask``, which fade out where there is no object."""
    batch, size = len(mask), mask.shape[2:]
    weights = torch.rand(len(config.nodes), batch, 1, 1, 1, 1, generator=generator)
    total = torch.zeros(batch, 3, *size)
    for nodes, weight in zip(config.nodes, weights, strict=True):
        total = total + weight * smooth_noise(batch, size, nodes=nodes, channels=3, generator=generator)
    low, high = config.deviation
    wanted = low + (high - low) * torch.rand(batch, 1, 1, 1, 1, generator=generator) ** config.power
    inside = mask / mask.sum((1, 2, 3, 4), keepdim=True).clamp_min(1e-6)
    deviation = (inside * total.square()).sum((1, 2, 3, 4), keepdim=True).div(3).sqrt()
    near = F.avg_pool3d(F.max_pool3d(mask, 3, 1, 1), 3, 1, 1, count_include_pad=False)
    return near * total * wanted / (2 * config.spacing) / deviation.clamp_min(1e-6)


def _painted(pool: TissuePool, config: FieldPairsConfig, batch: int, generator: torch.Generator) -> Tensor:
    """Return random objects of ``pool`` in two contrasts each, some with folds of their own: (batch, 2, K, J, I)."""
    chosen = torch.randint(len(pool.shares), (batch,), generator=generator)
    contrasts = _draw_contrast_pairs(batch, config.same_contrast, generator)
    volumes = painted(pool.shares, chosen, contrasts)
    return _with_folds(volumes, pool.shares, chosen, contrasts, config.folded, generator)


def _draw_contrast_pairs(batch: int, same: float, generator: torch.Generator) -> Tensor:
    """Return intensities (batch, 2, tissues) in [0, 1]; what an object lacks has 0 in both images."""
    fixed, moving = (draw_contrasts(batch, generator=generator) for _ in range(2))
    one = torch.rand(batch, 1, generator=generator) < same
    presence, _ = draw_presence(batch, heads=0.1, generator=generator)
    return torch.stack([fixed, torch.where(one, fixed, moving)], 1) * presence[:, None]


def _with_folds(
    volumes: Tensor, shares: Tensor, objects: Tensor, contrasts: Tensor, share: float, generator: torch.Generator
) -> Tensor:
    """Return ``volumes`` (B, 2, K, J, I) of ``objects`` (B,) with folds in about the given ``share`` of the pairs."""
    if not share:
        return volumes
    chosen = (torch.rand(len(volumes), generator=generator) < share).nonzero().flatten()
    if not len(chosen):
        return volumes
    k, j, i = volumes.shape[2:]
    noise = draw_folds(len(chosen), (k, j, i), generator=generator)
    made = folded(volumes[chosen], shares[objects[chosen]].float() / 255, contrasts[chosen], noise)
    return volumes.index_copy(0, chosen, made)


def _draw_poses(batch: int, rotation: float, generator: torch.Generator) -> Tensor:
    """Return poses (batch, 4, 4) from mm about the middle of the image to mm about the object's; half are mirrored."""
    deviations = torch.tensor([rotation] * 3 + [4.0] * 3 + [0.05] * 3 + [0.02] * 3)
    poses = torch.linalg.matrix_exp(algebra_matrix(deviations * torch.randn(batch, 12, generator=generator)))
    mirrored = torch.rand(batch, generator=generator) < 0.5
    poses[mirrored, 0] *= -1
    return poses


def _fine_deformation(points: Tensor, config: FieldPairsConfig, generator: torch.Generator) -> Tensor:
    """Return a fine displacement, mm, at ``points`` (B, 3, K, J, I)."""
    batch, size = len(points), points.shape[2:]
    noise = smooth_noise(batch, size, nodes=_FINE_NODES, channels=3, generator=generator)
    strength = config.unknown * torch.rand(batch, 1, 1, 1, 1, generator=generator)
    noise = noise / noise.square().mean((1, 2, 3, 4), keepdim=True).sqrt()
    return strength * noise


def _render(volumes: Tensor, grid: Grid, center: Sequence[float], poses: Tensor, points: Tensor) -> Tensor:
    """Return what ``poses`` about ``center`` show of ``volumes`` (B, 1, ...) on ``grid`` at ``points`` (B, 3, ...)."""
    matrix = torch.from_numpy(grid.matrix(Frame.RAS, Frame.VOXEL)).float()
    shift = torch.eye(4)
    shift[:3, 3] = torch.tensor(center)
    poses = matrix @ shift @ poses
    coordinates = torch.baddbmm(poses[:, :3, 3:], poses[:, :3, :3], points.flatten(2)).view(points.shape)
    return pull(volumes, coordinates.movedim(1, -1))


def _degraded(images: Tensor, config: FieldPairsConfig, generator: torch.Generator) -> Tensor:
    """Return ``images`` in [0, 1] remapped, corrupted, and divided by the mean of their foreground."""
    images = draw_remap(images, probability=config.remapped, generator=generator)
    images = images / images.amax((1, 2, 3, 4), keepdim=True).clamp(min=1e-3)
    images = images.masked_fill(~foreground(images), 0.0)
    images = corrupt(images, config.corruptions, generator=generator)
    return images / mean_within(images, images > 0)
