"""Sampling of transforms: the affine diffusion, VoxelMorph and DiffuseReg, beside their published procedures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from DiffusionCore.affine.pipeline import AffinePipeline, AffineSettings
from DiffusionCore.affine.published import PublishedSampler
from DiffusionCore.benchmark.cases import find_cases
from DiffusionCore.build import load_network
from DiffusionCore.deformable.field_diffusion import FieldDiffusionConfig, FieldSampler, FieldStatistics
from DiffusionCore.deformable.learned import seen, seen_grid
from DiffusionCore.deformable.pair_images import pair_images
from DiffusionCore.deformable.sampled import SampledSettings, load_sampled
from DiffusionCore.diffusion.gaussian import NoiseSource
from DiffusionCore.diffusion.reverse import spaced_times
from DiffusionCore.networks.affine_denoiser import AffineDenoiser, AffineDenoiserConfig
from DiffusionCore.networks.diffusereg import DiffuseReg
from DiffusionCore.networks.precision import Precision, choose_precision, computing
from DiffusionCore.networks.published_voxelmorph import PublishedVoxelMorph, PublishedVoxelMorphConfig
from DiffusionCore.networks.voxelmorph import VoxelMorph
from DiffusionCore.space import Grid, Volume
from DiffusionCore.training.published import PublishedRecipeConfig
from DiffusionCore.training.recipes import configure
from DiffusionCore.training.voxelmorph import warped
from DiffusionCore.transforms import Affine, resample
from Testing.Benchmarks.options import Options, Shape, in_words
from Testing.Benchmarks.race import Call, Contest, Point
from Testing.Benchmarks.suites import published_sampling as published
from Testing.Benchmarks.suites.made_head import made_head
from Testing.Benchmarks.suites.monai_peers import MISSING, MONAI

STEPS, SAMPLES = (1, 5, 15, 30), (1, 2, 4, 8)
_WINDOW, _SEEN = 64, (40, 48, 40)  # voxels that the affine networks see, and those of fields
FEW = 3  # rounds, for what takes minutes


def in_samples(samples: int, steps: int, shape: Shape) -> str:
    """Return a size in words: "2 samples of 5 steps, 40x48x40"."""
    return f"{samples} sample{'s' * (samples > 1)} of {steps} step{'s' * (steps > 1)}, {in_words(shape)}"


def along(options: Options, points: Sequence[int]) -> Sequence[int]:
    """Return the points of a curve."""
    return points[:2] if options.quick else points


def transform_contests(options: Options) -> Iterator[Contest]:
    """Yield the races that are wanted, small ones first."""
    pair = _pair(options)
    if options.wants("affine diffusion"):
        for steps in along(options, (*STEPS, published.STEPS)):
            yield _affine_steps(options, steps)
    if options.wants("affine registration"):
        yield _affine_registration(options, *pair)
    if options.wants("VoxelMorph"):
        for shape in options.sizes:
            yield _voxelmorph(options, shape)
    if options.wants("DiffuseReg, steps"):
        for steps in along(options, STEPS):
            yield _fields(options, "DiffuseReg, steps", steps, 1)
    if options.wants("DiffuseReg, samples"):
        for samples in along(options, SAMPLES):
            yield _fields(options, "DiffuseReg, samples", 2, samples)
    if options.wants("diffusion registration"):
        yield _diffusion_registration(options, *pair)


def _pair(options: Options) -> tuple[Volume, Volume]:
    """Return the first pair of ``--data``, or a made head and the same one turned by 15 degrees."""
    if options.data is not None:
        found = find_cases(options.data)[0].pair()
        return found.fixed, found.moving
    head = made_head((48, 56, 48) if options.quick else (96, 112, 96)).images[0]
    turned = Affine.exponential(torch.tensor([0.15, 0.1, 0.2, 5.0, -8.0, 4.0] + [0.0] * 6, dtype=torch.float64))
    return head, resample(head, head.grid, turned)


def _affine_steps(options: Options, steps: int) -> Contest:
    """Return the race of the published network on windows of 64 voxels, one way."""
    config = replace(PublishedRecipeConfig().diffusion, size=_WINDOW, spacing=4.0)
    network = AffineDenoiser(AffineDenoiserConfig()).eval().to(options.device)
    grid = Grid((_WINDOW,) * 3, (4.0,) * 3).with_center((0.0, 0.0, 0.0))
    head = made_head((_WINDOW,) * 3).images[0]
    fixed, moving = (Volume(values.copy(), grid) for values in (head.values, head.values[::-1]))
    sampler = PublishedSampler(network, config, count=steps)
    tensors = [torch.from_numpy(each.values).float()[None, None].to(options.device) / 1000 for each in (fixed, moving)]
    calls: dict[str, Call] = {
        "ours": lambda: list(sampler.steps(fixed, moving)),
        "published": partial(published.affine, network, *tensors, sampler.times),
    }
    size = f"{steps} steps, windows of {in_words((_WINDOW,) * 3)}"
    return Contest("affine diffusion", size, calls, Point("steps", steps), FEW)


def _affine_registration(options: Options, fixed: Volume, moving: Volume) -> Contest:
    """Return the race of our default affine registration, polish included, with the whole published one."""
    network = AffineDenoiser(AffineDenoiserConfig()).eval().to(options.device)
    pipeline = AffinePipeline(AffineSettings(), device=options.device)
    tensors = torch.rand(2, 1, 1, _WINDOW, _WINDOW, _WINDOW).to(options.device)
    count = 2 if options.quick else published.STEPS
    times = spaced_times(published.STEPS, count)
    calls: dict[str, Call] = {
        "ours": lambda: list(pipeline.steps(fixed, moving, generator=torch.Generator().manual_seed(0))),
        f"published, {count} steps both ways": partial(published.affine_both_ways, network, *tensors, times),
    }
    size = f"{in_words(fixed.grid.shape)}; published: windows of {in_words((_WINDOW,) * 3)}"
    return Contest("affine registration", size, calls, rounds=FEW)


def _voxelmorph(options: Options, shape: Shape) -> Contest:
    """Return the race of one pass with the published network, and of ours with our own."""
    device = torch.device(options.device)
    fixed, moving = torch.rand(2, 1, 1, *shape, generator=torch.Generator().manual_seed(0)).to(device)
    network = PublishedVoxelMorph(PublishedVoxelMorphConfig()).eval().to(device)
    nn.init.normal_(network.field.weight, std=0.02)  # such that something moves
    own = cast(VoxelMorph, load_network("voxelmorph", "voxelmorph", options.device))
    fastest = choose_precision(Precision.FASTEST, device)

    @torch.inference_mode()
    def ours(network: nn.Module, window: int | None, dtype: torch.dtype) -> Tensor:
        images = pair_images(fixed, moving, window)
        with computing(dtype, device):
            velocity = network(images)
        return warped(moving, velocity)

    calls: dict[str, Call] = {
        "ours": partial(ours, network, None, fastest),
        "ours, float32": partial(ours, network, None, torch.float32),
        "ours, our network": partial(ours, own, own.config.force_window, fastest),
        "published": partial(published.voxelmorph, network, fixed, moving),
    }
    if MONAI:
        from monai.networks.nets import VoxelMorph as Monai

        other = Monai(half_res=True).eval().to(device)
        calls["MONAI"] = torch.inference_mode()(lambda: other(moving, fixed))
    at = Point("voxels", fixed.numel())
    return Contest("VoxelMorph", in_words(shape), calls, at, FEW, missing=MISSING)


def _fields(options: Options, benchmark: str, steps: int, samples: int) -> Contest:
    """Return the race of fields by the small published network, and of ours, which re-warps the images."""
    device = torch.device(options.device)
    images = torch.rand(1, 2, *_SEEN, generator=torch.Generator().manual_seed(0)).to(device)
    network = cast(DiffuseReg, configure("small-published-diffusereg", ["heads=1", "shapes=1"])[0].network())
    network.eval().to(device)
    statistics = FieldStatistics((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    times, noise = spaced_times(published.FIELD_STEPS, steps), NoiseSource(tuple(range(samples)))

    def ours(precision: Precision) -> Call:
        sampler = FieldSampler(network, FieldDiffusionConfig(statistics=statistics), times, precision=precision)
        return lambda: list(sampler.fields(images, noise=noise))

    begun = torch.randn(samples, 1, 3, *_SEEN, generator=torch.Generator().manual_seed(1)).to(device)
    calls: dict[str, Call] = {
        "ours": ours(Precision.FASTEST),
        "ours, float32": ours(Precision.FLOAT32),
        "published": lambda: [published.diffusereg(network, images, times, one) for one in begun],
    }
    point = Point("samples", samples) if benchmark.endswith("samples") else Point("steps", steps)
    size = in_samples(samples, steps, _SEEN)
    return Contest(benchmark, size, calls, point, FEW)


def _diffusion_registration(options: Options, fixed: Volume, moving: Volume) -> Contest:
    """Return the race of our sampled field with a part of the published steps, on images of the same size."""
    settings = SampledSettings(passes=2, samples=2) if options.quick else SampledSettings()
    field = load_sampled(settings, options.device)
    grid = seen_grid(fixed, field.spacing)
    network = cast(DiffuseReg, configure("small-published-diffusereg", ["heads=1", "shapes=1"])[0].network())
    network.eval().to(options.device)
    pair = [seen(image, grid, Affine.identity()) for image in (fixed, moving)]
    images, noise = torch.cat(pair, 1).to(options.device), torch.randn(1, 3, *grid.shape).to(options.device)
    calls: dict[str, Call] = {
        "ours": lambda: list(field.estimates(fixed, moving, Affine.identity())),
        f"published, 2 of {published.FIELD_STEPS} steps": partial(
            published.diffusereg, network, images, (published.FIELD_STEPS, published.FIELD_STEPS - 1), noise
        ),
    }
    size = in_samples(settings.samples, settings.passes, grid.shape)
    return Contest("diffusion registration", size, calls, rounds=FEW)
