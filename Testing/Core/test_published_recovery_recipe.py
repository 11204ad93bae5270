"""The recipe of the published recovery network: its batches, and that the true answer has the least loss."""

from __future__ import annotations

import pytest
import torch
from strategies import oblique_grid, smooth_volume

from DiffusionCore.build import build_network
from DiffusionCore.config import to_dict
from DiffusionCore.deformation.published_recovery import displaced
from DiffusionCore.storage.checkpoint import Checkpoint
from DiffusionCore.storage.volumes import write_volume
from DiffusionCore.training.published_recovery import PublishedRecoveryRecipe, PublishedRecoveryRecipeConfig, cube
from DiffusionCore.training.recipes import configure

CONFIG = PublishedRecoveryRecipeConfig(batch=2, size=32)


@pytest.fixture(scope="module")
def recipe():
    images = torch.rand(2, 1, 32, 32, 32, generator=torch.Generator().manual_seed(1))
    return PublishedRecoveryRecipe(CONFIG, images=images)


def test_a_batch_is_the_same_for_the_same_generator(recipe):
    first, again = (recipe.draw(torch.Generator().manual_seed(4)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert first.increments.shape == (2, 3, 32, 32, 32)
    assert all(1 <= time <= 79 for time in first.times.tolist())


def test_the_answer_has_nearly_the_least_loss_and_no_answer_a_higher_one(recipe):
    batch = recipe.draw(torch.Generator().manual_seed(4))
    undone = -batch.increments
    for _ in range(5):  # the inverse, by its fixed point
        undone = -displaced(batch.increments, undone)
    looks = iter([undone, 0 * undone])
    right, metrics = recipe.loss(lambda images, times: next(looks), *batch)
    nothing, without = recipe.loss(lambda images, times: 0 * undone, *batch)
    assert metrics["left"] < 0.15
    assert without["left"] == pytest.approx(1, abs=1e-3)
    assert right < nothing - 1


def test_the_recipe_is_known_and_its_network_comes_back(tmp_path):
    write_volume(tmp_path / "a.nii.gz", smooth_volume(oblique_grid((20, 34, 28), (2.0, 2.0, 2.0)), seed=1))
    recipe, _, _ = configure("published-drdm", [f"data={tmp_path}", "size=32", "batch=1"])
    assert recipe.images.shape == (1, 1, 32, 32, 32)
    network = recipe.network()
    again = build_network(Checkpoint(recipe.kind, to_dict(recipe.config), network.state_dict(), {}))
    images, times = recipe.images[..., :8, :16, :8], torch.tensor([7])
    torch.testing.assert_close(again(images, times), network(images, times))


def test_a_cube_holds_the_whole_image_in_shares_of_its_range():
    made = cube(smooth_volume(oblique_grid((20, 34, 28), (2.0, 2.0, 2.0)), seed=1), 34)
    assert made.shape == (1, 1, 34, 34, 34)
    assert 0 <= float(made.min()) < float(made.max()) <= 1
    assert not made[..., :6].any()  # padded along i, which is the shortest


@pytest.mark.parametrize("wrong", [{"size": 40}, {"batch": 0}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        PublishedRecoveryRecipeConfig(**wrong)
