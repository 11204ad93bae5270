"""Recipe of the published affine diffusion: a network learns from single volumes to undo known random affines.

Fixed and moving image are two copies of one volume, a synthetic head or an image of the user, with corruptions of their
own; the moving one is moved, too, by the law of a random time. No similarity enters. Source: published spatial
diffusion system; the window in mm, one interpolation per image (the corruptions follow it) and the loss in mm are our
own.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, cast

import torch
from torch import Tensor

from DiffusionCore.affine.pose import windows
from DiffusionCore.affine.published import KIND, AffineDiffusionConfig
from DiffusionCore.checks import check_range
from DiffusionCore.networks.affine_denoiser import NO_CLASS, AffineDenoiser, AffineDenoiserConfig
from DiffusionCore.space import Frame
from DiffusionCore.training.appearance import draw_remap
from DiffusionCore.training.corruption import Corruptions, corrupt
from DiffusionCore.training.head_pool import draw_head_pool
from DiffusionCore.training.image_batches import foreground, mean_within
from DiffusionCore.training.pair_pictures import moved, pair_pictures
from DiffusionCore.training.shape_pool import draw_shape_pool
from DiffusionCore.training.single_volumes import StoredVolumes, SyntheticVolumes, VolumeSource
from DiffusionCore.transforms.affine import Affine, algebra_matrix, map_points

_POINTS = 64  # of the fixed foreground, over which the distance is a mean
_BASE = (0.3, 0.3, 0.3, 6.0, 6.0, 6.0, 0.05, 0.05, 0.05, 0.02, 0.02, 0.02)  # deviations of the pose of the volume


@dataclass(frozen=True)
class PublishedRecipeConfig:
    """What is drawn, and what is minimized.

    Attributes:
        data: the folder or list of images (``cases``) to learn from in place of heads and shapes; it is not written
            into the weights. None for none.
        batch: pairs in a batch.
        heads: synthetic heads in the pool, where no other source of volumes is given.
        shapes: random shapes in the same pool, for networks that must serve any organ.
        remapped: share of the images whose intensities a random curve changes, each image of a pair by its own.
        volumes: random contrasts of them that are rendered, once.
        loss: "distance", the mean distance in mm over points of the object; "frobenius", the published norm of the
            difference of the 3x4 matrices, with translations in half windows.
        no_class: share of the pairs whose class of modality is dropped.
        corruptions: how often each corruption is applied to either image.
        diffusion: the window and the noise.
        network: the network; classes are counted in the folder, if there is one.

    Raises:
        ValueError: a number is out of its range.
    """

    data: str | None = None
    batch: int = 16
    heads: int = 40
    shapes: int = 0
    remapped: float = 0.0
    volumes: int = 600
    loss: Literal["distance", "frobenius"] = "distance"
    no_class: float = 0.15
    corruptions: Corruptions = field(default_factory=Corruptions.published)
    diffusion: AffineDiffusionConfig = field(default_factory=AffineDiffusionConfig)
    network: AffineDenoiserConfig = field(default_factory=AffineDenoiserConfig)

    def __post_init__(self) -> None:
        check_range(self, 1, math.inf, "batch", "heads", "volumes")
        check_range(self, 0, math.inf, "shapes")
        check_range(self, 0, 1, "remapped", "no_class")


class PublishedRecipe:
    """Train an AffineDenoiser on pairs made of single volumes from ``source`` (by default synthetic heads)."""

    kind = KIND

    def __init__(self, config: PublishedRecipeConfig, *, source: VolumeSource | None = None, seed: int = 0) -> None:
        self.batch = config.batch
        self._given = config
        self._source = source
        self._seed = seed
        self._law = config.diffusion.build_law()

    @functools.cached_property
    def config(self) -> PublishedRecipeConfig:
        """The configuration, with the classes of the images, and without the place where they lie."""
        if self._given.data is None:
            return self._given
        classes = int(cast(StoredVolumes, self.source).classes.max())
        return replace(self._given, data=None, network=replace(self._given.network, classes=classes))

    @functools.cached_property
    def source(self) -> VolumeSource:
        """Where the volumes come from; images are read, and synthetic heads are drawn, at first use."""
        config = self._given
        if self._source is not None:
            return self._source
        if config.data is not None:
            return StoredVolumes.read(Path(config.data))
        generator = torch.Generator().manual_seed(self._seed)
        heads = draw_head_pool(config.heads, generator=generator)
        objects = SyntheticVolumes(heads.joined(draw_shape_pool(config.shapes, generator=generator)))
        return StoredVolumes.drawn(objects, config.volumes, generator=generator)

    def network(self) -> AffineDenoiser:
        """Return an untrained network."""
        return AffineDenoiser(self.config.network)

    def draw(self, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Return images (B, 2, n, n, n), times (B,), classes (B,), targets (B, 4, 4) and points (B, N, 3).

        The points are mm about the middle of the window, on the fixed object; the targets take them to the moving one.
        """
        batch = self.config.batch
        times = self._law.draw_times(batch, generator=generator)
        noised = self._law.draw(times, generator=generator)
        volumes, classes = self.source.draw(batch, generator=generator)
        parameters = torch.tensor(_BASE, dtype=torch.float64) * torch.randn(
            batch, len(_BASE), generator=generator, dtype=torch.float64
        )
        base = torch.linalg.matrix_exp(algebra_matrix(parameters))
        seen = self._render(volumes.repeat(2, 1, 1, 1, 1), torch.cat([base, base @ noised]))
        points = self._draw_points(seen[:batch], generator)
        seen = draw_remap(seen, probability=self.config.remapped, generator=generator)
        seen = corrupt(seen, self.config.corruptions, generator=generator)
        seen = seen / mean_within(seen, foreground(seen))
        dropped = torch.rand(batch, generator=generator) < self.config.no_class
        return (
            torch.cat([seen[:batch], seen[batch:]], 1),
            times,
            classes.masked_fill(dropped, NO_CLASS),
            torch.linalg.inv(noised).float(),
            points,
        )

    def loss(self, network: Callable[..., Tensor], *batch: Tensor) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of a batch, and the mean distances in mm before and after the estimate."""
        images, times, classes, target, points = batch
        estimate = network(images, times, classes)
        distance = mean_distance(estimate, target, points)
        half_window = self.config.diffusion.size * self.config.diffusion.spacing / 2
        loss = distance if self.config.loss == "distance" else frobenius(estimate, target, half_window)
        start = mean_distance(torch.eye(4, device=target.device), target, points)
        return loss, {"start": start.item(), "error": distance.item()}

    def pictures(self, network: Callable[..., Tensor], *batch: Tensor) -> dict[str, Tensor]:
        """Return pictures of the images, the moving one as one estimate moves it."""
        images, times, classes, *_ = batch
        estimate = network(images, times, classes).cpu()
        fixed, moving = images.cpu().split(1, 1)
        return pair_pictures(fixed, moving, moved(moving, estimate, self.config.diffusion.window))

    def _render(self, volumes: Tensor, poses: Tensor) -> Tensor:
        """Return windows (B, 1, n, n, n): the value at y is that of the volume at its center + pose y."""
        grid = self.source.grid
        from_center = torch.from_numpy(grid.matrix(Frame.RAS, Frame.VOXEL)) @ Affine.translation(grid.center).matrix
        return windows(volumes, (from_center @ poses).float(), self.config.diffusion.window)

    def _draw_points(self, images: Tensor, generator: torch.Generator) -> Tensor:
        weights = foreground(images).flatten(1).float() + 1e-9  # an empty window still has points
        chosen = torch.multinomial(weights, _POINTS, replacement=True, generator=generator)
        return self.config.diffusion.window.points().flatten(0, 2)[chosen]


def mean_distance(estimate: Tensor, target: Tensor, points: Tensor) -> Tensor:
    """Return the mean distance, mm, of ``points`` (B, N, 3) under ``estimate`` and ``target`` (B, 4, 4)."""
    return map_points(estimate - target, points).norm(dim=-1).mean()


def frobenius(estimate: Tensor, target: Tensor, half_window: float) -> Tensor:
    """Return the mean Frobenius norm of the difference of the 3x4 matrices, translations over ``half_window`` mm.

    Source: published spatial diffusion system.
    """
    scale = torch.tensor([1.0, 1.0, 1.0, 1.0 / half_window], device=target.device)
    return ((estimate - target)[:, :3] * scale).flatten(1).norm(dim=1).mean()
