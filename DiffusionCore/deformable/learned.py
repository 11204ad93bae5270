"""The field that a trained network sees between two images, pass by pass, each pass on the images as warped so far."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol, cast

import numpy as np
import torch
from torch import Tensor

from DiffusionCore.affine.account import StepAccount
from DiffusionCore.affine.foreground import extent, foreground_mask, working_volume
from DiffusionCore.affine.steps import Spread, Step
from DiffusionCore.build import build_network, choose_device
from DiffusionCore.checks import CheckpointError, check_range
from DiffusionCore.config import from_dict
from DiffusionCore.deformable.pair_images import FLOOR, pair_images
from DiffusionCore.deformable.velocity_diffusion import VelocityDiffusionConfig
from DiffusionCore.losses import local_correlation
from DiffusionCore.models import find_model
from DiffusionCore.networks.loop_denoiser import LoopDenoiser
from DiffusionCore.networks.precision import Precision, choose_precision, computing
from DiffusionCore.networks.published_voxelmorph import PublishedVoxelMorph
from DiffusionCore.networks.voxelmorph import VoxelMorph
from DiffusionCore.space import Frame, Grid, Volume
from DiffusionCore.storage.checkpoint import load_checkpoint
from DiffusionCore.transforms.affine import Affine
from DiffusionCore.transforms.base import Transform
from DiffusionCore.transforms.displacement import ras_vectors, voxel_vectors
from DiffusionCore.transforms.resample import resample
from DiffusionCore.transforms.velocity import Velocity

FieldNetwork = VoxelMorph | PublishedVoxelMorph | LoopDenoiser
FIELD = "field"
KINDS = ("voxelmorph", "published-voxelmorph", "diffusereg")
_HEAD = 75.0  # mm, the radius of a head, which the spacing of a network is meant for
_MARGIN = 3  # voxels of what the network sees, around the fixed foreground


@dataclass(frozen=True)
class LearnedSettings:
    """How a network estimates the field.

    Attributes:
        model: name or path of a model of the kind "voxelmorph" or "published-voxelmorph", or of the kind "diffusereg",
            whose network then makes one estimate instead of samples, and says how wrong it may be.
        passes: estimates, each of what the ones before have left.
        precision: of the network; fields and images are always float32.

    Raises:
        ValueError: the number of passes is out of its range.
    """

    model: str = "voxelmorph"
    passes: int = 3
    precision: Precision = Precision.FASTEST

    def __post_init__(self) -> None:
        check_range(self, 1, 100, "passes")


@dataclass(frozen=True, eq=False)
class Estimate:
    """A ``velocity`` v, ``start @ v`` taking fixed to moving points, and how ``alike`` the images are then, 0..1.

    ``time`` is the share of the estimates that are to come; where the method ends early, it is 0. ``spread`` says in mm
    how far several samples lie apart, whose mean v is, or how wrong v may be: the root mean square of a distance.
    """

    velocity: Velocity
    alike: float
    time: float = 1.0
    spread: Volume | None = None


class FieldEstimator(Protocol):
    """What estimates a field, step by step."""

    @property
    def passes(self) -> int:
        """How many estimates there will be."""
        ...

    @property
    def spacing(self) -> float:
        """The mm between the voxels that the network sees of a head."""
        ...

    @property
    def settles(self) -> bool:
        """Whether each estimate is as good as the method has; else only the last one counts."""
        ...

    @property
    def guided(self) -> bool:
        """Whether the estimates are to reach more than alike images."""
        ...

    def estimates(self, fixed: Volume, moving: Volume, start: Affine) -> Iterator[Estimate]:
        """Yield the estimate before the first pass, a velocity of zero, and after each pass."""
        ...


class LearnedField:
    """Estimates velocities with a network.

    The network sees both images on one grid along the axes of the body, around the fixed foreground, with the spacing
    of its training: for a head. What is smaller or larger is seen with a spacing in proportion.

    Args:
        network: from the images of a pair (``pair_images``) to velocities in voxels of their own grid; or a
            LoopDenoiser.
        spacing: of the images that it was trained on, mm.
        passes, precision: as for ``LearnedSettings``.
        diffusion: of a LoopDenoiser, which is used as a regression: with no noised velocity, at the last time.
    """

    settles, guided = True, False

    def __init__(
        self,
        network: FieldNetwork,
        spacing: float,
        *,
        passes: int = 3,
        precision: Precision,
        diffusion: VelocityDiffusionConfig | None = None,
    ) -> None:
        self.passes = passes
        self._network, self.spacing, self._diffusion = network.eval(), spacing, diffusion
        self._device = next(network.parameters(), torch.zeros(())).device
        self._dtype = choose_precision(precision, self._device)

    @torch.inference_mode()
    def estimates(self, fixed: Volume, moving: Volume, start: Affine) -> Iterator[Estimate]:
        """Yield the estimate before the first pass, a velocity of zero, and after each pass.

        Every pass sees the moving image through ``start @ v``, resampled from its own voxels. What a VoxelMorph finds
        is added to v, which is right to first order; a LoopDenoiser sees v, too, and says what it should be, and how
        wrong that may be. Source: our own.
        """
        spacing = seen_spacing(fixed, self.spacing)
        fixed, moving = working_volume(fixed, spacing), working_volume(moving, spacing)
        grid = seen_grid(fixed, spacing)
        coarse = velocity_grid(grid, self._network.stride)
        reference = seen(fixed, grid, Affine.identity())
        velocity = Velocity(torch.zeros(3, *coarse.shape), coarse)
        spread = None
        for number in range(self.passes):
            moved = seen(moving, grid, start @ velocity)
            yield Estimate(velocity, likeness(reference, moved), 1 - number / self.passes, spread)
            found, stated = self._estimate(reference, moved, voxel_vectors(velocity.vectors.float(), coarse))
            velocity = Velocity(ras_vectors(found, coarse), coarse)
            spread = None if stated is None else Volume((coarse.spacing[0] * stated).numpy(), coarse)
        yield Estimate(velocity, likeness(reference, seen(moving, grid, start @ velocity)), 0.0, spread)

    def _estimate(self, fixed: Tensor, moving: Tensor, velocity: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the velocity (3, K, J, I) between images (1, 1, K, J, I), and how wrong it may be (K, J, I), if known.

        The moving image is seen through the ``velocity`` before; all are in voxels of their grid.
        """
        images = pair_images(fixed.to(self._device), moving.to(self._device), self._network.config.force_window)
        with computing(self._dtype, self._device):
            if self._diffusion is None:
                return velocity + self._network(images)[0].cpu(), None
            deviation, last = self._diffusion.measured, torch.tensor([self._diffusion.schedule.steps])
            known = velocity[None].to(self._device) / deviation
            estimate = self._network(images, torch.zeros_like(known), known, last.to(self._device))
        return deviation * estimate.velocity[0].cpu(), deviation * estimate.spread()[0].cpu()


