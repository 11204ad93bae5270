"""The recipe of DiffuseReg: the fields it teaches, what it minimizes, and that it can be resumed."""

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from DiffusionCore.build import build_network
from DiffusionCore.config import from_dict, from_json, to_dict, to_json
from DiffusionCore.deformable.field_diffusion import FieldDiffusionConfig, FieldStatistics
from DiffusionCore.diffusion.schedules import LinearBetas
from DiffusionCore.losses import gradient_penalty, structural_similarity
from DiffusionCore.networks.diffusereg import DiffuseReg, DiffuseRegConfig
from DiffusionCore.networks.swin import SwinConfig
from DiffusionCore.networks.voxelmorph import VoxelMorph, VoxelMorphConfig
from DiffusionCore.storage.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from DiffusionCore.training.corruption import Corruptions
from DiffusionCore.training.diffusereg import DiffuseRegRecipe, DiffuseRegRecipeConfig, NetworkTeacher, exact_fields
from DiffusionCore.training.field_pairs import FieldPairsConfig, draw_field_pairs
from DiffusionCore.training.image_batches import displaced
from DiffusionCore.training.loop import train
from DiffusionCore.training.recipes import configure
from DiffusionCore.training.settings import LoopSettings
from DiffusionCore.training.shape_pool import draw_shape_pool

CLEAN = FieldPairsConfig(
    size=(12, 20, 16),
    spacing=8.0,
    deviation=(3.0, 5.0),
    nodes=(3, 4),
    unknown=0.0,
    same_contrast=1.0,
    remapped=0.0,
    corruptions=Corruptions(*[0.0] * 10),
)
NETWORK = DiffuseRegConfig(SwinConfig(12, (1,), (3,)))
STATISTICS = FieldStatistics((0.0, 0.0, 0.0), (0.5, 0.4, 0.6))
DIFFUSION = FieldDiffusionConfig(LinearBetas(40, 1e-3, 0.2), statistics=STATISTICS)
POOL = draw_shape_pool(3, generator=torch.Generator().manual_seed(0))


def generator(seed: int = 2) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def recipe(**changes) -> DiffuseRegRecipe:
    config = DiffuseRegRecipeConfig(batch=3, pairs=CLEAN, diffusion=DIFFUSION, network=NETWORK)
    return DiffuseRegRecipe(replace(config, **changes), pool=POOL)


def perfect(made, batch):
    """Return the network that knows the right answer for ``batch``."""
    _, fields, times, noise = batch
    diffusion = made.config.diffusion
    kept = diffusion.schedule.alpha_bar(times)
    answer = diffusion.build_target().of(diffusion.measured.standardized(fields), noise, kept)
    return lambda images, state, times: answer


def test_batches_have_one_shape_and_follow_the_generator():
    made = recipe()
    batch = made.draw(generator())
    size = (16, 20, 12)
    assert [tuple(part.shape) for part in batch] == [(3, 2, *size), (3, 3, *size), (3,), (3, 3, *size)]
    assert 1 <= batch[2].min() <= batch[2].max() <= 40
    for part, again in zip(batch, made.draw(generator()), strict=True):
        assert torch.equal(part, again)
    assert not torch.equal(batch[1], made.draw(generator(3))[1])


def test_the_taught_field_makes_the_moving_image_the_fixed_one():
    images, fields, _, _ = recipe(batch=8).draw(generator())
    fixed, moving = images[:, :1], images[:, 1:]
    before = (moving - fixed).abs().mean()
    after = (displaced(moving, fields) - fixed).abs().mean()
    assert after < 0.6 * before


def test_statistics_are_measured_on_what_is_taught_and_kept_with_the_weights(tmp_path):
    made = recipe(diffusion=replace(DIFFUSION, statistics=None))
    measured = made.config.diffusion.measured
    fields = torch.cat([made.draw(generator(seed))[1] for seed in range(30)])
    assert_close(torch.tensor(measured.deviation), fields.std((0, 2, 3, 4)), rtol=0.25, atol=0)
    assert measured == recipe(diffusion=replace(DIFFUSION, statistics=None)).config.diffusion.measured
    weights = train(made, tmp_path, LoopSettings(steps=1))
    stored = load_checkpoint(weights, "published-diffusereg")
    assert from_dict(FieldDiffusionConfig, stored.config["diffusion"]).measured == measured
    assert isinstance(build_network(stored), DiffuseReg)


