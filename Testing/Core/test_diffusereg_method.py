"""DiffuseReg as a method: fields sampled between images, steps that are shown, and runs that go on."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from DiffusionCore.affine.pair import WorkingPair
from DiffusionCore.affine.steps import Step
from DiffusionCore.checks import CheckpointError, ConfigError
from DiffusionCore.config import from_json, to_dict, to_json
from DiffusionCore.deformable import alignment, diffusereg_pipeline
from DiffusionCore.deformable.diffusereg_pipeline import PublishedDiffuseRegSettings
from DiffusionCore.deformable.field_diffusion import FieldDiffusionConfig, FieldSampler, FieldStatistics
from DiffusionCore.deformable.learned import seen_grid, seen_spacing
from DiffusionCore.diffusion.denoising import Sampler
from DiffusionCore.diffusion.gaussian import NoiseSource
from DiffusionCore.diffusion.schedules import LinearBetas
from DiffusionCore.jobs.events import Finished, StepMade
from DiffusionCore.jobs.execution import execute
from DiffusionCore.jobs.specification import RegistrationJob, ResumePoint
from DiffusionCore.networks.diffusereg import DiffuseReg, DiffuseRegConfig
from DiffusionCore.networks.precision import Precision
from DiffusionCore.networks.swin import SwinConfig
from DiffusionCore.registration import AffineSettings, register
from DiffusionCore.space import Frame, Grid, Volume
from DiffusionCore.space.plain import Matrix
from DiffusionCore.storage.checkpoint import Checkpoint, save_checkpoint
from DiffusionCore.transforms.affine import Affine
from DiffusionCore.transforms.base import Chain, Transform, voxel_centers
from DiffusionCore.transforms.displacement import Displacement, voxel_vectors
from DiffusionCore.transforms.plain import from_plain, to_plain
from DiffusionCore.transforms.velocity import Velocity

STATISTICS = FieldStatistics((0.1, -0.2, 0.0), (0.8, 1.2, 1.0))
CONFIG = FieldDiffusionConfig(LinearBetas(50, 1e-3, 0.2), statistics=STATISTICS)
NETWORK = DiffuseRegConfig(SwinConfig(12, (1,), (3,)))
TURN = Affine.exponential([0.3, -0.5, 0.4, 0, 0, 0]).matrix[:3, :3]
FIXED_GRID = Grid((44, 38, 28), (3.5, 4.0, 5.5), (-70.0, 25.0, 60.0), tuple(map(tuple, TURN.tolist())))
MOVING_GRID = Grid((50, 46, 46), (4.0, 4.5, 4.5)).with_center((20.0, 10.0, -30.0))
CENTER = FIXED_GRID.center
ONTO = Affine.translation(MOVING_GRID.center - CENTER)


def wave() -> Velocity:
    """A smooth deformation of some mm around the object, on a grid of its own."""
    grid = Grid((30, 30, 30), (6.0, 6.0, 6.0)).with_center(tuple(CENTER))
    x = (voxel_centers(grid) - torch.from_numpy(CENTER)) / 40
    bump = torch.exp(-x.square().sum(-1))
    vectors = torch.stack([5 * bump * torch.cos(x[..., 1]), -4 * bump, 4 * bump * torch.sin(2 * x[..., 0])])
    return Velocity(vectors.float(), grid)


HIDDEN = ONTO @ wave()


def body(points):
    """A lopsided object of about 60 mm with a pattern; points (..., 3) in mm from its middle."""
    x, y, z = (points / torch.tensor([48.0, 40.0, 44.0], dtype=points.dtype)).unbind(-1)
    return torch.exp(-((x**2 + y**2 + z**2) ** 2)) * (1.3 + 0.4 * torch.sin(4 * x + y) + 0.3 * torch.cos(5 * z - 2 * y))


def drawn(hidden: Transform = HIDDEN) -> tuple[Volume, Volume]:
    """Return a fixed volume and the moving one with moving(T x) = 100 fixed(x), on quite different grids."""
    fixed = body(voxel_centers(FIXED_GRID) - torch.from_numpy(CENTER))
    moving = body(hidden.inverse().map(voxel_centers(MOVING_GRID)) - torch.from_numpy(CENTER))
    return Volume(fixed.float().numpy(), FIXED_GRID), Volume((100 * moving).float().numpy(), MOVING_GRID)


def error(transform: Transform) -> float:
    """Return the mean distance from the hidden transform, mm, around the object."""
    points = torch.from_numpy(CENTER + 20 * np.random.default_rng(0).normal(size=(300, 3)))
    return (transform.map(points) - HIDDEN.map(points)).norm(dim=-1).mean().item()


class Perfect(torch.nn.Module):
    """A network without error: it knows the clean field, and counts how often it is shown images."""

    def __init__(self, field: torch.Tensor, config: FieldDiffusionConfig = CONFIG) -> None:
        super().__init__()
        self.clean, self.config = config.measured.standardized(field), config
        self.encoded, self.times = 0, []

    def encode(self, images):
        self.encoded += 1
        return images

    def denoise(self, condition, field, times):
        self.times.append(int(times[0]))
        kept = self.config.schedule.alpha_bar(times[0])
        return (field - kept.sqrt().float() * self.clean) / (1 - kept).sqrt().float()


def fields(batch=2, size=(6, 7, 5)):
    return torch.randn(batch, 3, *size, generator=torch.Generator().manual_seed(1))


def test_statistics_bring_fields_to_mean_0_and_deviation_1_and_back():
    values = 3 * fields(5) + torch.tensor([1.0, -2.0, 0.5])[:, None, None, None]
    statistics = FieldStatistics.of(values)
    standardized = statistics.standardized(values)
    assert_close(standardized.mean((0, 2, 3, 4)), torch.zeros(3), atol=1e-5, rtol=0)
    assert_close(standardized.std((0, 2, 3, 4)), torch.ones(3), atol=1e-5, rtol=0)
    assert_close(statistics.restored(standardized), values)


@pytest.mark.parametrize(("mean", "deviation"), [((0, 0, 0), (1, 0, 1)), ((0, float("nan"), 0), (1, 1, 1))])
def test_statistics_that_are_none_are_refused(mean, deviation):
    with pytest.raises(ValueError, match="finite"):
        FieldStatistics(mean, deviation)


def test_without_statistics_nothing_is_sampled():
    sampler = FieldSampler(Perfect(fields()), replace(CONFIG, statistics=None), (50, 20))
    with pytest.raises(ValueError, match="statistics"):
        next(sampler.fields(torch.rand(2, 2, 6, 7, 5), noise=NoiseSource((1, 2))))


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_a_perfect_network_finds_the_field_and_sees_the_images_once(eta):
    hidden = fields()
    network = Perfect(hidden)
    sampler = FieldSampler(network, CONFIG, (50, 31, 12, 2), sampler=Sampler(eta))
    run = list(sampler.fields(torch.rand(2, 2, 6, 7, 5), noise=NoiseSource((1, 2))))
    assert network.encoded == 1
    assert network.times == [50, 31, 12, 2]
    assert [step.time for step in run] == [31, 12, 2, 0]
    assert [step.share for step in run] == pytest.approx(
        CONFIG.schedule.alpha_bar(torch.tensor([31, 12, 2, 0])).tolist()
    )
    assert_close(run[-1].field, hidden, atol=1e-4, rtol=0)


def test_a_run_that_goes_on_from_a_field_starts_at_its_time_with_its_share_of_noise():
    hidden, states = fields(), []

    class Watching(Perfect):
        def denoise(self, condition, field, times):
            states.append(field)
            return super().denoise(condition, field, times)

    network = Watching(hidden)
    sampler = FieldSampler(network, CONFIG, (50, 31, 12, 2))
    steps = list(sampler.fields(torch.rand(2, 2, 6, 7, 5), noise=NoiseSource((1, 2)), start=hidden, first=2))
    assert [step.index for step in steps] == [2, 3]
    assert network.times == [12, 2]
    kept = CONFIG.schedule.alpha_bar(torch.tensor(12)).item()
    noise = (states[0] - kept**0.5 * CONFIG.measured.standardized(hidden)) / (1 - kept) ** 0.5
    assert noise.std().item() == pytest.approx(1.0, abs=0.06)
    assert_close(steps[-1].field, hidden, atol=1e-4, rtol=0)


def test_several_samples_of_a_pair_are_those_that_are_drawn_one_by_one():
    torch.manual_seed(0)
    network, images = DiffuseReg(NETWORK), torch.rand(2, 2, 6, 7, 5)
    sampler = FieldSampler(network, CONFIG, (50, 31))
    *_, both = sampler.fields(images, noise=NoiseSource((1, 2, 3, 4)))
    assert both.field.shape == (4, 3, 6, 7, 5)
    for number, seed in enumerate((1, 2, 3, 4)):
        *_, alone = sampler.fields(images[number // 2 : number // 2 + 1], noise=NoiseSource((seed,)))
        assert_close(both.field[number], alone.field[0], atol=1e-3, rtol=1e-3)


def test_the_network_may_compute_in_bfloat16_and_nothing_else_does():
    torch.manual_seed(0)
    network, images = DiffuseReg(NETWORK), torch.rand(1, 2, 6, 7, 5)
    found = {}
    for precision in (Precision.FLOAT32, Precision.BFLOAT16):
        sampler = FieldSampler(network, CONFIG, (50, 31), sampler=Sampler(0.0), precision=precision)
        for step in sampler.fields(images, noise=NoiseSource((7,))):
            assert not torch.is_autocast_enabled("cpu")
            found[precision] = step.field
    single, half = found.values()
    assert half.dtype == torch.float32
    assert not torch.equal(half, single)
    assert (half - single).norm() < 0.1 * single.norm()


def test_a_batch_of_pairs_gives_what_each_gives_alone():
    torch.manual_seed(0)
    network = DiffuseReg(NETWORK)
    images = torch.rand(2, 2, 6, 7, 5)
    sampler = FieldSampler(network, CONFIG, (50, 31, 12))
    *_, both = sampler.fields(images, noise=NoiseSource((7, 8)))
    for number, seed in enumerate((7, 8)):
        *_, alone = sampler.fields(images[number : number + 1], noise=NoiseSource((seed,)))
        assert_close(both.field[number], alone.field[0], atol=1e-3, rtol=1e-3)


def saved(path, network=None, **changes):
    config = {"diffusion": to_dict(CONFIG), "network": to_dict(NETWORK), "pairs": {"spacing": 6.0}} | changes
    torch.manual_seed(0)
    save_checkpoint(path, Checkpoint("published-diffusereg", config, dict(DiffuseReg(NETWORK).state_dict()), {}))
    return str(path)


def aligned():
    return WorkingPair(*drawn(), (8.0, 4.0)).centered()


def run(settings, **more):
    """Register ``drawn`` images from where their centers are aligned."""
    return register(*drawn(), settings, initial_transform=aligned(), **more)


@pytest.fixture
def perfect(tmp_path, monkeypatch):
    """Return settings of a model that knows the field between ``drawn`` images, after the centers are aligned."""

    def network(checkpoint):
        grid = seen_grid(drawn()[0], seen_spacing(drawn()[0], 6.0))
        return Perfect(voxel_vectors((aligned().inverse() @ HIDDEN).displacement_on(grid), grid)[None])

    settings = PublishedDiffuseRegSettings(saved(tmp_path / "model.safetensors"), affine=None)
    monkeypatch.setattr(diffusereg_pipeline, "build_network", network)
    return settings


@pytest.mark.parametrize("changes", [{}, {"count": 7, "eta": 0.0}, {"count": 1}, {"shown": 8}])
def test_a_perfect_network_recovers_the_hidden_deformation(perfect, changes):
    settings = replace(perfect, **changes)
    result = run(settings)
    assert error(result.steps[0].transform) > 2.5
    assert error(result.transform) < 0.4  # mm; the voxels of its images are some 4 mm
    assert len(result.steps) == settings.expected_steps()
    assert len(result.steps) == 1 + min(settings.count or 50, settings.shown)
    assert [step.index for step in result.steps] == list(range(len(result.steps)))
    assert [step.phase for step in result.steps] == ["start"] + ["diffusion"] * (len(result.steps) - 1)
    times = [step.time for step in result.steps[1:]]
    assert times == sorted(times, reverse=True)
    assert times[-1] == 0
    assert {"mutual_information", "overlap"} <= set(result.steps[-1].metrics)


def test_early_steps_move_little_and_later_ones_all_the_way(perfect):
    errors = [error(step.transform) for step in run(perfect).steps]
    assert errors[1] == pytest.approx(errors[0], rel=0.05)
    assert errors[-1] < 0.1 * errors[0]


def test_the_field_covers_the_fixed_image(perfect):
    last = run(replace(perfect, count=2)).transform
    assert isinstance(last, Chain)
    found = last.parts[-1]
    assert isinstance(found, Displacement)
    corners = found.grid.map(FIXED_GRID.corners(), Frame.RAS, Frame.VOXEL)
    assert (corners > 0).all()
    assert (corners < np.array(found.grid.size) - 1).all()


@pytest.mark.parametrize("travels", [False, True])
def test_a_run_goes_on_from_any_shown_step_also_in_another_process(perfect, travels):
    settings = replace(perfect, count=5)
    whole = run(settings).steps
    for step in whole[:-1]:
        plain = from_plain(to_plain(step.transform, FIXED_GRID))
        after = replace(step, transform=plain) if travels else step
        rest = run(settings, after=after).steps
        expected = settings.expected_steps(after)
        assert rest[0].index == step.index + 1
        assert rest[-1].index + 1 == expected
        assert error(rest[-1].transform) < 0.5
        if step.phase == "diffusion":
            assert [s.time for s in rest] == [s.time for s in whole[step.index + 1 :]]


def test_a_run_goes_on_with_other_steps_and_gives_a_finished_one_once_more(perfect):
    whole = run(replace(perfect, count=5)).steps
    rest = run(replace(perfect, count=12, eta=0.0), after=whole[3]).steps
    assert rest[0].time < whole[3].time
    assert error(rest[-1].transform) < 0.5
    (again,) = run(perfect, after=whole[-1]).steps
    assert again.transform is whole[-1].transform
    assert perfect.expected_steps(whole[-1]) == again.index + 1


def test_the_field_of_another_method_is_refused(perfect):
    after = Step(4, "refine", 0.5, HIDDEN)
    for ask in (lambda: perfect.expected_steps(after), lambda: run(perfect, after=after)):
        with pytest.raises(ConfigError, match="Step 5 holds the field of another method"):
            ask()


def test_the_affine_phases_come_first_and_count(tmp_path):
    affine = AffineSettings(None, show_every=50)
    settings = PublishedDiffuseRegSettings(saved(tmp_path / "m.safetensors"), count=3, affine=affine)
    result = register(*drawn(ONTO), settings)
    phases = [step.phase for step in result.steps]
    assert phases[-3:] == ["diffusion"] * 3
    assert {"center", "search", "polish"} <= set(phases)
    assert len(phases) == settings.expected_steps()
    rest = register(*drawn(ONTO), settings, after=result.steps[-4])
    assert [step.phase for step in rest.steps][-3:] == ["diffusion"] * 3


def test_where_the_affine_registration_is_cautious_nothing_is_deformed(tmp_path, monkeypatch):
    caution = Step(0, "caution", 0.0, ONTO)
    monkeypatch.setattr(
        alignment,
        "AffinePipeline",
        lambda *_, **__: type("Stub", (), {"steps": lambda *_, **__: [caution]})(),
    )
    settings = PublishedDiffuseRegSettings(saved(tmp_path / "m.safetensors"))
    assert register(*drawn(), settings).steps == [caution]


def test_it_runs_as_a_job_and_goes_on_from_what_the_job_told(perfect):
    fixed, moving = drawn()
    settings = {"model": perfect.model, "count": 4, "affine": None}
    start = Matrix(aligned().matrix.numpy())
    job = RegistrationJob(fixed, moving, method="published-diffusereg", settings=settings, initial=start, device="cpu")
    told = [event for event in execute(job) if isinstance(event, StepMade)]
    assert [(step.index, step.of) for step in told] == [(number, 5) for number in range(5)]
    point = ResumePoint(2, "diffusion", told[2].time, told[2].transform)
    *_, last, end = (event for event in execute(replace(job, resume=point)) if isinstance(event, StepMade | Finished))
    assert isinstance(end, Finished)
    assert (last.index, last.time) == (4, 0.0)
    assert error(from_plain(last.transform)) < 0.5


def test_the_seed_decides_the_run(tmp_path):
    settings = PublishedDiffuseRegSettings(saved(tmp_path / "m.safetensors"), count=3, affine=None)
    one, same, other = (register(*drawn(), settings, seed=seed).transform for seed in (1, 1, 2))
    points = torch.from_numpy(CENTER[None])
    assert torch.equal(one.map(points), same.map(points))
    assert not torch.equal(one.map(points), other.map(points))


def test_models_that_cannot_be_used_are_refused(tmp_path):
    def ask(path):
        return PublishedDiffuseRegSettings(path, count=3)

    save_checkpoint(tmp_path / "pose.safetensors", Checkpoint("pose", {}, {"w": torch.ones(1)}, {}))
    with pytest.raises(CheckpointError, match="'published-diffusereg' is needed"):
        register(*drawn(), ask(str(tmp_path / "pose.safetensors")))
    unmeasured = {"diffusion": to_dict(FieldDiffusionConfig())}
    for number, changes in enumerate(({"pairs": {}}, unmeasured)):
        with pytest.raises(ConfigError, match="lacks the spacing or the statistics"):
            register(*drawn(), ask(saved(tmp_path / f"{number}.safetensors", **changes)))
    with pytest.raises(ConfigError, match="FieldDiffusionConfig"):
        register(*drawn(), ask(saved(tmp_path / "none.safetensors", diffusion=None)))
    with pytest.raises(ConfigError, match="1 to 50 can be taken, not 51"):
        replace(ask(saved(tmp_path / "m.safetensors")), count=51).expected_steps()


@pytest.mark.parametrize("change", [{"eta": 1.2}, {"eta": -0.1}, {"shown": 0}])
def test_settings_out_of_range_are_refused_by_name(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        PublishedDiffuseRegSettings("mine", **change)


def test_the_settings_survive_json():
    settings = PublishedDiffuseRegSettings("mine", 15, 0.0, affine=None)
    assert from_json(PublishedDiffuseRegSettings, to_json(settings)) == settings
    assert from_json(FieldDiffusionConfig, to_json(CONFIG)) == CONFIG
