"""Corruptions of training images: what scanners, motion and cropping do, drawn for every image of a batch by itself.

Images are (B, 1, K, J, I), not negative, on isotropic voxels; their background is 0 and stays 0. Each ``draw_*``
corrupts the share ``probability`` of the batch and returns the rest as it was.

Source: deformation, stripes, doubling, shadow and crop after the published spatial diffusion system (given there in
voxels of one data set, here as shares of the field of view); bias, gamma, noise and cuts are our own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from torch import Tensor

from DiffusionCore.checks import check_range
from DiffusionCore.training.image_batches import displaced, foreground, smooth_noise, voxel_counts, voxel_indices

_EVERY = 7  # voxel that the share of a cut is measured on


@dataclass(frozen=True)
class Corruptions:
    """How often each corruption is applied, as shares of the images.

    The default changes what an object looks like and leaves it where it is, but for the thin slabs of ``stripes``.
    The strengths are the defaults of the ``draw_*`` functions.

    Raises:
        ValueError: a probability is not in 0..1.
    """

    deformation: float = 0.0
    stripes: float = 0.1
    doubling: float = 0.1
    shadow: float = 0.1
    gamma: float = 0.7
    bias: float = 0.7
    noise: float = 0.8
    cut: float = 0.0
    slab: float = 0.0
    crop: float = 0.0

    def __post_init__(self) -> None:
        check_range(self, 0, 1, *(field.name for field in fields(self)))

    @classmethod
    def published(cls) -> Corruptions:
        """Return the mixture of the published spatial diffusion system."""
        return cls(0.5, 0.5, 0.5, 0.5, gamma=0.0, bias=0.0, noise=0.0, crop=1.0)


def corrupt(images: Tensor, corruptions: Corruptions | None = None, *, generator: torch.Generator) -> Tensor:
    """Return ``images`` (B, 1, K, J, I) with all ``corruptions`` drawn, one after the other."""
    chosen = corruptions or Corruptions()
    for draw, probability in (
        (draw_deformation, chosen.deformation),
        (draw_stripes, chosen.stripes),
        (draw_doubling, chosen.doubling),
        (draw_shadow, chosen.shadow),
        (draw_gamma, chosen.gamma),
        (draw_bias, chosen.bias),
        (draw_noise, chosen.noise),
        (draw_cut, chosen.cut),
        (draw_slab, chosen.slab),
        (draw_crop, chosen.crop),
    ):
        images = draw(images, probability=probability, generator=generator) if probability else images
    return images


def draw_gamma(images: Tensor, *, probability: float = 0.5, spread: float = 0.3, generator: torch.Generator) -> Tensor:
    """Raise intensities, relative to the maximum, to the power exp(N(0, spread^2))."""

    def apply(some: Tensor) -> Tensor:
        peak = some.amax((1, 2, 3, 4), keepdim=True).clamp(min=1e-6)
        return peak * (some / peak) ** (spread * _normal(some, 1, generator=generator)).exp()

    return _some(images, probability, apply, generator)


def draw_bias(images: Tensor, *, probability: float = 0.5, spread: float = 0.25, generator: torch.Generator) -> Tensor:
    """Multiply by a smooth field, exp of 4 random nodes a side with N(0, spread^2): the sensitivity of coils."""

    def apply(some: Tensor) -> Tensor:
        return some * smooth_noise(len(some), some.shape[2:], nodes=4, generator=generator).mul(spread).exp()

    return _some(images, probability, apply, generator)


def draw_shadow(images: Tensor, *, probability: float = 0.5, nodes: int = 6, generator: torch.Generator) -> Tensor:
    """Multiply by a field that is uniform in [0, 1] at ``nodes`` nodes a side, and restore the maximum."""

    def apply(some: Tensor) -> Tensor:
        control = torch.rand(len(some), 1, nodes, nodes, nodes, generator=generator, device=some.device)
        dark = some * F.interpolate(control, some.shape[2:], mode="trilinear")
        return dark * (some.amax((1, 2, 3, 4), keepdim=True) / dark.amax((1, 2, 3, 4), keepdim=True).clamp(min=1e-6))

    return _some(images, probability, apply, generator)


def draw_noise(images: Tensor, *, probability: float = 0.5, most: float = 0.06, generator: torch.Generator) -> Tensor:
    """Add Gaussian noise with a deviation of up to ``most`` of the maximum to the foreground; not below 0."""

    def apply(some: Tensor) -> Tensor:
        deviation = most * some.amax((1, 2, 3, 4), keepdim=True) * _uniform(some, 1, generator=generator)
        noise = torch.randn(some.shape, generator=generator, device=some.device)
        return torch.where(foreground(some), (some + deviation * noise).clamp(min=0), some)

    return _some(images, probability, apply, generator)


def draw_deformation(
    images: Tensor, *, probability: float = 0.5, nodes: int = 7, share: float = 0.012, generator: torch.Generator
) -> Tensor:
    """Move points by N(0, share^2) of the field of view, clamped at twice that, at ``nodes`` nodes a side."""

    def apply(some: Tensor) -> Tensor:
        offsets = smooth_noise(len(some), some.shape[2:], nodes=nodes, channels=3, most=2.0, generator=generator)
        return displaced(some, share * voxel_counts(some) * offsets)

    return _some(images, probability, apply, generator)


def draw_stripes(
    images: Tensor, *, probability: float = 0.5, most: int = 10, share: float = 0.08, generator: torch.Generator
) -> Tensor:
    """Shift up to ``most`` slabs, thin across one axis, along another by up to ``share`` of the field of view."""

    def apply(some: Tensor) -> Tensor:
        batch, axes = len(some), torch.rand(len(some), 3, generator=generator, device=some.device).argsort(1)
        count = torch.randint(most + 1, (batch, 1), generator=generator, device=some.device)
        present = torch.arange(most, device=some.device) < count
        middle = _uniform(some, most, generator=generator).flatten(1)
        half = (0.01 + 0.025 * _uniform(some, most, generator=generator)).flatten(1)
        shift = (share * (2 * _uniform(some, most, generator=generator) - 1)).flatten(1) * present
        return displaced(some, _stripe_offsets(some, axes, middle, half, shift))

    return _some(images, probability, apply, generator)


def draw_doubling(
    images: Tensor, *, probability: float = 0.5, share: float = 0.1, most: float = 0.35, generator: torch.Generator
) -> Tensor:
    """Blend in, by up to ``most``, a copy that is shifted by up to ``share`` of the field of view per axis."""

    def apply(some: Tensor) -> Tensor:
        shift = share * voxel_counts(some) * (2 * _uniform(some, 3, generator=generator) - 1)
        return torch.lerp(some, displaced(some, shift), most * _uniform(some, 1, generator=generator))

    return _some(images, probability, apply, generator)


def draw_cut(images: Tensor, *, probability: float = 0.5, most: float = 0.4, generator: torch.Generator) -> Tensor:
    """Blank a half-space that holds up to the share ``most`` of the foreground; half of them face an axis."""

    def apply(some: Tensor) -> Tensor:
        heights = _heights(some, generator)
        return some * (heights >= _quantile(heights, some, most * _uniform(some, 1, generator=generator)))

    return _some(images, probability, apply, generator)


def draw_slab(images: Tensor, *, probability: float = 0.5, most: float = 0.5, generator: torch.Generator) -> Tensor:
    """Keep a slab only: up to the share ``most`` of the foreground is blanked, divided between its two sides."""

    def apply(some: Tensor) -> Tensor:
        heights = _heights(some, generator)
        missing, below = most * _uniform(some, 1, generator=generator), _uniform(some, 1, generator=generator)
        kept = heights >= _quantile(heights, some, missing * below)
        return some * (kept & (heights <= _quantile(heights, some, 1 - missing * (1 - below))))

    return _some(images, probability, apply, generator)


def draw_crop(images: Tensor, *, probability: float = 0.5, least: float = 0.6, generator: torch.Generator) -> Tensor:
    """Keep a box of at least the share ``least`` of the field of view along each axis, at a random place."""

    def apply(some: Tensor) -> Tensor:
        width = least + (1 - least) * _uniform(some, 3, generator=generator)
        start = (1 - width) * _uniform(some, 3, generator=generator)
        position = (voxel_indices(some) + 0.5) / voxel_counts(some)
        return some * ((position >= start) & (position <= start + width)).all(1, keepdim=True)

    return _some(images, probability, apply, generator)


def _stripe_offsets(images: Tensor, axes: Tensor, middle: Tensor, half: Tensor, shift: Tensor) -> Tensor:
    """Return the sums of the slabs' shifts, in voxels.

    ``axes`` (B, 3) orders the axes: across the slabs, along the shift, neither; ``middle``, ``half`` and ``shift``
    (B, slabs) are shares of the field of view.
    """
    across, along = (F.one_hot(axis, 3).float()[:, :, None, None, None] for axis in (axes[:, 0], axes[:, 1]))
    total = torch.zeros(1, device=images.device)
    for axis, n in enumerate(images.shape[:1:-1]):
        position = (torch.arange(n, device=images.device) + 0.5) / n
        within = (position - middle[:, :, None]).abs() <= half[:, :, None]
        profile = (shift[:, :, None] * within).sum(1)
        total = total + across[:, axis : axis + 1] * profile.view(-1, 1, *(n if axis == a else 1 for a in (2, 1, 0)))
    return total * (along * voxel_counts(images))


def _heights(images: Tensor, generator: torch.Generator) -> Tensor:
    """Return the heights (B, 1, K, J, I) of the voxels along random directions."""
    normals = _normal(images, 3, generator=generator)
    largest = normals * (normals.abs() == normals.abs().amax(1, keepdim=True))
    along_axis = _uniform(images, 1, generator=generator) < 0.5
    normals = F.normalize(torch.where(along_axis, largest, normals), dim=1)
    return (normals * voxel_indices(images)).sum(1, keepdim=True)


def _quantile(heights: Tensor, images: Tensor, share: Tensor) -> Tensor:
    """Return the heights (B, 1, 1, 1, 1) below which ``share`` of the foreground lies."""
    within = foreground(images).flatten(1)[:, ::_EVERY]
    ordered = heights.flatten(1)[:, ::_EVERY].masked_fill(~within, math.inf).sort(1).values
    index = (share.flatten(1) * (within.sum(1, keepdim=True) - 1)).round().long().clamp(min=0)
    return ordered.gather(1, index)[:, :, None, None, None]


def _some(images: Tensor, probability: float, apply: Callable[[Tensor], Tensor], generator: torch.Generator) -> Tensor:
    """Return ``images`` with ``apply`` on a random share of them."""
    chosen = torch.rand(len(images), generator=generator, device=images.device) < probability
    index = chosen.nonzero().flatten()
    return images.index_copy(0, index, apply(images[index]).to(images.dtype)) if len(index) else images


def _uniform(images: Tensor, channels: int, *, generator: torch.Generator) -> Tensor:
    return torch.rand(len(images), channels, 1, 1, 1, generator=generator, device=images.device)


def _normal(images: Tensor, channels: int, *, generator: torch.Generator) -> Tensor:
    return torch.randn(len(images), channels, 1, 1, 1, generator=generator, device=images.device)
