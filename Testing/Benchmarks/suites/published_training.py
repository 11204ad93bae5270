"""How the published systems train, written down again from their descriptions with what torch offers, for timing.

Each is a batch and a loss of it, for a network that ours is trained with, too. Images are (B, 1, K, J, I); fields are
in voxels, channels along (i, j, k).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from DiffusionCore.deformation.published import NOISE, STEPS, draw_velocity
from DiffusionCore.deformation.published_recovery import published_loss, recurrent
from Testing.Benchmarks.suites.published_losses import correlation, roughness, similarity, warped
from Testing.Benchmarks.suites.scene import backend

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "Core"))
from published_deformations import composed_fields

Loss = Callable[..., Tensor]


def voxelmorph_loss(network: nn.Module, fixed: Tensor, moving: Tensor) -> Tensor:
    """VoxelMorph: a velocity on the half grid, seven squarings, the field twice as fine, correlation and gradient."""
    velocity = network(torch.cat([fixed, moving], 1))
    field = velocity / 2**7
    for _ in range(7):
        field = field + warped(field, field)
    field = 2 * F.interpolate(field, fixed.shape[2:], mode="trilinear", align_corners=True)
    return correlation(fixed, warped(moving, field)) + roughness(velocity)


def diffusereg_loss(network: nn.Module, images: Tensor, fields: Tensor, times: Tensor, noise: Tensor) -> Tensor:
    """DiffuseReg: the noise in a standardized field; the likeness and the roughness of the field that it leaves."""
    kept = (
        (1 - torch.linspace(1e-6, 1e-2, 2000, dtype=torch.float64)).cumprod(0)[times - 1].float().view(-1, 1, 1, 1, 1)
    )
    mean, deviation = fields.mean((0, 2, 3, 4), keepdim=True), fields.std((0, 2, 3, 4), keepdim=True)
    clean = (fields - mean) / deviation
    state = kept.sqrt() * clean + (1 - kept).sqrt() * noise
    images = (images - images.mean()) / images.std()
    found = network(images, state, times)
    field = deviation * (state - (1 - kept).sqrt() * found) / kept.sqrt() + mean
    likeness = similarity(warped(images[:, 1:], field), images[:, :1])
    return (found - noise).square().mean() + (1 - likeness) + 0.1 * roughness(field)


def drdm_batch(images: Tensor, generator: torch.Generator) -> tuple[Tensor, ...]:
    """DRDM: random velocities that are composed with themselves, up to 195 times, and the images that they deform."""
    batch = len(images)
    times = torch.randint(1, STEPS, (batch,), generator=generator)
    velocities = draw_velocity(batch, generator=generator)
    noise = draw_velocity(batch, share=NOISE, generator=generator)
    with backend("torch"):
        made = [
            composed_fields(velocities[n : n + 1], noise[n : n + 1], int(times[n]), images.shape[-1])
            for n in range(batch)
        ]
    deformations, increments = (torch.cat(parts) for parts in zip(*made, strict=True))
    return warped(images, deformations), times, increments


def drdm_loss(network: nn.Module, images: Tensor, times: Tensor, increments: Tensor) -> Tensor:
    """DRDM: what two looks find, by its three losses, without kernels."""
    with backend("torch"):
        return published_loss(recurrent(network, images, times), increments)


def affine_batch(volumes: Tensor, generator: torch.Generator) -> tuple[Tensor, ...]:
    """Spatial Diffusion: two copies of each volume (B, 1, n, n, n), each corrupted on its own; one is moved."""
    batch = len(volumes)
    times = torch.randint(1, 66, (batch,), generator=generator)
    fixed, moving = (torch.stack([_corrupted(volume, generator) for volume in volumes]) for _ in range(2))
    ramp = torch.sin(0.5 * math.pi * torch.linspace(0, 1, 65)).square()
    turns, shifts = ((low + (high - low) * ramp).square().cumsum(0).sqrt() for low, high in ((0.01, 0.07), (0.5, 4.0)))
    drawn = turns[times - 1, None, None] * torch.randn(batch, 1, 1, generator=generator).clamp(-2.5, 2.5)
    directions = torch.randn(batch, 3, 3, generator=generator)
    matrices = torch.eye(3) + drawn * directions / torch.linalg.matrix_norm(directions, 2)[:, None, None]
    moves = shifts[times - 1, None] * torch.randn(batch, 3, generator=generator).clamp(-2.5, 2.5)
    theta = torch.cat([matrices, moves[..., None] / (volumes.shape[-1] / 2)], -1)
    grid = F.affine_grid(theta, list(moving.shape), align_corners=False)
    moving = F.grid_sample(moving, grid, align_corners=False)
    inverse = torch.linalg.inv(torch.cat([theta, torch.tensor([0.0, 0, 0, 1]).expand(batch, 1, 4)], 1))
    return torch.cat([fixed, moving], 1), times, inverse[:, :3]


def affine_loss(network: nn.Module, images: Tensor, times: Tensor, target: Tensor) -> Tensor:
    """Spatial Diffusion: the Frobenius norm of what the matrices differ by."""
    return (network(images, times)[:, :3] - target).flatten(1).norm(dim=1).mean()


def _corrupted(volume: Tensor, generator: torch.Generator) -> Tensor:
    """Return one volume (1, n, n, n) turned about an axis, and each with the chance of a half deformed, striped,
    doubled and shadowed; then cropped."""
    size = volume.shape[-1]

    def uniform(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=generator))

    def chance() -> bool:
        return uniform(0, 1) < 0.5

    angle = uniform(-math.pi, math.pi)
    turn = torch.tensor([[math.cos(angle), 0, math.sin(angle)], [0, 1, 0], [-math.sin(angle), 0, math.cos(angle)]])
    shift = torch.tensor([uniform(-30, 30) / size for _ in range(3)])
    grid = F.affine_grid(torch.cat([turn, shift[:, None]], 1)[None], [1, *volume.shape], align_corners=False)
    image = F.grid_sample(volume[None], grid, align_corners=False)
    if chance():
        control = 3 * torch.randn(1, 3, 14, 7, 7, generator=generator).clamp(-2, 2)
        image = warped(image, F.interpolate(control, image.shape[2:], mode="trilinear"))
    if chance():
        for _ in range(int(uniform(0, 11))):
            start = int(uniform(0, size - 17))
            slab = slice(start, start + int(uniform(5, 18)))
            image[:, :, slab] = image[:, :, slab].roll(int(uniform(5, 31)), -1)
    if chance():
        share = uniform(0, 0.35)
        moved = image.roll([int(uniform(-25, 26)) for _ in range(3)], (2, 3, 4))
        image = (1 - share) * image + share * moved
    if chance():
        shadow = F.interpolate(torch.rand(1, 1, 12, 6, 6, generator=generator), image.shape[2:], mode="trilinear")
        image = image * shadow
        image = (image - image.min()) / (image.max() - image.min()).clamp(min=1e-6)
    kept = [uniform(0.6, 1) for _ in range(2)]
    for axis, share in zip((2, 4), kept, strict=True):
        width = int(share * size)
        start = int(uniform(0, size - width + 1))
        mask = torch.zeros(size)
        mask[start : start + width] = 1
        image = image * mask.view([size if a == axis else 1 for a in range(5)])
    return image[0]


def image_loss(
    network: nn.Module, images: Tensor, conditions: tuple[Tensor, ...], times: Tensor, noise: Tensor
) -> Tensor:
    """BrainDiffusion: the noise in an image, by a linear schedule of 1000 times."""
    kept = (1 - torch.linspace(1e-4, 2e-2, 1000)).cumprod(0)[times - 1].view(-1, 1, 1, 1, 1)
    found = network(kept.sqrt() * images + (1 - kept).sqrt() * noise, *conditions, times)
    return (found - noise).square().mean()
