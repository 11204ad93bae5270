"""The reverse process of poses, its network and its recipe."""

import pytest
import torch

from DiffusionCore.affine.pose import GRADED, PoseFrame, best_start, nearest_pose, pose_steps, render, start_poses
from DiffusionCore.networks.pose_network import PoseNetwork, PoseNetworkConfig
from DiffusionCore.space import Frame, Grid
from DiffusionCore.training.pose import PoseRecipeConfig, draw_poses, pose_errors
from DiffusionCore.transforms.affine import Affine, algebra_matrix, algebra_parameters, logarithm

OBLIQUE = Affine.exponential([0.4, -0.3, 0.6, 0, 0, 0]).matrix[:3, :3].tolist()
GRID = Grid((20, 26, 17), (2.0, 1.5, 3.1), (-30.0, 12.0, 44.0), OBLIQUE)
FRAME = PoseFrame(8, 6.0)


def hidden_poses() -> torch.Tensor:
    turns = torch.tensor([[0.3, 0.2, -0.1], [1.9, -1.2, 0.8]], dtype=torch.float64)
    rest = torch.tensor([9.0, -14.0, 22.0, 0.1, -0.15, 0.05, 0.02, 0.03, -0.01], dtype=torch.float64)
    return torch.linalg.matrix_exp(algebra_matrix(torch.cat([turns, rest.expand(2, 9)], 1)))


def poses_of_perfect_predictor(fractions: tuple[float, ...], hidden: torch.Tensor) -> list[torch.Tensor]:
    """Return the states of a run whose predictor knows the hidden poses."""
    trace = [start_poses(torch.tensor([[5.0, 6.0, 7.0], [-20.0, 0.0, 3.0]], dtype=torch.float64))]
    image = torch.ones(1, 1, *GRID.shape)
    for poses in pose_steps(
        lambda windows: torch.linalg.inv(trace[-1]) @ hidden, image, GRID, trace[0], FRAME, fractions
    ):
        trace.append(poses)
    return trace


@pytest.mark.parametrize("fractions", [GRADED, (1.0,), (0.2, 0.9, 1.0), (0.05,) * 20 + (1.0,)])
def test_a_perfect_predictor_recovers_the_hidden_pose_at_any_step_list(fractions):
    hidden = hidden_poses()
    assert torch.allclose(poses_of_perfect_predictor(fractions, hidden)[-1], hidden, atol=1e-8)


def test_each_step_leaves_its_share_of_the_logarithm():
    hidden = hidden_poses()
    trace = poses_of_perfect_predictor((0.3, 0.5), hidden)
    before, after = (algebra_parameters(logarithm(torch.linalg.inv(trace[n]) @ hidden)) for n in (0, 2))
    assert torch.allclose(after, 0.7 * 0.5 * before, atol=1e-8)


def test_the_window_shows_the_image_where_the_pose_puts_it():
    k, j, i = torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in GRID.shape), indexing="ij")
    voxels = torch.stack([i, j, k], -1)
    ras = torch.from_numpy(GRID.map(voxels.numpy(), Frame.VOXEL, Frame.RAS))
    image = (3 + ras @ torch.tensor([0.2, -0.5, 0.7], dtype=torch.float64)).float()[None, None]
    pose = start_poses(torch.from_numpy(GRID.center)[None], torch.tensor(OBLIQUE, dtype=torch.float64)[None])
    small = PoseFrame(4, 5.0)
    shown = Affine(pose[0]).map(small.points().double())
    expected = 3 + shown @ torch.tensor([0.2, -0.5, 0.7], dtype=torch.float64)
    assert torch.allclose(render(image, GRID, pose, small)[0, 0].double(), expected, atol=1e-4)


def test_a_predicted_reflection_or_collapse_becomes_a_proper_pose():
    matrices = torch.eye(4, dtype=torch.float64).repeat(3, 1, 1)
    matrices[0, 0, 0] = -1.0
    matrices[1, :3, :3] *= 1e-6
    proper = nearest_pose(matrices)
    assert (torch.linalg.det(proper[:, :3, :3]) > 0.1).all()
    assert torch.allclose(proper[2], matrices[2], atol=1e-12)


