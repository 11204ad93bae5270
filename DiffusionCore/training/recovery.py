"""Recipe of the recovery network: real images without any annotation, deformed at random; it learns what was done.

Of a stationary velocity the last increment, the whole, and the velocity itself are one function up to a known factor
(measured, too: no difference), so the target is the unit velocity; nothing has to be divided by a small level.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from DiffusionCore.checks import StorageError, check_range
from DiffusionCore.deformation.demons import demons, registered
from DiffusionCore.deformation.random_fields import MultiScale
from DiffusionCore.deformation.recovery import centered_grid, posed_grid, seen_on, template_volume
from DiffusionCore.deformation.strength import SYMMETRIC
from DiffusionCore.deformation.symmetry import symmetrized
from DiffusionCore.interpolation import enlarged, pull_at
from DiffusionCore.networks.recovery import FINEST, RecoveryConfig, RecoveryNetwork, mirrored_field
from DiffusionCore.space import Grid
from DiffusionCore.training.cases import find_cases, usable_volumes
from DiffusionCore.training.corruption import draw_bias, draw_gamma, draw_noise
from DiffusionCore.training.image_batches import displaced, foreground
from DiffusionCore.transforms.affine import algebra_matrix
from DiffusionCore.transforms.base import voxel_centers
from DiffusionCore.transforms.velocity import flow

_POSED = 2  # times
_CHOOSY = 2.0  # deviation of the logarithms of the shares in a mixture
_SHOWN = 4  # steps of the recoveries in the pictures
_OUTSIDE = 0.1  # weight of the velocity where there is no tissue, beside 1 inside


class DeformedImages(NamedTuple):
    """A batch: ``images`` (B, 1, K, J, I), ``warped`` and ``shifts`` of their first registration, ``levels`` (B,) mm,
    ``units`` and ``mask`` on the lattice of the network."""

    images: Tensor
    warped: Tensor
    shifts: Tensor
    levels: Tensor
    units: Tensor
    mask: Tensor


@dataclass(frozen=True)
class RecoveryRecipeConfig:
    """What is drawn.

    Attributes:
        data: folder of images, at any depth; label maps (NAME_seg) are left out.
        held_out: the last so many images, by name, are not used.
        batch: images in a batch.
        scales: mm, of the random velocities; the level is drawn log-uniform between those of the network.
        symmetric: share of the velocities that are nearly alike on both sides.
        mixed: largest share of the way that a natural image is led towards a mixture of the others, so that a few
            anatomies become many; by demons (``deformation/demons.py``).
        rotation, scale, translation: rad, log, mm: deviations of a small random affine map of the natural image. A
            large one hides the coarsest part of a deformation, which is nearly affine.
        network: the network.

    Raises:
        ValueError: a number is out of its range.
    """

    data: str = ""
    held_out: int = 0
    batch: int = 4
    scales: tuple[float, ...] = (8.0, 16.0, 32.0, 64.0)
    symmetric: float = 0.5
    mixed: float = 0.9
    rotation: float = 0.03
    scale: float = 0.03
    translation: float = 1.0
    network: RecoveryConfig = field(default_factory=RecoveryConfig)

    def __post_init__(self) -> None:
        check_range(self, 1, math.inf, "batch")
        check_range(self, 0, math.inf, "held_out", "rotation", "scale", "translation")
        check_range(self, 0, 1, "symmetric", "mixed")


class RecoveryRecipe:
    """Train a ``RecoveryNetwork`` on a folder of images (see the module docstring)."""

    kind = "drdm"

    def __init__(self, config: RecoveryRecipeConfig, *, images: Tensor | None = None, seed: int = 0) -> None:
        self.config = config
        self.batch = config.batch
        self._given = images

    @functools.cached_property
    def images(self) -> Tensor:
        """The natural images (N, 1, K, J, I), posed like their mean, read at first use."""
        if self._given is not None:
            return self._given
        return read_images(image_files(self.config.data, self.config.held_out), self.config.network)

    @functools.cached_property
    def template(self) -> Tensor:
        """The mean of all images and their mirror images (1, 1, K, J, I)."""
        return symmetric_mean(self.images)

    @functools.cached_property
    def _grid(self) -> Grid:
        spacing = self.config.network.spacing
        return Grid(self.config.network.size, (spacing, spacing, spacing)).with_center((0.0, 0.0, 0.0))

    @functools.cached_property
    def _voxels(self) -> Tensor:
        """The voxels (3, K J I) from the center."""
        points = voxel_centers(self._grid, dtype=torch.float32) / self.config.network.spacing
        return points.flatten(0, 2).mT.contiguous()

    def network(self) -> RecoveryNetwork:
        """Return an untrained network that carries the template."""
        network = RecoveryNetwork(self.config.network)
        network.template.copy_(self.template)
        return network

    def draw(self, generator: torch.Generator) -> DeformedImages:
        """Return deformed images with the velocities that deformed them."""
        config = self.config
        natural, other = self._anatomies(generator)
        low, high = config.network.smallest, config.network.largest
        levels = low * (high / low) ** torch.rand(config.batch, generator=generator)
        units = self._velocities(generator)
        shifts = flow(levels.view(-1, 1, 1, 1, 1) * units / config.network.spacing)
        images = displaced(natural, shifts + pull_at(other + self._affine_offsets(generator), shifts))
        images = draw_gamma(images, spread=0.15, generator=generator)
        images = draw_noise(draw_bias(images, spread=0.1, generator=generator), generator=generator)
        inside = foreground(images)
        images = images / ((images * inside).sum((1, 2, 3, 4)) / inside.sum((1, 2, 3, 4))).view(-1, 1, 1, 1, 1)
        block = config.network.block
        mask = F.avg_pool3d(inside.float(), block)
        return DeformedImages(images, *registered(images, self.template), levels, F.avg_pool3d(units, block), mask)

    def loss(self, network: Callable[..., Tensor], *batch: Tensor) -> tuple[Tensor, dict[str, float]]:
        """Return the weighted mean squared error of the unit velocity, and the share of its variance that is found."""
        drawn = DeformedImages(*batch)
        found = network(drawn.images, drawn.warped, drawn.shifts, drawn.levels).float()
        weights = _OUTSIDE + (1 - _OUTSIDE) * drawn.mask
        error = (weights * (found - drawn.units).square()).sum() / (3 * weights.sum())
        within = (drawn.mask * (found - drawn.units).square()).sum() / (drawn.mask * drawn.units.square()).sum()
        return error, {"found": 1 - within.item()}

    def pictures(self, network: Callable[..., Tensor], *batch: Tensor) -> dict[str, Tensor]:
        """Return the deformed images, what is left of that after each step of a recovery, and the right end of it."""
        drawn, spacing = DeformedImages(*batch), self.config.network.spacing
        template = self.template.to(drawn.images)

        def flown(units: Tensor, mm: Tensor) -> Tensor:
            fine = F.interpolate(units, drawn.images.shape[2:], mode="trilinear")
            return flow(mm.view(-1, 1, 1, 1, 1) / spacing * fine)

        shown, total = {"deformed": drawn.images}, torch.zeros_like(drawn.images).repeat(1, 3, 1, 1, 1)
        for step in range(_SHOWN):
            seen = displaced(drawn.images, total)
            levels = ((1 - step / _SHOWN) * drawn.levels).clamp(min=self.config.network.smallest)
            undo = flown(network(seen, *registered(seen, template), levels).float(), -drawn.levels / _SHOWN)
            total = undo + pull_at(total, undo)
            shown[f"step {step + 1}"] = displaced(drawn.images, total)
        return shown | {"wanted": displaced(drawn.images, flown(drawn.units, -drawn.levels))}

    @functools.cached_property
    def _towards(self) -> Tensor:
        """How each image is to be displaced to look like each: (N, N, 3, K/2, J/2, I/2), voxels of its own."""
        every = self.images
        return torch.stack([demons(one.expand_as(every), every) for one in every.split(1)])

    def _anatomies(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return images (B, 1, K, J, I), and displacements (B, 3, K, J, I), voxels, that mix the others into them.

        Half of them are mirrored.
        """
        batch, count = self.config.batch, len(self.images)
        chosen = torch.randint(count, (batch,), generator=generator)
        way = self.config.mixed * torch.rand(batch, 1, generator=generator)
        weights = way * torch.softmax(_CHOOSY * torch.randn(batch, count, generator=generator), 1)
        images = self.images[chosen]
        mixed = [w @ self._towards[a].flatten(1) for w, a in zip(weights, chosen, strict=True)]
        coarse = torch.stack(mixed).unflatten(1, self._towards.shape[2:])
        shifts = FINEST * enlarged(coarse, images.shape[2:])
        mirrored = torch.rand(batch, 1, 1, 1, 1, generator=generator) < 0.5
        return torch.where(mirrored, images.flip(-1), images), torch.where(mirrored, mirrored_field(shifts), shifts)

    def _velocities(self, generator: torch.Generator) -> Tensor:
        """Return random velocities of unit variance (B, 3, K, J, I)."""
        config = self.config
        law = MultiScale(config.scales)
        drawn = torch.stack([law.draw(self._grid, generator=generator) for _ in range(config.batch)])
        chosen = (torch.rand(config.batch, generator=generator) < config.symmetric).nonzero().flatten()
        return drawn.index_copy(0, chosen, symmetrized(drawn[chosen], mirrored_field(drawn[chosen]), SYMMETRIC))

    def _affine_offsets(self, generator: torch.Generator) -> Tensor:
        """Return the displacements (B, 3, K, J, I), voxels, of small random affine maps about the center."""
        config = self.config
        deviations = [config.rotation] * 3 + [config.translation] * 3 + [config.scale] * 3 + [0.0] * 3
        numbers = torch.randn(config.batch, 12, generator=generator) * torch.tensor(deviations)
        moved = (torch.linalg.matrix_exp(algebra_matrix(numbers)) - torch.eye(4))[:, :3]
        offsets = torch.baddbmm(
            moved[..., 3:] / config.network.spacing, moved[..., :3], self._voxels.expand(config.batch, -1, -1)
        )
        return offsets.unflatten(2, self._grid.shape)


