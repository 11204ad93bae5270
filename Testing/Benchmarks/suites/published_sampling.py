"""How the published systems sample, written down again from their descriptions with what torch offers, for timing.

Each is given a network that ours is given, too, and tensors: images (B, 1, K, J, I), fields in voxels with channels
along (i, j, k). The network is asked in single precision.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from Testing.Benchmarks.suites.published_losses import warped

STEPS = 65  # of the affine diffusion
FIELD_STEPS = 2000  # of DiffuseReg

Estimator = Callable[[Tensor, Tensor], Tensor]
"""From noised images (B, 1, K, J, I) and times (B,) to the noise in them."""


@torch.inference_mode()
def affine(network: nn.Module, fixed: Tensor, moving: Tensor, times: Sequence[int]) -> Tensor:
    """Spatial Diffusion: return the matrix (1, 4, 4), in halves of the window, that the falling ``times`` lead to.

    At each time both images are encoded, and s_t / S_t of what is found is taken: of the matrix, and of the shift. The
    network states shifts in voxels.
    """
    ramp = torch.sin(0.5 * math.pi * torch.linspace(0, 1, STEPS)).square()
    turns, shifts = (low + (high - low) * ramp for low, high in ((0.01, 0.07), (0.5, 4.0)))
    shares = [each / each.square().cumsum(0).sqrt() for each in (turns, shifts)]
    found = torch.eye(4, device=fixed.device)[None]
    for time in times:
        grid = F.affine_grid(found[:, :3], list(moving.shape), align_corners=False)
        seen = F.grid_sample(moving, grid, align_corners=False)
        estimate = network(torch.cat([fixed, seen], 1), torch.tensor([time], device=fixed.device))
        turn, shift = (each[time - 1] for each in shares)
        part = torch.eye(4, device=fixed.device)[None].clone()
        part[:, :3, :3] += turn * (estimate[:, :3, :3] - part[:, :3, :3])
        part[:, :3, 3] = shift * estimate[:, :3, 3] * 2 / fixed.shape[-1]
        found = found @ part
    return found


@torch.inference_mode()
def affine_both_ways(network: nn.Module, fixed: Tensor, moving: Tensor, times: Sequence[int]) -> Tensor:
    """Spatial Diffusion: ``affine``, and a second pass with swapped images, which corrects the first one."""
    first = affine(network, fixed, moving, times)
    grid = F.affine_grid(first[:, :3], list(moving.shape), align_corners=False)
    second = affine(network, F.grid_sample(moving, grid, align_corners=False), fixed, times)
    return first @ torch.linalg.inv(second)


@torch.inference_mode()
def voxelmorph(network: nn.Module, fixed: Tensor, moving: Tensor) -> Tensor:
    """VoxelMorph: return the moved image, by one pass, seven squarings on half the grid, and twice as fine a field."""
    field = network(torch.cat([fixed, moving], 1)) / 2**7
    for _ in range(7):
        field = field + warped(field, field)
    return warped(moving, 2 * F.interpolate(field, fixed.shape[2:], mode="trilinear", align_corners=True))


@torch.inference_mode()
def diffusereg(network: nn.Module, images: Tensor, times: Sequence[int], noise: Tensor) -> Tensor:
    """DiffuseReg: return the standardized field that ancestral steps from ``noise`` (1, 3, K, J, I) lead to.

    At each time the images (1, 2, K, J, I) are encoded again. Between 32 tokens of the field and 65 others only the
    field asks, as in our network; the published one lets all ask, and throws the other answers away.
    """
    kept = _kept(1e-6, 1e-2, FIELD_STEPS, noise)
    random = torch.Generator(noise.device).manual_seed(0)
    state = noise
    for time, after in _pairs(times):
        found = network(images, state, torch.tensor([time], device=noise.device))
        alpha = kept[time] / kept[after]
        state = (state - (1 - alpha) / (1 - kept[time]).sqrt() * found) / alpha.sqrt()
        deviation = ((1 - alpha) * (1 - kept[after]) / (1 - kept[time])).sqrt()
        state = state + deviation * torch.randn(state.shape, generator=random, device=state.device)
    return state


@torch.inference_mode()
def ddim(given: Estimator, without: Estimator, times: Sequence[int], noise: Tensor, scale: float = 3.0) -> Tensor:
    """BrainDiffusion: return images (B, 1, K, J, I) by DDIM, guided by the difference of two estimates.

    One after the other, the conditions are ``given`` and left out, which makes two passes of the network a step.
    """
    kept = _kept(1e-4, 2e-2, 1000, noise)
    state = noise
    for time, after in _pairs(times):
        when = torch.full((len(state),), time, device=state.device)
        plain = without(state, when)
        found = plain + scale * (given(state, when) - plain)
        clean = (state - (1 - kept[time]).sqrt() * found) / kept[time].sqrt()
        state = kept[after].sqrt() * clean + (1 - kept[after]).sqrt() * found
    return state


@torch.inference_mode()
def monai_ddim(given: Estimator, without: Estimator, steps: int, noise: Tensor, scale: float = 3.0) -> Tensor:
    """Return images as ``ddim`` does, with the scheduler of MONAI."""
    from monai.networks.schedulers import DDIMScheduler

    scheduler = DDIMScheduler(1000, clip_sample=False)
    scheduler.set_timesteps(steps)
    state = noise
    for time in scheduler.timesteps.tolist():
        when = torch.full((len(state),), time + 1, device=state.device)
        plain = without(state, when)
        state, _ = scheduler.step(plain + scale * (given(state, when) - plain), time, state)
    return state


def _kept(smallest: float, largest: float, steps: int, like: Tensor) -> Tensor:
    """Return the share of the variance that is not noise yet at the times 0 to ``steps``."""
    betas = torch.linspace(smallest, largest, steps, dtype=torch.float64)
    return F.pad((1 - betas).cumprod(0), (1, 0), value=1.0).to(like)


def _pairs(times: Sequence[int]) -> list[tuple[int, int]]:
    return list(zip(times, [*times[1:], 0], strict=True))
