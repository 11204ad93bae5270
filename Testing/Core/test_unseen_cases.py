"""Whole registrations without a network of what nobody prepared for: geometries, intensities, unlike objects."""

import itertools

import numpy as np
import pytest
import torch
from strategies import smooth_volume

from DiffusionCore.affine.polish import PolishSettings
from DiffusionCore.registration import AffineSettings, register
from DiffusionCore.sample import make_sample
from DiffusionCore.space import Frame, Grid, Volume
from DiffusionCore.transforms.affine import Affine, Group
from DiffusionCore.transforms.resample import resample

CLASSICAL = AffineSettings(model=None)
SAMPLE = make_sample(0, resolution=4)
POINTS = torch.from_numpy(SAMPLE.points)
CENTER = SAMPLE.points.mean(0)
TRUTH = Affine.translation([20, -10, 15]) @ Affine.exponential(
    [0.5, -0.4, 0.6, 0, 0, 0, 0.05, -0.03, 0.04, 0.02, 0, 0.01], CENTER
)


def seen(truth, spacing, turn, *, left_handed=False, change=lambda values: values):
    """Return the template moved by ``truth`` on an oblique grid that just holds it."""
    axes = Affine.exponential([*turn, 0, 0, 0]).matrix[:3, :3].numpy() @ np.diag([1, 1, -1.0 if left_handed else 1])
    along = truth.map(POINTS).numpy() @ axes
    low, high = along.min(0) - 12, along.max(0) + 12
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = axes * spacing, axes @ low
    i, j, k = np.ceil((high - low) / spacing).astype(int).tolist()
    image = resample(SAMPLE.fixed, Grid.from_matrix(matrix, (i, j, k)), truth.inverse())
    return Volume(change(image.values), image.grid)


def error(transform, truth, points=POINTS):
    return float((transform.map(points) - truth.map(points)).norm(dim=-1).mean())


MOVING = seen(TRUTH, (3, 3, 3.5), (0.1, 0.3, -0.2))


@pytest.mark.parametrize(
    ("turn", "spacing", "left_handed"),
    [((0.25, -0.4, 0.2), (3, 3, 4), False), ((-0.5, 0.6, 0.7), (2.5, 6, 2), True)],
)
def test_an_oblique_fixed_image_of_any_spacing_is_registered(turn, spacing, left_handed):
    fixed = seen(Affine.identity(), spacing, turn, left_handed=left_handed)
    assert error(register(fixed, MOVING, CLASSICAL).transform, TRUTH) < 0.6


def as_ct(values):
    return (values * 8 - 1024).astype(np.int16)


def with_haze(values):
    return (values + np.random.default_rng(0).uniform(50, 75, values.shape)).astype(np.float32)


@pytest.mark.parametrize("change", [as_ct, with_haze])
def test_no_level_and_no_type_of_the_intensities_matters(change):
    moving = Volume(change(MOVING.values), MOVING.grid)
    fixed = Volume(change(SAMPLE.fixed.values), SAMPLE.fixed.grid)
    assert error(register(fixed, moving, CLASSICAL).transform, TRUTH) < 0.6


def test_an_image_is_registered_to_itself_and_to_a_copy_far_away():
    shift = np.array([300.0, -120.0, 80.0])
    far = Volume(SAMPLE.fixed.values, SAMPLE.fixed.grid.with_center(tuple(SAMPLE.fixed.grid.center + shift)))
    assert error(register(SAMPLE.fixed, SAMPLE.fixed, CLASSICAL).transform, Affine.identity()) < 0.05
    assert error(register(SAMPLE.fixed, far, CLASSICAL).transform, Affine.translation(shift)) < 0.05


def test_swapped_images_give_nearly_the_inverse_and_one_seed_one_transform():
    there, again = (register(SAMPLE.fixed, MOVING, CLASSICAL, seed=4).transform for _ in range(2))
    back = register(MOVING, SAMPLE.fixed, CLASSICAL, seed=5).transform
    assert torch.equal(there.matrix, again.matrix)
    assert error(back @ there, Affine.identity()) < 0.6


@pytest.mark.parametrize("initial", [None, TRUTH])
def test_every_step_of_a_rigid_registration_is_rigid_on_anisotropic_grids(initial):
    settings = AffineSettings(model=None, polish=PolishSettings(group=Group.RIGID))
    fixed = seen(Affine.identity(), (2, 3, 6), (0.3, 0.2, -0.4))
    for step in register(fixed, MOVING, settings, initial_transform=initial).steps:
        linear = step.transform.matrix[:3, :3]
        torch.testing.assert_close(linear.T @ linear, torch.eye(3).double(), atol=1e-9, rtol=0)


def blob(size, spacing, axes):
    """Return a smooth ellipsoid of noise that looks like no brain."""
    grid = Grid(size, spacing, (-30.0, 200.0, 15.0))
    points = grid.map(np.indices(grid.shape).reshape(3, -1)[::-1].T, Frame.VOXEL, Frame.RAS) - grid.center
    inside = (np.linalg.norm(points / axes, axis=1) < 1).reshape(grid.shape)
    return Volume(inside * (200 + smooth_volume(grid).values), grid)


def hot_voxel():
    values = np.zeros((20, 24, 28), np.int16)
    values[10, 12, 14] = 1000
    return Volume(values, Grid(values.shape[::-1]))


NOTHING_ALIKE = {
    "brain": SAMPLE.fixed,
    "organ": blob((36, 30, 40), (3.0, 3.5, 3.0), (35, 45, 52)),
    "gland": blob((30, 26, 22), (0.6, 0.6, 0.8), (5, 6, 7)),
    "voxel": hot_voxel(),
}


@pytest.mark.parametrize(
    ("one", "other"),
    [("brain", "organ"), ("organ", "brain"), ("gland", "brain"), ("brain", "voxel"), ("voxel", "brain")],
)
def test_unlike_objects_are_shifted_a_little_and_never_bent(one, other):
    fixed, moving = NOTHING_ALIKE[one], NOTHING_ALIKE[other]
    result = register(fixed, moving, CLASSICAL)
    start = result.steps[0].transform
    torch.testing.assert_close(result.transform.matrix[:3, :3], torch.eye(3).double())
    extent = np.linalg.norm(fixed.grid.extent) + np.linalg.norm(moving.grid.extent)
    assert error(result.transform, start) < 0.25 * extent


def test_every_transform_has_a_nearest_one_in_each_group():
    half_turn = torch.diag(torch.tensor([-1.0, -1.0, 1.0, 1.0]).double())
    sheared = Affine(half_turn @ Affine.exponential([0, 0, 0, 5, 6, 7, 0.2, 0.1, -0.1, 0.1, 0.05, 0]).matrix)
    reflected = Affine(torch.diag(torch.tensor([-1.0, 2.0, 1.0, 1.0]).double()))
    center = torch.from_numpy(CENTER)
    for transform, group in itertools.product((sheared, reflected), Group):
        nearest = transform.nearest(group, center)
        torch.testing.assert_close(nearest.map(center), transform.map(center))
        if group is not Group.AFFINE:
            linear = nearest.matrix[:3, :3]
            scale = 1 if group is Group.RIGID else torch.linalg.det(linear) ** (2 / 3)
            torch.testing.assert_close(linear.T @ linear, scale * torch.eye(3).double())
            assert torch.linalg.det(linear) > 0
    rigid = Affine.exponential([2.8, 0.4, -0.9, 3, 2, 1])
    torch.testing.assert_close(rigid.nearest(Group.RIGID, center).matrix, rigid.matrix)
