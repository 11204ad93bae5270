"""The published affine diffusion as a whole: the pairs it learns from, its losses, and registration of volumes."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from image_world import write_balls
from torch.testing import assert_close

from DiffusionCore.affine.foreground import center_of_mass
from DiffusionCore.affine.published import AffineDiffusionConfig, PublishedSampler, load_published
from DiffusionCore.checks import CheckpointError, VolumeError
from DiffusionCore.config import from_json, to_dict, to_json
from DiffusionCore.diffusion.forward import LieAffineLaw, PublishedAffineLaw
from DiffusionCore.diffusion.reverse import Graded, StraightUpdate
from DiffusionCore.interpolation.pull import pull
from DiffusionCore.networks.affine_denoiser import AffineDenoiser, AffineDenoiserConfig
from DiffusionCore.space import Frame, Grid, Volume
from DiffusionCore.storage.checkpoint import Checkpoint, save_checkpoint
from DiffusionCore.training.anatomy import Tissue
from DiffusionCore.training.corruption import Corruptions
from DiffusionCore.training.published import PublishedRecipe, PublishedRecipeConfig, frobenius, mean_distance
from DiffusionCore.training.recipes import configure
from DiffusionCore.training.single_volumes import StoredVolumes, SyntheticVolumes
from DiffusionCore.training.tissue_pool import TissuePool
from DiffusionCore.transforms.affine import Affine, Group
from DiffusionCore.transforms.base import voxel_centers

TURN = Affine.exponential([0.3, -0.5, 0.4, 0, 0, 0]).matrix[:3, :3]
FIXED_GRID = Grid((40, 34, 22), (4.0, 4.5, 6.5), (-70.0, 25.0, 60.0), tuple(map(tuple, TURN.tolist())))
MOVING_GRID = Grid((50, 42, 38), (4.0, 5.0, 5.5)).with_center((20.0, 10.0, -30.0))
WINDOW = AffineDiffusionConfig(size=16, spacing=10.0)
NETWORK = AffineDenoiserConfig((8, 16), groups=4, embedding=8, classes=2)
NOTHING = Corruptions(*[0.0] * 10)


def generator(seed: int = 2) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def blob(points: torch.Tensor) -> torch.Tensor:
    """A smooth lopsided object of about 60 mm; points in mm from its middle."""
    x, y, z = (points / torch.tensor([28.0, 20.0, 24.0], dtype=points.dtype)).unbind(-1)
    return torch.exp(-(x**2 + y**2 + z**2)) * (1.0 + 0.3 * torch.sin(2 * x + y)) + 0.4 * torch.exp(
        -(((points - torch.tensor([25.0, 12.0, -10.0], dtype=points.dtype)) / 12) ** 2).sum(-1)
    )


def pair(hidden: Affine) -> tuple[Volume, Volume]:
    """Return a fixed volume and the moving one with moving(T x) = fixed(x), on quite different grids."""
    fixed = blob(voxel_centers(FIXED_GRID) - torch.from_numpy(FIXED_GRID.center))
    seen = hidden.inverse().map(voxel_centers(MOVING_GRID))
    moving = blob(seen - torch.from_numpy(FIXED_GRID.center))
    return Volume(fixed.float().numpy(), FIXED_GRID), Volume((100 * moving).float().numpy(), MOVING_GRID)


class Centroids(torch.nn.Module):
    """A stand-in for a trained network: the translation between the centers of mass of the two windows."""

    def __init__(self, window=WINDOW):
        super().__init__()
        self.window, self.seen = window.window, []

    def forward(self, images, times, classes):
        self.seen.append((images.clone(), times.item(), classes.item()))
        weights = images / images.sum((2, 3, 4), keepdim=True)
        centers = torch.einsum("bckji,kjix->bcx", weights, self.window.points())
        matrices = torch.eye(4).repeat(len(images), 1, 1)
        matrices[:, :3, 3] = centers[:, 1] - centers[:, 0]
        return matrices


class Sleeper(torch.nn.Module):
    """A network that always returns one matrix."""

    def __init__(self, matrix):
        super().__init__()
        self.matrix, self.seen = matrix, []

    def forward(self, images, times, classes):
        self.seen.append(images.clone())
        return self.matrix[None].float()


HIDDEN = Affine.translation(MOVING_GRID.center - FIXED_GRID.center + np.array([6.0, -9.0, 5.0]))


def test_the_windows_of_a_registered_pair_agree_whatever_the_grids():
    hidden = Affine(
        HIDDEN.matrix
        @ Affine.exponential([0.5, 0.3, -0.4, 0, 0, 0, 0.1, 0, -0.1, 0.05, 0, 0], FIXED_GRID.center).matrix
    )
    likeness = {}
    for name, start in (("right", hidden), ("wrong", HIDDEN)):
        network = Sleeper(torch.eye(4))
        next(PublishedSampler(network, WINDOW).steps(*pair(hidden), initial=start))
        likeness[name] = torch.corrcoef(network.seen[0][0].flatten(1))[0, 1].item()
    assert likeness["right"] > 0.998
    assert likeness["wrong"] < 0.99


def test_an_estimate_acts_in_mm_about_the_middle_of_the_fixed_foreground():
    estimate = Affine.exponential([0, 0, 0.5, 10, 0, 0, 0.1, 0, 0, 0, 0, 0])
    sampler = PublishedSampler(Sleeper(estimate.matrix), WINDOW, count=1, weights=Graded((1.0,)))
    fixed, moving = pair(HIDDEN)
    (step,) = sampler.steps(fixed, moving, initial=Affine.identity())
    assert_close(step.transform.matrix, estimate.about(center_of_mass(fixed)).matrix, atol=1e-4, rtol=1e-5)
    assert (step.index, step.phase, step.time) == (0, "diffusion", 0.0)


@pytest.mark.parametrize("method", ["steps", "corrected_steps", "averaged_steps"])
@pytest.mark.parametrize("options", [{}, {"count": 8}, {"count": 8, "weights": Graded(), "update": StraightUpdate}])
def test_a_translation_between_oblique_anisotropic_grids_is_found(method, options):
    sampler = PublishedSampler(Centroids(), WINDOW, **options)
    start = Affine.translation(MOVING_GRID.center - FIXED_GRID.center)
    steps = list(getattr(sampler, method)(*pair(HIDDEN), initial=start))
    assert_close(steps[-1].transform.matrix, HIDDEN.matrix, rtol=0, atol=0.5)
    assert [step.index for step in steps] == list(range(len(steps)))
    assert len(steps) == (2 if method == "corrected_steps" else 1) * len(sampler.times)
    assert steps[-1].time == 0


def test_the_network_is_told_the_falling_times_and_the_modality():
    network = Centroids()
    list(PublishedSampler(network, WINDOW, count=4, modality=2).steps(*pair(HIDDEN)))
    assert [(time, modality) for _, time, modality in network.seen] == [(65, 2), (49, 2), (33, 2), (17, 2)]


def test_a_run_resumed_in_the_middle_ends_like_the_whole_run():
    sampler = PublishedSampler(Centroids(), WINDOW, count=6)
    whole = list(sampler.steps(*pair(HIDDEN)))
    rest = list(sampler.steps(*pair(HIDDEN), initial=whole[2].transform, first=3))
    assert [step.index for step in rest] == [3, 4, 5]
    assert torch.equal(rest[-1].transform.matrix, whole[-1].transform.matrix)


def test_a_mirroring_estimate_does_not_mirror_the_image():
    sampler = PublishedSampler(Sleeper(torch.diag(torch.tensor([-1.0, 1.0, 1.0, 1.0]))), WINDOW, count=3)
    for step in sampler.steps(*pair(HIDDEN)):
        assert torch.linalg.det(step.transform.matrix[:3, :3]) > 0


def test_a_stored_model_is_sampled_in_its_own_window_and_noise(tmp_path):
    config = recipe(diffusion=replace(WINDOW, law="rigid", steps=20)).config
    network = AffineDenoiser(config.network)
    torch.nn.init.normal_(network.head.linear.weight, std=0.02)
    stored = Checkpoint("published-affine", to_dict(config), dict(network.state_dict()), {})
    save_checkpoint(tmp_path / "model.safetensors", stored)
    sampler = PublishedSampler(*load_published(str(tmp_path / "model.safetensors")), count=4)
    assert sampler.config == config.diffusion
    (*_, expected), (*_, found) = (
        made.steps(*pair(HIDDEN)) for made in (PublishedSampler(network, config.diffusion, count=4), sampler)
    )
    assert sampler.times == (20, 15, 10, 5)
    assert_close(found.transform.matrix, expected.transform.matrix)
    save_checkpoint(tmp_path / "other.safetensors", Checkpoint("pose", {}, {}, {}))
    with pytest.raises(CheckpointError):
        load_published(str(tmp_path / "other.safetensors"))


def test_the_law_of_a_configuration():
    published = WINDOW.build_law()
    assert isinstance(published, PublishedAffineLaw)
    assert_close(published.linear.step_std(), PublishedAffineLaw().linear.step_std())
    assert_close(published.shift.step_std(), PublishedAffineLaw().shift.step_std(), rtol=1e-4, atol=0)
    rigid = replace(WINDOW, law="rigid", steps=20, rotation=0.4).build_law()
    assert isinstance(rigid, LieAffineLaw)
    assert rigid.group is Group.RIGID
    assert_close(rigid.std(torch.tensor([20]))[0, :3], torch.full((3,), 0.4, dtype=torch.float64))


def recipe(corruptions: Corruptions = NOTHING, **changes) -> PublishedRecipe:
    fixed, _ = pair(Affine.identity())
    config = PublishedRecipeConfig(batch=6, corruptions=corruptions, diffusion=WINDOW, network=NETWORK)
    source = StoredVolumes.of([fixed, fixed], classes=[1, 2], size=30, spacing=6.0)
    return PublishedRecipe(replace(config, **changes), source=source)


@pytest.mark.parametrize("law", ["published", "rigid", "similarity", "affine"])
def test_the_target_takes_points_of_the_fixed_to_the_moving_window(law):
    images, times, _, target, _ = recipe(diffusion=replace(WINDOW, law=law)).draw(generator())
    points = WINDOW.window.points()
    moved = points.flatten(0, 2) @ target[:, :3, :3].mT + target[:, None, :3, 3]
    voxels = (moved / WINDOW.spacing + (WINDOW.size - 1) / 2).view(6, *points.shape)
    back = pull(images[:, 1:], voxels)
    before, after = ((images[:, :1] - other).abs().mean((1, 2, 3, 4)) for other in (images[:, 1:], back))
    large = times > 40
    assert large.any()
    assert (after[large] < 0.5 * before[large]).all()


def test_points_lie_on_the_fixed_object_and_batches_follow_the_generator():
    made = recipe(Corruptions.published())
    batch = made.draw(generator())
    assert [tuple(part.shape) for part in batch] == [(6, 2, 16, 16, 16), (6,), (6,), (6, 4, 4), (6, 64, 3)]
    assert batch[4].norm(dim=-1).mean() < 50
    for part, again in zip(batch, made.draw(generator()), strict=True):
        assert torch.equal(part, again)
    assert not torch.equal(batch[0], made.draw(generator(3))[0])


def test_classes_are_kept_or_dropped_by_the_asked_share():
    assert set(recipe(no_class=0.0).draw(generator())[2].tolist()) == {1, 2}
    assert set(recipe(no_class=1.0).draw(generator())[2].tolist()) == {0}


@pytest.mark.parametrize("loss", ["distance", "frobenius"])
def test_the_loss_reaches_the_network_and_reports_mm(loss):
    made = recipe(loss=loss)
    network = made.network()
    value, metrics = made.loss(network, *made.draw(generator()))
    value.backward()
    assert isinstance(network, AffineDenoiser)
    assert network.head.linear.weight.grad.abs().max() > 0
    assert metrics["start"] == pytest.approx(metrics["error"], rel=1e-4)  # an untrained network returns the identity
    assert metrics["start"] > 2


def test_the_mean_distance_and_the_frobenius_norm_by_hand():
    estimate, target = torch.eye(4)[None], torch.eye(4)[None].clone()
    target[0, :3, 3] = torch.tensor([3.0, 4.0, 0.0])
    points = torch.tensor([[[1.0, 2.0, 3.0], [0.0, -5.0, 8.0]]])
    assert mean_distance(estimate, target, points).item() == pytest.approx(5.0)
    assert frobenius(estimate, target, 10.0).item() == pytest.approx(0.5)
    target[0, 0, 0] += 1.0
    assert frobenius(estimate, target, 10.0).item() == pytest.approx(math.sqrt(1.25))
    assert mean_distance(estimate, target, points[:, :1]).item() == pytest.approx(math.hypot(4, 4))


def test_the_configuration_survives_json():
    config = recipe(loss="frobenius").config
    assert from_json(PublishedRecipeConfig, to_json(config)) == config


def test_synthetic_volumes_show_objects_of_the_pool_on_a_black_background():
    shares = torch.zeros(2, len(Tissue), 4, 6, 5, dtype=torch.uint8)
    shares[:, Tissue.CORTEX, 1:3, 1:3, 1:3] = 255
    shares[1, Tissue.WHITE_INNER, 1:3, 3:5, 1:3] = 255
    nowhere = torch.zeros(2, 1, 3)
    synthetic = SyntheticVolumes(TissuePool(shares, Grid((5, 6, 4), (9.0, 9.0, 9.0)), nowhere, nowhere))
    stored = StoredVolumes.drawn(synthetic, 30, generator=generator())
    assert stored.values.shape[1:] == (1, 4, 6, 5)
    assert len(stored.values) == len(stored.classes) == 30
    assert stored.values.dtype == torch.float16
    assert stored.values[..., 0].abs().max() == 0
    assert 0 < stored.values.max() <= 1
    assert len(stored.values[:, 0, 1, 1, 1].unique()) > 20  # contrasts differ
    images, classes = stored.draw(7, generator=generator())
    assert images.dtype == torch.float32
    assert classes.tolist() == [0] * 7


def test_training_on_no_volumes_or_a_constant_one_is_refused():
    with pytest.raises(VolumeError, match="at least one"):
        StoredVolumes.of([])
    with pytest.raises(VolumeError, match=r"2\. training image is constant"):
        StoredVolumes.of([pair(HIDDEN)[0], Volume(np.ones(FIXED_GRID.shape), FIXED_GRID)])


def test_stored_volumes_lie_about_the_middle_of_their_grid():
    made = recipe()
    image = made.source.values[0, 0].float()
    mask = image > 0.05
    middle = voxel_centers(made.source.grid)[mask].mean(0)
    assert image.max() == 1
    assert middle.norm() < 4
    assert made.source.grid.map(np.zeros(3), Frame.RAS, Frame.VOXEL) == pytest.approx([14.5] * 3)


@pytest.mark.parametrize("change", [{"batch": 0}, {"heads": 0}, {"volumes": 0}, {"shapes": -1}, {"remapped": 2.0}])
def test_a_recipe_out_of_range_is_refused_by_name(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        PublishedRecipeConfig(**change)


def test_it_learns_from_images_of_the_user_whose_modalities_are_its_classes(tmp_path):
    recipe, _, card = configure("published-affine", [f"data={write_balls(tmp_path)}", "batch=3", "diffusion.size=16"])
    assert "own folder" in card["data"]
    assert card["license"] == "that of the images"
    assert sorted(recipe.source.classes.tolist()) == [0, 0, 1]  # the last ball lies in the folder "late"
    assert recipe.config.network.classes == 1
    assert recipe.config.data is None
    images, _, classes, target, points = recipe.draw(generator())
    assert images.shape == (3, 2, 16, 16, 16)
    assert set(classes.tolist()) <= {0, 1}
    assert float(mean_distance(target, target, points)) == 0
