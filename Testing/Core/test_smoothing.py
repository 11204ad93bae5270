"""Smoothing of velocities: in mm whatever the voxels, and of the change of volume apart; where a refinement goes on."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from DiffusionCore.deformable.settings import RefinementSettings
from DiffusionCore.deformable.smoothing import diffused, divergence, divergence_damped, gaussian

SHAPE, SPACING = (31, 41, 51), (1.0, 1.5, 2.0)


def places():
    """Return the mm (x, y, z) along (i, j, k) of every voxel, from the middle: (3, K, J, I)."""
    k, j, i = torch.meshgrid(*(torch.arange(n) - n // 2 for n in SHAPE), indexing="ij")
    return torch.stack([i * SPACING[0], j * SPACING[1], k * SPACING[2]])


def impulse():
    field = torch.zeros(SHAPE)
    field[tuple(n // 2 for n in SHAPE)] = 1
    return field


def variances(field):
    return (field * places().square()).sum((1, 2, 3)) / field.sum()


def test_a_gaussian_is_as_wide_along_every_axis_in_mm():
    smooth = gaussian(impulse(), 3.0, SPACING)
    assert_close(smooth.sum(), torch.tensor(1.0))
    assert_close(variances(smooth), torch.full((3,), 9.0), rtol=0.02, atol=0)


def test_diffusion_spreads_as_far_along_every_axis_in_mm():
    field = impulse()
    for _ in range(10):
        field = diffused(field, 0.2, SPACING)
    assert_close(variances(field), torch.full((3,), 2 * 10 * 0.2), rtol=1e-4, atol=0)


@pytest.mark.parametrize("smooth", [lambda f: gaussian(f, 2.0, SPACING), lambda f: diffused(f, 0.2, SPACING)])
def test_smoothing_keeps_what_is_even_up_to_the_borders(smooth):
    field = torch.full((3, *SHAPE), 0.7)
    assert_close(smooth(field), field)


def test_the_divergence_is_per_mm():
    x, y, z = places()
    field = torch.stack([0.1 * x + y, 0.2 * y - 3 * z, 0.4 * z + x])
    assert_close(divergence(field, SPACING)[1:-1, 1:-1, 1:-1], torch.full([n - 2 for n in SHAPE], 0.7))


def test_damping_lowers_the_change_of_volume_and_leaves_rotation_alone():
    x, y, z = places()
    bump = torch.exp(-0.5 * (x**2 + y**2 + z**2) / 6.0**2)
    swelling, turning = torch.stack([x, y, z]) * bump, torch.stack([-y, x, 0 * z]) * bump
    damped = swelling
    for _ in range(20):
        damped = divergence_damped(damped, 0.2, SPACING)
    before, after = (divergence(field, SPACING).square().sum() for field in (swelling, damped))
    assert after < 0.8 * before
    assert (divergence_damped(turning, 0.2, SPACING) - turning).abs().max() < 0.02 * turning.abs().max()


settings = st.builds(
    RefinementSettings,
    iterations=st.lists(st.integers(1, 30), min_size=1, max_size=4).map(tuple),
    show_every=st.integers(1, 9),
)


@given(settings)
def test_the_time_of_a_step_says_where_to_go_on(refinement):
    shown = refinement.shown()
    times = [refinement.time(*step) for step in shown]
    assert times == sorted(times, reverse=True)
    assert times[-1] == pytest.approx(0)
    for number, time in enumerate(times[:-1], 1):
        assert refinement.shown(time) == shown[number:]


@given(settings)
def test_a_finished_refinement_begins_its_finest_level_anew(refinement):
    finest = len(refinement.iterations) - 1
    assert refinement.position(0.0) == (finest, 0)
    assert refinement.shown(0.0) == [step for step in refinement.shown() if step[0] == finest]
    assert refinement.position(1.0) == (0, 0)
