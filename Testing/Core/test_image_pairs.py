"""Training of a velocity network on pairs of a user's images: which pairs, and that images get alike."""

import json
from dataclasses import replace

import pytest
import torch
from image_world import small_images, write_balls

from DiffusionCore.build import build_network
from DiffusionCore.checks import ConfigError
from DiffusionCore.networks.voxelmorph import VoxelMorphConfig
from DiffusionCore.storage.checkpoint import load_checkpoint
from DiffusionCore.training.image_pairs import ImagePairsConfig, ImagePairsRecipe, ImagePairsRecipeConfig
from DiffusionCore.training.loop import train
from DiffusionCore.training.settings import LoopSettings

STILL = ImagePairsConfig(spacing=8.0, rotation=0.0, scale=0.0, translation=0.0)
CONFIG = ImagePairsRecipeConfig(batch=8, pairs=STILL, network=VoxelMorphConfig((8, 16)))


def generator(seed=2):
    return torch.Generator().manual_seed(seed)


def recipe(images=None, **changes):
    return ImagePairsRecipe(replace(CONFIG, **changes), images=images or small_images())


def drawn(images, batch):
    """Return the pairs (fixed, moving) of ``batch`` by the numbers of the ``images``."""
    known = images.images.float()
    numbers = [[n for n in range(len(known)) if torch.allclose(known[n], item)] for part in batch for item in part]
    return {(*numbers[n], *numbers[n + len(batch[0])]) for n in range(len(batch[0]))}


def test_any_two_images_are_a_pair_and_no_image_with_itself():
    images = small_images()
    assert drawn(images, recipe(images, batch=60).draw(generator())) == {
        (0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)
    }  # fmt: skip


def test_where_pairs_are_named_only_these_are_drawn():
    images = replace(small_images(), pairs=("", "a", "a"))
    assert drawn(images, recipe(images, batch=20).draw(generator())) == {(1, 2), (2, 1)}


def test_validations_see_pairs_that_are_held_out_if_two_are():
    images = replace(small_images(), held_out=(True, True, False))
    with pytest.raises(ConfigError, match="at least two images"):
        recipe(images).draw(generator())
    images = replace(small_images(), held_out=(False, False, True))
    assert drawn(images, recipe(images, batch=20).draw(generator())) == {(0, 1), (1, 0)}
    assert drawn(images, recipe(images, batch=20).draw_held_out(generator())) == {(0, 1), (1, 0)}


def test_the_same_generator_draws_the_same_batch_and_the_pair_moves_together():
    moving = recipe(pairs=replace(STILL, rotation=0.2, translation=8.0, apart=0.0))
    first, again, other = (moving.draw(generator(seed)) for seed in (2, 2, 3))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first.fixed, other.fixed)
    twins = small_images()
    twins = replace(twins, images=twins.images[:1].expand(2, -1, -1, -1, -1))
    fixed, moved = recipe(twins, pairs=moving.config.pairs).draw(generator())
    assert torch.allclose(fixed, moved)
    assert not torch.allclose(fixed[0], twins.images[0].float(), atol=0.05)


@pytest.mark.parametrize("loss", ["correlation", "squares"])
def test_images_that_are_alike_have_nothing_to_lose(loss):
    made = recipe(loss=loss, batch=2)
    fixed, moving = made.draw(generator())
    half = [n // 2 for n in fixed.shape[2:]]

    def answer(seen):
        return torch.zeros(len(seen), 3, *half)

    alike, metrics = made.loss(answer, fixed, fixed)
    assert metrics["start"] == metrics["end"] < 0.2
    unlike, _ = made.loss(answer, fixed, moving)
    assert unlike > 1.5 * alike


def test_training_makes_images_alike_and_the_weights_serve_a_registration(tmp_path):
    folder = write_balls(tmp_path / "images")
    config = replace(
        CONFIG, data=str(folder), batch=2, loss="squares", smoothness=0.01, pairs=ImagePairsConfig(spacing=8.0)
    )
    rows, settings = [], LoopSettings(40, learning_rate=5e-3, warm_up=5, clip=1.0, log_every=20, validate_every=40)
    weights = load_checkpoint(train(ImagePairsRecipe(config), tmp_path / "run", settings, on_log=rows.append))
    assert rows[-1]["end"] < 0.95 * rows[-1]["start"]
    assert weights.kind == "voxelmorph"
    assert (weights.config["pairs"]["spacing"], weights.config["passes"]) == (8.0, 2)
    assert str(folder) not in json.dumps([weights.config, weights.card])
    assert build_network(weights).config == CONFIG.network
    assert (tmp_path / "run" / "checks" / "0000040.png").is_file()
