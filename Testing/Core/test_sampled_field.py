"""A field by diffusion between two volumes: samples, their mean and spread, and a registration that starts with it."""

from dataclasses import replace

import pytest
import torch
from test_learned_field import FIXED, MOVING, SEEN, START, hidden_on
from torch.testing import assert_close

from DiffusionCore.checks import CheckpointError, ConfigError
from DiffusionCore.config import from_json, to_dict, to_json
from DiffusionCore.deformable.learned import LearnedField, LearnedSettings, load_learned, velocity_grid
from DiffusionCore.deformable.pipeline import DeformableSettings
from DiffusionCore.deformable.sampled import SampledField, SampledSettings, load_sampled
from DiffusionCore.deformable.settings import RefinementSettings
from DiffusionCore.deformable.velocity_diffusion import VelocityDiffusionConfig
from DiffusionCore.diffusion.schedules import LinearBetas
from DiffusionCore.metrics import point_error
from DiffusionCore.networks.loop_denoiser import LoopDenoiser, LoopDenoiserConfig, LoopEstimate
from DiffusionCore.networks.precision import Precision
from DiffusionCore.registration import register
from DiffusionCore.space import Volume
from DiffusionCore.storage.checkpoint import Checkpoint, save_checkpoint
from DiffusionCore.training.field_pairs import FieldPairsConfig, draw_field_pairs
from DiffusionCore.training.head_pool import draw_head_pool
from DiffusionCore.transforms import Affine, Velocity, voxel_centers
from DiffusionCore.transforms.displacement import ras_vectors, voxel_vectors

NETWORK = LoopDenoiserConfig(widths=(8, 16), embedding=8)
CONFIG = VelocityDiffusionConfig(LinearBetas(60, 1e-3, 0.2), deviation=0.5)
SETTINGS = SampledSettings("mine", passes=5, samples=3, precision=Precision.FLOAT32)
COARSE = velocity_grid(SEEN, 2)


class Guess(torch.nn.Module):
    """A network that knows the hidden velocity, up to a ``doubt`` that it takes from the noise that it sees."""

    stride, config = 2, NETWORK

    def __init__(self, doubt=0.0):
        super().__init__()
        self.doubt, self.seen, self.given, self.clean = doubt, [], [], None

    def forward(self, images, state, estimate, times):
        self.seen.append(images)
        self.given.append((images, estimate))
        self.clean = voxel_vectors(hidden_on(COARSE), COARSE)[None] / CONFIG.measured
        guessed = self.clean + self.doubt * (state[:, :, :1, :1, :1] - self.clean[:, :, :1, :1, :1])
        return LoopEstimate(guessed, torch.zeros_like(guessed[:, :1]))


def estimates(network, seed=0, **changes):
    field = SampledField(network, CONFIG, 4.0, 2, replace(SETTINGS, **changes), seed)
    return list(field.estimates(FIXED, MOVING, START))


@pytest.mark.parametrize("changes", [{}, {"eta": 1.0}, {"samples": 1}, {"passes": 1}])
def test_a_perfect_network_recovers_the_hidden_field_of_oblique_volumes_in_mm(changes):
    found = estimates(Guess(), **changes)
    assert len(found) == 1 + changes.get("passes", 5)
    assert found[0].velocity.vectors.abs().max() == 0
    assert_close(found[-1].velocity.vectors, hidden_on(COARSE), atol=1e-3, rtol=1e-3)
    assert found[-1].velocity.grid == COARSE
    assert found[-1].alike > found[0].alike + 0.05
    spread = found[-1].spread
    assert spread is None if changes.get("samples") == 1 else spread.values.max() < 1e-3


def test_every_sample_sees_the_images_as_its_own_estimate_warps_them():
    network = Guess(doubt=0.6)
    estimates(network)
    assert [tuple(images.shape) for images in network.seen] == [(3, 5, *SEEN.shape)] * 10
    first, second = network.seen[:2]
    assert torch.equal(first[0], first[1])
    assert (second[0, 1] - second[1, 1]).abs().max() > 1e-3
    assert torch.equal(second[0, 0], second[1, 0])


def test_the_estimate_is_the_mean_of_the_samples_and_the_spread_is_in_mm():
    together = estimates(Guess(doubt=0.6), passes=1)[-1]
    alone = torch.stack(
        [estimates(Guess(doubt=0.6), seed=number, passes=1, samples=1)[-1].velocity.vectors for number in range(3)]
    )
    assert_close(together.velocity.vectors, alone.mean(0), atol=1e-3, rtol=1e-3)
    expected = alone.var(0).sum(0).sqrt()
    assert_close(torch.from_numpy(together.spread.values), expected, atol=1e-3, rtol=1e-3)
    assert expected.mean() > 0.5
    assert together.spread.grid == COARSE


def test_the_seed_decides_the_samples():
    first, same, other = (estimates(Guess(doubt=0.6), seed=seed)[-1].velocity.vectors for seed in (4, 4, 40))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_the_precision_of_the_network_stays_with_it():
    field = SampledField(
        LoopDenoiser(NETWORK), CONFIG, 4.0, 2, replace(SETTINGS, precision=Precision.BFLOAT16, passes=2)
    )
    for _ in field.estimates(FIXED, MOVING, START):
        assert not torch.is_autocast_enabled("cpu")


