"""Sources of single volumes, from which a recipe makes its pairs: synthetic objects, or a user's own images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from DiffusionCore.affine.foreground import center_of_mass, working_volume
from DiffusionCore.checks import VolumeError
from DiffusionCore.interpolation.pull import pull
from DiffusionCore.space import Frame, Grid, Volume
from DiffusionCore.training.appearance import draw_contrasts, draw_presence
from DiffusionCore.training.cases import find_cases, usable_cases
from DiffusionCore.training.tissue_pool import TissuePool, painted
from DiffusionCore.transforms.affine import map_points
from DiffusionCore.transforms.base import voxel_centers

_PART = 20  # volumes that are rendered at a time


class Drawn(NamedTuple):
    """Volumes of a batch: ``images`` (B, 1, K, J, I) in [0, 1], background 0; ``classes`` (B,), 0 for no class."""

    images: Tensor
    classes: Tensor


class VolumeSource(Protocol):
    """Where single volumes come from."""

    @property
    def grid(self) -> Grid:
        """The grid of all volumes; the objects lie about its center."""
        ...

    def draw(self, batch: int, *, generator: torch.Generator) -> Drawn:
        """Return random volumes."""
        ...


@dataclass(frozen=True, eq=False)
class SyntheticVolumes:
    """Objects of a pool in random contrasts, without classes of modality. ``whole``: the share with skull and scalp."""

    pool: TissuePool
    whole: float = 0.2

    @property
    def grid(self) -> Grid:
        """The grid of the pool."""
        return self.pool.grid

    def draw(self, batch: int, *, generator: torch.Generator) -> Drawn:
        """Return random objects of the pool."""
        chosen = torch.randint(len(self.pool.shares), (batch,), generator=generator)
        presence, _ = draw_presence(batch, heads=self.whole, generator=generator)
        images = painted(self.pool.shares, chosen, (presence * draw_contrasts(batch, generator=generator))[:, None])
        return Drawn(images, torch.zeros(batch, dtype=torch.int64))


@dataclass(frozen=True, eq=False)
class StoredVolumes:
    """Images that were brought to one grid.

    Attributes:
        values: (V, 1, K, J, I) float16 in [0, 1].
        classes: (V,) modality classes, from 1; 0 for none.
        grid: the grid.
    """

    values: Tensor
    classes: Tensor
    grid: Grid

    @classmethod
    def of(
        cls, volumes: Sequence[Volume], *, classes: Sequence[int] | None = None, size: int = 64, spacing: float = 4.0
    ) -> StoredVolumes:
        """Return ``volumes`` on a cube of ``size`` voxels of ``spacing`` mm about the center of mass of each.

        Raises:
            VolumeError: there are none, or one is empty, constant or not finite.
        """
        if not volumes:
            raise VolumeError("Training needs at least one volume, got none.")
        grid = Grid((size, size, size), (spacing, spacing, spacing)).with_center((0.0, 0.0, 0.0))
        points = voxel_centers(grid, dtype=torch.float32)
        stored = []
        for number, volume in enumerate(volumes):
            volume.require_registrable(f"{number + 1}. training")
            working = working_volume(volume, spacing)
            matrix = torch.from_numpy(working.grid.matrix(Frame.RAS, Frame.VOXEL)).float()
            moved = points + torch.from_numpy(center_of_mass(volume)).float()
            image = pull(torch.from_numpy(working.values)[None, None], map_points(matrix, moved)[None])
            stored.append((image / image.amax().clamp(min=1e-6)).half())
        numbers = torch.tensor(classes) if classes is not None else torch.zeros(len(volumes), dtype=torch.int64)
        return cls(torch.cat(stored), numbers, grid)

    @classmethod
    def read(cls, place: Path) -> StoredVolumes:
        """Return the images that a folder or a list names (``cases``), each with its modality as its class.

        One that cannot be used is left out and named in the log.

        Raises:
            StorageError: there is no such place, or no image in it that can be used.
        """
        found = list(usable_cases(find_cases(place)))
        kinds = sorted({case.modality for case, _ in found} - {""})
        classes = [1 + kinds.index(case.modality) if case.modality else 0 for case, _ in found]
        return cls.of([volume for _, volume in found], classes=classes)

    @classmethod
    def drawn(cls, source: VolumeSource, count: int, *, generator: torch.Generator) -> StoredVolumes:
        """Return ``count`` volumes of ``source``."""
        parts = (source.draw(_PART, generator=generator) for _ in range(-(-count // _PART)))
        values, classes = zip(*((images.half(), numbers) for images, numbers in parts), strict=True)
        return cls(torch.cat(values)[:count], torch.cat(classes)[:count], source.grid)

    def draw(self, batch: int, *, generator: torch.Generator) -> Drawn:
        """Return random images, with repetition."""
        chosen = torch.randint(len(self.values), (batch,), generator=generator)
        return Drawn(self.values[chosen].float(), self.classes[chosen])
