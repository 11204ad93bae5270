"""Affine maps: a group, its algebra, and where the logarithm ends."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.linalg import logm
from scipy.spatial.transform import Rotation
from strategies import affines, grids, oblique_grid, points, seeds
from torch.testing import assert_close

from DiffusionCore.checks import GeometryError
from DiffusionCore.space import Frame
from DiffusionCore.transforms import Affine, Chain, Group, voxel_centers
from DiffusionCore.transforms.affine import algebra_matrix, algebra_parameters, logarithm, map_points

CENTER = (12.0, -30.0, 55.0)


def test_a_translation_moves_by_its_millimeters():
    moved = Affine.translation((1, 2, 3)).map(torch.tensor([[10.0, 20.0, 30.0]]))
    assert_close(moved, torch.tensor([[11.0, 22.0, 33.0]]))


def test_a_positive_rotation_turns_right_to_anterior_about_superior():
    quarter = Affine.exponential([0, 0, np.pi / 2, 0, 0, 0])
    assert_close(quarter.map(torch.tensor([1.0, 0.0, 0.0])), torch.tensor([0.0, 1.0, 0.0]))


@given(affines(), affines(), points())
def test_the_right_operand_acts_first(outer, inner, x):
    assert_close((outer @ inner).map(x), outer.map(inner.map(x)))
    assert_close(Chain.of(outer, inner).map(x), outer.map(inner.map(x)))


@given(affines(), affines(), points())
def test_the_inverse_undoes_the_map(first, second, x):
    for transform in (first, Chain.of(first, second)):
        assert_close(transform.inverse().map(transform.map(x)), x)


@given(st.sampled_from(Group).flatmap(lambda group: st.tuples(st.just(group), affines(group))))
def test_the_exponential_undoes_the_logarithm(case):
    group, transform = case
    for center in ((0.0, 0.0, 0.0), CENTER):
        parameters = transform.logarithm(center, group)
        assert parameters.shape == (group,)
        assert_close(Affine.exponential(parameters, center).matrix, transform.matrix, atol=1e-7, rtol=1e-9)


@given(affines())
def test_the_logarithm_is_that_of_scipy(transform):
    reference = logm(transform.matrix.numpy())
    assume(abs(reference.imag).max() < 1e-9)
    assert_close(logarithm(transform.matrix), torch.from_numpy(reference.real), atol=1e-6, rtol=1e-8)


@given(affines(), affines(Group.RIGID))
def test_logarithms_of_a_batch_are_those_of_its_members(first, second):
    batch = torch.stack([first.matrix, second.matrix])
    assert_close(logarithm(batch), torch.stack([logarithm(first.matrix), logarithm(second.matrix)]))


@given(seeds, st.sampled_from(Group))
def test_parameters_return_from_their_matrix(seed, group):
    parameters = torch.from_numpy(np.random.default_rng(seed).normal(size=(5, group)))
    assert_close(algebra_parameters(algebra_matrix(parameters), group), parameters)


@given(affines())
def test_the_whole_fraction_is_the_transform_and_two_halves_make_it(transform):
    half = transform.fraction(0.5, CENTER)
    assert_close(transform.fraction(1.0, CENTER).matrix, transform.matrix, atol=1e-7, rtol=1e-9)
    assert_close((half @ half).matrix, transform.matrix, atol=1e-7, rtol=1e-9)
    assert_close(transform.fraction(0.0, CENTER).matrix, torch.eye(4, dtype=torch.float64), atol=1e-9, rtol=0)


@given(seeds, st.sampled_from(Group))
def test_the_center_stays_where_no_velocity_moves_it(seed, group):
    parameters = np.random.default_rng(seed).normal(size=group) * 0.3
    parameters[3:6] = 0
    center = torch.tensor(CENTER, dtype=torch.float64)
    assert_close(Affine.exponential(parameters, CENTER).map(center), center)


@given(st.one_of(grids(), st.just(oblique_grid(spacing=(1.0, 1.0, 3.0)))), affines(Group.RIGID))
def test_rigid_keeps_millimeters_on_any_grid(grid, transform):
    corners = torch.from_numpy(grid.corners())
    assert_close(torch.pdist(transform.map(corners)), torch.pdist(corners))


@given(affines(Group.SIMILARITY))
def test_similarity_scales_all_distances_alike(transform):
    corners = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 3]], dtype=torch.float64)
    ratio = torch.pdist(transform.map(corners)) / torch.pdist(corners)
    assert_close(ratio, ratio[:1].expand(6))
    assert_close(ratio[0] ** 3, torch.linalg.det(transform.matrix[:3, :3]))


@given(grids())
def test_voxel_centers_are_those_of_the_grid(grid):
    index = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), -1)[..., ::-1]
    expected = torch.from_numpy(grid.map(index, Frame.VOXEL, Frame.RAS))
    assert_close(voxel_centers(grid), expected, atol=1e-9, rtol=0)
    assert_close(voxel_centers(grid, slice(1, 2)), expected[1:2], atol=1e-9, rtol=0)


@given(affines(), grids())
def test_the_displacement_on_a_grid_is_the_way_of_its_voxels(transform, grid):
    x = voxel_centers(grid)
    vectors = transform.displacement_on(grid)
    assert vectors.dtype == torch.float32
    assert_close(vectors.double().movedim(0, -1), transform.map(x) - x, atol=1e-3, rtol=1e-6)


@pytest.mark.parametrize("angle", [90.0, 170.0, 179.0, 179.9])
def test_the_logarithm_of_a_rotation_reaches_almost_to_180_degrees(angle):
    matrix = np.eye(4)
    turn = np.radians(angle) * np.array([0.6, 0.0, 0.8])
    matrix[:3, :3] = Rotation.from_rotvec(turn).as_matrix()
    assert_close(Affine(matrix).logarithm()[:3], torch.from_numpy(turn), atol=1e-8, rtol=0)


@pytest.mark.parametrize("diagonal", [(-1, -1, 1, 1), (-1, 1, 1, 1), (-2, -1, 1, 1), (-1, -1, -1, 1)])
def test_reflections_and_half_turns_have_no_logarithm(diagonal):
    with pytest.raises(GeometryError, match="no real logarithm"):
        Affine(np.diag(np.array(diagonal, float))).logarithm()


@pytest.mark.parametrize(
    "matrix",
    [np.diag([1.0, 0.0, 1.0, 1.0]), np.full((4, 4), np.nan), np.diag([1.0, 1.0, 1.0, 2.0])],
)
def test_a_matrix_that_is_no_affine_map_is_refused(matrix):
    with pytest.raises(GeometryError):
        Affine(matrix)


def test_a_wrong_number_of_parameters_is_an_error_of_the_caller():
    with pytest.raises(ValueError, match="6, 7 or 12"):
        Affine.exponential(np.zeros(9))


def test_an_affine_is_a_value_apart_from_what_it_was_made_of():
    matrix = torch.eye(4, dtype=torch.float64)
    transform = Affine(matrix)
    matrix[0, 3] = 5
    assert transform.matrix[0, 3] == 0


@given(affines(), affines(), points())
def test_many_matrices_map_points_of_their_own_or_shared_ones_as_each_alone_does(first, second, x):
    x = x.reshape(-1, 3)
    both = torch.stack([first.matrix, second.matrix])
    alone = torch.stack([first.map(x), second.map(x)])
    assert_close(map_points(both, x), alone)
    assert_close(map_points(torch.linalg.inv(both), alone), x.expand_as(alone), atol=1e-6, rtol=0)


def test_gradients_reach_the_parameters():
    parameters = torch.randn(2, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    assert torch.autograd.gradcheck(lambda p: torch.linalg.matrix_exp(algebra_matrix(p)), (parameters,))
