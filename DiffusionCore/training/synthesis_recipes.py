"""The recipes of synthesis, with their presets, from the smallest to the published one."""

from __future__ import annotations

from dataclasses import replace

from DiffusionCore.images.diffusion import PUBLISHED_BETAS, ImageDiffusion
from DiffusionCore.networks.image_denoiser import ImageDenoiserConfig
from DiffusionCore.networks.recovery import RecoveryConfig
from DiffusionCore.training.entry import IMAGES, SMOKE, THEIRS, TRIAL, Entry
from DiffusionCore.training.image import ImageRecipe, ImageRecipeConfig
from DiffusionCore.training.published_recovery import PublishedRecoveryRecipe, PublishedRecoveryRecipeConfig
from DiffusionCore.training.recovery import RecoveryRecipe, RecoveryRecipeConfig
from DiffusionCore.training.settings import LoopSettings

_DRDM = LoopSettings(steps=50_000, clip=1.0, average=0.995)
_PUBLISHED_IMAGE = ImageRecipeConfig(
    spacing=2.0,
    patch=(64, 64, 64),
    deformation=0.0,
    diffusion=ImageDiffusion(PUBLISHED_BETAS, "noise"),
    network=ImageDenoiserConfig(1, (64, 128, 256, 512), blocks=2, heads=4, embedding=256),
)

SYNTHESIS = {
    "smoke-drdm": Entry(
        RecoveryRecipe,
        RecoveryRecipeConfig(batch=1, network=RecoveryConfig((24, 28, 24), 8.0, channels=16, blocks=1)),
        SMOKE,
        IMAGES,
        THEIRS,
        about=f"as drdm, {TRIAL}",
    ),
    "small-drdm": Entry(
        RecoveryRecipe,
        RecoveryRecipeConfig(),
        replace(_DRDM, steps=5000),
        IMAGES,
        THEIRS,
        about="as drdm, in less than an hour of a CPU core",
    ),
    "drdm": Entry(
        RecoveryRecipe,
        RecoveryRecipeConfig(),
        _DRDM,
        IMAGES,
        THEIRS,
        about="natural anatomy out of random deformations, for synthesis",
    ),
    "published-drdm": Entry(
        PublishedRecoveryRecipe,
        PublishedRecoveryRecipeConfig(),
        LoopSettings(steps=100_000, learning_rate=1e-4, warm_up=0, weight_decay=0.0, precision="float32"),
        IMAGES,
        THEIRS,
        about="the published recovery network",
    ),
    "smoke-image": Entry(
        ImageRecipe,
        ImageRecipeConfig(spacing=8.0, network=ImageDenoiserConfig(2, (16, 24), embedding=32)),
        replace(SMOKE, steps=200, learning_rate=3e-3, warm_up=20, average=0.98, validate_every=50),
        IMAGES,
        THEIRS,
        about=f"as image, {TRIAL}",
    ),
    "small-image": Entry(
        ImageRecipe,
        ImageRecipeConfig(network=ImageDenoiserConfig(2, (48, 64, 96))),
        LoopSettings(steps=10_000, learning_rate=7e-4, clip=1.0),
        IMAGES,
        THEIRS,
        about="as image at 4 mm, in one and a half hours of a CPU core",
    ),
    "image": Entry(
        ImageRecipe,
        ImageRecipeConfig(batch=4, spacing=2.0, network=ImageDenoiserConfig(2, (96, 192, 288, 384), blocks=2, heads=6)),
        LoopSettings(steps=60_000, learning_rate=3e-4, clip=1.0, average=0.9995),
        IMAGES,
        THEIRS,
        about="new images by diffusion, for a GPU",
    ),
    "published-image": Entry(
        ImageRecipe,
        _PUBLISHED_IMAGE,
        LoopSettings(steps=29_100, learning_rate=1e-4, warm_up=0, weight_decay=0.0, clip=1.0, recompute=True),
        IMAGES,
        THEIRS,
        about="patches of images, as BrainDiffusion",
    ),
}
