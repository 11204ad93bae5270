"""Recipe of the image diffusion: a network learns to denoise images of a folder, with and without their conditions.

Source: the published system BrainDiffusion, its noise and its conditions; random deformations of the few images, labels
and positions as conditions, and conditions that are really forgotten at random are our own.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from DiffusionCore.checks import check_range
from DiffusionCore.diffusion.denoising import Sampler
from DiffusionCore.diffusion.gaussian import draw_times, noised
from DiffusionCore.diffusion.reverse import spaced_times
from DiffusionCore.images.diffusion import (
    KIND,
    Conditions,
    Guidance,
    ImageDiffusion,
    sample_images,
    sample_source,
)
from DiffusionCore.images.frame import ImageFrame
from DiffusionCore.interpolation.pull import Interpolation, pull
from DiffusionCore.networks.image_denoiser import ImageDenoiser, ImageDenoiserConfig
from DiffusionCore.training.image_batches import smooth_noise, voxel_indices
from DiffusionCore.training.image_folder import ImageFolder

_NODES = 6  # a side, of the random displacements: some 3 cm apart in a head
_SAMPLED = 12  # steps of the new images in the pictures
_MOST = 2.0  # deviations that a displacement can have: below folding


@dataclass(frozen=True)
class ImageRecipeConfig:
    """What is learned, of which images.

    Attributes:
        data: the folder or manifest of images (``ImageFolder``); it is not written into the weights.
        held_out: share of the subjects that is kept for validations.
        batch: images, or patches, in a batch.
        spacing: of the images, mm.
        size: voxels of the frame along (i, j, k); None for one that holds all images.
        patch: voxels along (i, j, k) that are learned at a time; None for whole images.
        forgotten: the share of the batches' images whose labels and class are forgotten together; of the others, the
            share whose labels are, and, independently, whose class is.
        deformation: deviation of the random smooth displacement of each image along each axis, mm.
        diffusion: the noise.
        network: the network; labels and classes are counted in the folder.
        frame: measured in the folder.

    Raises:
        ValueError: a number is out of its range.
    """

    data: str | None = None
    held_out: float = 0.0
    batch: int = 2
    spacing: float = 4.0
    size: tuple[int, int, int] | None = None
    patch: tuple[int, int, int] | None = None
    forgotten: float = 0.1
    deformation: float = 2.0
    diffusion: ImageDiffusion = field(default_factory=ImageDiffusion)
    network: ImageDenoiserConfig = field(default_factory=ImageDenoiserConfig)
    frame: ImageFrame | None = None

    def __post_init__(self) -> None:
        check_range(self, 1, math.inf, "batch")
        check_range(self, 0.1, 100, "spacing")
        check_range(self, 0, 1, "forgotten", "held_out")
        check_range(self, 0, 10, "deformation")
        for name in ("size", "patch"):
            value = getattr(self, name)
            if value is not None and min(value) < 4:
                raise ValueError(f"'{name}' must be at least 4 voxels along each axis, got {value}")


class ImageRecipe:
    """Recipe of the image diffusion (``training.loop.Recipe``).

    The folder of the configuration is read at first use; give ``images`` to use some that are there already.
    """

    kind = KIND

    def __init__(self, config: ImageRecipeConfig, *, seed: int = 0, images: ImageFolder | None = None) -> None:
        self._given = config
        self._images = images
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
            spacing=given.spacing,
            size=given.size,
            multiple=given.network.stride,
            checked=given.held_out,
        )

    @functools.cached_property
    def config(self) -> ImageRecipeConfig:
        """The configuration with all that was measured in the images, and without the place where they lie."""
        frame = self.images.frame
        network = replace(self._given.network, labels=len(frame.labels), classes=len(frame.classes))
        return replace(self._given, data=None, frame=frame, network=network)

    def network(self) -> ImageDenoiser:
        """Return an untrained network."""
        return ImageDenoiser(self.config.network)

    def draw(self, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Return standardized images (B, 1, K, J, I), the parts of their ``Conditions``, times (B,), and noise."""
        return self._drawn(self.images.chosen(held_out=False), generator)

    def draw_held_out(self, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Return a batch as ``draw`` does, of the images that are kept for validations, if any are."""
        return self._drawn(self.images.chosen(held_out=True), generator)

    def _drawn(self, among: Tensor, generator: torch.Generator) -> tuple[Tensor, ...]:
        stored, config = self.images, self._given
        chosen = among[torch.randint(len(among), (self.batch,), generator=generator)]
        images, labels = stored.images[chosen].float(), stored.labels[chosen].long()
        images, labels = self._deformed(images, labels, generator)
        both = self._forgotten(generator)  # what guidance compares with
        classes = torch.where(both | self._forgotten(generator), 0, stored.classes[chosen])
        unlabeled = (both | self._forgotten(generator))[:, None, None, None]
        labels = torch.where(unlabeled, stored.frame.unknown_label, labels)
        position = stored.frame.positions().expand(self.batch, -1, -1, -1, -1)
        if config.patch is not None:
            images, labels, position = _patches((images, labels[:, None], position), config.patch, generator)
            labels = labels[:, 0]
        times = draw_times(config.diffusion.schedule, self.batch, generator=generator)
        noise = torch.randn(images.shape, generator=generator)
        return stored.frame.intensities.standardized(images), *Conditions(position, labels, classes), times, noise

    def loss(self, network: Callable[..., Tensor], *batch: Tensor) -> tuple[Tensor, dict[str, float]]:
        """Return the mean squared error of the target, and the error of the clean images in their deviations."""
        clean, position, labels, classes, times, noise = batch
        diffusion = self._given.diffusion
        kept = diffusion.schedule.alpha_bar(times)
        state = noised(clean, noise, kept)
        estimate = network(state, position, labels, classes, times).float()
        loss = (estimate - diffusion.estimated.of(clean, noise, kept)).square().mean()
        found = diffusion.estimated.clean(estimate.detach(), state, kept).clamp(*self.images.frame.intensities.limits)
        return loss, {"error": (found - clean).square().mean().sqrt().item()}

    def pictures(self, network: Callable[..., Tensor], *batch: Tensor) -> dict[str, Tensor]:
        """Return the images, what the network saw of them, what it made of that, and new images on their conditions."""
        clean, position, labels, classes, times, noise = batch
        diffusion, frame = self._given.diffusion, self.images.frame
        kept, intensities = diffusion.schedule.alpha_bar(times), frame.intensities
        state = noised(clean, noise, kept)
        found = diffusion.estimated.clean(network(state, position, labels, classes, times).float(), state, kept)
        *_, made = sample_images(
            network,
            diffusion,
            frame,
            Conditions(position, labels, classes),
            spaced_times(diffusion.schedule.steps, min(_SAMPLED, diffusion.schedule.steps)),
            noise=sample_source(0, *range(len(clean))),
            guidance=Guidance(),
            sampler=Sampler(0.0),
        )
        shown = {"image": clean, "with noise": state, "estimate": found, "new": made.clean}
        return {name: intensities.restored(values.clamp(*intensities.limits)) for name, values in shown.items()}

    def _deformed(self, images: Tensor, labels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        if not self._given.deformation:
            return images, labels
        nodes = smooth_noise(len(images), images.shape[2:], nodes=_NODES, channels=3, most=_MOST, generator=generator)
        offsets = self._given.deformation / self._given.spacing * nodes
        points = (voxel_indices(images) + offsets).movedim(1, -1)
        moved = pull(labels[:, None], points, interpolation=Interpolation.NEAREST, fill=None)[:, 0]
        return pull(images, points), moved

    def _forgotten(self, generator: torch.Generator) -> Tensor:
        return torch.rand(self.batch, generator=generator) < self._given.forgotten


def _patches(volumes: tuple[Tensor, ...], size: tuple[int, int, int], generator: torch.Generator) -> tuple[Tensor, ...]:
    """Return the same random boxes of ``size`` (i, j, k), or as large as there is room, of all ``volumes``."""
    whole = volumes[0].shape[2:]
    sides = [min(n, side) for n, side in zip(whole, reversed(size), strict=True)]
    rows = []
    for item in range(len(volumes[0])):
        starts = [
            int(torch.randint(n - side + 1, (1,), generator=generator)) for n, side in zip(whole, sides, strict=True)
        ]
        box = tuple(slice(start, start + side) for start, side in zip(starts, sides, strict=True))
        rows.append([volume[item][:, *box] for volume in volumes])
    return tuple(torch.stack(parts) for parts in zip(*rows, strict=True))
