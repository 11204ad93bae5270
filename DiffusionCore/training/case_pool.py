"""A pool of deformed cases of a user, to draw pairs from: variants as ``synthesize`` makes them, on one coarse grid."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from DiffusionCore.affine.foreground import extent, working_volume
from DiffusionCore.space import Grid
from DiffusionCore.space.intensities import without_outliers
from DiffusionCore.synthesis.inputs import find_subjects
from DiffusionCore.synthesis.synthesizer import Synthesizer
from DiffusionCore.training.appearance import draw_remap
from DiffusionCore.transforms import resample

_MARGIN = 4  # voxels more than the images of the pairs have, on each side


@dataclass(frozen=True, eq=False)
class CasePool:
    """Variants of labeled cases.

    Attributes:
        images: (variants, 1, K, J, I) float16 in [0, 1], background 0.
        grid: of the images, RAS mm; the objects lie about its center.
    """

    images: Tensor
    grid: Grid

    @classmethod
    def read(cls, folder: str, count: int, size: tuple[int, int, int], spacing: float, *, seed: int) -> CasePool:
        """Return ``count`` variants of the labeled cases in ``folder``, which take turns, for images of ``size``.

        They have passed the checks of ``synthesize`` at its natural strength, and are resampled once.

        Raises:
            DiffusionCoreError: there are no labeled cases, or one cannot be read or deformed.
        """
        i, j, k = (n + 2 * _MARGIN for n in size)
        grid = Grid((i, j, k), (spacing, spacing, spacing)).with_center((0.0, 0.0, 0.0))
        files = find_subjects(Path(folder))
        images = {}
        for number, each in enumerate(files[:count]):
            synthesizer = Synthesizer(each.read())
            image = without_outliers(synthesizer.subject.images[0])
            x, y, z = extent(image).center.tolist()
            seen, there = working_volume(image, spacing), grid.with_center((x, y, z))
            for index in range(number, count, len(files)):
                variant = synthesizer.variant(index, seed=seed)
                images[index] = torch.from_numpy(resample(seen, there, variant.transform).values)
        stacked = torch.stack([images[index] for index in sorted(images)])[:, None]
        return cls((stacked / stacked.amax((2, 3, 4), keepdim=True).clamp_min(1e-6)).half(), grid)

    def appearances(self, batch: int, same: float, *, generator: torch.Generator) -> Tensor:
        """Return random variants (batch, 2, K, J, I) in [0, 1]: twice the same but, unless a share ``same``, with
        intensities that a random curve changes in one."""
        shown = self.images[torch.randint(len(self.images), (batch,), generator=generator)].float()
        other = draw_remap(shown, probability=1 - same, generator=generator)
        return torch.cat([shown, other], 1)
