"""The field that a network sees between two volumes: where it lies, what the network is shown, what is recovered."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from strategies import oblique_grid
from torch.testing import assert_close

from DiffusionCore.affine.account import StepAccount
from DiffusionCore.affine.foreground import extent, working_volume
from DiffusionCore.affine.pair import WorkingPair
from DiffusionCore.affine.steps import Step
from DiffusionCore.checks import CheckpointError
from DiffusionCore.config import to_dict
from DiffusionCore.deformable.learned import (
    LearnedField,
    LearnedSettings,
    Precision,
    field_steps,
    load_learned,
    seen_grid,
    velocity_grid,
)
from DiffusionCore.deformable.pair_images import pair_images
from DiffusionCore.deformable.pipeline import DeformableSettings
from DiffusionCore.deformable.settings import RefinementSettings
from DiffusionCore.losses import local_correlation
from DiffusionCore.metrics import point_error
from DiffusionCore.networks.precision import fastest_precision
from DiffusionCore.networks.published_voxelmorph import PublishedVoxelMorph, PublishedVoxelMorphConfig
from DiffusionCore.networks.voxelmorph import VoxelMorph, VoxelMorphConfig
from DiffusionCore.registration import register
from DiffusionCore.space import Frame, Grid, Volume
from DiffusionCore.storage.checkpoint import Checkpoint, save_checkpoint
from DiffusionCore.training.field_pairs import FieldPairsConfig, draw_field_pairs
from DiffusionCore.training.head_pool import draw_head_pool
from DiffusionCore.training.voxelmorph import VoxelMorphRecipeConfig
from DiffusionCore.transforms import Affine, Chain, Velocity, resample, voxel_centers
from DiffusionCore.transforms.displacement import ras_vectors, sample_field, voxel_vectors

FIXED_GRID = oblique_grid((44, 36, 30), (4.0, 4.5, 5.0))
START = Affine.exponential([0.5, -0.3, 0.4, 30.0, -20.0, 10.0, 0.1, 0.0, -0.05, 0.0, 0.02, 0.0])
SMALL = VoxelMorphConfig(widths=(8, 16))


def textured(grid: Grid) -> Volume:
    """A ball with smooth texture on black."""
    texture = gaussian_filter(np.random.default_rng(4).normal(size=grid.shape), 1.5)
    points = grid.map(np.moveaxis(np.indices(grid.shape)[::-1], 0, -1), Frame.VOXEL, Frame.RAS)
    inside = np.linalg.norm(points - grid.center, axis=-1) < 62
    return Volume((inside * (1 + 3 * np.clip(texture / texture.std() / 6, -0.25, 0.5))).astype(np.float32), grid)


def hidden_velocity() -> Velocity:
    """Some mm along each axis, within the ball, on a grid of its own."""
    grid = Grid((17, 15, 16), (12.0, 12.0, 12.0)).with_center(tuple(FIXED_GRID.center))
    points = grid.map(np.moveaxis(np.indices(grid.shape)[::-1], 0, -1), Frame.VOXEL, Frame.RAS) - grid.center
    weight = np.exp(-((points / 40) ** 2).sum(-1))
    return Velocity(torch.from_numpy(weight * np.array([6.0, -9.0, 7.0])[:, None, None, None]), grid)


def moving_volume(fixed: Volume) -> Volume:
    """Return the volume with moving(START(exp(v)(x))) = fixed(x), on a grid of its own."""
    x, y, z = START.map(torch.from_numpy(FIXED_GRID.center)).tolist()
    grid = Grid((50, 52, 48), (4.0, 3.5, 4.0)).with_center((x, y, z))
    return resample(fixed, grid, hidden_velocity().inverse() @ START.inverse())


FIXED = textured(FIXED_GRID)
MOVING = moving_volume(FIXED)
SPACING = 4.0 * extent(FIXED).radius / 75
SEEN = seen_grid(working_volume(FIXED, SPACING), SPACING)


def hidden_on(grid: Grid) -> torch.Tensor:
    """Return the hidden velocity at the voxels of ``grid``, (3, K, J, I), RAS mm."""
    return sample_field(hidden_velocity().vectors, hidden_velocity().grid, voxel_centers(grid)).movedim(-1, 0).float()


class Oracle(torch.nn.Module):
    """A perfect network of the hidden velocity; each time it gives the ``share`` of what is left."""

    config = SMALL

    def __init__(self, share: float, stride: int = 2):
        super().__init__()
        self.share, self.stride, self.left, self.seen = share, stride, 1.0, []

    def forward(self, images):
        self.seen.append(images)
        found, self.left = self.share * self.left, (1 - self.share) * self.left
        grid = velocity_grid(SEEN, self.stride)
        return found * voxel_vectors(hidden_on(grid), grid)[None]


def estimates(network, passes: int = 3, precision: Precision = Precision.FLOAT32) -> list[Velocity]:
    field = LearnedField(network, 4.0, passes=passes, precision=precision)
    return [estimate.velocity for estimate in field.estimates(FIXED, MOVING, START)][1:]


@pytest.mark.parametrize(("share", "stride"), [(1.0, 2), (0.6, 2), (1.0, 1)])
def test_a_perfect_network_recovers_the_hidden_field_of_oblique_volumes_in_mm(share, stride):
    oracle = Oracle(share, stride)
    found = estimates(oracle)
    wanted = hidden_on(found[-1].grid)
    for number, velocity in enumerate(found, start=1):
        assert_close(velocity.vectors, (1 - (1 - share) ** number) * wanted, atol=1e-3, rtol=1e-3)
    points = voxel_centers(FIXED_GRID)[::3, ::3, ::3].reshape(-1, 3)
    points = points[(points - torch.from_numpy(FIXED_GRID.center)).norm(dim=-1) < 55]
    truth = (START @ hidden_velocity()).map(points)
    left = ((START @ found[-1]).map(points) - truth).norm(dim=-1)
    assert (START.map(points) - truth).norm(dim=-1).max() > 9
    assert left.mean() < 0.1 + 5 * (1 - share) ** 3  # the grids differ, so do the interpolated exponentials


def test_each_pass_sees_the_images_as_warped_so_far():
    oracle = Oracle(0.7)
    estimates(oracle)
    alike = [local_correlation(seen[:, :1], seen[:, 1:2], floor=1e-3).item() for seen in oracle.seen]
    assert alike[0] < alike[1] < alike[2]
    assert alike[2] > alike[0] + 0.04
    assert [tuple(seen.shape) for seen in oracle.seen] == [(1, 5, *SEEN.shape)] * 3
    assert torch.equal(oracle.seen[0][:, :1], oracle.seen[2][:, :1])


def phase(network, passes: int = 3) -> list[Step]:
    account = StepAccount(WorkingPair(FIXED, MOVING, (8.0, 4.0)), generator=torch.Generator().manual_seed(0))
    field = LearnedField(network, 4.0, passes=passes, precision=Precision.FLOAT32)
    return list(field_steps(field, FIXED, MOVING, START, account))


def test_every_pass_is_a_step_and_the_images_become_more_alike():
    steps = phase(Oracle(0.7))
    assert [(step.index, step.phase) for step in steps] == [(0, "field"), (1, "field"), (2, "field")]
    assert [step.time for step in steps] == pytest.approx([2 / 3, 1 / 3, 0.0])
    information = [step.metrics["mutual_information"] for step in steps]
    assert information[0] < information[1] < information[2]


class Fickle(Oracle):
    """It gives half of the hidden velocity, and then the opposite of all that is left."""

    def forward(self, images):
        self.share = 0.5 if not self.seen else -1.0
        return super().forward(images)


def test_the_first_pass_that_makes_the_images_no_more_alike_is_refused_and_ends_the_phase():
    (only,) = phase(Oracle(-1.0))
    assert only.transform is START
    first, last = phase(Fickle(0.5))
    assert last.transform is first.transform
    assert isinstance(first.transform, Chain)
    assert (first.time, last.time) == pytest.approx((2 / 3, 0.0))


def stored(path: Path, network=None) -> str:
    """Store an untrained network, which moves nothing, or another one, and return its path."""
    network = network or VoxelMorph(SMALL)
    config = VoxelMorphRecipeConfig(network=network.config, pairs=FieldPairsConfig(spacing=6.0))
    kind = "voxelmorph" if isinstance(network, VoxelMorph) else "published-voxelmorph"
    save_checkpoint(path, Checkpoint(kind, to_dict(config), network.state_dict(), {}))
    return str(path)


def test_a_deformable_registration_has_the_field_between_the_affine_and_the_refinement(tmp_path):
    learned = LearnedSettings(stored(tmp_path / "model.safetensors"), passes=2)
    refinement = RefinementSettings(spacing=6.0, iterations=(2, 2), show_every=2)
    settings = DeformableSettings(affine=None, learned=learned, refinement=refinement)
    found = register(FIXED, MOVING, settings, initial_transform=START)
    phases = [step.phase for step in found.steps]
    assert phases == ["start", "field", "refine", "refine"]  # an untrained network moves nothing, which is no gain
    assert len(phases) == settings.expected_steps() - 1
    deformed = replace(found.steps[1], transform=START @ hidden_velocity())
    resumed = register(FIXED, MOVING, settings, after=deformed)
    assert [step.phase for step in resumed.steps] == ["refine", "refine"]
    alone = register(FIXED, MOVING, replace(settings, refinement=None), initial_transform=START)
    assert [step.phase for step in alone.steps] == ["start", "field"]
    assert alone.transform is START


def test_the_seen_grid_holds_the_foreground_along_the_axes_of_the_body():
    assert SEEN.direction == Grid((1, 1, 1)).direction
    assert all(n % 2 == 0 for n in SEEN.size)
    inside = voxel_centers(FIXED_GRID)[torch.from_numpy(FIXED.values > 0)]
    voxels = SEEN.map(inside.numpy(), Frame.RAS, Frame.VOXEL)
    assert voxels.min() > 1
    assert (voxels.max(0) < np.array(SEEN.size) - 2).all()


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_a_voxel_of_the_velocity_holds_those_of_the_images_from_the_same_border_on(stride):
    grid = oblique_grid((23, 30, 20))
    coarse = velocity_grid(grid, stride)
    assert coarse.size == tuple(-(-n // stride) for n in grid.size)
    corner = grid.map([-0.5, -0.5, -0.5], Frame.VOXEL, Frame.RAS)
    assert coarse.map([-0.5, -0.5, -0.5], Frame.VOXEL, Frame.RAS) == pytest.approx(corner)
    assert coarse.spacing == pytest.approx([stride * s for s in grid.spacing])


def test_the_force_points_from_where_an_image_is_to_where_the_other_one_has_it():
    position = torch.arange(16.0)
    ball = torch.exp(-((position[:, None, None] - 8) ** 2 + (position[:, None] - 8) ** 2 + (position - 8) ** 2) / 12)
    fixed, moving = ball[None, None], ball.roll(2, 1)[None, None]
    images = pair_images(fixed, moving, 5)
    along_j = (images[:, 3] * ball).sum()
    assert along_j > 5 * abs((images[:, 2] * ball).sum())
    assert along_j > 5 * abs((images[:, 4] * ball).sum())
    assert images[:, 2:].square().mean() == pytest.approx(1.0, rel=1e-3)
    assert_close(pair_images(moving, fixed, 5)[:, 2:], -images[:, 2:], atol=1e-4, rtol=1e-4)
    assert torch.equal(pair_images(fixed, moving, None), torch.cat([fixed, moving], 1))
    assert not pair_images(torch.ones_like(fixed), torch.ones_like(fixed), 5)[:, 2:].any()


@pytest.mark.parametrize(
    "network", [VoxelMorph(SMALL), *(PublishedVoxelMorph(PublishedVoxelMorphConfig(f)) for f in ("paper", "reference"))]
)
def test_a_stored_model_is_used_at_the_spacing_of_its_training(tmp_path, network):
    path = stored(tmp_path / "model.safetensors", network)
    field = load_learned(LearnedSettings(path, passes=2, precision=Precision.FLOAT32))
    *_, found = (estimate.velocity for estimate in field.estimates(FIXED, MOVING, START))
    assert found.grid.spacing == pytest.approx([6.0 * extent(FIXED).radius / 75 * network.stride] * 3)
    assert found.vectors.abs().max() < 0.1  # an untrained network moves nothing


def test_a_model_of_another_kind_is_refused(tmp_path):
    save_checkpoint(tmp_path / "pose.safetensors", Checkpoint("pose", {}, {}, {}))
    with pytest.raises(CheckpointError, match=r"of the kind 'pose'.*voxelmorph"):
        load_learned(LearnedSettings(str(tmp_path / "pose.safetensors")))


def test_the_precision_is_measured_once_and_changes_the_field_little():
    measured = fastest_precision(torch.device("cpu"))
    assert measured in (torch.float32, torch.bfloat16)
    assert fastest_precision(torch.device("cpu")) is measured
    torch.manual_seed(1)
    network = VoxelMorph(SMALL)
    torch.nn.init.normal_(network.velocity.weight, std=0.05)
    single, half = (estimates(network, 1, p)[0].vectors for p in (Precision.FLOAT32, Precision.BFLOAT16))
    assert (half - single).abs().mean() < 0.05 * single.abs().mean()


def test_no_passes_are_refused():
    with pytest.raises(ValueError, match="passes"):
        LearnedSettings(passes=0)


def test_the_shipped_network_finds_a_part_of_deformations_that_it_never_saw():
    pool = draw_head_pool(1, generator=torch.Generator().manual_seed(123))
    config = FieldPairsConfig(deviation=(2.5, 2.5))
    pairs = draw_field_pairs(pool, config, 2, generator=torch.Generator().manual_seed(1))
    coarse = velocity_grid(config.grid, 2)
    field = load_learned(LearnedSettings(passes=2))
    for fixed, moving, velocity in zip(pairs.fixed, pairs.moving, pairs.velocities, strict=True):
        truth = Velocity(ras_vectors(velocity, coarse), coarse)
        points = voxel_centers(config.grid)[fixed[0] > 0]
        volumes = (Volume(image[0].numpy(), config.grid) for image in (fixed, moving))
        start, *_, last = field.estimates(*volumes, Affine.identity())
        before, after = (point_error(each.velocity, truth, points).mean() for each in (start, last))
        assert after < 0.9 * before
