"""Recipe of the canonical-pose network: synthetic heads and brains at random poses, in random contrasts.

A batch holds pairs: two images of one head, with poses, contrasts, cuts and corruptions of their own. Source: our own.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from DiffusionCore.affine.pose import PoseFrame, windows
from DiffusionCore.checks import check_range
from DiffusionCore.networks.pose_network import PoseNetwork, PoseNetworkConfig
from DiffusionCore.space import Frame
from DiffusionCore.training.appearance import draw_contrasts, draw_presence, draw_remap
from DiffusionCore.training.corruption import corrupt
from DiffusionCore.training.head_pool import draw_head_pool
from DiffusionCore.training.image_batches import foreground, mean_within
from DiffusionCore.training.pair_pictures import moved, pair_pictures
from DiffusionCore.training.tissue_pool import TissuePool, painted
from DiffusionCore.transforms.affine import Affine, algebra_matrix, map_points

_POINTS = 64  # of the brain, over which the loss is a mean


@dataclass(frozen=True)
class PoseRecipeConfig:
    """What the images are like.

    Attributes:
        pairs: pairs of images in a batch.
        heads: synthetic heads in the pool.
        whole_heads: share of the images that show skull and scalp.
        cut: share of the images of which a slab (up to half of the object) is missing.
        relative: weight of the error of the transform between the images of a pair, beside that of each pose.
        network: the network that is trained.

    Raises:
        ValueError: a number is out of its range.
    """

    pairs: int = 16
    heads: int = 160
    whole_heads: float = 0.2
    cut: float = 0.35
    relative: float = 0.5
    network: PoseNetworkConfig = field(default_factory=PoseNetworkConfig)

    def __post_init__(self) -> None:
        check_range(self, 1, math.inf, "pairs", "heads")
        check_range(self, 0, 1, "whole_heads", "cut")
        check_range(self, 0, math.inf, "relative")


@dataclass(frozen=True, eq=False)
class Poses:
    """Drawn poses of B images.

    Attributes:
        matrices: (B, 4, 4), canonical mm from its center to the mm of the window.
        cuts: (B, 4), half-spaces ``n . y >= d`` of the window that hold the image, as (n, d).
    """

    matrices: Tensor
    cuts: Tensor


class PoseRecipe:
    """Train a PoseNetwork on synthetic heads (see the module docstring)."""

    kind = "pose"

    def __init__(self, config: PoseRecipeConfig, *, seed: int = 0) -> None:
        self.config = config
        self.batch = config.pairs
        self._seed = seed

    @functools.cached_property
    def pool(self) -> TissuePool:
        """The heads, drawn at first use (about a minute)."""
        return draw_head_pool(self.config.heads, generator=torch.Generator().manual_seed(self._seed))

    def network(self) -> PoseNetwork:
        return PoseNetwork(self.config.network)

    def loss(self, network: Callable[..., Tensor], *batch: Tensor) -> tuple[Tensor, dict[str, float]]:
        """Return the mean distance in mm over points of the brain, of each pose and (weighted) within each pair."""
        images, truth, points = batch
        error, relative = pose_errors(network(images), truth, points)
        return error + self.config.relative * relative, {"error": error.item(), "relative": relative.item()}

    def pictures(self, network: Callable[..., Tensor], *batch: Tensor) -> dict[str, Tensor]:
        """Return pictures of the pairs, the moving image as both poses move it to the fixed one."""
        to_fixed, to_moving = network(batch[0]).cpu().float().chunk(2)
        fixed, moving = batch[0].cpu().chunk(2)
        frame = PoseFrame(self.config.network.size, self.config.network.spacing)
        return pair_pictures(fixed, moving, moved(moving, to_moving @ torch.linalg.pinv(to_fixed), frame))

    def draw(self, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Return images (B, 1, n, n, n), poses (B, 4, 4) and canonical points (B, points, 3), with B = 2 pairs.

        The images b and b + pairs show the same head.
        """
        config, batch = self.config, 2 * self.config.pairs
        heads = torch.randint(config.heads, (config.pairs,), generator=generator)
        presence, whole = draw_presence(batch, heads=config.whole_heads, generator=generator)
        center = torch.tensor(config.network.center)
        brain = (self.pool.brain_points[heads] - center).repeat(2, 1, 1)
        head = (self.pool.head_points[heads] - center).repeat(2, 1, 1)
        extent = torch.where(whole[:, None, None], head, brain)
        poses = draw_poses(extent, cut=config.cut, generator=generator)
        table = presence * draw_contrasts(batch, generator=generator)
        images = render_heads(self.pool, heads, table, poses, config.network)
        images = draw_degradation(images, generator=generator)
        return images, poses.matrices, brain[:, :_POINTS]