def test_an_untrained_network_predicts_the_identity():
    images = torch.rand(3, 1, 16, 16, 16)
    poses = PoseNetwork(PoseNetworkConfig(size=16, widths=(8, 8, 16), hidden=8))(images)
    assert torch.equal(poses, torch.eye(4).expand(3, 4, 4))


def test_the_default_network_keeps_its_1_399_180_parameters():
    assert sum(p.numel() for p in PoseNetwork(PoseNetworkConfig()).parameters()) == 1_399_180


def test_an_error_that_both_poses_of_a_pair_share_cancels_between_them():
    truth, shared = hidden_poses(), Affine.exponential([0.1, 0.0, 0.2, 4.0, 5.0, 6.0]).matrix
    points = 40 * torch.randn(2, 50, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    points[1] = points[0]
    error, relative = pose_errors(truth @ shared, truth, points)
    assert error > 5
    assert relative < 1e-9


def test_cuts_leave_at_least_half_of_the_object_and_the_window_at_its_middle():
    points = 40 * torch.randn(64, 400, 3, generator=torch.Generator().manual_seed(0))
    poses = draw_poses(points, cut=1.0, generator=torch.Generator().manual_seed(1))
    placed = points @ poses.matrices[:, :3, :3].mT + poses.matrices[:, None, :3, 3]
    visible = (placed * poses.cuts[:, None, :3]).sum(-1) >= poses.cuts[:, 3:]
    assert visible.float().mean(1).min() > 0.49
    assert visible.float().mean() < 0.85
    assert (torch.linalg.det(poses.matrices[:, :3, :3]) > 0).all()


@pytest.mark.parametrize(
    "change", [{"size": 20}, {"size": 0}, {"spacing": 0.0}, {"widths": (32, 60, 128)}, {"hidden": 0}]
)
def test_a_network_that_cannot_be_built_is_refused_by_its_configuration(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        PoseNetworkConfig(**change)


@pytest.mark.parametrize(
    "change", [{"pairs": 0}, {"heads": 0}, {"cut": 1.2}, {"whole_heads": -0.1}, {"relative": -1.0}]
)
def test_a_recipe_out_of_range_is_refused_by_name(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        PoseRecipeConfig(**change)


def test_the_restart_with_the_least_misfit_is_taken():
    rotations = torch.linalg.matrix_exp(algebra_matrix(torch.rand(4, 12, dtype=torch.float64)))[:, :3, :3]
    left = torch.eye(4).repeat(4, 1, 1)
    left[:, 0, 3] = torch.tensor([25.0, -15.0, 0.0, 45.0])
    center = torch.from_numpy(GRID.center)
    start = best_start(one_and_others(left), torch.ones(1, 1, *GRID.shape), GRID, center, rotations, FRAME)
    assert torch.allclose(start[0], start_poses(center, rotations[2]))


def test_the_first_start_is_kept_unless_another_one_is_clearly_better():
    rotations = torch.linalg.matrix_exp(algebra_matrix(torch.rand(3, 12, dtype=torch.float64)))[:, :3, :3]
    left = torch.eye(4).repeat(3, 1, 1)
    left[:, 1, 3] = torch.tensor([25.0, 22.5, 20.5])
    center = torch.from_numpy(GRID.center)
    start = best_start(one_and_others(left), torch.ones(1, 1, *GRID.shape), GRID, center, rotations, FRAME)
    assert torch.allclose(start[0], start_poses(center, rotations[0]))


def test_no_other_start_is_tried_where_the_first_one_finds_the_pose():
    def predict(windows):
        assert len(windows) == 1
        return left

    left, center = torch.eye(4)[None], torch.from_numpy(GRID.center)
    rotations = torch.linalg.matrix_exp(algebra_matrix(torch.rand(3, 12, dtype=torch.float64)))[:, :3, :3]
    start = best_start(predict, torch.ones(1, 1, *GRID.shape), GRID, center, rotations, FRAME)
    assert torch.allclose(start[0], start_poses(center, rotations[0]))


def test_a_single_start_is_not_tried():
    center, one = torch.from_numpy(GRID.center), torch.eye(3, dtype=torch.float64)[None]
    start = best_start(None, torch.ones(1, 1, *GRID.shape), GRID, center, one, FRAME)
    assert torch.equal(start[0], start_poses(center))


def one_and_others(left):
    """Return what predicts the first of ``left`` for one window, and the others for several."""
    return lambda windows: left[:1] if len(windows) == 1 else left[1:]
