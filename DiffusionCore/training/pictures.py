"""Pictures of what a network does at a validation, always of the same batch, so that one can look how it learns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from DiffusionCore.images.mosaic import Row, draw_mosaic
from DiffusionCore.storage.files import replacing
from DiffusionCore.training.batches import validation_batches
from DiffusionCore.training.folder import CHECKS
from DiffusionCore.training.recipe import Recipe
from DiffusionCore.training.settings import LoopSettings
from DiffusionCore.training.update import in_precision

_MOST = 2  # samples


@runtime_checkable
class Pictured(Protocol):
    """A recipe that can show what its network does."""

    def pictures(self, network: Callable[..., Any], *batch: Tensor) -> dict[str, Tensor]:
        """Return images (B, 1, K, J, I) of one range, by what they show; 0 is background."""
        ...


@torch.no_grad()
def draw_pictures(folder: Path, step: int, recipe: Recipe, network: nn.Module, settings: LoopSettings) -> Path | None:
    """Write what ``network`` does after ``step`` into ``folder`` as ``checks/0001000.png``, a row for each sample.

    Return None where the recipe has no pictures, or matplotlib is not there to draw them.
    """
    if not isinstance(recipe, Pictured):
        return None
    device = next(network.parameters()).device
    batch = next(validation_batches(recipe, settings, 1))
    shown = recipe.pictures(in_precision(network, settings), *(tensor.to(device) for tensor in batch))
    names, kinds = list(shown), [images[:_MOST, 0].float().cpu().numpy() for images in shown.values()]
    rows = [Row("", images, names) for images in zip(*kinds, strict=True)]
    path = folder / CHECKS / f"{step:07d}.png"
    path.parent.mkdir(exist_ok=True)
    try:
        with replacing(path) as unfinished:
            draw_mosaic(unfinished, rows)
    except ImportError:
        return None
    return path
