"""The diffusion of coarse velocities: the network that corrects itself, its noise, its samples and its recipe."""

import math
from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from DiffusionCore.build import build_network
from DiffusionCore.checks import CheckpointError
from DiffusionCore.config import from_dict, from_json, to_json
from DiffusionCore.deformable.pair_images import pair_images
from DiffusionCore.deformable.velocity_diffusion import (
    SmoothNoise,
    VelocityDiffusionConfig,
    mean_and_spread,
    sample_velocities,
)
from DiffusionCore.diffusion.denoising import Sampler
from DiffusionCore.diffusion.gaussian import NoiseSource
from DiffusionCore.diffusion.schedules import LinearBetas
from DiffusionCore.networks.loop_denoiser import LoopDenoiser, LoopDenoiserConfig, LoopEstimate
from DiffusionCore.networks.voxelmorph import VoxelMorphConfig
from DiffusionCore.storage.checkpoint import load_checkpoint
from DiffusionCore.training.corruption import Corruptions
from DiffusionCore.training.field_pairs import FieldPairs, FieldPairsConfig
from DiffusionCore.training.loop import train
from DiffusionCore.training.recipes import configure
from DiffusionCore.training.settings import LoopSettings
from DiffusionCore.training.shape_pool import draw_shape_pool
from DiffusionCore.training.velocity_diffusion import (
    VelocityDiffusionRecipe,
    VelocityDiffusionRecipeConfig,
    objective,
)
from DiffusionCore.training.voxelmorph import VoxelMorphRecipe, VoxelMorphRecipeConfig, warped

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
NETWORK = LoopDenoiserConfig(widths=(8, 16), embedding=8)
DIFFUSION = VelocityDiffusionConfig(LinearBetas(60, 1e-3, 0.2), deviation=0.4)
POOL = draw_shape_pool(3, generator=torch.Generator().manual_seed(0))


def generator(seed: int = 2) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def recipe(**changes) -> VelocityDiffusionRecipe:
    config = VelocityDiffusionRecipeConfig(batch=3, pairs=CLEAN, diffusion=DIFFUSION, network=NETWORK)
    return VelocityDiffusionRecipe(replace(config, **changes), pool=POOL)