def field_steps(
    field: FieldEstimator, fixed: Volume, moving: Volume, start: Affine, account: StepAccount
) -> Iterator[Step]:
    """Yield one step of the phase "field" per pass of ``field`` after the affine ``start``.

    An estimate after which the images are no more alike, by their local correlation, is the last one, and what was
    before it is kept: on images that agree already, the estimates of a network drift away from each other. Samples of
    a diffusion that has not ended may be less alike, so there only the end counts; and estimates that are guided are to
    reach other things, too, so that all of them are kept. The mean spread of samples in mm is a metric.
    """
    estimates = field.estimates(fixed, moving, start)
    best, kept = next(estimates), start
    for estimate in estimates:
        gained = field.guided or estimate.alike > best.alike
        spread = {} if estimate.spread is None else {"spread": float(estimate.spread.values.mean())}
        if not gained and (estimate.time == 0 or field.settles):
            known = best.spread or estimate.spread  # of the start, samples say at least how much they differ
            yield replace(account.step(FIELD, kept, **spread), spread=None if known is None else Spread(known))
            return
        transform = start @ estimate.velocity
        if field.settles:
            best, kept = estimate, transform
        told = None if estimate.spread is None else Spread(estimate.spread)
        yield replace(account.step(FIELD, transform, estimate.time, **spread), spread=told)


def load_learned(settings: LearnedSettings, device: str = "auto") -> LearnedField:
    """Return the estimator of ``settings`` with its network loaded.

    Raises:
        CheckpointError: the model is not to be found, damaged or of another kind.
    """
    checkpoint = load_checkpoint(find_model(settings.model))
    if checkpoint.kind not in KINDS:
        raise CheckpointError(
            f"The model '{settings.model}' is of the kind '{checkpoint.kind}', but one of the kind "
            f"{', '.join(KINDS)} is needed. Choose another one; `python -m DiffusionCore models` lists them."
        )
    network = cast(FieldNetwork, build_network(checkpoint)).to(choose_device(device))
    spacing = float(checkpoint.config["pairs"]["spacing"])
    diffusion = None
    if checkpoint.kind == "diffusereg":
        diffusion = from_dict(VelocityDiffusionConfig, checkpoint.config.get("diffusion"))
    return LearnedField(network, spacing, passes=settings.passes, precision=settings.precision, diffusion=diffusion)


def seen_spacing(fixed: Volume, spacing: float) -> float:
    """Return the mm between the voxels that a network sees of ``fixed``: ``spacing`` for a head, else in proportion."""
    return spacing * extent(fixed).radius / _HEAD


def seen_grid(fixed: Volume, spacing: float) -> Grid:
    """Return the grid of ``spacing`` mm along the axes of the body that holds the foreground of ``fixed``."""
    voxels = np.argwhere(foreground_mask(fixed))[:, ::-1]
    points = fixed.grid.map(voxels, Frame.VOXEL, Frame.RAS) if len(voxels) else fixed.grid.corners()
    low, high = points.min(0), points.max(0)
    i, j, k = (2 * (int(np.ceil(length / spacing / 2)) + _MARGIN) for length in high - low)
    x, y, z = (low + high) / 2
    return Grid((i, j, k), (spacing, spacing, spacing)).with_center((float(x), float(y), float(z)))


def velocity_grid(grid: Grid, stride: int) -> Grid:
    """Return the grid whose voxels hold ``stride`` of ``grid`` along each axis, from the same lower borders on."""
    i, j, k = (-(-n // stride) for n in grid.size)
    x, y, z = (s * stride for s in grid.spacing)
    origin = grid.map(np.full(3, (stride - 1) / 2), Frame.VOXEL, Frame.RAS)
    return Grid((i, j, k), (x, y, z), (float(origin[0]), float(origin[1]), float(origin[2])), grid.direction)


def likeness(fixed: Tensor, moving: Tensor) -> float:
    """Return how alike images (1, 1, K, J, I) are, 0..1: their squared local correlation."""
    return float(local_correlation(moving, fixed, floor=FLOOR))


def seen(volume: Volume, grid: Grid, transform: Transform) -> Tensor:
    """Return ``volume`` on ``grid`` through ``transform``: (1, 1, K, J, I), float32; 0 beyond its borders."""
    single = Volume(np.ascontiguousarray(volume.values, dtype=np.float32), volume.grid)
    return torch.from_numpy(resample(single, grid, transform).values)[None, None]
