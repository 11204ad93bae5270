"""The one table of recipes, and how ``key=value`` changes one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from DiffusionCore.affine.published import AffineDiffusionConfig
from DiffusionCore.checks import DiffusionCoreError
from DiffusionCore.config import from_dict, to_dict
from DiffusionCore.images.diffusion import PUBLISHED_BETAS, ImageDiffusion
from DiffusionCore.networks.affine_denoiser import AffineDenoiserConfig
from DiffusionCore.networks.diffusereg import DiffuseRegConfig
from DiffusionCore.networks.image_denoiser import ImageDenoiserConfig
from DiffusionCore.networks.published_voxelmorph import PublishedVoxelMorphConfig
from DiffusionCore.networks.swin import SwinConfig
from DiffusionCore.training.corruption import Corruptions
from DiffusionCore.training.diffusereg import DiffuseRegRecipe, DiffuseRegRecipeConfig
from DiffusionCore.training.field_pairs import FieldPairsConfig
from DiffusionCore.training.image import ImageRecipe, ImageRecipeConfig
from DiffusionCore.training.pose import PoseRecipe, PoseRecipeConfig
from DiffusionCore.training.published import PublishedRecipe, PublishedRecipeConfig
from DiffusionCore.training.published_recovery import PublishedRecoveryRecipe, PublishedRecoveryRecipeConfig
from DiffusionCore.training.recipe import Recipe
from DiffusionCore.training.recovery import RecoveryRecipe, RecoveryRecipeConfig
from DiffusionCore.training.settings import LoopSettings
from DiffusionCore.training.velocity_diffusion import VelocityDiffusionRecipe, VelocityDiffusionRecipeConfig
from DiffusionCore.training.voxelmorph import VoxelMorphRecipe, VoxelMorphRecipeConfig

_HEADS = "synthetic heads and brains: smooth random deformations and random contrasts of the ICBM 2009 tissue maps"
_SHAPES = "random shapes, bumpy ellipsoids that smooth regions divide"
_FOLDS = "folds of the cortex that differ between the two images"


@dataclass(frozen=True)
class Entry:
    """A recipe by its class, the defaults of its configuration and of the loop, and its card: data and terms of use."""

    recipe: type
    config: Any
    settings: LoopSettings
    data: str
    license: str = "Apache-2.0"


_PUBLISHED_SETTINGS = LoopSettings(
    115_000, learning_rate=1e-4, warm_up=5000, weight_decay=0.0, average=0.995, average_power=0.75, average_gamma=1.0
)
_COMPARISON = PublishedRecipeConfig(
    heads=40,
    shapes=120,
    volumes=1600,
    remapped=0.7,
    corruptions=Corruptions(),
    diffusion=AffineDiffusionConfig(steps=8, law="affine", rotation=0.12, translation=6.0, scale=0.05, shear=0.02),
    network=AffineDenoiserConfig(channels=(32, 64, 128, 128), groups=8, embedding=64),
)
_VOXELMORPH_SETTINGS = LoopSettings(steps=12_000, learning_rate=7e-4, clip=1.0)  # 1.5e-3 with clip 5 diverges
_PUBLISHED_VOXELMORPH = VoxelMorphRecipeConfig(
    batch=1, loss="correlation", smoothness=2 / 9, passes=1, network=PublishedVoxelMorphConfig()
)
_DIFFUSEREG = VelocityDiffusionRecipeConfig(pairs=FieldPairsConfig(deviation=(0.0, 6.0), power=2.0, folded=0.6))
_DIFFUSEREG_SETTINGS = LoopSettings(steps=12_000, learning_rate=7e-4, clip=1.0)
_IMAGES, _THEIRS = "images of the user's own folder", "that of the images"
_SMALL_IMAGE = ImageDenoiserConfig(2, (48, 96, 128))
_PUBLISHED_IMAGE = ImageRecipeConfig(
    spacing=2.0,
    patch=(64, 64, 64),
    deformation=0.0,
    diffusion=ImageDiffusion(PUBLISHED_BETAS, "noise"),
    network=ImageDenoiserConfig(1, (64, 128, 256, 512), blocks=2, heads=4, embedding=256, recompute=True),
)
_SMALL_DIFFUSEREG = DiffuseRegRecipeConfig(
    batch=4,
    image_terms="signal",
    network=DiffuseRegConfig(SwinConfig(24, (2, 2, 2), (3, 6, 12)), roles="told"),
)
RECIPES = {
    "affine": Entry(PoseRecipe, PoseRecipeConfig(), LoopSettings(steps=18_000), _HEADS),
    "published-affine": Entry(PublishedRecipe, PublishedRecipeConfig(), _PUBLISHED_SETTINGS, _HEADS),
    "comparison": Entry(PublishedRecipe, _COMPARISON, LoopSettings(steps=4000), f"{_HEADS}; {_SHAPES}"),
    "voxelmorph": Entry(VoxelMorphRecipe, VoxelMorphRecipeConfig(), _VOXELMORPH_SETTINGS, f"{_HEADS}; {_SHAPES}"),
    "voxelmorph-unsupervised": Entry(
        VoxelMorphRecipe,
        VoxelMorphRecipeConfig(loss="correlation", passes=1),
        _VOXELMORPH_SETTINGS,
        f"{_HEADS}; {_SHAPES}",
    ),
    "published-voxelmorph": Entry(
        VoxelMorphRecipe,
        _PUBLISHED_VOXELMORPH,
        LoopSettings(steps=150_000, learning_rate=1e-4, warm_up=0, weight_decay=0.0, precision="float32"),
        f"{_HEADS}; {_SHAPES}",
    ),
    "diffusereg": Entry(VelocityDiffusionRecipe, _DIFFUSEREG, _DIFFUSEREG_SETTINGS, f"{_HEADS}; {_SHAPES}; {_FOLDS}"),
    "drdm": Entry(
        RecoveryRecipe,
        RecoveryRecipeConfig(),
        LoopSettings(steps=50_000, clip=1.0, average=0.995),
        _IMAGES,
        _THEIRS,
    ),
    "published-drdm": Entry(
        PublishedRecoveryRecipe,
        PublishedRecoveryRecipeConfig(),
        LoopSettings(steps=100_000, learning_rate=1e-4, warm_up=0, weight_decay=0.0, precision="float32"),
        _IMAGES,
        _THEIRS,
    ),
    "published-diffusereg": Entry(
        DiffuseRegRecipe,
        DiffuseRegRecipeConfig(),
        LoopSettings(120_000, learning_rate=1e-4, warm_up=0, weight_decay=1e-4),
        f"{_HEADS}; {_SHAPES}",
    ),
    "small-diffusereg": Entry(
        DiffuseRegRecipe, _SMALL_DIFFUSEREG, LoopSettings(steps=20_000, clip=1.0), f"{_HEADS}; {_SHAPES}"
    ),
    "image": Entry(
        ImageRecipe,
        ImageRecipeConfig(batch=4, spacing=2.0, network=ImageDenoiserConfig(2, (96, 192, 288, 384), blocks=2, heads=6)),
        LoopSettings(steps=60_000, learning_rate=3e-4, clip=1.0, average=0.9995),
        _IMAGES,
        _THEIRS,
    ),
    "small-image": Entry(
        ImageRecipe,
        ImageRecipeConfig(network=_SMALL_IMAGE),
        LoopSettings(steps=20_000, learning_rate=1e-3, clip=1.0),
        _IMAGES,
        _THEIRS,
    ),
    "smoke-image": Entry(
        ImageRecipe,
        ImageRecipeConfig(spacing=8.0, network=ImageDenoiserConfig(2, (16, 24), embedding=32)),
        LoopSettings(steps=200, learning_rate=3e-3, warm_up=20, clip=1.0, average=0.98),
        _IMAGES,
        _THEIRS,
    ),
    "published-image": Entry(
        ImageRecipe,
        _PUBLISHED_IMAGE,
        LoopSettings(steps=29_100, learning_rate=1e-4, warm_up=0, weight_decay=0.0, clip=1.0),
        _IMAGES,
        _THEIRS,
    ),
}


def configure(name: str, changes: Sequence[str]) -> tuple[Recipe, LoopSettings, dict[str, str]]:
    """Return the recipe ``name``, the settings of the loop and the card, with ``changes`` ("key=value") made.

    A key is a field of the recipe's configuration (``network.size`` for one inside another) or of LoopSettings.

    Raises:
        DiffusionCoreError: an unknown recipe, key or value; the text lists what exists.
    """
    if name not in RECIPES:
        raise DiffusionCoreError(f"There is no recipe '{name}'; known: {', '.join(RECIPES)}.")
    entry = RECIPES[name]
    config, settings = to_dict(entry.config), to_dict(entry.settings)
    for change in changes:
        key, equals, text = change.partition("=")
        owner = next((values for values in (config, settings) if key in _keys(values)), None)
        if not equals or owner is None:
            known = ", ".join([*_keys(config), *_keys(settings)])
            raise DiffusionCoreError(f"'{change}' changes nothing; write key=value with one of the keys: {known}.")
        _set(owner, key, text)
    loop = from_dict(LoopSettings, settings)
    own = config.get("data") and entry.data != _IMAGES  # the user's cases in place of synthetic objects
    card = {"data": _IMAGES if own else entry.data, "license": _THEIRS if own else entry.license}
    return entry.recipe(from_dict(type(entry.config), config), seed=loop.seed), loop, card


def _keys(values: dict[str, Any], before: str = "") -> list[str]:
    """Return all keys of nested ``values``, those of a part as ``part.key``."""
    inner = [
        _keys(value, f"{before}{key}.") if isinstance(value, dict) else [before + key] for key, value in values.items()
    ]
    return [key for keys in inner for key in keys]


def _set(values: dict[str, Any], key: str, text: str) -> None:
    """Put JSON ``text``, or plain text where it is none, at ``key`` of nested ``values``."""
    *path, last = key.split(".")
    for part in path:
        values = values[part]
    try:
        values[last] = json.loads(text)
    except json.JSONDecodeError:
        values[last] = text
