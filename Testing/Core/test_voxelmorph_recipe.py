"""The recipes of the networks that estimate velocity fields: their synthetic pairs, and what they minimize."""

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from DiffusionCore.config import from_json, to_json
from DiffusionCore.losses import gradient_penalty
from DiffusionCore.networks.published_voxelmorph import PublishedVoxelMorph, PublishedVoxelMorphConfig
from DiffusionCore.networks.voxelmorph import VoxelMorph, VoxelMorphConfig
from DiffusionCore.space import Grid
from DiffusionCore.training.corruption import Corruptions
from DiffusionCore.training.field_pairs import FieldPairsConfig, displacements, draw_field_pairs
from DiffusionCore.training.loop import train
from DiffusionCore.training.recipes import RECIPES, configure
from DiffusionCore.training.settings import LoopSettings
from DiffusionCore.training.shape_pool import draw_shape_pool
from DiffusionCore.training.voxelmorph import VoxelMorphRecipe, VoxelMorphRecipeConfig, warped
from DiffusionCore.transforms import Velocity
from DiffusionCore.transforms.displacement import ras_vectors

CLEAN = FieldPairsConfig(
    size=(20, 28, 24),
    spacing=7.0,
    deviation=(3.0, 5.0),
    nodes=(4, 6),
    unknown=0.0,
    same_contrast=1.0,
    remapped=0.0,
    corruptions=Corruptions(*[0.0] * 10),
)
NETWORK = VoxelMorphConfig(widths=(8, 16))
POOL = draw_shape_pool(3, generator=torch.Generator().manual_seed(0))


def generator(seed: int = 2) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def recipe(**changes) -> VoxelMorphRecipe:
    config = VoxelMorphRecipeConfig(batch=3, pairs=CLEAN, network=NETWORK)
    return VoxelMorphRecipe(replace(config, **changes), pool=POOL)


class Oracle:
    """A perfect network: it knows the hidden velocities, and gives the share of what is left that it is told to."""

    def __init__(self, pairs, share=1.0):
        self.left, self.share, self.seen = pairs.velocities, share, []

    def __call__(self, images):
        self.seen.append(images)
        found, self.left = self.share * self.left, (1 - self.share) * self.left
        return found


def test_the_moving_image_behind_the_hidden_field_is_the_fixed_one():
    pairs = draw_field_pairs(POOL, CLEAN, 6, generator=generator())
    before, after = (
        (image - pairs.fixed).abs().mean((1, 2, 3, 4))
        for image in (pairs.moving, warped(pairs.moving, pairs.velocities))
    )
    assert (after < 0.55 * before).all()


def test_the_hidden_field_has_the_asked_size_and_the_images_the_asked_brightness():
    for low, high in ((1.0, 1.0), (3.0, 6.0)):
        pairs = draw_field_pairs(POOL, replace(CLEAN, deviation=(low, high)), 6, generator=generator())
        inside = (pairs.mask > 0.5).float()
        deviation = ((inside * pairs.velocities.square()).sum((1, 2, 3, 4)) / inside.sum((1, 2, 3, 4)) / 3).sqrt()
        assert ((0.8 * low < 14 * deviation) & (14 * deviation < 1.2 * high)).all()
    for images in (pairs.fixed, pairs.moving):
        assert images.shape == (6, 1, 24, 28, 20)
        assert_close((images.sum((1, 2, 3, 4)) / (images > 0).sum((1, 2, 3, 4))), torch.ones(6))
    assert pairs.velocities.shape == (6, 3, 12, 14, 10)


def test_displacements_are_those_of_a_velocity_on_its_own_grid():
    fine = CLEAN.grid
    coarse = fine.resized((10, 14, 12))
    vectors = draw_field_pairs(POOL, CLEAN, 1, generator=generator()).velocities
    expected = Velocity(ras_vectors(vectors[0], coarse), coarse).displacement_on(fine)
    assert_close(7.0 * displacements(vectors, fine.shape)[0], expected, atol=1e-4, rtol=1e-4)
    assert expected.norm(dim=0).max() > 5


def test_displacements_of_odd_sizes_and_of_full_resolution():
    vectors = 0.2 * torch.randn(1, 3, 6, 7, 5, generator=generator())
    even = displacements(vectors, (12, 14, 10))
    assert torch.equal(displacements(vectors, (11, 13, 9)), even[:, :, :11, :13, :9])
    assert_close(displacements(vectors, (6, 7, 5))[0], Velocity(vectors[0], Grid((5, 7, 6))).displacement.vectors)


def test_two_contrasts_or_one():
    def unlikeness(share):
        still = replace(CLEAN, same_contrast=share, deviation=(0.0, 0.0))
        pairs = draw_field_pairs(POOL, still, 12, generator=generator())
        return (pairs.fixed - pairs.moving).abs().mean((1, 2, 3, 4))

    assert (unlikeness(1.0) < 1e-5).all()
    assert (unlikeness(0.0) > 5e-3).all()


def test_the_same_generator_draws_the_same_batch():
    made = recipe(pairs=replace(FieldPairsConfig(), size=(16, 24, 20), spacing=8.0))
    batch = made.draw(generator())
    for part, again in zip(batch, made.draw(generator()), strict=True):
        assert torch.equal(part, again)
    assert not torch.equal(batch.moving, made.draw(generator(3)).moving)


