"""Random intensities: what a tissue map looks like in one of all possible contrasts. Source: our own."""

from __future__ import annotations

import torch
from torch import Tensor

from DiffusionCore.training.anatomy import Tissue

_T1 = torch.tensor([0.60, 0.66, 0.70, 0.62, 0.90, 0.98, 0.90, 0.86, 0.18, 0.14, 0.30, 0.10, 0.75])
_CLASS = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 4, 5])  # gray, white, fluid, rim, skull, scalp
_BRAIN = torch.arange(len(Tissue)) < Tissue.RIM


def draw_contrasts(batch: int, *, generator: torch.Generator) -> Tensor:
    """Return intensities (batch, tissues) in [0, 1]: 35 % like T1, 15 % inverted T1, 25 % one value per tissue
    class, 25 % any value for every region."""

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    near_t1 = (_T1 + 0.06 * torch.randn(batch, len(Tissue), generator=generator)).clamp(0.03, 1)
    inverted = torch.where(_BRAIN, 1.05 - near_t1, near_t1)
    by_class = (0.05 + 0.95 * uniform(batch, 6))[:, _CLASS] * (0.9 + 0.2 * uniform(batch, len(Tissue)))
    anything = 0.05 + 0.95 * uniform(batch, len(Tissue))
    kind = torch.multinomial(torch.tensor([0.35, 0.15, 0.25, 0.25]), batch, replacement=True, generator=generator)
    return torch.stack([near_t1, inverted, by_class, anything])[kind, torch.arange(batch)].clamp(0.03, 1)


def draw_presence(batch: int, *, heads: float = 0.2, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return the share of each tissue that an image holds (batch, tissues), and which show the whole head (batch,).

    Brains come as skull-stripping leaves them: outer fluid peeled off, a rim of dura left, now and then without
    cerebellum or stem.
    """

    def chance(probability: float) -> Tensor:
        return torch.rand(batch, generator=generator) < probability

    presence = torch.ones(batch, len(Tissue))
    head = chance(heads)
    presence[:, Tissue.RIM :] = head[:, None].float()
    presence[:, Tissue.RIM] = torch.where(chance(0.2), torch.rand(batch, generator=generator), presence[:, Tissue.RIM])
    peeled = torch.where(chance(0.5), torch.rand(batch, generator=generator), torch.ones(batch))
    presence[:, Tissue.OUTER_FLUID] = torch.where(head, torch.ones(batch), peeled)
    no_cerebellum, no_stem = chance(0.03) & ~head, chance(0.05) & ~head
    presence[no_cerebellum, Tissue.CEREBELLAR_GRAY] = presence[no_cerebellum, Tissue.CEREBELLAR_WHITE] = 0
    presence[no_stem, Tissue.BRAIN_STEM] = 0
    return presence, head


def remap(image: Tensor, knots: Tensor) -> Tensor:
    """Return ``image`` (B, ...) in [0, 1] through the piecewise linear curves with the values ``knots`` (B, n)."""
    last = knots.shape[1] - 1
    position = image.flatten(1).clamp(0, 1) * last
    lower = position.floor().clamp(max=last - 1)
    left, right = knots.gather(1, lower.long()), knots.gather(1, lower.long() + 1)
    return torch.lerp(left, right, position - lower).view_as(image)


def draw_remap(image: Tensor, *, probability: float = 0.3, generator: torch.Generator) -> Tensor:
    """Remap what is above 0.05 in some of the images (B, ...) in [0, 1] by random curves.

    The half-full voxels at the rim of an object get intensities of their own by this, as they do when a stored
    image was remapped.
    """
    batch = image.shape[0]
    knots = 0.1 + 0.9 * torch.rand(batch, 7, generator=generator)
    chosen = (torch.rand(batch, generator=generator) < probability).view(-1, *[1] * (image.ndim - 1))
    return torch.where(chosen & (image > 0.05), remap(image, knots), image)
