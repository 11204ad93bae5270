"""Deformation diffusion: increments and inverses are exact; the published law is met in a tenth of its time."""

from __future__ import annotations

import pytest
import torch
from published_deformations import composed_fields
from strategies import oblique_grid

from DiffusionCore.deformation.diffusion import DeformationDiffusion, DeformationSchedule
from DiffusionCore.deformation.published import SCALES, compositions, draw_velocity, published_fields
from DiffusionCore.deformation.random_fields import MultiScale, sealed
from DiffusionCore.transforms import voxel_centers

GRID = oblique_grid((30, 26, 22), (4.0, 4.5, 3.8))
SCHEDULE = DeformationSchedule(largest=6.0)


@pytest.fixture(scope="module")
def diffusion():
    law = MultiScale((16.0, 32.0))
    return DeformationDiffusion(sealed(law.draw(GRID, generator=seeded(1)), GRID, 24.0), GRID, SCHEDULE)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("stride", [1, 7, 80])
def test_the_last_increment_leads_from_the_state_before(diffusion, stride):
    points = voxel_centers(GRID)[4:-4, 4:-4, 4:-4]
    before = diffusion.deformation(80 - stride)
    both = before.map(diffusion.increment(80, stride).map(points))
    assert (diffusion.deformation(80).map(points) - both).norm(dim=-1).max() < 0.4  # mm, where 6 mm is one deviation
    assert (diffusion.deformation(80).map(points) - both).norm(dim=-1).mean() < 0.06


def test_the_inverse_undoes_every_time(diffusion):
    points = voxel_centers(GRID)[4:-4, 4:-4, 4:-4]
    for time in (1, 30, 80):
        deformation = diffusion.deformation(time)
        error = (deformation.inverse().map(deformation.map(points)) - points).norm(dim=-1)
        assert error.mean() < 0.04 * SCHEDULE.level(time)


def test_time_zero_is_the_anatomy_and_the_schedule_rises_to_its_largest_level():
    levels = [SCHEDULE.level(t) for t in range(81)]
    assert levels[0] == 0
    assert levels == sorted(levels)
    assert levels[-1] == pytest.approx(6)
    assert SCHEDULE.level(40) == pytest.approx(6 * 0.5**1.3)
    assert SCHEDULE.time(SCHEDULE.level(33)) == pytest.approx(33)
    with pytest.raises(ValueError, match="0 to 80"):
        SCHEDULE.level(81)


def test_the_published_counts_are_those_of_its_program():
    wanted = {0: (1, 0), 1: (1, 1), 5: (5, 2), 10: (13, 3), 20: (32, 6), 30: (55, 7), 40: (80, 9), 48: (102, 10)}
    assert {time: compositions(time) for time in wanted} == wanted
    assert (compositions(64), compositions(79)) == ((148, 12), (195, 13))
    with pytest.raises(ValueError, match="0 to 79"):
        compositions(80)


def test_the_published_velocity_has_its_scales_and_deviation():
    assert SCALES == (64, 32, 16, 8)
    velocity = torch.cat([draw_velocity(1, generator=seeded(n)) for n in range(4)])
    assert float(velocity.std()) == pytest.approx(2.17e-4, rel=0.05)
    assert float(draw_velocity(1, share=0.08, generator=seeded(0)).std()) == pytest.approx(1.74e-5, rel=0.1)


@pytest.mark.parametrize(("time", "most"), [(10, 0.02), (30, 0.05)])
def test_scaling_and_squaring_meets_the_published_compositions(time, most):
    """The same seed; what differs is what many linear interpolations blur."""
    velocity = draw_velocity(1, generator=seeded(3))
    ours = published_fields(velocity, None, time, 64)
    theirs = composed_fields(velocity, None, time, 64)
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.shape == other.shape == (1, 3, 64, 64, 64)
        assert float((mine - other).std()) < most * float(other.std()) + 1e-3
