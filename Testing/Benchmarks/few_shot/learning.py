"""The training of a U-Net on a few cases and their variants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from DiffusionCore.networks.precision import Precision, choose_precision, computing
from DiffusionCore.training.corruption import Corruptions, corrupt
from Testing.Benchmarks.few_shot.network import UNet
from Testing.Benchmarks.few_shot.plan import Plan

_CPU = torch.device("cpu")
Sample = tuple[Tensor, Tensor]
"""Image, float16, and classes, uint8, both (K, J, I), in the window and ``jitter`` voxels around it."""


@dataclass(frozen=True, eq=False)
class Pool:
    """The samples of one case: itself and its ``variants``, if it has any."""

    original: Sample
    variants: Sequence[Sample] = ()


def train(pools: Sequence[Pool], classes: int, plan: Plan, seed: int) -> UNet:
    """Return a network trained on ``pools``; case, place and intensities of every sample depend on ``seed`` alone.

    Cross-entropy and the mean of 1 - Dice of the classes, AdamW, and a rate that rises over a tenth of the steps and
    falls to nothing.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = UNet(classes, plan.widths)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(network.parameters(), plan.rate, weight_decay=0.01)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, plan.rate, total_steps=plan.steps, pct_start=0.1)
    precision = choose_precision(Precision.FASTEST, _CPU)
    weights = torch.ones(classes)
    weights[0] = plan.background
    for _ in range(plan.steps):
        images, truth = draw(pools, plan, generator)
        with computing(precision, _CPU):
            scores = network(images)
        loss = F.cross_entropy(scores, truth, weights) + dice_loss(scores.softmax(1), truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rates.step()
    return network.eval()


@torch.inference_mode()
def predict(network: UNet, image: Tensor) -> Tensor:
    """Return the classes (K, J, I), uint8, of ``image`` (K, J, I)."""
    with computing(choose_precision(Precision.FASTEST, _CPU), _CPU):
        return network(image[None, None].float())[0].argmax(0).to(torch.uint8)


def draw(pools: Sequence[Pool], plan: Plan, generator: torch.Generator) -> Sample:
    """Return an image (1, 1, K, J, I), as large as the window, and its classes (1, K, J, I)."""
    case, number, share, *place = torch.rand(6, generator=generator).tolist()  # as many for every arm
    pool = pools[int(case * len(pools))]
    deformed = pool.variants and share >= plan.originals
    image, truth = pool.variants[int(number * len(pool.variants))] if deformed else pool.original
    firsts = [int(p * (2 * plan.jitter + 1)) for p in place]
    part = tuple(slice(first, first + size) for first, size in zip(firsts, plan.window, strict=True))
    chance = plan.intensity
    wanted = Corruptions(stripes=0, doubling=0, shadow=0, gamma=chance, bias=chance, noise=chance)
    return corrupt(image[part].float()[None, None], wanted, generator=generator), truth[part].long()[None]


def dice_loss(shares: Tensor, truth: Tensor) -> Tensor:
    """Return the mean over the classes but the background of 1 - Dice, over all voxels.

    ``shares`` (B, C, K, J, I) and ``truth`` (B, K, J, I). Source: Milletari et al., V-Net (3DV 2016), without squares.
    """
    wanted = F.one_hot(truth, shares.shape[1]).movedim(-1, 1)
    over = (0, 2, 3, 4)
    both, sums = (shares * wanted).sum(over), shares.sum(over) + wanted.sum(over)
    return 1 - ((2 * both + 1) / (sums + 1))[1:].mean()