def saved(path, kind="diffusereg", **changes):
    config = {
        "diffusion": to_dict(CONFIG),
        "network": to_dict(NETWORK),
        "pairs": {"spacing": 4.0},
        "passes": 2,
    } | changes
    torch.manual_seed(0)
    network = LoopDenoiser(NETWORK)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.03)
    save_checkpoint(path, Checkpoint(kind, config, dict(network.state_dict()), {}))
    return str(path)


def test_a_registration_samples_a_field_and_refines_it(tmp_path):
    sampled = replace(SETTINGS, model=saved(tmp_path / "m.safetensors"))
    settings = DeformableSettings(affine=None, learned=sampled, refinement=RefinementSettings(iterations=(2, 2)))
    runs = [register(FIXED, MOVING, settings, initial_transform=START, seed=seed, device="cpu") for seed in (1, 1, 2)]
    steps = runs[0].steps
    assert len(steps) <= settings.expected_steps()
    assert [step.phase for step in steps[:6]] == ["start"] + ["field"] * 5
    assert steps[-1].phase == "refine"
    assert all(step.metrics["spread"] > 0 for step in steps[1:6])
    spreads = [run.steps[5].metrics["spread"] for run in runs]
    assert spreads[0] == spreads[1] != spreads[2]


def test_without_samples_the_network_makes_one_estimate_in_passes_and_says_how_wrong_it_may_be():
    network = Guess()
    field = LearnedField(network, 4.0, passes=2, precision=Precision.FLOAT32, diffusion=CONFIG)
    start, first, last = field.estimates(FIXED, MOVING, START)
    assert start.spread is None
    for found in (first, last):
        assert_close(found.velocity.vectors, hidden_on(COARSE), atol=1e-3, rtol=1e-3)
        assert found.spread.grid == found.velocity.grid == COARSE
        expected = COARSE.spacing[0] * CONFIG.measured * 3**0.5
        assert_close(torch.from_numpy(found.spread.values), torch.full(COARSE.shape, expected))
    (first, _), (second, known) = network.given
    assert (second[0, 1] - first[0, 1]).abs().max() > 1e-2
    assert_close(known[0] * CONFIG.measured, voxel_vectors(hidden_on(COARSE), COARSE), atol=1e-4, rtol=1e-4)


def test_a_stored_model_makes_one_estimate_where_a_learned_field_is_asked_for(tmp_path):
    field = load_learned(LearnedSettings(saved(tmp_path / "m.safetensors"), passes=2))
    *_, last = field.estimates(FIXED, MOVING, START)
    assert last.velocity.vectors.abs().max() > 0.01
    assert last.spread.values.min() > 0
    phase = DeformableSettings(affine=None, refinement=None, learned=LearnedSettings(saved(tmp_path / "m.safetensors")))
    *_, step = register(FIXED, MOVING, phase, initial_transform=START).steps
    assert step.metrics["spread"] > 0


def test_models_that_cannot_be_used_are_refused(tmp_path):
    with pytest.raises(CheckpointError, match="'diffusereg' is needed"):
        load_sampled(SampledSettings(saved(tmp_path / "pose.safetensors", "pose")))
    with pytest.raises(ConfigError, match="trained for 60 steps"):
        load_sampled(SampledSettings(saved(tmp_path / "m.safetensors"), passes=61))
    regression = saved(tmp_path / "r.safetensors", diffusion=to_dict(replace(CONFIG, form="regression")))
    with pytest.raises(ConfigError, match="0 samples"):
        load_sampled(SampledSettings(regression))


@pytest.mark.parametrize("change", [{"passes": 0}, {"samples": 0}, {"eta": 1.1}])
def test_settings_out_of_range_are_refused_by_name(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        SampledSettings(**change)


@pytest.mark.parametrize("learned", [SETTINGS, LearnedSettings("mine"), None])
def test_the_settings_survive_json(learned):
    settings = DeformableSettings(learned=learned)
    assert from_json(DeformableSettings, to_json(settings)) == settings


@pytest.mark.parametrize("settings", [LearnedSettings("diffusereg", passes=2), SampledSettings(passes=3, samples=4)])
def test_the_shipped_model_finds_a_part_of_deformations_that_it_never_saw_estimated_or_sampled(settings):
    pool = draw_head_pool(1, generator=torch.Generator().manual_seed(123))
    config = FieldPairsConfig(deviation=(3.5, 3.5), folded=1.0)
    pairs = draw_field_pairs(pool, config, 2, generator=torch.Generator().manual_seed(1))
    coarse = velocity_grid(config.grid, 2)
    field = load_learned(settings) if isinstance(settings, LearnedSettings) else load_sampled(settings)
    for fixed, moving, velocity in zip(pairs.fixed, pairs.moving, pairs.velocities, strict=True):
        truth = Velocity(ras_vectors(velocity, coarse), coarse)
        points = voxel_centers(config.grid)[fixed[0] > 0]
        volumes = (Volume(image[0].numpy(), config.grid) for image in (fixed, moving))
        *_, last = field.estimates(*volumes, Affine.identity())
        before, after = (point_error(one, truth, points).mean() for one in (Affine.identity(), last.velocity))
        assert after < 0.85 * before
        assert 1 < last.spread.values.max() < 30
