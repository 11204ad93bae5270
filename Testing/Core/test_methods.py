"""The methods behind the one function ``register``: chosen by the type of the settings, measured in one way."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from DiffusionCore.affine import pipeline, published_pipeline
from DiffusionCore.affine.acceptance import information
from DiffusionCore.affine.climb import Pace
from DiffusionCore.affine.pair import WorkingPair
from DiffusionCore.affine.polish import InformationStage, Polished, PolishSettings
from DiffusionCore.affine.published import AffineDiffusionConfig
from DiffusionCore.affine.published_pipeline import Direction, Fraction, Share
from DiffusionCore.affine.search import SearchSettings
from DiffusionCore.checks import CheckpointError, ConfigError
from DiffusionCore.config import from_json, to_dict, to_json
from DiffusionCore.interpolation.pull import pull
from DiffusionCore.networks.affine_denoiser import AffineDenoiser, AffineDenoiserConfig
from DiffusionCore.registration import AffineSettings, PublishedSettings, register
from DiffusionCore.space import Grid, Volume
from DiffusionCore.storage.checkpoint import Checkpoint, save_checkpoint
from DiffusionCore.transforms.affine import Affine, Group, algebra_matrix
from DiffusionCore.transforms.base import voxel_centers

TURN = Affine.exponential([0.3, -0.5, 0.4, 0, 0, 0]).matrix[:3, :3]
FIXED_GRID = Grid((64, 54, 38), (2.5, 3.0, 4.0), (-70.0, 25.0, 60.0), tuple(map(tuple, TURN.tolist())))
MOVING_GRID = Grid((70, 64, 66), (2.8, 3.2, 3.0)).with_center((20.0, 10.0, -30.0))
CENTER = FIXED_GRID.center
ONTO = Affine.translation(MOVING_GRID.center - CENTER)
HIDDEN = ONTO @ Affine.exponential([0.2, -0.15, 0.25, 5, -7, 4, 0.08, -0.06, 0.05, 0.03, 0, -0.02], CENTER)
WINDOW = AffineDiffusionConfig(size=26, spacing=6.0, steps=30)
SEARCH = SearchSettings(rotations=300, candidates=4)
POLISH = PolishSettings(stages=(InformationStage(1, Pace(20, 0.3, 0.05)),))
SMALL = AffineDenoiserConfig((8, 16), groups=4, embedding=8, classes=2)


def body(points):
    """Return a smooth lopsided object of about 60 mm; points (..., 3) in mm from its middle."""
    x, y, z = (points / torch.tensor([28.0, 20.0, 24.0], dtype=points.dtype)).unbind(-1)
    knob = ((points - torch.tensor([25.0, 12.0, -10.0], dtype=points.dtype)) / 12).square().sum(-1)
    return torch.exp(-(x**2 + y**2 + z**2)) * (1.0 + 0.3 * torch.sin(2 * x + y)) + 0.4 * torch.exp(-knob)


def drawn(hidden=HIDDEN):
    """Return a fixed volume and the moving one with moving(T x) = 100 fixed(x), on quite different grids."""
    fixed = body(voxel_centers(FIXED_GRID) - torch.from_numpy(CENTER))
    moving = body(Affine(torch.linalg.inv(hidden.matrix)).map(voxel_centers(MOVING_GRID)) - torch.from_numpy(CENTER))
    return Volume(fixed.float().numpy(), FIXED_GRID), Volume((100 * moving).float().numpy(), MOVING_GRID)


def error(transform, hidden=HIDDEN):
    points = torch.from_numpy(CENTER + 20 * np.random.default_rng(0).normal(size=(200, 3)))
    return (transform.map(points) - hidden.map(points)).norm(dim=-1).mean().item()


class Perfect(torch.nn.Module):
    """A stand-in for a network without error: Gauss-Newton for the affine and the gain between the two windows."""

    def forward(self, images, times, classes):
        points = WINDOW.window.points().double()
        fixed, moving = images[0].double()
        slopes = torch.stack([slope.flatten() for slope in torch.gradient(moving, spacing=WINDOW.spacing)][::-1], -1)
        generators = algebra_matrix(torch.eye(12, dtype=torch.float64))
        state = torch.eye(4, dtype=torch.float64)
        for _ in range(6):
            mapped = points.flatten(0, 2) @ state[:3, :3].T + state[:3, 3]
            voxel = (mapped / WINDOW.spacing + (WINDOW.size - 1) / 2).view(1, *points.shape).float()
            seen = [pull_one(volume.view(moving.shape), voxel) for volume in (moving, *slopes.T)]
            motion = torch.einsum("rc,pcd,nd->npr", state[:3, :3], generators[:, :3, :3], points.flatten(0, 2))
            motion = motion + (state[:3, :3] @ generators[:, :3, 3].T).T
            system = torch.einsum("npr,rn->np", motion, torch.stack(seen[1:]))
            system = torch.cat([system, seen[0][:, None]], 1)
            step = torch.linalg.lstsq(system, (fixed.flatten() - seen[0])[:, None]).solution[:12, 0]
            state = state @ torch.linalg.matrix_exp(algebra_matrix(step))
        return state[None].float()


def pull_one(image, voxel):
    return pull(image[None, None].float(), voxel)[0, 0].double().flatten()


class Constant(torch.nn.Module):
    """A network that always answers one transform, about the middle of the window."""

    def __init__(self, parameters):
        super().__init__()
        self.matrix = Affine.exponential(parameters).matrix

    def forward(self, images, times, classes):
        return self.matrix[None].float()


@pytest.mark.parametrize(
    "settings",
    [
        PublishedSettings("perfect", count=6),
        PublishedSettings("perfect", count=9, weights=Share.GRADED),
        PublishedSettings("perfect", count=6, weights=Share.VARIANCE, update=Fraction.STRAIGHT),
        PublishedSettings("perfect", count=4, direction=Direction.CORRECTED),
        PublishedSettings("perfect", count=4, direction=Direction.AVERAGED),
    ],
    ids=lambda settings: f"{settings.weights.value} {settings.update.value} {settings.direction.value}",
)
def test_a_perfect_network_recovers_the_hidden_transform(settings, monkeypatch):
    monkeypatch.setattr(published_pipeline, "load_published", lambda *_: (Perfect(), WINDOW))
    seen = []
    result = register(*drawn(), settings, on_step=seen.append)
    assert error(result.steps[0].transform) > 8
    assert error(result.transform) < 1  # mm; the voxels of its window are 6 mm
    assert len(seen) == settings.expected_steps() == len(result.steps)
    assert [step.index for step in seen] == list(range(len(seen)))
    assert [seen[0].phase, {step.phase for step in seen[1:]}] == ["center", {"diffusion"}]
    assert all(set(step.metrics) == {"mutual_information", "overlap"} for step in seen)
    assert seen[-1].metrics["mutual_information"] > 1.3 * seen[0].metrics["mutual_information"]
    assert set(result.times) == {"center", "diffusion", "resample"}
    assert result.warped.grid == FIXED_GRID


def test_the_published_method_starts_where_it_is_told_and_stops_when_asked(monkeypatch):
    monkeypatch.setattr(published_pipeline, "load_published", lambda *_: (Perfect(), WINDOW))
    settings, seen = PublishedSettings("perfect", count=6), []
    result = register(
        *drawn(), settings, initial_transform=HIDDEN, on_step=seen.append, should_stop=lambda: len(seen) == 2
    )
    assert torch.equal(seen[0].transform.matrix, HIDDEN.matrix)
    assert result.stopped
    assert result.transform is seen[-1].transform
    assert len(seen) == 2


def saved(path, steps=30):
    config = {
        "diffusion": to_dict(AffineDiffusionConfig(size=16, spacing=10.0, steps=steps)),
        "network": to_dict(SMALL),
    }
    save_checkpoint(path, Checkpoint("published-affine", config, dict(AffineDenoiser(SMALL).state_dict()), {}))
    return str(path)


def test_a_stored_network_registers_and_without_training_changes_nothing(tmp_path):
    settings = PublishedSettings(saved(tmp_path / "model.safetensors", steps=3))
    result = register(*drawn(), settings, device="cpu")
    assert [step.time for step in result.steps] == [1.0, 2 / 3, 1 / 3, 0.0]
    assert_close(result.transform.matrix, result.steps[0].transform.matrix, atol=1e-4, rtol=1e-6)


def test_more_steps_than_the_model_has_are_refused(tmp_path):
    settings = PublishedSettings(saved(tmp_path / "model.safetensors", steps=3), count=4)
    for ask in (settings.expected_steps, lambda: register(*drawn(), settings)):
        with pytest.raises(ConfigError, match="1 to 3 can be taken, not 4"):
            ask()


@pytest.mark.parametrize(
    "settings", [PublishedSettings("gpt"), AffineSettings("gpt"), AffineSettings(None, comparison="gpt")]
)
def test_unknown_weights_are_an_error_before_any_step(settings):
    with pytest.raises(CheckpointError, match="no model 'gpt'"):
        register(*drawn(), settings, on_step=lambda step: pytest.fail(f"a step was made: {step}"))


def test_weights_of_another_kind_are_refused(tmp_path):
    save_checkpoint(tmp_path / "pose.safetensors", Checkpoint("pose", {}, {"w": torch.ones(1)}, {}))
    path = str(tmp_path / "pose.safetensors")
    for settings in (PublishedSettings(path), AffineSettings(None, comparison=path)):
        with pytest.raises(CheckpointError, match="'published-affine' is needed"):
            register(*drawn(), settings)
    with pytest.raises(CheckpointError, match="'pose' is needed"):
        register(*drawn(), AffineSettings(saved(tmp_path / "model.safetensors")))


def test_a_model_without_its_noise_is_refused(tmp_path):
    save_checkpoint(tmp_path / "odd.safetensors", Checkpoint("published-affine", {}, {"w": torch.ones(1)}, {}))
    with pytest.raises(ConfigError, match="AffineDiffusionConfig"):
        register(*drawn(), PublishedSettings(str(tmp_path / "odd.safetensors")))


def test_settings_of_no_method_are_refused():
    with pytest.raises(TypeError, match="PublishedSettings"):
        register(*drawn(), PolishSettings())


def test_the_settings_survive_json():
    published = PublishedSettings("mine", 7, Share.GRADED, Fraction.STRAIGHT, Direction.AVERAGED)
    assert from_json(PublishedSettings, to_json(published)) == published
    assert from_json(AffineSettings, to_json(AffineSettings(comparison="mine"))).comparison == "mine"


def compared(monkeypatch, network, polish=POLISH):
    """Return the steps with a comparison by ``network``, and its candidates: before, and after it."""
    config = replace(WINDOW, steps=2)
    monkeypatch.setattr(pipeline, "load_published", lambda *_: (network, config))
    settings = AffineSettings(None, search=SEARCH, comparison="given", polish=polish, show_every=1)
    steps = register(*drawn(), settings).steps
    last = max(step.index for step in steps if step.phase == "compare")
    (before,) = (step.transform for step in steps if step.phase == "search")
    return settings, steps, before, steps[last].transform, steps[last + 1].transform


def is_near(first, second):
    return (first.matrix - second.matrix).abs().max() < 1e-9


def test_a_comparison_that_is_worse_is_shown_and_left(monkeypatch):
    settings, steps, before, after, polished = compared(monkeypatch, Constant([0.4, 0, 0, 15, 0, 0]))
    assert not is_near(after, before)
    assert is_near(polished, before)
    assert error(steps[-1].transform) < error(before) + 1 < error(after)
    assert [step.time for step in steps if step.phase == "compare"] == [0.5, 0.0]
    assert len(steps) == settings.expected_steps()


def test_a_comparison_that_is_better_is_followed(monkeypatch):
    monkeypatch.setattr(pipeline, "polish_briefly", rough)
    _, _, before, after, polished = compared(monkeypatch, Perfect())
    assert error(after) < 1 < 3 < error(before)
    pair, generator = WorkingPair(*drawn()), torch.Generator().manual_seed(0)
    assert np.diff(information(pair, [before, after], generator=generator)) > 0
    assert is_near(polished, after)


def test_a_comparison_stays_in_the_group(monkeypatch):
    stretch = Constant([0.02, 0, 0, 1, 0, 0, 0.2, 0, 0, 0, 0, 0])
    _, _, _, after, _ = compared(monkeypatch, stretch, replace(POLISH, group=Group.RIGID))
    linear = after.matrix[:3, :3]
    assert_close(linear @ linear.T, torch.eye(3).double(), atol=1e-9, rtol=0)


def rough(pair, candidates, settings, *, generator):
    """Stand in for the short climb: only one candidate, some mm beside the truth."""
    beside = HIDDEN @ Affine.exponential([0.06, 0, -0.05, 3, -2, 2], CENTER)
    return [Polished(beside, 1.0, 1.0)]


def test_a_comparison_that_is_left_changes_nothing(monkeypatch):
    plain = register(*drawn(), AffineSettings(None, search=SEARCH, polish=POLISH, show_every=1)).steps
    assert "compare" not in {step.phase for step in plain}
    _, steps, _, _, _ = compared(monkeypatch, Constant([0.4, 0, 0, 15, 0, 0]))
    rest = [step for step in steps if step.phase != "compare"]
    assert [step.phase for step in rest] == [step.phase for step in plain]
    assert all(torch.equal(a.transform.matrix, b.transform.matrix) for a, b in zip(rest, plain, strict=True))
