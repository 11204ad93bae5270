"""Sampling of images and of what is left of a deformation, beside the published procedures and MONAI."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import cast

import torch
from torch import Tensor

from DiffusionCore.build import load_network
from DiffusionCore.deformation.published_recovery import published_steps
from DiffusionCore.deformation.random_fields import MultiScale
from DiffusionCore.deformation.recovery import Recovery
from DiffusionCore.diffusion.denoising import Sampler
from DiffusionCore.generation import ImageModel
from DiffusionCore.images.diffusion import Conditions, Guidance, sample_images, sample_source
from DiffusionCore.networks.precision import Precision, choose_precision
from DiffusionCore.networks.published_recovery import PublishedRecovery, PublishedRecoveryConfig
from DiffusionCore.networks.recovery import RecoveryNetwork
from Testing.Benchmarks.options import Options, in_words
from Testing.Benchmarks.race import Call, Contest, Point
from Testing.Benchmarks.suites import published_sampling as published
from Testing.Benchmarks.suites.made_head import made_head
from Testing.Benchmarks.suites.monai_peers import MISSING, MONAI
from Testing.Benchmarks.suites.published_generation import RECOVERY, recovered
from Testing.Benchmarks.suites.sampled_transforms import FEW, SAMPLES, STEPS, along, in_samples

_SCALE = 3.0  # of the guidance
_CUBE = 32  # voxels a side, for the published recovery


def anatomy_contests(options: Options) -> Iterator[Contest]:
    """Yield the races that are wanted."""
    if options.wants("recovery"):
        for steps in along(options, STEPS[:-1]):
            yield _recovery(steps)
    if options.wants("images, steps"):
        for steps in along(options, STEPS):
            yield _images(options, "images, steps", steps, 1)
    if options.wants("images, samples"):
        for samples in along(options, SAMPLES):
            yield _images(options, "images, samples", 2, samples)


def _recovery(steps: int) -> Contest:
    """Return the race of the published recovery network, and of ours on a head: 48 x 56 x 48 voxels."""
    cube = (_CUBE,) * 3
    images = torch.rand(1, 1, *cube, generator=torch.Generator().manual_seed(0))
    field = torch.zeros(1, 3, *cube)
    network = PublishedRecovery(PublishedRecoveryConfig()).eval()
    own = cast(RecoveryNetwork, load_network("drdm", "drdm", "cpu"))
    recovery = Recovery.of(own, made_head((56, 66, 56)).images[0])
    unit = MultiScale().draw(recovery.grid, generator=torch.Generator().manual_seed(0))
    calls: dict[str, Call] = {
        "ours": lambda: list(published_steps(network, images, field, steps)),
        "ours, our network": lambda: list(recovery.steps(unit, 5.0, steps)),
        "published": torch.inference_mode()(partial(recovered, network, images, field, steps)),
    }
    size = f"{steps} of {RECOVERY} steps, {in_words(cube)}; ours: {in_words(recovery.grid.shape)}"
    return Contest("recovery", size, calls, Point("steps", steps), FEW)


def _images(options: Options, benchmark: str, steps: int, samples: int) -> Contest:
    """Return the race of the shipped network, guided by labels; MONAI's has the same widths and sees all voxels."""
    model = ImageModel.load("brains", options.device)
    device, shape = model.device, model.frame.grid.shape
    labels = torch.randint(model.frame.unknown_label, (samples, *shape), generator=torch.Generator().manual_seed(0))
    given = Conditions.none(model.frame, samples)._replace(labels=labels).to(device)
    without = given.forgotten(model.frame.unknown_label)
    noise = torch.randn(samples, 1, *shape, generator=torch.Generator().manual_seed(1)).to(device)
    times = model.times(steps)

    def ours(dtype: torch.dtype) -> Call:
        return lambda: list(
            sample_images(
                model.network,
                model.diffusion,
                model.frame,
                given,
                times,
                noise=sample_source(0, *range(samples)),
                guidance=Guidance(_SCALE),
                sampler=Sampler(0.0),
                dtype=dtype,
            )
        )

    def estimator(known: Conditions) -> published.Estimator:
        return lambda state, when: model.network(state, *known, when)

    both = estimator(given), estimator(without)
    calls: dict[str, Call] = {
        "ours": ours(torch.float32),
        "ours, fastest": ours(choose_precision(Precision.FASTEST, device)),
        "published": lambda: [published.ddim(*both, times, noise, _SCALE)],
    }
    if MONAI:
        calls["MONAI's scheduler"] = partial(published.monai_ddim, *both, steps, noise, _SCALE)
        if steps * samples <= 2:
            calls["MONAI's network and scheduler"] = _monai(model, steps, noise)
    point = Point("samples", samples) if benchmark.endswith("samples") else Point("steps", steps)
    size = in_samples(samples, steps, shape)
    return Contest(benchmark, size, calls, point, FEW, missing=MISSING)


def _monai(model: ImageModel, steps: int, noise: Tensor) -> Call:
    """Return MONAI's diffusion U-Net with the widths of ours; its labels are one more channel."""
    from monai.networks.nets import DiffusionModelUNet

    widths = model.network.config.widths
    network = DiffusionModelUNet(3, 2, 1, model.network.config.blocks, widths, (False,) * len(widths), 16)
    network.eval().to(model.device)

    def estimate(state: Tensor, when: Tensor) -> Tensor:
        return network(torch.cat([state, torch.zeros_like(state)], 1), when)

    return partial(published.monai_ddim, estimate, estimate, steps, noise, _SCALE)
