"""Plain transforms are the transforms that they were made of; the spread between transforms is a length in mm."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import affines, grids, oblique_grid, points, seeds, smooth_vectors
from torch.testing import assert_close

from DiffusionCore.checks import GeometryError
from DiffusionCore.space import Grid
from DiffusionCore.space.plain import Composite, Field, Matrix
from DiffusionCore.transforms import Affine, Chain, Displacement, Transform, Velocity, voxel_centers
from DiffusionCore.transforms.plain import from_plain, to_plain
from DiffusionCore.uncertainty import spread, spread_grid

GRID = oblique_grid()
OTHER = Grid((9, 8, 7), (5.0, 4.0, 6.0), (-20.0, -30.0, 0.0))


@given(affines(), points())
def test_an_affine_transform_is_a_matrix_and_comes_back(transform, places):
    plain = to_plain(transform, OTHER)
    assert isinstance(plain, Matrix)
    assert_close(from_plain(plain).map(places), transform.map(places), atol=0, rtol=0)


@given(st.lists(affines(), max_size=3), points())
def test_a_chain_of_affine_transforms_is_one_matrix(parts, places):
    chain = Chain(tuple(parts))
    plain = to_plain(chain, OTHER)
    assert isinstance(plain, Matrix)
    assert_close(from_plain(plain).map(places), chain.map(places))


@given(grids(), seeds)
def test_a_displacement_comes_back_bit_by_bit(grid, seed):
    vectors = torch.randn(3, *grid.shape, generator=torch.Generator().manual_seed(seed))
    plain = to_plain(Displacement(vectors, grid), OTHER)
    assert isinstance(plain, Field)
    assert plain.vectors.shape == (*grid.shape, 3)
    assert plain.grid == grid
    i, j, k = (n - 1 for n in grid.size)
    np.testing.assert_array_equal(plain.vectors[k, j, i], vectors[:, k, j, i])
    found = from_plain(plain)
    assert torch.equal(found.vectors, vectors)
    found.vectors.zero_()
    assert plain.vectors.any()


def test_a_velocity_is_the_displacement_of_its_flow():
    velocity = Velocity(smooth_vectors(GRID, 8.0), GRID)
    found = from_plain(to_plain(velocity, OTHER))
    assert found.grid == GRID
    assert torch.equal(found.vectors, velocity.displacement.vectors)


@given(affines(), points())
def test_affine_maps_after_a_field_make_a_composite_that_maps_as_they_do_anywhere(affine, places):
    bent = affine @ Affine.translation([3, 1, 2]) @ Velocity(smooth_vectors(GRID, 8.0), GRID)
    plain = to_plain(bent, OTHER)
    assert isinstance(plain, Composite)
    assert plain.field.grid == GRID
    found = from_plain(plain)
    for each in (places, voxel_centers(GRID)):
        assert_close(found.map(each), bent.map(each), atol=1e-5, rtol=0)


def test_whatever_else_becomes_a_field_on_the_grid_that_is_named():
    bent = Displacement(smooth_vectors(GRID, 8.0), GRID) @ Affine.translation([3, 1, 2])
    plain = to_plain(bent, OTHER)
    assert plain.grid == OTHER
    centers = voxel_centers(OTHER)
    assert_close(from_plain(plain).map(centers), bent.map(centers), atol=1e-4, rtol=0)


def test_a_plain_transform_of_nonsense_is_refused():
    with pytest.raises(GeometryError, match="invertible"):
        from_plain(Matrix(np.zeros((4, 4))))
    with pytest.raises(GeometryError, match="finite"):
        from_plain(Field(np.full((*OTHER.shape, 3), np.nan), OTHER))


@given(points(count=5, reach=9.0))
def test_the_spread_of_translations_is_their_standard_deviation(shifts):
    found = spread([Affine.translation(shift) for shift in shifts], OTHER)
    assert found.values.dtype == np.float32
    np.testing.assert_allclose(found.values, np.sqrt(shifts.numpy().var(0, ddof=1).sum()), rtol=1e-5)


def test_the_spread_is_local_and_the_same_in_whatever_order():
    still, moved = torch.zeros(3, *OTHER.shape), torch.zeros(3, *OTHER.shape)
    moved[:, 2, 3, 4] = torch.tensor([3.0, 4.0, 12.0])
    transforms: list[Transform] = [Displacement(still, OTHER), Displacement(moved, OTHER)]
    found = spread(transforms, OTHER).values
    assert found[2, 3, 4] == pytest.approx(13 / np.sqrt(2))
    assert np.count_nonzero(found) == 1
    np.testing.assert_array_equal(found, spread(transforms[::-1], OTHER).values)


def test_one_transform_has_no_spread():
    with pytest.raises(ValueError, match="at least two"):
        spread([Affine.identity()], OTHER)


@given(grids())
def test_the_grid_of_a_spread_covers_the_image_and_is_never_finer(grid):
    coarse = spread_grid(grid)
    assert all(c >= max(4.0, s) for c, s in zip(coarse.spacing, grid.spacing, strict=True))
    assert all(c >= e - 1e-6 for c, e in zip(coarse.extent, grid.extent, strict=True))
    np.testing.assert_allclose(coarse.center, grid.center, atol=1e-6)