@pytest.mark.parametrize("share", [1.0, 0.6])
def test_a_perfect_network_recovers_the_hidden_field_and_sees_it_at_work(share):
    made = recipe(passes=3)
    pairs = made.draw(generator())
    oracle = Oracle(pairs, share)
    loss, metrics = made.loss(oracle, *pairs)
    assert metrics["start"] > 3
    assert metrics["error"] == pytest.approx((1 - share) ** 3 * metrics["start"], abs=0.02)
    assert loss < metrics["start"]
    unlike = [(seen[:, 0] - seen[:, 1]).abs().mean().item() for seen in oracle.seen]
    assert unlike[2] < unlike[1] < unlike[0] or share == 1.0
    assert unlike[2] < 0.5 * unlike[0]


@pytest.mark.parametrize("loss", ["correlation", "squares"])
@pytest.mark.parametrize("both_ways", [False, True])
def test_without_the_field_the_hidden_one_is_still_better_than_none_and_than_its_opposite(loss, both_ways):
    made = recipe(loss=loss, both_ways=both_ways, passes=1, smoothness=0.0)
    pairs = made.draw(generator())
    right, none, wrong = (
        made.loss(lambda images, sign=sign: sign * pairs.velocities, *pairs)[0].item() for sign in (1, 0, -1)
    )
    assert right < none < wrong


def test_smoothness_costs_what_its_weight_says():
    pairs = recipe().draw(generator())
    losses = [
        recipe(loss="squares", passes=1, smoothness=weight).loss(lambda images: pairs.velocities, *pairs)[0]
        for weight in (0.0, 2.0)
    ]
    assert_close(losses[1] - losses[0], 2 * gradient_penalty(pairs.velocities, (1.0, 1.0, 1.0)).mean())


def test_the_gradient_penalty_by_hand():
    vectors = torch.zeros(2, 3, 4, 5, 6)
    vectors[0, 1] = 3.0 * torch.arange(6)  # the j component rises by 3 mm per voxel of 2 mm along i
    vectors[1, 2] = torch.arange(4.0)[:, None, None] - 7.0
    assert_close(gradient_penalty(vectors, (2.0, 1.0, 4.0)), torch.tensor([2.25, 1 / 16]))
    assert gradient_penalty(torch.ones(1, 3, 1, 1, 1), (1.0, 1.0, 1.0)) == 0


@pytest.mark.parametrize(
    ("loss", "network"),
    [
        ("field", NETWORK),
        ("correlation", NETWORK),
        ("field", PublishedVoxelMorphConfig("paper")),
        ("squares", PublishedVoxelMorphConfig("paper")),
        ("correlation", PublishedVoxelMorphConfig("reference")),
    ],
)
def test_every_loss_reaches_every_network(loss, network):
    made = recipe(loss=loss, network=network)
    trained = made.network()
    value, metrics = made.loss(trained, *made.draw(generator()))
    value.backward()
    last = trained.velocity if isinstance(trained, VoxelMorph) else trained.field
    assert last.weight.grad.abs().max() > 0
    assert metrics["start"] == pytest.approx(metrics["error"], rel=1e-2)  # an untrained network moves nothing
    published = isinstance(trained, PublishedVoxelMorph)
    assert made.kind == ("published-voxelmorph" if published else "voxelmorph")


@pytest.mark.parametrize("loss", ["field", "correlation"])
def test_a_short_training_lowers_the_loss(tmp_path, loss):
    pairs = replace(CLEAN, size=(12, 16, 12), spacing=12.0, deviation=(8.0, 8.0))
    made = recipe(loss=loss, smoothness=0.1, pairs=pairs)
    rows = []
    settings = LoopSettings(
        steps=60, learning_rate=5e-3, warm_up=5, log_every=20, validate_every=1000, save_every=60, precision="float32"
    )
    train(made, tmp_path / "run", settings, on_log=rows.append)
    assert rows[-1]["loss"] < 0.96 * rows[0]["loss"]
    assert rows[-1]["error"] < rows[-1]["start"]


@pytest.mark.parametrize(
    ("cls", "change"),
    [
        (FieldPairsConfig, {"size": (40, 48, 41)}),
        (FieldPairsConfig, {"size": (6, 48, 40)}),
        (FieldPairsConfig, {"spacing": 0.0}),
        (FieldPairsConfig, {"deviation": (3.0, 2.0)}),
        (FieldPairsConfig, {"nodes": ()}),
        (FieldPairsConfig, {"unknown": -1.0}),
        (FieldPairsConfig, {"same_contrast": 1.5}),
        (VoxelMorphRecipeConfig, {"batch": 0}),
        (VoxelMorphRecipeConfig, {"heads": 0}),
        (VoxelMorphRecipeConfig, {"shapes": -1}),
        (VoxelMorphRecipeConfig, {"passes": 0}),
        (VoxelMorphRecipeConfig, {"smoothness": -1.0}),
    ],
)
def test_settings_out_of_range_are_refused_by_name(cls, change):
    with pytest.raises(ValueError, match=next(iter(change))):
        cls(**change)


@pytest.mark.parametrize("name", ["voxelmorph", "voxelmorph-unsupervised", "published-voxelmorph"])
def test_the_recipes_are_in_the_table_and_their_settings_survive_json(name):
    made, _, card = configure(name, ["batch=2", "pairs.spacing=5.0"])
    assert made.config.pairs.spacing == 5.0
    assert from_json(VoxelMorphRecipeConfig, to_json(made.config)) == made.config
    assert isinstance(RECIPES[name].config.network, PublishedVoxelMorphConfig) == name.startswith("published")
    assert "synthetic" in card["data"]
