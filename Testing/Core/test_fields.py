"""Displacement and velocity fields: between voxels, outside, inverse, exponential, Jacobian."""

import logging

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from hypothesis import given
from strategies import affines, grids, oblique_grid, points, seeds, smooth_vectors
from torch.testing import assert_close

from DiffusionCore.checks import GeometryError
from DiffusionCore.space import Frame, Grid
from DiffusionCore.transforms import Affine, Chain, Displacement, Velocity, jacobian_determinant, voxel_centers
from DiffusionCore.transforms.displacement import ras_vectors, voxel_vectors
from DiffusionCore.transforms.folding import folded_cells, folded_share
from DiffusionCore.transforms.velocity import exponential

GRID = oblique_grid()


def within(grid, count=400, margin=1.0, seed=0):
    """Random points of ``grid``, ``margin`` voxels or more from its outer voxel centers, RAS mm."""
    size = np.array(grid.size) - 1 - 2 * margin
    voxels = np.random.default_rng(seed).uniform(size=(count, 3)) * size + margin
    return torch.from_numpy(grid.map(voxels, Frame.VOXEL, Frame.RAS))


def worst(a, b):
    return float((a - b).norm(dim=-1).max())


@given(grids(smallest=3), affines(translation=5.0), seeds)
def test_a_field_of_an_affine_is_the_affine_between_the_voxels(grid, affine, seed):
    x = within(grid, margin=0.0, seed=seed)
    assert_close(Displacement.of(affine, grid).map(x), affine.map(x), atol=2e-3, rtol=0)


def test_off_the_voxels_a_field_is_that_of_itk():
    vectors = smooth_vectors(GRID, 6.0) + torch.tensor([3.0, -2.0, 1.0])[:, None, None, None]
    mirror = np.diag([-1.0, -1.0, 1.0])
    lps = np.ascontiguousarray(vectors.movedim(0, -1).double().numpy() @ mirror)
    image = sitk.GetImageFromArray(lps, isVector=True)
    image.SetSpacing(GRID.spacing)
    image.SetOrigin(mirror @ GRID.origin)
    image.SetDirection((mirror @ np.array(GRID.direction)).ravel())
    itk = sitk.DisplacementFieldTransform(image)
    voxels = np.random.default_rng(1).uniform(-0.2, 1.2, (500, 3)) * GRID.size
    x = GRID.map(voxels, Frame.VOXEL, Frame.RAS)
    expected = np.array([itk.TransformPoint(p) for p in x @ mirror]) @ mirror
    assert_close(Displacement(vectors, GRID).map(torch.from_numpy(x)), torch.from_numpy(expected), atol=1e-4, rtol=0)


def test_the_zero_ring_changes_nothing_within_and_ends_softly():
    field = Displacement(torch.ones(3, *GRID.shape), GRID)
    ringed = field.with_zero_ring()
    x = within(GRID, margin=0.0)
    assert_close(ringed.map(x), field.map(x), atol=1e-5, rtol=0)
    half_out = torch.from_numpy(GRID.map((-0.5, 5.0, 5.0), Frame.VOXEL, Frame.RAS))
    assert_close(ringed.map(half_out) - half_out, torch.full((3,), 0.5, dtype=torch.float64), atol=1e-5, rtol=0)
    assert ringed.vectors[:, 0].abs().max() == 0
    assert ringed.vectors[..., -1].abs().max() == 0


@pytest.mark.parametrize("longest", [0.5, 4.0, 7.0])
def test_the_inverse_of_a_displacement_undoes_it_within_its_tolerance(longest):
    field = Displacement.of(Velocity(smooth_vectors(GRID, longest), GRID), GRID)
    x = voxel_centers(GRID)
    tolerance = 0.01 * max(GRID.spacing)
    assert worst(field.map(field.inverse().map(x)), x) < tolerance + 1e-4


def test_an_expansion_beyond_two_has_its_inverse():
    away = (voxel_centers(GRID) - torch.from_numpy(GRID.center)).movedim(-1, 0)
    bump = torch.exp(-0.5 * (away.norm(dim=0) / 3.0) ** 2)
    field = Displacement(1.6 * away * bump, GRID)
    assert float(jacobian_determinant(field, GRID).max()) > 2.0**3
    x = voxel_centers(GRID)
    assert worst(field.map(field.inverse().map(x)), x) < 0.01 * max(GRID.spacing) + 1e-4


def test_the_inverse_of_a_folded_field_says_so(caplog):
    vectors = torch.zeros(3, *GRID.shape)
    vectors[0, :, :, ::2] = 15.0
    with caplog.at_level(logging.WARNING):
        Displacement(vectors, GRID).inverse(iterations=10)
    assert "folds" in caplog.text


