"""The recipes of registration, with their presets, from the smallest to the published one."""

from __future__ import annotations

from dataclasses import replace

from DiffusionCore.affine.published import AffineDiffusionConfig
from DiffusionCore.networks.affine_denoiser import AffineDenoiserConfig
from DiffusionCore.networks.diffusereg import DiffuseRegConfig
from DiffusionCore.networks.loop_denoiser import LoopDenoiserConfig
from DiffusionCore.networks.pose_network import PoseNetworkConfig
from DiffusionCore.networks.published_voxelmorph import PublishedVoxelMorphConfig
from DiffusionCore.networks.swin import SwinConfig
from DiffusionCore.networks.voxelmorph import VoxelMorphConfig
from DiffusionCore.training.corruption import Corruptions
from DiffusionCore.training.diffusereg import DiffuseRegRecipe, DiffuseRegRecipeConfig
from DiffusionCore.training.entry import FOLDS, HEADS, IMAGES, SHAPES, SMOKE, THEIRS, TRIAL, Entry
from DiffusionCore.training.field_pairs import FieldPairsConfig
from DiffusionCore.training.image_pairs import ImagePairsConfig, ImagePairsRecipe, ImagePairsRecipeConfig
from DiffusionCore.training.pose import PoseRecipe, PoseRecipeConfig
from DiffusionCore.training.published import PublishedRecipe, PublishedRecipeConfig
from DiffusionCore.training.settings import LoopSettings
from DiffusionCore.training.velocity_diffusion import VelocityDiffusionRecipe, VelocityDiffusionRecipeConfig
from DiffusionCore.training.voxelmorph import VoxelMorphRecipe, VoxelMorphRecipeConfig

