"""Pictures of a validation: every recipe has them, and they show what the network does."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from image_world import write_balls
from matplotlib.image import imread
from torch.testing import assert_close

from DiffusionCore.affine.published import AffineDiffusionConfig
from DiffusionCore.deformable.field_diffusion import FieldDiffusionConfig
from DiffusionCore.diffusion.gaussian import noised
from DiffusionCore.diffusion.schedules import LinearBetas
from DiffusionCore.networks.image_denoiser import ImageDenoiserConfig
from DiffusionCore.networks.pose_network import PoseNetworkConfig
from DiffusionCore.networks.recovery import RecoveryConfig
from DiffusionCore.training.corruption import Corruptions
from DiffusionCore.training.diffusereg import DiffuseRegRecipe, DiffuseRegRecipeConfig
from DiffusionCore.training.field_pairs import FieldPairsConfig
from DiffusionCore.training.image import ImageRecipe, ImageRecipeConfig
from DiffusionCore.training.image_batches import foreground
from DiffusionCore.training.pair_pictures import difference, warped_grid
from DiffusionCore.training.pictures import Pictured, draw_pictures
from DiffusionCore.training.pose import PoseRecipe, PoseRecipeConfig
from DiffusionCore.training.published import PublishedRecipe, PublishedRecipeConfig
from DiffusionCore.training.published_recovery import PublishedRecoveryRecipe, PublishedRecoveryRecipeConfig
from DiffusionCore.training.recipes import RECIPES, configure
from DiffusionCore.training.recovery import RecoveryRecipe, RecoveryRecipeConfig
from DiffusionCore.training.settings import LoopSettings
from DiffusionCore.training.shape_pool import draw_shape_pool
from DiffusionCore.training.single_volumes import StoredVolumes, SyntheticVolumes
from DiffusionCore.training.voxelmorph import VoxelMorphRecipe, VoxelMorphRecipeConfig

CLEAN = Corruptions(*[0.0] * 10)
PAIRS = FieldPairsConfig(
    (20, 28, 24), 7.0, (3.0, 5.0), nodes=(4, 6), unknown=0.0, same_contrast=1.0, remapped=0.0, corruptions=CLEAN
)
POOL = draw_shape_pool(3, generator=torch.Generator().manual_seed(0))


def generator(seed=2):
    return torch.Generator().manual_seed(seed)


def blob(shift=0.0):
    """Return smooth images (2, 1, 14, 18, 16) with background 0."""
    k, j, i = torch.meshgrid(torch.arange(14.0), torch.arange(18.0), torch.arange(16.0), indexing="ij")
    distance = ((k - 7) ** 2 + (j - 9) ** 2 + (i - 7.5 - shift) ** 2) / 30
    return (torch.exp(-distance) * (distance < 1.5)).expand(2, 1, -1, -1, -1)


def error(shown):
    return float(shown["difference"].mean()), float(difference(shown["fixed"], shown["moving"]).mean())


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_has_pictures(name):
    assert isinstance(configure(name, [])[0], Pictured)


def test_images_that_a_line_relates_differ_by_nothing_where_they_agree():
    image = blob()
    assert float(difference(image, 0.9 - 0.4 * image).amax()) < 1e-6
    assert float(difference(image, blob(2.0)).mean()) > 1e-3
    assert float(difference(image, torch.zeros_like(image)).amax()) < 1


def test_the_lines_of_a_grid_follow_the_offsets():
    still = torch.zeros(1, 3, 14, 20, 28)
    lines = warped_grid(still, 1.0)[0, 0, 7, 10]
    assert lines.nonzero().flatten().tolist() == [2, 10, 18, 26]
    moved = still.clone()
    moved[:, 0] = 3.0
    assert warped_grid(moved, 1.0)[0, 0, 7, 10].nonzero().flatten().tolist() == [7, 15, 23]


def test_a_perfect_field_leaves_no_difference():
    recipe = VoxelMorphRecipe(VoxelMorphRecipeConfig(batch=3, passes=1, pairs=PAIRS), pool=POOL)
    batch = recipe.draw(generator())
    shown = recipe.pictures(lambda images: batch.velocities, *batch)
    assert list(shown) == ["fixed", "moving", "warped", "difference", "grid"]
    after, before = error(shown)
    assert after < 0.4 * before


def test_a_perfect_denoiser_of_fields_leaves_no_difference():
    config = DiffuseRegRecipeConfig(
        batch=2, pairs=PAIRS, diffusion=FieldDiffusionConfig(schedule=LinearBetas(50, 1e-3, 0.1))
    )
    recipe = DiffuseRegRecipe(config, pool=POOL)
    images, fields, times, noise = recipe.draw(generator())
    after, before = error(recipe.pictures(lambda images, state, times: noise, images, fields, times, noise))
    assert after < 0.3 * before


def test_a_perfect_affine_estimate_leaves_no_difference():
    source = StoredVolumes.drawn(SyntheticVolumes(POOL), 3, generator=generator())
    config = PublishedRecipeConfig(batch=3, corruptions=CLEAN, diffusion=AffineDiffusionConfig(size=24, spacing=8.0))
    recipe = PublishedRecipe(config, source=source)
    batch = recipe.draw(generator())
    after, before = error(recipe.pictures(lambda images, times, classes: batch[3], *batch))
    assert after < 0.5 * before


def test_perfect_poses_bring_one_head_upon_the_other():
    config = PoseRecipeConfig(pairs=6, heads=1, cut=0.0, whole_heads=0.0, network=PoseNetworkConfig(24, 8.0))
    recipe = PoseRecipe(config)
    images, truth, points = recipe.draw(generator())
    shown = recipe.pictures(lambda images: truth, images, truth, points)
    fixed, moving, warped = (foreground(shown[name]).float() for name in ("fixed", "moving", "warped"))
    before, after = (2 * (fixed * other).sum() / (fixed + other).sum() for other in (moving, warped))
    assert after > max(0.85, before + 0.1)
    shown = recipe.pictures(lambda images: torch.zeros_like(truth), images, truth, points)
    assert shown["warped"].isfinite().all()


def test_a_perfect_recovery_ends_at_what_was_wanted():
    config = RecoveryRecipeConfig(batch=2, mixed=0.0, network=RecoveryConfig((16, 20, 24), 8.0, channels=8, blocks=1))
    natural = torch.nn.functional.interpolate(blob(), (24, 20, 16), mode="trilinear") * 2
    recipe = RecoveryRecipe(config, images=natural)
    batch = recipe.draw(generator())
    shown = recipe.pictures(lambda images, warped, shifts, levels: batch.units, *batch)
    assert list(shown) == ["deformed", "step 1", "step 2", "step 3", "step 4", "wanted"]
    assert_close(shown["step 4"], shown["wanted"], atol=0.05, rtol=0)
    assert float((shown["deformed"] - shown["wanted"]).abs().amax()) > 0.2


def test_the_published_recovery_shows_its_first_steps():
    images = torch.rand(2, 1, 32, 32, 32, generator=generator())
    recipe = PublishedRecoveryRecipe(PublishedRecoveryRecipeConfig(batch=2, size=32), images=images)
    batch = recipe.draw(generator())
    shown = recipe.pictures(lambda images, times: torch.zeros_like(batch.increments), *batch)
    assert list(shown) == ["deformed", "step 1", "step 2", "step 3"]
    assert_close(shown["step 3"], batch.images)


def test_the_pictures_of_images_show_new_ones_beside_estimates(tmp_path):
    config = ImageRecipeConfig(
        data=str(write_balls(tmp_path)), spacing=8.0, network=ImageDenoiserConfig(2, (8, 12), embedding=16)
    )
    recipe = ImageRecipe(config)
    clean, *_ = batch = recipe.draw(generator())
    diffusion = config.diffusion

    def perfect(state, position, labels, classes, now):
        kept = diffusion.schedule.alpha_bar(now)
        there = (state - noised(clean, torch.zeros_like(clean), kept)) / noised(torch.zeros_like(clean), 1.0, kept)
        return diffusion.estimated.of(clean, there, kept)

    shown = recipe.pictures(perfect, *batch)
    assert list(shown) == ["image", "with noise", "estimate", "new"]
    assert_close(shown["estimate"], shown["image"], atol=1e-3, rtol=0)
    assert_close(shown["new"], shown["image"], atol=1e-3, rtol=0)
    assert float((shown["with noise"] - shown["image"]).abs().amax()) > 0.1


def test_a_picture_is_written_under_the_number_of_its_step(tmp_path):
    config = VoxelMorphRecipeConfig(batch=3, pairs=PAIRS)
    recipe = VoxelMorphRecipe(replace(config, network=replace(config.network, widths=(8, 16))), pool=POOL)
    path = draw_pictures(tmp_path, 40, recipe, recipe.network(), LoopSettings())
    assert path == tmp_path / "checks" / "0000040.png"
    height, width, _ = imread(path).shape
    assert width > 5 * 100
    assert 1 < height / width < 2
    assert np.ptp(imread(path)[..., :3]) > 0.5
