"""Grids: frames, borders, and what is refused."""

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st
from strategies import grids, oblique_grid, seeds

from DiffusionCore.checks import GeometryError
from DiffusionCore.space import Frame, Grid, Volume

frames = st.sampled_from(Frame)


@given(grids(), frames, frames, frames)
def test_frames_compose(grid, first, second, third):
    through = grid.matrix(second, third) @ grid.matrix(first, second)
    np.testing.assert_allclose(through, grid.matrix(first, third), atol=1e-9)


@given(grids(), frames, frames, seeds)
def test_points_return_from_every_frame(grid, first, second, seed):
    points = np.random.default_rng(seed).normal(size=(4, 2, 3))
    there = grid.map(points, first, second)
    np.testing.assert_allclose(grid.map(there, second, first), points, atol=1e-9)


@given(grids())
def test_unit_spans_the_outer_borders(grid):
    np.testing.assert_allclose(grid.map((-0.5, -0.5, -0.5), Frame.VOXEL, Frame.UNIT), (-1, -1, -1), atol=1e-12)
    last = np.array(grid.size) - 0.5
    np.testing.assert_allclose(grid.map(last, Frame.VOXEL, Frame.UNIT), (1, 1, 1), atol=1e-12)


@given(grids())
def test_lps_is_where_itk_puts_the_voxels(grid):
    image = sitk.Image(grid.size, sitk.sitkUInt8)
    mirror = np.diag([-1.0, -1.0, 1.0])
    image.SetSpacing(grid.spacing)
    image.SetOrigin(mirror @ grid.origin)
    image.SetDirection((mirror @ np.array(grid.direction)).ravel())
    index = (1.25, 0.5, -2.0)
    itk = image.TransformContinuousIndexToPhysicalPoint(index)
    np.testing.assert_allclose(grid.map(index, Frame.VOXEL, Frame.LPS), itk, atol=1e-9)


@given(grids())
def test_a_matrix_and_its_grid_are_the_same(grid):
    again = Grid.from_matrix(grid.matrix(Frame.VOXEL, Frame.RAS), grid.size)
    assert again.is_close(grid, tolerance=1e-9)


@given(grids(), st.tuples(*[st.integers(1, 20)] * 3))
def test_resizing_keeps_the_outer_corners(grid, size):
    resized = grid.resized(size)
    assert resized.size == size
    np.testing.assert_allclose(resized.corners(), grid.corners(), atol=1e-9)


@given(grids(), st.floats(0.3, 7.0))
def test_a_new_spacing_keeps_the_center_and_covers_the_old_grid(grid, spacing):
    changed = grid.with_spacing(spacing)
    assert changed.spacing == (spacing,) * 3
    np.testing.assert_allclose(changed.center, grid.center, atol=1e-9)
    assert all(new >= old - 1e-5 * spacing for new, old in zip(changed.extent, grid.extent, strict=True))
    assert all(new < old + spacing for new, old in zip(changed.extent, grid.extent, strict=True))


@given(grids(), st.integers(0, 3))
def test_padding_moves_no_voxel(grid, ring):
    padded = grid.padded(ring)
    index = np.array([1.0, 0.0, 1.0])
    np.testing.assert_allclose(
        padded.map(index + ring, Frame.VOXEL, Frame.RAS), grid.map(index, Frame.VOXEL, Frame.RAS), atol=1e-9
    )


def test_size_and_shape_are_in_reverse_order():
    grid = oblique_grid(size=(4, 3, 2))
    assert grid.shape == (2, 3, 4)
    Volume(np.zeros((2, 3, 4)), grid)
    with pytest.raises(ValueError, match=r"\(2, 3, 4\), got \(4, 3, 2\)"):
        Volume(np.zeros((4, 3, 2)), grid)


def test_equal_grids_are_equal_and_hash_alike():
    assert oblique_grid() == oblique_grid()
    assert len({oblique_grid(), oblique_grid()}) == 1
    assert oblique_grid() != oblique_grid(spacing=(1.2, 0.9, 1.71))


@pytest.mark.parametrize(
    "change",
    [
        {"size": (4, 0, 2)},
        {"spacing": (1.0, 0.0, 1.0)},
        {"spacing": (1.0, -1.0, 1.0)},
        {"spacing": (1.0, float("nan"), 1.0)},
        {"origin": (0.0, float("inf"), 0.0)},
        {"direction": ((1, 0, 0), (0, 1, 0), (0, 0, 0))},
        {"direction": ((1, 0.2, 0), (0, 0.98, 0), (0, 0, 1))},
    ],
)
def test_an_impossible_geometry_is_refused(change):
    with pytest.raises(GeometryError):
        Grid(**{"size": (4, 3, 2), **change})


def test_a_singular_matrix_is_refused():
    with pytest.raises(GeometryError, match="singular"):
        Grid.from_matrix(np.diag([1.0, 0.0, 1.0, 1.0]), (4, 3, 2))


def test_volumes_can_be_asked_whether_they_are_the_same_one():
    first, second = (Volume(np.zeros((2, 3, 4)), Grid((4, 3, 2))) for _ in range(2))
    assert first in [second, first]
    assert first != second  # comparing voxels is a question of its own
    assert len({first, second}) == 2