_PUBLISHED_AFFINE = LoopSettings(
    115_000,
    learning_rate=1e-4,
    warm_up=5000,
    weight_decay=0.0,
    average=0.995,
    average_power=0.75,
    average_gamma=1.0,
    precision="float32",
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
_VOXELMORPH = LoopSettings(steps=12_000, learning_rate=7e-4, clip=1.0)  # 1.5e-3 with clip 5 diverges
_PUBLISHED_VOXELMORPH = VoxelMorphRecipeConfig(
    batch=1, loss="correlation", smoothness=2 / 9, passes=1, network=PublishedVoxelMorphConfig()
)
_DIFFUSEREG = VelocityDiffusionRecipeConfig(pairs=FieldPairsConfig(deviation=(0.0, 6.0), power=2.0, folded=0.6))
_SMALL_PUBLISHED_DIFFUSEREG = DiffuseRegRecipeConfig(
    batch=4, image_terms="signal", network=DiffuseRegConfig(SwinConfig(24, (2, 2, 2), (3, 6, 12)), roles="told")
)

REGISTRATION = {
    "smoke-affine": Entry(
        PoseRecipe,
        PoseRecipeConfig(pairs=4, heads=4, network=PoseNetworkConfig(24, 8.0, widths=(16, 32, 64), hidden=64)),
        SMOKE,
        HEADS,
        about=f"as affine, {TRIAL}",
    ),
    "small-affine": Entry(
        PoseRecipe,
        PoseRecipeConfig(pairs=8, heads=80),
        LoopSettings(steps=8000),
        HEADS,
        about="as affine, in less than an hour of a CPU core",
    ),
    "affine": Entry(
        PoseRecipe,
        PoseRecipeConfig(),
        LoopSettings(steps=18_000),
        HEADS,
        about="the poses of the default affine registration",
    ),
    "published-affine": Entry(
        PublishedRecipe, PublishedRecipeConfig(), _PUBLISHED_AFFINE, HEADS, about="the published affine diffusion"
    ),
    "comparison": Entry(
        PublishedRecipe,
        _COMPARISON,
        LoopSettings(steps=4000, precision="float32"),  # its coarsest features have two voxels a side
        f"{HEADS}; {SHAPES}",
        about="small affine differences between two images",
    ),
    "smoke-voxelmorph": Entry(
        VoxelMorphRecipe,
        VoxelMorphRecipeConfig(batch=1, heads=3, shapes=3, network=VoxelMorphConfig((8, 16))),
        SMOKE,
        f"{HEADS}; {SHAPES}",
        about=f"as voxelmorph, {TRIAL}",
    ),
    "small-voxelmorph": Entry(
        VoxelMorphRecipe,
        VoxelMorphRecipeConfig(heads=60, shapes=20),
        replace(_VOXELMORPH, steps=4000),
        f"{HEADS}; {SHAPES}",
        about="as voxelmorph, in less than an hour of a CPU core",
    ),
    "voxelmorph": Entry(
        VoxelMorphRecipe,
        VoxelMorphRecipeConfig(),
        _VOXELMORPH,
        f"{HEADS}; {SHAPES}",
        about="a deformation in one look, learned from known ones",
    ),
    "published-voxelmorph": Entry(
        VoxelMorphRecipe,
        _PUBLISHED_VOXELMORPH,
        LoopSettings(steps=150_000, learning_rate=1e-4, warm_up=0, weight_decay=0.0, precision="float32"),
        f"{HEADS}; {SHAPES}",
        about="the published VoxelMorph",
    ),
    "voxelmorph-unsupervised": Entry(
        VoxelMorphRecipe,
        VoxelMorphRecipeConfig(loss="correlation", passes=1),
        _VOXELMORPH,
        f"{HEADS}; {SHAPES}",
        about="as voxelmorph, learned by making images alike",
    ),
    "smoke-voxelmorph-images": Entry(
        ImagePairsRecipe,
        ImagePairsRecipeConfig(batch=1, pairs=ImagePairsConfig(spacing=8.0), network=VoxelMorphConfig((8, 16))),
        SMOKE,
        IMAGES,
        THEIRS,
        about=f"as voxelmorph-images, {TRIAL}",
    ),
    "voxelmorph-images": Entry(
        ImagePairsRecipe,
        ImagePairsRecipeConfig(),
        _VOXELMORPH,
        IMAGES,
        THEIRS,
        about="as voxelmorph, learned by making images of your own alike",
    ),
    "smoke-diffusereg": Entry(
        VelocityDiffusionRecipe,
        replace(_DIFFUSEREG, batch=1, heads=3, shapes=3, ahead=0, network=LoopDenoiserConfig((8, 16), embedding=16)),
        SMOKE,
        f"{HEADS}; {SHAPES}; {FOLDS}",
        about=f"as diffusereg, {TRIAL}",
    ),
    "small-diffusereg": Entry(
        VelocityDiffusionRecipe,
        replace(_DIFFUSEREG, heads=60, shapes=20, begin="voxelmorph"),
        replace(_VOXELMORPH, steps=3000, learning_rate=3e-4, warm_up=50),
        f"{HEADS}; {SHAPES}; {FOLDS}",
        about="as diffusereg, begun with the shipped voxelmorph, in less than an hour of a CPU core",
    ),
    "diffusereg": Entry(
        VelocityDiffusionRecipe,
        _DIFFUSEREG,
        _VOXELMORPH,
        f"{HEADS}; {SHAPES}; {FOLDS}",
        about="a diffusion of the deformation, with its uncertainty",
    ),
    "small-published-diffusereg": Entry(
        DiffuseRegRecipe,
        _SMALL_PUBLISHED_DIFFUSEREG,
        LoopSettings(steps=20_000, clip=1.0),
        f"{HEADS}; {SHAPES}",
        about="the published DiffuseReg at a size for a CPU",
    ),
    "published-diffusereg": Entry(
        DiffuseRegRecipe,
        DiffuseRegRecipeConfig(),
        LoopSettings(120_000, learning_rate=1e-4, warm_up=0, weight_decay=1e-4),
        f"{HEADS}; {SHAPES}",
        about="the published DiffuseReg",
    ),
}