def test_velocities_of_opposite_sign_undo_each_other():
    velocity = Velocity(smooth_vectors(GRID, 3.0, width=5.0), GRID)
    x = within(GRID)
    assert worst(velocity.map(x), x) > 2.0
    assert worst(velocity.inverse().map(velocity.map(x)), x) < 0.05 * min(GRID.spacing)
    assert torch.equal(velocity.inverse().inverse().vectors, velocity.vectors)


def test_the_exponential_of_a_linear_field_is_that_of_its_matrix():
    element = 0.1 * torch.tensor([[0.5, -1.5, 0.2], [1.5, -0.3, 0.1], [0.4, 0.6, -0.2]], dtype=torch.float64)
    center = torch.from_numpy(GRID.center)
    velocity = Velocity(((voxel_centers(GRID) - center) @ element.T).movedim(-1, 0), GRID)
    x = within(GRID, margin=6.0)
    expected = (x - center) @ torch.linalg.matrix_exp(element).T + center
    assert worst(velocity.map(x), expected) < 0.02


def test_a_constant_velocity_shifts_by_itself():
    shift = torch.tensor([4.0, -2.0, 3.0])
    vectors = exponential(shift[:, None, None, None].expand(3, *GRID.shape), GRID)
    assert_close(vectors, shift[:, None, None, None].expand_as(vectors), atol=1e-4, rtol=0)


def test_the_exponential_converges_with_the_grid():
    """Halving the spacing cuts the error of a smooth flow about fourfold, against a much finer grid."""

    def flow(factor):
        grid = oblique_grid(size=(9, 13, 11), spacing=(4.0, 3.6, 4.4)).resized((9 * factor, 13 * factor, 11 * factor))
        away = voxel_centers(grid) - torch.from_numpy(grid.center)
        swirl = torch.stack([-away[..., 1], away[..., 0], 0.3 * away[..., 2]])
        return Velocity(0.8 * swirl * torch.exp(-0.5 * (away.norm(dim=-1) / 9.0) ** 2), grid)

    x = within(oblique_grid(size=(9, 13, 11), spacing=(4.0, 3.6, 4.4)))
    truth = flow(6).map(x)
    coarse, fine = worst(flow(1).map(x), truth), worst(flow(2).map(x), truth)
    assert coarse > 2.5 * fine


def test_the_exponential_is_differentiable():
    vectors = smooth_vectors(GRID, 3.0).requires_grad_()
    exponential(vectors, GRID).square().sum().backward()
    assert torch.isfinite(vectors.grad).all()
    assert vectors.grad.abs().max() > 0


@given(grids(), affines())
def test_the_jacobian_of_an_affine_is_its_determinant_on_any_grid(grid, affine):
    expected = torch.linalg.det(affine.matrix[:3, :3]).float().expand(grid.shape)
    assert_close(jacobian_determinant(affine, grid), expected, rtol=1e-6, atol=0)
    assert_close(jacobian_determinant(Chain((affine,)), grid), expected, rtol=2e-3, atol=0)


def test_the_jacobian_of_a_known_map_is_found():
    """T stretches along RAS x alone by x + a sin(x / r): J = 1 + a / r cos(x / r)."""
    x = voxel_centers(GRID)[..., 0]
    vectors = torch.zeros(3, *GRID.shape)
    vectors[0] = 3 * torch.sin(x / 9)
    inner = (slice(1, -1),) * 3
    found = jacobian_determinant(Displacement(vectors, GRID), GRID)[inner]
    assert_close(found, (1 + torch.cos(x / 9) / 3).float()[inner], atol=0.01, rtol=0)


def test_the_jacobian_does_not_depend_on_the_slabs(monkeypatch):
    field = Displacement(smooth_vectors(GRID, 4.0), GRID)
    whole = jacobian_determinant(field, GRID)
    i, j, _ = GRID.size
    for planes in (1, 2, 5):
        monkeypatch.setattr("DiffusionCore.transforms.displacement.SLAB_VOXELS", planes * i * j)
        assert_close(jacobian_determinant(field, GRID), whole, rtol=1e-6, atol=1e-6)


def test_the_displacement_on_a_grid_does_not_depend_on_the_slabs(monkeypatch):
    chain = Affine.exponential([0.1, 0.2, -0.1, 3, 2, 1]) @ Displacement(smooth_vectors(GRID, 4.0), GRID)
    whole = chain.displacement_on(GRID)
    monkeypatch.setattr("DiffusionCore.transforms.base.SLAB_VOXELS", 1)
    assert torch.equal(chain.displacement_on(GRID), whole)


def test_a_single_slice_has_a_jacobian():
    grid = oblique_grid(size=(6, 5, 1))
    stretch = Affine(np.diag([1.5, 1.5, 1.5, 1.0]))
    assert torch.isfinite(jacobian_determinant(Displacement.of(stretch, grid), grid)).all()


