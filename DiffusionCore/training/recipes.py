"""The one table of recipes, and how ``key=value`` changes one.

Names are RECIPE, the full one, or PRESET-RECIPE: "smoke" takes less than a minute on a CPU and shows that all of it
works, "small" is for a CPU, "published" is as it was published.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from DiffusionCore.affine.published import AffineDiffusionConfig
from DiffusionCore.checks import DiffusionCoreError
from DiffusionCore.config import from_dict, to_dict
from DiffusionCore.images.diffusion import PUBLISHED_BETAS, ImageDiffusion
from DiffusionCore.networks.affine_denoiser import AffineDenoiserConfig
from DiffusionCore.networks.diffusereg import DiffuseRegConfig
from DiffusionCore.networks.image_denoiser import ImageDenoiserConfig
from DiffusionCore.networks.loop_denoiser import LoopDenoiserConfig
from DiffusionCore.networks.pose_network import PoseNetworkConfig
from DiffusionCore.networks.published_voxelmorph import PublishedVoxelMorphConfig
from DiffusionCore.networks.recovery import RecoveryConfig
from DiffusionCore.networks.swin import SwinConfig
from DiffusionCore.networks.voxelmorph import VoxelMorphConfig
from DiffusionCore.training.changes import make_change
from DiffusionCore.training.corruption import Corruptions
from DiffusionCore.training.diffusereg import DiffuseRegRecipe, DiffuseRegRecipeConfig
from DiffusionCore.training.field_pairs import FieldPairsConfig
from DiffusionCore.training.image import ImageRecipe, ImageRecipeConfig
from DiffusionCore.training.image_pairs import ImagePairsConfig, ImagePairsRecipe, ImagePairsRecipeConfig
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
    """A recipe by its class, the defaults of its configuration and of the loop, and its card: data and terms of use.

    Attributes:
        about: what comes out of it, in a line.
    """

    recipe: type
    config: Any
    settings: LoopSettings
    data: str
    license: str = "Apache-2.0"
    about: str = ""

    @property
    def needs_data(self) -> bool:
        """Whether it learns from nothing but images of the user."""
        return self.data == _IMAGES

    @property
    def takes_data(self) -> bool:
        """Whether it can learn from images of the user."""
        return any(field.name == "data" for field in fields(self.config))


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
_SMOKE = LoopSettings(
    steps=60, learning_rate=2e-3, warm_up=10, clip=1.0, average=0.95, log_every=10, validate_every=30, save_every=30
)
RECIPES = {
    "affine": Entry(
        PoseRecipe,
        PoseRecipeConfig(),
        LoopSettings(steps=18_000),
        _HEADS,
        about="the poses of the default affine registration",
    ),
    "published-affine": Entry(
        PublishedRecipe, PublishedRecipeConfig(), _PUBLISHED_SETTINGS, _HEADS, about="the published affine diffusion"
    ),
    "comparison": Entry(
        PublishedRecipe,
        _COMPARISON,
        LoopSettings(steps=4000),
        f"{_HEADS}; {_SHAPES}",
        about="small affine differences between two images",
    ),
    "voxelmorph": Entry(
        VoxelMorphRecipe,
        VoxelMorphRecipeConfig(),
        _VOXELMORPH_SETTINGS,
        f"{_HEADS}; {_SHAPES}",
        about="a deformation in one look, learned from known ones",
    ),
    "voxelmorph-unsupervised": Entry(
        VoxelMorphRecipe,
        VoxelMorphRecipeConfig(loss="correlation", passes=1),
        _VOXELMORPH_SETTINGS,
        f"{_HEADS}; {_SHAPES}",
        about="the same, learned by making images alike",
    ),
    "voxelmorph-images": Entry(
        ImagePairsRecipe,
        ImagePairsRecipeConfig(),
        _VOXELMORPH_SETTINGS,
        _IMAGES,
        _THEIRS,
        about="the same, learned by making images of your own alike",
    ),
    "smoke-voxelmorph-images": Entry(
        ImagePairsRecipe,
        ImagePairsRecipeConfig(batch=1, pairs=ImagePairsConfig(spacing=8.0), network=VoxelMorphConfig((8, 16))),
        _SMOKE,
        _IMAGES,
        _THEIRS,
        about="as voxelmorph-images, in less than a minute: to see that all of it works",
    ),
    "published-voxelmorph": Entry(
        VoxelMorphRecipe,
        _PUBLISHED_VOXELMORPH,
        LoopSettings(steps=150_000, learning_rate=1e-4, warm_up=0, weight_decay=0.0, precision="float32"),
        f"{_HEADS}; {_SHAPES}",
        about="the published VoxelMorph",
    ),
    "diffusereg": Entry(
        VelocityDiffusionRecipe,
        _DIFFUSEREG,
        _DIFFUSEREG_SETTINGS,
        f"{_HEADS}; {_SHAPES}; {_FOLDS}",
        about="a diffusion of the deformation, with its uncertainty",
    ),
    "drdm": Entry(
        RecoveryRecipe,
        RecoveryRecipeConfig(),
        LoopSettings(steps=50_000, clip=1.0, average=0.995),
        _IMAGES,
        _THEIRS,
        about="natural anatomy out of random deformations, for synthesis",
    ),
    "published-drdm": Entry(
        PublishedRecoveryRecipe,
        PublishedRecoveryRecipeConfig(),
        LoopSettings(steps=100_000, learning_rate=1e-4, warm_up=0, weight_decay=0.0, precision="float32"),
        _IMAGES,
        _THEIRS,
        about="the published recovery network",
    ),
    "published-diffusereg": Entry(
        DiffuseRegRecipe,
        DiffuseRegRecipeConfig(),
        LoopSettings(120_000, learning_rate=1e-4, warm_up=0, weight_decay=1e-4),
        f"{_HEADS}; {_SHAPES}",
        about="the published DiffuseReg",
    ),
    "small-diffusereg": Entry(
        DiffuseRegRecipe,
        _SMALL_DIFFUSEREG,
        LoopSettings(steps=20_000, clip=1.0),
        f"{_HEADS}; {_SHAPES}",
        about="the published DiffuseReg at a size for a CPU",
    ),
    "image": Entry(
        ImageRecipe,
        ImageRecipeConfig(batch=4, spacing=2.0, network=ImageDenoiserConfig(2, (96, 192, 288, 384), blocks=2, heads=6)),
        LoopSettings(steps=60_000, learning_rate=3e-4, clip=1.0, average=0.9995),
        _IMAGES,
        _THEIRS,
        about="new images by diffusion, for a GPU",
    ),
    "small-image": Entry(
        ImageRecipe,
        ImageRecipeConfig(network=_SMALL_IMAGE),
        LoopSettings(steps=20_000, learning_rate=1e-3, clip=1.0),
        _IMAGES,
        _THEIRS,
        about="the same at a size for a CPU",
    ),
    "smoke-image": Entry(
        ImageRecipe,
        ImageRecipeConfig(spacing=8.0, network=ImageDenoiserConfig(2, (16, 24), embedding=32)),
        replace(_SMOKE, steps=200, learning_rate=3e-3, warm_up=20, average=0.98, validate_every=50),
        _IMAGES,
        _THEIRS,
        about="the same in a quarter of a minute: to see that all of it works",
    ),
    "published-image": Entry(
        ImageRecipe,
        _PUBLISHED_IMAGE,
        LoopSettings(steps=29_100, learning_rate=1e-4, warm_up=0, weight_decay=0.0, clip=1.0),
        _IMAGES,
        _THEIRS,
        about="patches of images, as BrainDiffusion",
    ),
    "smoke-affine": Entry(
        PoseRecipe,
        PoseRecipeConfig(pairs=4, heads=4, network=PoseNetworkConfig(24, 8.0, widths=(16, 32, 64), hidden=64)),
        _SMOKE,
        _HEADS,
        about="as affine, in less than a minute: to see that all of it works",
    ),
    "smoke-voxelmorph": Entry(
        VoxelMorphRecipe,
        VoxelMorphRecipeConfig(batch=1, heads=3, shapes=3, network=VoxelMorphConfig((8, 16))),
        _SMOKE,
        f"{_HEADS}; {_SHAPES}",
        about="as voxelmorph, in less than a minute: to see that all of it works",
    ),
    "smoke-diffusereg": Entry(
        VelocityDiffusionRecipe,
        replace(_DIFFUSEREG, batch=1, heads=3, shapes=3, ahead=0, network=LoopDenoiserConfig((8, 16), embedding=16)),
        _SMOKE,
        f"{_HEADS}; {_SHAPES}; {_FOLDS}",
        about="as diffusereg, in less than a minute: to see that all of it works",
    ),
    "smoke-drdm": Entry(
        RecoveryRecipe,
        RecoveryRecipeConfig(batch=1, network=RecoveryConfig((24, 28, 24), 8.0, channels=16, blocks=1)),
        _SMOKE,
        _IMAGES,
        _THEIRS,
        about="as drdm, in less than a minute: to see that all of it works",
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
        make_change(change, config, settings)
    loop = from_dict(LoopSettings, settings)
    own = config.get("data") and not entry.needs_data  # the user's cases in place of synthetic objects
    card = {"data": _IMAGES if own else entry.data, "license": _THEIRS if own else entry.license}
    return entry.recipe(from_dict(type(entry.config), config), seed=loop.seed), loop, card