@pytest.mark.parametrize("target", ["noise", "clean", "velocity"])
def test_the_right_answer_leaves_the_images_and_the_roughness_of_the_true_field(target):
    made = recipe(diffusion=replace(DIFFUSION, target=target))
    batch = made.draw(generator())
    loss, metrics = made.loss(perfect(made, batch), *batch)
    images, fields, _, _ = batch
    likeness = structural_similarity(displaced(images[:, 1:], fields), images[:, :1])
    expected = (1 - likeness + 0.1 / 9 * gradient_penalty(fields, (1.0, 1.0, 1.0))).mean()
    assert_close(loss, expected, atol=1e-3, rtol=1e-3)
    assert metrics["squares"] == pytest.approx(0.0, abs=1e-8)
    assert metrics["error"] < 0.05 < 1 < metrics["start"]


def test_the_published_roughness_is_a_mean_over_components_and_axes():
    made = recipe(similarity=0.0, smoothness=1.0)
    batch = made.draw(generator())
    fields = batch[1]
    slopes = [fields.diff(dim=axis).square().mean((1, 2, 3, 4)) for axis in (2, 3, 4)]
    loss, _ = made.loss(perfect(made, batch), *batch)
    assert_close(loss, torch.stack(slopes).mean(), atol=1e-4, rtol=1e-3)


def test_image_terms_may_be_weighed_by_what_is_left_of_the_field():
    plain, weighed = recipe(), recipe(image_terms="signal")
    images, fields, times, noise = plain.draw(generator())
    late = torch.full_like(times, 40)
    batch = images, fields, late, noise

    def bad(images, state, times):
        return torch.zeros_like(state)

    squares = noise.square().mean()
    kept = DIFFUSION.schedule.alpha_bar(late)[0].float()
    assert_close(
        weighed.loss(bad, *batch)[0] - squares, kept * (plain.loss(bad, *batch)[0] - squares), rtol=1e-3, atol=0
    )


def test_the_loss_reaches_the_network():
    made = recipe()
    network = made.network()
    loss, _ = made.loss(network, *made.draw(generator()))
    loss.backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in network.parameters())


def test_a_voxelmorph_may_teach_its_own_fields(tmp_path):
    config = VoxelMorphConfig(widths=(8, 16))
    torch.manual_seed(0)
    network = VoxelMorph(config)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    stored = Checkpoint("voxelmorph", {"network": to_dict(config), "pairs": to_dict(CLEAN)}, network.state_dict(), {})
    save_checkpoint(tmp_path / "teacher.safetensors", stored)
    made = recipe(teacher=str(tmp_path / "teacher.safetensors"))
    pairs = draw_field_pairs(POOL, CLEAN, 3, generator=generator())
    taught = made.teacher(pairs)
    assert isinstance(made.teacher, NetworkTeacher)
    assert taught.shape == exact_fields(pairs).shape
    assert taught.abs().max() > 0
    assert torch.equal(made.draw(generator())[1], taught)


def test_a_training_that_was_stopped_ends_like_one_that_went_through(tmp_path):
    settings = LoopSettings(steps=4, warm_up=1, precision="float32")
    calls = iter([False, True])
    train(recipe(), tmp_path / "parts", settings, should_stop=lambda: next(calls))
    whole, parts = (load_checkpoint(train(recipe(), tmp_path / name, settings)).weights for name in ("whole", "parts"))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


@pytest.mark.parametrize("name", ["published-diffusereg", "small-published-diffusereg"])
def test_the_shell_knows_the_recipe(name):
    made, settings, card = configure(
        name,
        [
            "batch=2",
            "network.swin.width=24",
            "network.swin.heads=[3,6,12]",
            "network.swin.depths=[1,1,1]",
            "diffusion.schedule.steps=100",
            "seed=3",
        ],
    )
    assert made.kind == "published-diffusereg"
    assert made.batch == 2
    assert settings.seed == 3
    assert "synthetic" in card["data"]
    assert sum(p.numel() for p in made.network().parameters()) < 20e6


def test_the_published_recipe_is_the_published_one():
    made, settings, _ = configure("published-diffusereg", [])
    assert made._given.network == DiffuseRegConfig()
    assert made._given.diffusion == FieldDiffusionConfig()
    assert (made._given.similarity, made._given.smoothness, made._given.image_terms) == (1.0, 0.1, "plain")
    assert (settings.steps, settings.learning_rate, settings.weight_decay) == (120_000, 1e-4, 1e-4)


@pytest.mark.parametrize("change", [{"batch": 0}, {"heads": 0}, {"shapes": -1}, {"similarity": -1.0}])
def test_a_recipe_out_of_range_is_refused_by_name(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        DiffuseRegRecipeConfig(**change)


def test_the_configuration_survives_json():
    config = recipe().config
    assert from_json(DiffuseRegRecipeConfig, to_json(config)) == config
