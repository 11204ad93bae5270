"""Random deformations: as strong as asked for, without folds, the same for the same seed."""

from __future__ import annotations

import pytest
import torch

from DiffusionCore.checks import GeometryError
from DiffusionCore.space import Grid
from DiffusionCore.synthesis import random_velocity
from DiffusionCore.transforms.affine import Affine
from DiffusionCore.transforms.base import voxel_centers
from DiffusionCore.transforms.displacement import jacobian_determinant

TURN = tuple(map(tuple, Affine.exponential((0.3, -0.2, 0.5, 0, 0, 0)).matrix[:3, :3].tolist()))
OBLIQUE = Grid((70, 62, 30), (1.5, 2.0, 4.0), (-50.0, 20.0, 7.0), TURN)


def draw(strength: float, seed: int, grid: Grid = OBLIQUE):
    return random_velocity(grid, strength, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("strength", [1.5, 3.0, 5.0])
def test_the_mean_displacement_is_the_strength_and_nothing_folds(strength):
    velocity = draw(strength, seed=3)
    mean = velocity.displacement_on(OBLIQUE).norm(dim=0).mean()
    assert float(mean) == pytest.approx(strength, rel=0.1)
    assert float(jacobian_determinant(velocity, OBLIQUE).min()) > 0


def test_the_inverse_brings_every_point_back():
    velocity = draw(3.0, seed=4)
    points = voxel_centers(OBLIQUE)[4:-4, 6:-6, 6:-6]
    error = (velocity.inverse().map(velocity.map(points)) - points).norm(dim=-1)
    assert float(error.mean()) < 0.05
    assert float(error.max()) < 0.5


def test_the_border_hardly_moves():
    moved = draw(3.0, seed=5).displacement_on(OBLIQUE).norm(dim=0)
    inside = float(moved[8:-8, 15:-15, 15:-15].mean())
    assert max(float(moved.select(axis, end).mean()) for axis in range(3) for end in (0, -1)) < 0.1 * inside


def test_seeds_repeat_and_differ():
    assert torch.equal(draw(2.0, seed=1).vectors, draw(2.0, seed=1).vectors)
    assert not torch.allclose(draw(2.0, seed=1).vectors, draw(2.0, seed=2).vectors, atol=0.1)


def test_strength_zero_is_the_identity():
    assert not draw(0.0, seed=1).vectors.any()


@pytest.mark.parametrize("strength", [-1.0, float("nan"), float("inf")])
def test_a_strength_that_is_no_length_is_refused(strength):
    with pytest.raises(ValueError, match="strength"):
        draw(strength, seed=1)


def test_a_single_slice_is_refused():
    with pytest.raises(GeometryError, match="4 voxels"):
        draw(3.0, seed=1, grid=Grid((40, 30, 1)))
