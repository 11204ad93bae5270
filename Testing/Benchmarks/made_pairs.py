"""Pairs of heads with the exact deformation between them, of any number of voxels, for which no data are needed."""

from __future__ import annotations

import functools
from pathlib import Path

import torch

from DiffusionCore import Segmentation, Subject, SynthesisSettings, Synthesizer
from DiffusionCore.interpolation import Interpolation
from DiffusionCore.sample import make_sample
from DiffusionCore.space import Grid, Volume
from DiffusionCore.storage.transforms import write_transform
from DiffusionCore.storage.volumes import write_volume
from DiffusionCore.training.corruption import draw_bias, draw_noise
from DiffusionCore.transforms import Affine, Chain, Transform, resample

_AIR = 4  # voxels of 1 mm about the template, whose brain stem it cuts off
_DRAWN = 2.0  # mm of the grid that the deformations are drawn on
_LAW = SynthesisSettings(strength=0.8, rotation=8.0, scale=0.04, translation=4.0)  # mean displacement 4 mm, and a pose


def write_pair(folder: Path, size: tuple[int, int, int], *, seed: int = 0) -> None:
    """Write a pair of images of ``size`` (K, J, I) voxels, with labels and truth, as ``find_cases`` reads it.

    ::

        moving = I psi          fixed = I psi phi          fixed(x) = moving(phi(x))

    I is the template of the sample at 1 mm; psi and phi are deformations that ``seed`` draws, the same for every size.
    Both images are of one contrast, each with a slight bias field and noise of its own. Source: as
    ``DiffusionCore.synthesis.pairs``, here for images finer and coarser than the grid that deformations are drawn on.

    Raises:
        DiffusionCoreError: the package nilearn, which brings the template, is not installed.
    """
    psi, phi = _deformations(seed)
    k, j, i = size
    grid = _template().images[0].grid.resized((i, j, k))
    generator = torch.Generator().manual_seed(seed)
    folder.mkdir(parents=True)
    for name, transform in (("fixed", Chain.of(psi, phi)), ("moving", psi)):
        image, labels = _seen(grid, transform)
        write_volume(folder / f"{name}.nii.gz", _scanned(image, generator))
        write_volume(folder / f"{name}_seg.nii.gz", labels)
    write_transform(folder / "truth.h5", phi)


def shape_of(side: int) -> tuple[int, int, int]:
    """Return the size (K, J, I) of the image with cubic voxels that has about as many as a cube of this side."""
    i, j, k = _template().images[0].grid.extent
    spacing = (i * j * k) ** (1 / 3) / side
    return round(k / spacing), round(j / spacing), round(i / spacing)


def _seen(grid: Grid, transform: Transform) -> tuple[Volume, Volume]:
    """Return the template and its labels through ``transform`` on ``grid``."""
    template = _template()
    labels = template.segmentations[0].volume
    return resample(template.images[0], grid, transform), resample(
        labels, grid, transform, interpolation=Interpolation.NEAREST
    )


def _scanned(image: Volume, generator: torch.Generator) -> Volume:
    values = torch.from_numpy(image.values)[None, None].float()
    biased = draw_bias(values, probability=1, spread=0.1, generator=generator)
    return Volume(draw_noise(biased, probability=1, generator=generator)[0, 0].numpy(), image.grid)


@functools.cache
def _template() -> Subject:
    sample = make_sample()
    return _case(sample.fixed, sample.fixed_segmentation, sample.fixed.grid.padded(_AIR))


@functools.cache
def _deformations(seed: int) -> tuple[Transform, Transform]:
    template = _template()
    image, labels = template.images[0], template.segmentations[0].volume
    synthesizer = Synthesizer(_case(image, labels, image.grid.with_spacing(_DRAWN)), _LAW)
    first, second = (synthesizer.variant(index, seed=seed).transform for index in range(2))
    return first, second


def _case(image: Volume, labels: Volume, grid: Grid) -> Subject:
    image = resample(image, grid, Affine.identity())
    labels = resample(labels, grid, Affine.identity(), interpolation=Interpolation.NEAREST)
    return Subject("head", (image,), (Segmentation(labels),))