def pose_errors(predicted: Tensor, truth: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean distances in mm of ``predicted`` poses (2 P, 4, 4) and of the transforms within the pairs.

    The second compares P_m x with T P_f x, T = true P_m P_f^-1: an error that both poses share cancels.
    """
    half = len(predicted) // 2
    positions, wanted = map_points(predicted, points), map_points(truth, points)
    between = truth[half:] @ torch.linalg.inv(truth[:half])
    relative = (positions[half:] - map_points(between, positions[:half])).norm(dim=-1).mean()
    return (positions - wanted).norm(dim=-1).mean(), relative


def draw_poses(points: Tensor, *, cut: float, generator: torch.Generator) -> Poses:
    """Return poses and cuts for objects that fill ``points`` (B, N, 3), canonical mm from the center.

    40 % of the poses are small residuals, as late steps of a registration see them (about the true center), 25 %
    medium and 35 % of any angle (about the center of mass of what the cut left).
    """
    batch = len(points)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(batch, *shape, generator=generator)

    def normal(*shape: int) -> Tensor:
        return torch.randn(batch, *shape, generator=generator)

    level = torch.multinomial(torch.tensor([0.2, 0.2, 0.25, 0.35]), batch, replacement=True, generator=generator)
    angle = torch.deg2rad(torch.tensor([8.0, 25.0, 70.0, 180.0]))[level] * uniform()
    axis = nn.functional.normalize(normal(3), dim=-1)
    stretch = torch.tensor([0.04, 0.08, 0.2, 0.25])[level, None] * (2 * uniform(3) - 1)
    shear = torch.tensor([0.01, 0.03, 0.05, 0.06])[level, None] * (2 * uniform(3) - 1)
    still = torch.zeros(batch, 3)
    turn = torch.linalg.matrix_exp(algebra_matrix(torch.cat([angle[:, None] * axis, still], -1)))
    shape = torch.linalg.matrix_exp(algebra_matrix(torch.cat([still, still, stretch, shear], -1)))
    matrices = turn @ shape

    placed = map_points(matrices, points)
    normals = nn.functional.normalize(normal(3), dim=-1)
    along_axis = nn.functional.one_hot(torch.randint(3, (batch,), generator=generator), 3) * normals.sign()
    normals = torch.where(uniform(1) < 0.5, along_axis, normals)
    heights = (placed * normals[:, None]).sum(-1)
    missing = torch.where(uniform() < cut, 0.05 + 0.45 * uniform(), torch.zeros(batch))
    lowest = heights.sort(1).values.gather(1, (missing * (heights.shape[1] - 1)).long()[:, None])
    lowest = torch.where(missing[:, None] > 0, lowest, lowest - 100)
    visible = (heights >= lowest)[..., None]
    mass = (placed * visible).sum(1) / visible.sum(1)
    near_center = (level < 2) | ((level == 2) & (uniform() < 0.4))
    middle = torch.where(near_center[:, None], 4 * normal(3), mass + 5 * normal(3))
    matrices[:, :3, 3] -= middle
    return Poses(matrices, torch.cat([normals, lowest - (normals * middle).sum(-1, keepdim=True)], -1))


def render_heads(pool: TissuePool, heads: Tensor, table: Tensor, poses: Poses, window: PoseNetworkConfig) -> Tensor:
    """Return images (2 P, 1, n, n, n), two of each of the pool's ``heads`` (P,), with the intensities ``table``.

    ``table`` is (2 P, tissues); the images p and p + P show the same head.
    """
    values = painted(pool.shares, heads, table.unflatten(0, (2, -1)).transpose(0, 1))
    values = values.transpose(0, 1).flatten(0, 1)[:, None]
    frame = PoseFrame(window.size, window.spacing)
    to_voxel = torch.from_numpy(pool.grid.matrix(Frame.RAS, Frame.VOXEL)).float()
    to_pool = to_voxel @ Affine.translation(window.center).matrix.float()
    images = windows(values, to_pool @ torch.linalg.inv(poses.matrices), frame)
    kept = torch.einsum("kjix,bx->bkji", frame.points(), poses.cuts[:, :3]) >= poses.cuts[:, 3, None, None, None]
    return images * kept[:, None]


def draw_degradation(images: Tensor, *, generator: torch.Generator) -> Tensor:
    """Return ``images`` (B, 1, K, J, I) in [0, 1] remapped, corrupted, and divided by the mean of the foreground."""
    images = draw_remap(images, generator=generator)
    peak = images.amax((1, 2, 3, 4), keepdim=True).clamp(min=1e-3)
    images = images.masked_fill(~foreground(images), 0.0)
    images = corrupt(images / peak, generator=generator)
    return images / mean_within(images, images > 0)