@given(affines(translation=5.0), points(reach=20.0))
def test_fields_chain_from_right_to_left(affine, x):
    field = Displacement(smooth_vectors(GRID, 4.0), GRID)
    assert_close((affine @ field).map(x), affine.map(field.map(x)))
    assert_close((field @ affine).map(x), field.map(affine.map(x)))
    assert len(((affine @ field) @ (field @ affine)).parts) == 4


def test_a_baked_chain_is_the_chain_at_the_voxels():
    chain = Affine.exponential([0.1, 0.2, -0.1, 3, 2, 1]) @ Velocity(smooth_vectors(GRID, 3.0), GRID)
    x = voxel_centers(GRID)
    assert worst(Displacement.of(chain, GRID).map(x), chain.map(x)) < 1e-3


def test_points_keep_their_shape_type_and_number():
    for transform in (Displacement(smooth_vectors(GRID, 3.0), GRID), Velocity(smooth_vectors(GRID, 3.0), GRID)):
        for shape in ((3,), (0, 3), (5, 3), (2, 1, 4, 3)):
            for dtype in (torch.float32, torch.float64):
                mapped = transform.map(torch.zeros(shape, dtype=dtype))
                assert mapped.shape == shape
                assert mapped.dtype == dtype


@pytest.mark.parametrize("kind", [Displacement, Velocity])
def test_a_field_that_does_not_fit_is_refused(kind):
    with pytest.raises(ValueError, match="'vectors' must have the shape"):
        kind(torch.zeros(3, *GRID.size), GRID)
    with pytest.raises(GeometryError, match="finite"):
        kind(torch.full((3, *GRID.shape), torch.nan), GRID)


def test_vectors_whose_sum_is_beyond_all_numbers_are_finite():
    largest = torch.full((3, *GRID.shape), torch.finfo(torch.float32).max)
    assert_close(Displacement(largest, GRID).vectors, largest)
    largest[0, 0, 0, 0] = -torch.inf
    with pytest.raises(GeometryError, match="finite"):
        Displacement(largest, GRID)


@pytest.mark.parametrize("direction", [np.eye(3), np.diag([-1.0, -1.0, 1.0]), np.eye(3)[[1, 2, 0]], GRID.direction])
def test_vectors_go_to_voxels_along_any_axes_and_back(direction):
    grid = Grid(GRID.size, (2.0, 3.0, 0.5), (1.0, 2.0, 3.0), tuple(map(tuple, np.array(direction).tolist())))
    vectors = smooth_vectors(grid, 3.0)
    voxels = voxel_vectors(vectors, grid)
    shift = grid.map(vectors[:, 1, 2, 3].double().numpy(), Frame.RAS, Frame.VOXEL)
    origin = grid.map(np.zeros(3), Frame.RAS, Frame.VOXEL)
    np.testing.assert_allclose(voxels[:, 1, 2, 3].numpy(), shift - origin, atol=1e-5)
    assert_close(ras_vectors(voxels, grid), vectors)


@pytest.mark.parametrize("longest", [2.0, 4.0])
def test_the_logarithm_of_an_exponential_is_its_velocity(longest):
    velocity = Velocity(smooth_vectors(GRID, longest, width=4.0), GRID)
    found = Velocity.of(velocity, GRID)
    assert_close(found.displacement.vectors, velocity.displacement.vectors, atol=0.04, rtol=0)
    assert_close(found.vectors, velocity.vectors, atol=0.04 * longest, rtol=0)


def test_what_has_no_logarithm_gives_a_velocity_all_the_same():
    wild = Displacement(20 * torch.randn(3, *GRID.shape, generator=torch.Generator().manual_seed(0)), GRID)
    assert torch.isfinite(Velocity.of(wild, GRID).vectors).all()


def test_a_fold_of_one_cell_is_found_where_it_is():
    """Two neighbors change places along i: central differences over two cells do not see it."""
    shift = torch.zeros(3, *GRID.shape)
    axis = torch.tensor(GRID.direction, dtype=torch.float32)[:, 0] * GRID.spacing[0]
    shift[:, 8, 15, 11] = 0.6 * axis
    shift[:, 8, 15, 12] = -0.6 * axis
    field = Displacement(shift, GRID)
    assert float(jacobian_determinant(field, GRID).min()) > 0
    cells = folded_cells(field)
    assert cells.nonzero().tolist() == [[k, j, 11] for k in (7, 8) for j in (14, 15)]
    assert folded_share(field) == pytest.approx(4 / cells.numel())
    assert folded_share(Velocity(smooth_vectors(GRID, 8.0), GRID).displacement) == 0