def image_files(folder: str, held_out: int) -> list[Path]:
    """Return the images in ``folder``, or in a list of images (see ``cases``), but for the last ``held_out``.

    Raises:
        StorageError: the folder is not there, or holds no image to train on.
    """
    place = Path(folder)
    if not folder or not place.exists():
        raise StorageError(
            f"The recipe drdm learns from a folder of images, but '{folder}' is none. Add --data FOLDER to the command."
        )
    files = [case.image for case in find_cases(place)]
    kept = files[: len(files) - held_out]
    if not kept:
        raise StorageError(f"'{folder}' holds {len(files)} images, of which {held_out} are held out: none is left.")
    return kept


def read_images(files: list[Path], network: RecoveryConfig) -> Tensor:
    """Return the images as a network sees them: (N, 1, K, J, I), float32.

    Each is posed like the mean of all, which becomes sharper by it, so twice.
    """
    volumes = list(usable_volumes(files))
    seen = torch.cat([seen_on(volume, centered_grid(volume, network.size, network.spacing)) for volume in volumes])
    for _ in range(_POSED):
        template = template_volume(symmetric_mean(seen), network.spacing)
        seen = torch.cat([seen_on(volume, posed_grid(volume, template)) for volume in volumes])
    return seen


def symmetric_mean(images: Tensor) -> Tensor:
    """Return the mean of ``images`` (N, 1, K, J, I) and their mirror images: (1, 1, K, J, I)."""
    mean = images.mean(0, keepdim=True)
    return (mean + mean.flip(-1)) / 2
