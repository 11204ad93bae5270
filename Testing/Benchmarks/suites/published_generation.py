"""How DRDM makes labeled cases, written down again from its description with what torch offers, for timing.

A case lies in a cube of voxels, (1, 1, n, n, n), of at most 128 a side: what is larger is made smaller, as there.
Displacements are in voxels, channels along (i, j, k).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from DiffusionCore.deformation.published import LATTICE, NOISE, compositions, draw_velocity
from DiffusionCore.networks.published_recovery import PublishedRecovery, PublishedRecoveryConfig
from Testing.Benchmarks.suites.published_losses import warped

START = 48  # the time at which its program begins to deform; 102 compositions
LARGEST = 128  # voxels a side
RECOVERY = 80  # steps back to the natural, whatever the start


def deformation(velocity: Tensor, noise: Tensor, time: int, size: int) -> Tensor:
    """Return the displacement (1, 3, n, n, n), ``size`` n, of velocities on a lattice of 64, shares of its edge.

    Psi <- v + Psi(id + v), as often as the ``time`` says; then twice as large as the image, of which the middle is cut.
    """
    cells = LATTICE * velocity
    cells = cells + warped(LATTICE * noise, cells, "border")
    field = torch.zeros_like(cells)
    for _ in range(compositions(time)[0]):
        field = cells + warped(field, cells, "border")
    inner = slice(size // 2, size // 2 + size)
    return 2 * size / LATTICE * F.interpolate(field, [2 * size] * 3, mode="trilinear")[..., inner, inner, inner]


def looked_twice(network: nn.Module, images: Tensor, times: Tensor) -> Tensor:
    """Return the displacement that two looks find, the second at the images as the first warps them."""
    first = network(images, times)
    second = network(warped(images, first), times)
    return second + warped(first, second, "border")


def recovered(network: nn.Module, images: Tensor, field: Tensor, steps: int) -> Tensor:
    """Return ``field`` after the first ``steps`` of the recovery; the images are always warped from the original."""
    for time in range(RECOVERY - 1, RECOVERY - 1 - steps, -1):
        found = looked_twice(network, warped(images, field), torch.tensor([time]))
        field = found + warped(field, found, "border")
    return field


def generator(image: NDArray, labels: NDArray, steps: int = 0) -> Callable[[], tuple[Tensor, Tensor]]:
    """Return who makes one new case after the other: random deformations, recovered for ``steps``."""
    random = torch.Generator().manual_seed(0)
    whole, segmentation = (
        _cube(torch.from_numpy(each.astype(np.float32)), mode)
        for each, mode in ((image, "trilinear"), (labels, "nearest"))
    )
    network = PublishedRecovery(PublishedRecoveryConfig()).eval()

    @torch.inference_mode()
    def make() -> tuple[Tensor, Tensor]:
        velocity, noise = draw_velocity(1, generator=random), draw_velocity(1, share=NOISE, generator=random)
        field = recovered(network, whole, deformation(velocity, noise, START, whole.shape[-1]), steps)
        return warped(whole, field), warped(segmentation, field, mode="nearest")

    return make


def _cube(values: Tensor, mode: str) -> Tensor:
    """Return ``values`` (K, J, I) in the middle of a cube whose edge is a multiple of 8: (1, 1, n, n, n)."""
    ratio = min(1.0, LARGEST / max(values.shape))
    values = F.interpolate(values[None, None], [round(ratio * n) for n in values.shape], mode=mode)[0, 0]
    edge = -(-max(values.shape) // 8) * 8
    room = [(edge - n) for n in values.shape[::-1]]
    return F.pad(values, [part for missing in room for part in (missing // 2, missing - missing // 2)])[None, None]