def network(config=NETWORK):
    """Return a network whose last layers are not zero any more."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        made = LoopDenoiser(config)
        for parameter in made.parameters():
            torch.nn.init.normal_(parameter, std=0.1)
    return made.eval()


def inputs(batch=2, size=(9, 14, 12)):
    half = [-(-n // 2) for n in size]
    images = torch.rand(batch, 5, *size, generator=generator())
    state, estimate = torch.randn(2, batch, 3, *half, generator=generator(3))
    return images, state, estimate, torch.tensor([3, 900])[:batch]


def test_an_untrained_network_keeps_the_estimate_and_expects_an_error_of_a_deviation():
    images, state, estimate, times = inputs()
    made = LoopDenoiser(NETWORK)(images, state, estimate, times)
    assert torch.equal(made.velocity, estimate)
    assert_close(made.spread(), torch.full_like(estimate[:, 0], 3**0.5), atol=1e-3, rtol=0)


@pytest.mark.parametrize("size", [(9, 14, 12), (8, 8, 8), (5, 3, 2)])
def test_any_size_gives_a_velocity_of_half_of_it(size):
    images, state, estimate, times = inputs(size=size)
    made = network()(images, state, estimate, times)
    assert made.velocity.shape == state.shape
    assert made.log_variance.shape == state[:, :1].shape
    assert made.spread().shape == state[:, 0].shape


def test_images_state_estimate_and_time_matter_and_gradients_reach_every_parameter():
    made, given = network(), inputs()
    before = made(*given)
    for number in range(4):
        changed = [value.flip(0) if at == number else value for at, value in enumerate(given)]
        after = made(*changed)
        assert all((one - other).abs().max() > 1e-4 for one, other in zip(after, before, strict=True))
    sum(part.square().mean() for part in before).backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in made.parameters())


def test_a_batch_gives_what_its_items_give_one_by_one():
    made, given = network(), inputs()
    alone = [made(*(value[n : n + 1] for value in given)) for n in range(2)]
    for together, parts in zip(made(*given), zip(*alone, strict=True), strict=True):
        assert_close(together, torch.cat(parts), atol=1e-5, rtol=1e-4)


def test_shapes_that_do_not_fit_are_refused():
    images, state, estimate, times = inputs()
    with pytest.raises(ValueError, match="images"):
        network()(images[:, :2], state, estimate, times)
    with pytest.raises(ValueError, match="estimate"):
        network()(images, state, estimate[..., :-1], times)


@pytest.mark.parametrize(
    ("change", "named"),
    [({"widths": (8,)}, "widths"), ({"embedding": 7}, "embedding"), ({"force_window": 4}, "force_window")],
)
def test_numbers_of_the_network_that_do_not_fit_are_refused(change, named):
    with pytest.raises(ValueError, match=named):
        LoopDenoiserConfig(**change)


def test_the_noise_has_unit_variance_and_is_smooth_but_reaches_every_scale():
    drawn = SmoothNoise(NoiseSource((1, 2)), DIFFUSION).at(7, (3, 30, 32, 28))
    for part in (drawn, drawn[..., :2], drawn[:, :, -1]):  # at the borders, too
        assert part.std().item() == pytest.approx(1.0, abs=0.06)
    neighbors = (drawn[..., 1:] * drawn[..., :-1]).mean()
    assert 0.8 < neighbors < 0.98
    spectrum = torch.fft.fftn(drawn, dim=(2, 3, 4)).abs().mean((0, 1))
    assert spectrum.min() > 1e-3 * spectrum.max()
    assert torch.equal(drawn[1:], SmoothNoise(NoiseSource((2,)), DIFFUSION).at(7, (3, 30, 32, 28)))


class Oracle:
    """A network that knows the clean velocities, in deviations, and gives a share of what is missing.

    It expects an error of ``spread`` deviations in each component.
    """

    stride, config = 2, NETWORK

    def __init__(self, clean, share=1.0, spread=1.0):
        self.clean, self.share, self.seen = clean, share, []
        self.log_variance = torch.full_like(clean[:, :1], 2 * math.log(spread))

    def __call__(self, images, state, estimate, times):
        self.seen.append((images, state, estimate, times))
        return LoopEstimate(estimate + self.share * (self.clean - estimate), self.log_variance)


def sampled(oracle, pairs, times, *, config=DIFFUSION, eta=0.0, **changes):
    seeds = NoiseSource(tuple(range(len(pairs.fixed))))
    return list(
        sample_velocities(
            oracle,
            config,
            pairs.fixed,
            lambda velocities: warped(pairs.moving, velocities),
            times,
            noise=seeds,
            sampler=Sampler(eta),
            **{"passes": 1, **changes},
        )
    )


@pytest.mark.parametrize("eta", [0.0, 1.0])
@pytest.mark.parametrize("times", [(60, 40, 20, 4), (60,), (33, 2)])
def test_a_perfect_network_finds_the_velocity_from_any_list_of_times(times, eta):
    pairs = FieldPairs(*recipe().draw(generator())[:4])
    oracle = Oracle(pairs.velocities / DIFFUSION.measured)
    steps = sampled(oracle, pairs, times, eta=eta)
    assert [step.time for step in steps] == [*times[1:], 0]
    assert_close(steps[-1].velocities, pairs.velocities, atol=1e-5, rtol=0)


def test_each_pass_sees_the_images_as_the_last_estimate_warps_them_and_each_time_begins_anew():
    pairs = FieldPairs(*recipe().draw(generator())[:4])
    clean = pairs.velocities / DIFFUSION.measured
    oracle = Oracle(clean, share=0.5)
    steps = sampled(oracle, pairs, (60, 30), passes=3)
    assert len(oracle.seen) == 6
    for number, (images, _, estimate, times) in enumerate(oracle.seen):
        assert_close(estimate, (0, 0.5, 0.75)[number % 3] * clean)
        assert times.tolist() == [(60, 30)[number // 3]] * 3
        moved = warped(pairs.moving, estimate * DIFFUSION.measured)
        assert_close(images, pair_images(pairs.fixed, moved, NETWORK.force_window), atol=1e-4, rtol=1e-3)
    assert_close(steps[-1].velocities, 0.875 * pairs.velocities)
    unlike = [(images[:, 1] - images[:, 0]).abs().mean() for images, *_ in oracle.seen[:3]]
    assert unlike[0] > unlike[1] > unlike[2]


def test_a_run_goes_on_from_a_step_with_its_estimate_noised_to_its_time():
    pairs = FieldPairs(*recipe().draw(generator())[:4])
    clean = pairs.velocities / DIFFUSION.measured
    oracle = Oracle(clean)
    steps = sampled(oracle, pairs, (60, 40, 20, 4), start=pairs.velocities, first=2)
    assert [step.index for step in steps] == [2, 3]
    kept = DIFFUSION.schedule.alpha_bar(torch.tensor(20)).item()
    noise = (oracle.seen[0][1] - kept**0.5 * clean) / (1 - kept) ** 0.5
    assert noise.std().item() == pytest.approx(1.0, abs=0.15)


def test_the_control_never_sees_a_noised_velocity():
    config = replace(DIFFUSION, form="regression")
    pairs = FieldPairs(*recipe().draw(generator())[:4])
    oracle = Oracle(pairs.velocities / DIFFUSION.measured, share=0.5)
    (step,) = sampled(oracle, pairs, (60,), config=config, passes=3)
    assert all(state.abs().max() == 0 for _, state, _, _ in oracle.seen)
    assert_close(step.velocities, 0.875 * pairs.velocities)
    made = recipe(diffusion=config)
    batch = made.draw(generator())
    made.loss(oracle, *batch)
    _, state, _, times = oracle.seen[-1]
    assert state.abs().max() == 0
    assert times.tolist() == [60, 60, 60]


def test_mean_and_spread_by_hand():
    samples = torch.zeros(2, 3, 1, 1, 2)
    samples[0, :, 0, 0, 0] = torch.tensor([1.0, 2.0, 0.0])
    samples[1, :, 0, 0, 0] = torch.tensor([3.0, 2.0, 4.0])
    mean, spread = mean_and_spread(samples)
    assert mean[:, 0, 0, 0].tolist() == [2.0, 2.0, 2.0]
    assert spread[0, 0].tolist() == pytest.approx([(2.0 + 8.0) ** 0.5, 0.0])
    with pytest.raises(ValueError, match="two samples"):
        mean_and_spread(samples[:1])


def test_the_loss_is_least_for_the_right_answer_and_for_the_error_that_it_really_has():
    made = recipe()
    batch = made.draw(generator())
    clean = batch[2] / DIFFUSION.measured
    right, metrics = made.loss(Oracle(clean), *batch)
    assert metrics["error"] < 1e-4 < 1 < metrics["start"]
    nothing, metrics = made.loss(Oracle(clean, share=0.0), *batch)
    assert metrics["error"] == metrics["start"]
    assert metrics["stated"] == pytest.approx(14 * DIFFUSION.measured * 3**0.5, rel=1e-4)
    assert nothing > right
    missed = clean + 0.5
    losses = {
        spread: objective(LoopEstimate(missed, torch.full_like(clean[:, :1], 2 * math.log(spread))), clean).mean()
        for spread in (0.4, 0.5, 0.6)
    }
    assert min(losses, key=losses.__getitem__) == 0.5


def test_the_loss_pulls_a_velocity_with_the_same_force_from_near_and_far_and_the_variance_to_the_square():
    clean = torch.zeros(1, 3, 1, 1, 2)
    velocity = torch.tensor([0.3, 3.0]).expand(1, 3, 1, 1, 2).clone().requires_grad_()
    log_variance = torch.tensor([0.09, 4.0]).log().view(1, 1, 1, 1, 2).requires_grad_()
    objective(LoopEstimate(velocity, log_variance), clean).sum().backward()
    assert_close(velocity.grad, torch.full_like(velocity, 3**-0.5))
    assert_close(log_variance.grad.flatten(), 0.05 * torch.tensor([0.0, 3 - 27 / 4.0]), atol=1e-6, rtol=1e-5)


def test_passes_ahead_have_no_loss_and_move_the_images():
    made = recipe(ahead=3)
    *parts, _ = made.draw(generator())
    oracle = Oracle(parts[2] / DIFFUSION.measured, share=0.5)
    for ahead in (0, 3):
        oracle.seen.clear()
        _, metrics = made.loss(oracle, *parts, torch.tensor(ahead))
        assert len(oracle.seen) == ahead + 2
        assert metrics["error"] == pytest.approx(0.5 ** (ahead + 2) * metrics["start"], rel=1e-3)
    assert {int(made.draw(generator(seed))[-1]) for seed in range(30)} == {0, 1, 2, 3}


def test_the_blind_share_is_a_regression():
    made = recipe(blind=0.5, ahead=0, batch=12)
    batch = made.draw(generator())
    blind = ~batch[6]
    assert 1 < blind.sum() < 11
    oracle = Oracle(batch[2] / DIFFUSION.measured)
    made.loss(oracle, *batch)
    for _, state, _, times in oracle.seen:
        assert not state[blind].any()
        assert (times[blind] == DIFFUSION.schedule.steps).all()
        assert (state[~blind].flatten(1).std(1) > 0.1).all()
        assert torch.equal(times[~blind], batch[4][~blind])


def test_a_training_begins_with_the_weights_of_another(tmp_path):
    first = train(recipe(diffusion=replace(DIFFUSION, form="regression")), tmp_path / "one", LoopSettings(steps=1))
    begun = recipe(begin=str(first)).network()
    for name, weight in load_checkpoint(first).weights.items():
        assert_close(begun.state_dict()[name], weight.float())
    with pytest.raises(CheckpointError, match="missing"):
        recipe(begin="missing").network()
    with pytest.raises(CheckpointError, match="'pose'"):
        recipe(begin="pose").network()


def test_a_training_that_begins_with_a_voxelmorph_estimates_what_that_does(tmp_path):
    config = VoxelMorphRecipeConfig(batch=3, pairs=CLEAN, network=VoxelMorphConfig(NETWORK.widths))
    begin = train(VoxelMorphRecipe(config, pool=POOL), tmp_path, LoopSettings(steps=2, warm_up=0, precision="float32"))
    known = build_network(load_checkpoint(begin))
    images, state, estimate, times = inputs()
    found = recipe(begin=str(begin)).network()(images, state, estimate, times).velocity - estimate
    assert_close(DIFFUSION.measured * found, known(images), atol=1e-6, rtol=1e-3)
    assert found.abs().max() > 1e-5


def test_the_deviation_is_measured_and_kept_with_the_weights(tmp_path):
    made = recipe(diffusion=replace(DIFFUSION, deviation=None))
    pairs = FieldPairs(*made.draw(generator())[:4])
    inside = (pairs.mask * pairs.velocities.square()).sum() / pairs.mask.sum() / 3
    assert made.config.diffusion.measured == pytest.approx(inside.sqrt().item(), rel=0.3)
    stored = load_checkpoint(train(made, tmp_path, LoopSettings(steps=1)), "diffusereg")
    assert from_dict(VelocityDiffusionConfig, stored.config["diffusion"]) == made.config.diffusion
    assert isinstance(build_network(stored), LoopDenoiser)


def test_the_loss_falls(tmp_path):
    rows = []
    settings = LoopSettings(steps=40, warm_up=4, learning_rate=3e-3, log_every=10)
    train(recipe(passes=1), tmp_path, settings, on_log=rows.append)
    assert rows[-1]["loss"] < 0.9 * rows[0]["loss"]


def test_without_a_deviation_nothing_is_sampled():
    pairs = FieldPairs(*recipe().draw(generator())[:4])
    with pytest.raises(ValueError, match="deviation"):
        sampled(Oracle(pairs.velocities), pairs, (60,), config=replace(DIFFUSION, deviation=None))


@pytest.mark.parametrize("change", [{"smoothness": 0.0}, {"rough": -1.0}, {"deviation": 0.0}])
def test_a_diffusion_out_of_range_is_refused_by_name(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        VelocityDiffusionConfig(**change)


def test_the_shell_knows_the_recipe_and_the_configuration_survives_json():
    made, _, _ = configure("diffusereg", ["diffusion.form=regression", "passes=3", "diffusion.deviation=0.3"])
    assert (made.kind, made.config.passes, made.config.diffusion.form) == ("diffusereg", 3, "regression")
    assert from_json(VelocityDiffusionRecipeConfig, to_json(made.config)) == made.config
