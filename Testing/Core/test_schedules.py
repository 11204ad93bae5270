"""Schedules: the published numbers, and what holds for any schedule."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from DiffusionCore.diffusion.schedules import CosineSchedule, LinearSchedule

KINDS = [LinearSchedule, CosineSchedule]


@pytest.mark.parametrize(
    ("schedule", "totals", "tolerance"),
    [
        (CosineSchedule(), {1: 0.01, 10: 0.035, 20: 0.066, 33: 0.133, 50: 0.255, 65: 0.3657}, 6e-4),
        (CosineSchedule(65, 0.5, 4.0), {1: 0.5, 10: 1.78, 20: 3.50, 33: 7.30, 50: 14.4, 65: 20.74}, 0.06),
        (LinearSchedule(), {1: 0.01, 65: 0.3523}, 6e-5),
        (LinearSchedule(65, 0.5, 4.0), {1: 0.5, 65: 19.94}, 6e-3),
    ],
)
def test_the_totals_of_the_published_system(schedule, totals, tolerance):
    for time, total in totals.items():
        assert schedule.total_std()[time - 1].item() == pytest.approx(total, abs=tolerance)


def test_the_last_totals_to_four_digits():
    assert CosineSchedule().total_std()[-1].item() == pytest.approx(0.3657, abs=5e-5)
    assert CosineSchedule(65, 0.5, 4.0).total_std()[-1].item() == pytest.approx(20.74, abs=5e-3)


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(KINDS), st.integers(1, 90), st.floats(1e-3, 1), st.floats(1, 50))
def test_steps_grow_from_smallest_to_largest_and_add_in_variance(kind, steps, smallest, ratio):
    schedule = kind(steps, smallest, smallest * ratio)
    step, total = schedule.step_std(), schedule.total_std()
    assert step.shape == total.shape == (steps,)
    assert step.dtype == torch.float64
    assert (step.diff() >= -1e-12).all()
    assert_close(step[0], torch.tensor(smallest, dtype=torch.float64))
    if steps > 1:
        assert_close(step[-1], torch.tensor(smallest * ratio, dtype=torch.float64))
    assert_close(torch.cat([total[:1] * 0, total]).square().diff(), step.square())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("arguments", [(0, 0.01, 0.07), (5, 0.0, 0.07), (5, 0.2, 0.1), (5, 0.1, float("inf"))])
def test_a_schedule_without_steps_or_growth_is_refused(kind, arguments):
    with pytest.raises(ValueError, match=r"schedule|smallest"):
        kind(*arguments)
