"""Recipe of the networks that estimate velocity fields, on pairs of a user's own images: they learn to make them alike.

Source: Balakrishnan et al., VoxelMorph (IEEE TMI 2019), without any known field; the images come to one frame first
(``image_folder``), and each pair is turned, scaled and shifted at random.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from DiffusionCore.checks import ConfigError, check_range
from DiffusionCore.deformable.pair_images import pair_images
from DiffusionCore.networks.voxelmorph import VoxelMorph, VoxelMorphConfig
from DiffusionCore.training.image_batches import displaced
from DiffusionCore.training.image_folder import ImageFolder
from DiffusionCore.training.voxelmorph import shown, unlike, unlikeness, warped
from DiffusionCore.transforms.affine import algebra_matrix, map_points
from DiffusionCore.transforms.base import voxel_centers


@dataclass(frozen=True)
class ImagePairsConfig:
    """What the pairs are like.

    Attributes:
        size: voxels of the images along (i, j, k); None for as many as hold all of them.
        spacing: mm between them.
        rotation, scale, translation: rad, log, mm: deviations of the random affine map of a pair.
        apart: the share of it that the moving image is mapped by once more: what an affine registration leaves.

    Raises:
        ValueError: a number is out of its range.
    """

    size: tuple[int, int, int] | None = None
    spacing: float = 4.0
    rotation: float = 0.15
    scale: float = 0.05
    translation: float = 4.0
    apart: float = 0.2

    def __post_init__(self) -> None:
        check_range(self, 0.1, 100, "spacing")
        check_range(self, 0, math.inf, "rotation", "scale", "translation", "apart")


@dataclass(frozen=True)
class ImagePairsRecipeConfig:
    """What is learned, of which images.

    Attributes:
        data: the folder or list of images; it is not written into the weights. Where a list names pairs, only those are
            drawn, both ways; else any two images.
        held_out: share of the subjects that is kept for validations.
        batch: pairs in a batch.
        loss, smoothness, both_ways: as in ``VoxelMorphRecipeConfig``, without known fields.
        passes: estimates, each of what the ones before have left.
        pairs: what the pairs are like.
        network: the network.

    Raises:
        ValueError: a number is out of its range.
    """

    data: str | None = None
    held_out: float = 0.0
    batch: int = 2
    loss: Literal["correlation", "squares"] = "correlation"
    smoothness: float = 1.0
    both_ways: bool = False
    passes: int = 2
    pairs: ImagePairsConfig = field(default_factory=ImagePairsConfig)
    network: VoxelMorphConfig = field(default_factory=VoxelMorphConfig)

    def __post_init__(self) -> None:
        check_range(self, 1, math.inf, "batch", "passes")
        check_range(self, 0, math.inf, "smoothness")
        check_range(self, 0, 1, "held_out")


class ImagePair(NamedTuple):
    """``fixed`` and ``moving`` images of a batch, (B, 1, K, J, I), background 0, mean of the foreground 1."""

    fixed: Tensor
    moving: Tensor


class ImagePairsRecipe:
    """Train a VoxelMorph on pairs of images (see the module docstring)."""

    kind = "voxelmorph"

    def __init__(self, config: ImagePairsRecipeConfig, *, seed: int = 0, images: ImageFolder | None = None) -> None:
        self._given = config
        self._images = images
        self.config = replace(config, data=None)
        self.batch = config.batch

    @functools.cached_property
    def images(self) -> ImageFolder:
        """The images.

        Raises:
            ConfigError: no folder was given.
            StorageError: there is no such folder, or no image in it.
        """
        if self._images is not None:
            return self._images
        given = self._given
        return ImageFolder.read(
            given.data,
            spacing=given.pairs.spacing,
            size=given.pairs.size,
            multiple=4,
            labelled=False,
            checked=given.held_out,
        )

    def network(self) -> VoxelMorph:
        """Return an untrained network."""
        return VoxelMorph(self.config.network)

    def draw(self, generator: torch.Generator) -> ImagePair:
        """Return random pairs."""
        return self._drawn(self._pairs[False], generator)

    def draw_held_out(self, generator: torch.Generator) -> ImagePair:
        """Return random pairs of the images that are kept for validations, if two are."""
        return self._drawn(self._pairs[True], generator)

    def loss(self, network: Callable[..., Tensor], *batch: Tensor) -> tuple[Tensor, dict[str, float]]:
        """Return the mean loss of the passes, and how unlike the images are: at the start, and at the end."""
        fixed, moving = batch
        losses, moved, velocities = [], moving, torch.zeros((), device=fixed.device)
        for _ in range(self.config.passes):
            estimate = velocities + network(pair_images(fixed, moved, self.config.network.force_window))
            losses.append(unlikeness(estimate, fixed, moving, self.config))
            velocities = estimate.detach()
            moved = warped(moving, velocities)
        start, end = (unlike(image, fixed, self.config.loss).item() for image in (moving, moved))
        return torch.stack(losses).mean(), {"start": start, "end": end}

    def pictures(self, network: Callable[..., Tensor], *batch: Tensor) -> dict[str, Tensor]:
        """Return pictures of what the network does to the images."""
        return shown(network, *batch, passes=self.config.passes, window=self.config.network.force_window)

    @functools.cached_property
    def _pairs(self) -> dict[bool, Tensor]:
        """The indices (N, 2) of the fixed and the moving images that are held out, or not; all where none are."""
        names = self.images.pairs or ("",) * len(self.images.images)
        found = {
            held_out: [
                [fixed, moving]
                for fixed, moving in itertools.permutations(self.images.chosen(held_out=held_out).tolist(), 2)
                if not any(names) or (names[fixed] and names[fixed] == names[moving])
            ]
            for held_out in (False, True)
        }
        if not found[False]:
            raise ConfigError("Pairs need at least two images of the folder, or two with one 'pair' in the list.")
        return {held_out: torch.tensor(pairs or found[False]) for held_out, pairs in found.items()}

    def _drawn(self, pairs: Tensor, generator: torch.Generator) -> ImagePair:
        config, stored = self.config.pairs, self.images
        chosen = pairs[torch.randint(len(pairs), (self.batch,), generator=generator)]
        deviations = [config.rotation] * 3 + [config.translation] * 3 + [config.scale] * 3 + [0.0] * 3
        common, left = torch.randn(2, self.batch, 12, generator=generator) * torch.tensor(deviations)
        common, left = torch.linalg.matrix_exp(algebra_matrix(torch.stack([common, config.apart * left])))
        fixed, moving = (stored.images[chosen[:, side]].float() for side in (0, 1))
        return ImagePair(self._moved(fixed, common), self._moved(moving, common @ left))

    def _moved(self, images: Tensor, matrices: Tensor) -> Tensor:
        """Return ``images`` read where ``matrices`` (B, 4, 4) of mm about the middle of the frame take their voxels."""
        points = voxel_centers(self.images.frame.grid, dtype=torch.float32).reshape(-1, 3)
        offsets = (map_points(matrices.float(), points) - points) / self.config.pairs.spacing
        return displaced(images, offsets.mT.reshape(len(images), 3, *images.shape[2:]))
