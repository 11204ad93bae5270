"""The laws of noised affines, and the reverse process with a perfect denoiser."""

import itertools
import math

import pytest
import torch
from torch.testing import assert_close

from DiffusionCore.diffusion.forward import LieAffineLaw, PublishedAffineLaw
from DiffusionCore.diffusion.reverse import (
    GRADED,
    Graded,
    GroupUpdate,
    StdRatio,
    StraightUpdate,
    VarianceRatio,
    corrected,
    mean,
    reverse,
    spaced_times,
)
from DiffusionCore.diffusion.schedules import CosineSchedule
from DiffusionCore.space import Frame, Grid
from DiffusionCore.transforms.affine import Affine, Group, algebra_parameters, logarithm

TURN = Affine.exponential([0.3, -0.5, 0.4, 0, 0, 0]).matrix[:3, :3]
OBLIQUE = Grid((19, 23, 14), (0.9, 1.3, 3.1), (-40.0, 25.0, 60.0), tuple(map(tuple, TURN.tolist())))
CENTER = tuple(OBLIQUE.center)
PUBLISHED = PublishedAffineLaw()
RIGID_BODY = PublishedAffineLaw(affine_share=0.0)
LIE = LieAffineLaw.reaching(65, rotation=0.7, translation=25.0, scale=0.15, shear=0.05)
LAWS = {"published": PUBLISHED, "rigid body": RIGID_BODY, "lie": LIE}


def generator(seed: int = 5) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def at(time: int, batch: int) -> torch.Tensor:
    return torch.full((batch,), time)


def lie(group: Group) -> LieAffineLaw:
    return LieAffineLaw.reaching(65, rotation=0.7, translation=25.0, scale=0.15, shear=0.05, group=group)


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_drawn_transforms_are_invertible_affine_and_reproducible(law):
    times = law.draw_times(400, generator=generator())
    drawn = law.draw(times, generator=generator())
    assert drawn.shape == (400, 4, 4)
    assert drawn.dtype == torch.float64
    assert times.min() >= 1
    assert times.max() == law.steps
    assert_close(drawn[:, 3], torch.eye(4, dtype=torch.float64)[3].expand(400, 4))
    assert torch.linalg.det(drawn[:, :3, :3]).min() > 0
    assert torch.equal(drawn, law.draw(times, generator=generator()))


def test_the_published_affine_has_the_spectral_norm_of_its_schedule():
    law = PublishedAffineLaw(affine_share=1.0)
    for time, total in ((65, 0.3657), (20, 0.066)):
        drawn = law.draw(at(time, 4000), generator=generator())
        norms = torch.linalg.matrix_norm(drawn[:, :3, :3] - torch.eye(3), 2)
        assert norms.square().mean().sqrt().item() == pytest.approx(total, rel=0.05)
        assert norms.max().item() <= 2.5 * total * 1.01


def test_the_published_translation_is_in_mm_and_the_same_along_every_axis():
    shifts = PUBLISHED.draw(at(65, 4000), generator=generator())[:, :3, 3]
    assert_close(shifts.std(0), torch.full((3,), 20.74, dtype=torch.float64), rtol=0.06, atol=0)
    assert shifts.abs().max() <= 2.5 * 20.75


def test_the_published_rigid_body_turns_in_mm_and_scales_along_its_own_axes():
    linear = RIGID_BODY.draw(at(65, 500), generator=generator())[:, :3, :3]
    gram = linear.mT @ linear  # R diag(s): a rotation of the axes, whatever the grid
    assert (gram - torch.diag_embed(gram.diagonal(dim1=1, dim2=2))).abs().max() < 1e-9
    assert gram.diagonal(dim1=1, dim2=2).sqrt().log().std().item() == pytest.approx(0.3657, rel=0.06)


def test_half_and_other_shares_of_the_two_published_forms_are_drawn():
    linear = PublishedAffineLaw(affine_share=0.3).draw(at(65, 2000), generator=generator())[:, :3, :3]
    gram = linear.mT @ linear
    rigid_body = (gram - torch.diag_embed(gram.diagonal(dim1=1, dim2=2))).abs().amax((1, 2)) < 1e-9
    assert rigid_body.double().mean().item() == pytest.approx(0.7, abs=0.04)


@pytest.mark.parametrize("group", list(Group))
def test_the_logarithm_of_a_lie_draw_has_the_deviations_of_its_law(group):
    law = lie(group)
    parameters = algebra_parameters(logarithm(law.draw(at(40, 3000), generator=generator())), group)
    expected = law.std(torch.tensor([40]))[0]
    assert parameters.shape == (3000, group)
    assert_close(parameters.std(0), expected, rtol=0.08, atol=0)
    assert parameters.mean(0).abs().div(expected).max() < 0.08


def test_a_rigid_law_keeps_distances_in_mm_between_voxels_of_an_anisotropic_oblique_grid():
    moved = lie(Group.RIGID).draw(at(65, 1), generator=generator())[0]
    corners = torch.from_numpy(OBLIQUE.corners())
    assert_close(
        torch.cdist(Affine(moved).about(CENTER).map(corners), Affine(moved).about(CENTER).map(corners)),
        torch.cdist(corners, corners),
    )


def test_reaching_sets_the_deviations_of_the_last_time():
    expected = torch.tensor([0.7] * 3 + [25.0] * 3 + [0.15] * 3 + [0.05] * 3, dtype=torch.float64)
    assert_close(LIE.std(torch.tensor([65]))[0], expected)


def test_a_published_law_that_could_become_singular_is_refused():
    with pytest.raises(ValueError, match="invertible"):
        PublishedAffineLaw(CosineSchedule(65, 0.01, 0.1))
    with pytest.raises(ValueError, match="steps"):
        PublishedAffineLaw(CosineSchedule(60))


def perfect(hidden: Affine):
    return lambda current, time: Affine(torch.linalg.solve(current.matrix, hidden.matrix))


def remaining_shift(weights, steps: int) -> float:
    """Return what is left of a pure translation after some of the 65 steps."""
    hidden = Affine.translation([30.0, -20.0, 10.0])
    run = reverse(perfect(hidden), spaced_times(65, 65), weights, GroupUpdate(CENTER))
    state = next(itertools.islice(run, steps - 1, None))
    return ((hidden.matrix - state.transform.matrix).norm() / math.hypot(30, 20, 10)).item()


@pytest.mark.parametrize(
    ("steps", "left"), [(5, 0.33), (10, 0.098), (15, 0.026), (20, 0.0061), (25, 0.0013), (32, 0.0001)]
)
def test_the_published_weights_leave_the_published_residuals(steps, left):
    schedule = CosineSchedule()
    digits = 0.5 * 10 ** (math.floor(math.log10(left)) - 1) if left > 1e-4 else 5e-5
    assert remaining_shift(StdRatio(schedule, schedule), steps) == pytest.approx(left, abs=max(digits, 5e-5))


@pytest.mark.parametrize(("steps", "left"), [(10, 0.64), (32, 0.13), (64, 0.0007)])
def test_the_variance_ratio_leaves_the_noise_of_the_time_it_reached(steps, left):
    schedule = CosineSchedule()
    residual = remaining_shift(VarianceRatio(schedule, schedule), steps)
    total = schedule.total_std()
    assert residual == pytest.approx((total[64 - steps] ** 2 / total[64] ** 2).item(), rel=1e-6)
    assert residual == pytest.approx(left, rel=0.08)


def test_the_published_fractions():
    schedule = CosineSchedule()
    fractions = StdRatio(schedule, CosineSchedule(65, 0.5, 4.0)).fractions(spaced_times(65, 65))
    expected = {65: 0.191, 50: 0.244, 33: 0.302, 20: 0.335, 10: 0.368, 2: 0.708, 1: 1.0}
    for time, fraction in expected.items():
        assert fractions[65 - time].linear == pytest.approx(fraction, abs=6e-4)
    assert fractions[0].shift == pytest.approx(0.193, abs=6e-4)


LISTS = [spaced_times(65, 65), spaced_times(65, 8), (65, 40, 3), (20, 11, 10, 1), (1,)]


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
@pytest.mark.parametrize("times", LISTS, ids=len)
@pytest.mark.parametrize("kind", [StdRatio, VarianceRatio])
@pytest.mark.parametrize("update", [StraightUpdate(CENTER), GroupUpdate(CENTER)], ids=["straight", "group"])
def test_a_perfect_denoiser_recovers_the_hidden_transform(law, times, kind, update):
    noised = law.draw(at(times[0], 1), generator=generator(len(times)))[0]
    hidden = Affine(noised).inverse().about(CENTER)
    steps = list(reverse(perfect(hidden), times, kind(law.linear, law.shift), update))
    assert [step.time for step in steps] == [*times[1:], 0]
    assert_close(steps[-1].transform.matrix, hidden.matrix, rtol=0, atol=1e-8)
    corners = torch.from_numpy(OBLIQUE.corners())
    voxels = OBLIQUE.map(steps[-1].transform.map(corners), Frame.RAS, Frame.VOXEL)
    assert_close(voxels, OBLIQUE.map(hidden.map(corners), Frame.RAS, Frame.VOXEL), atol=1e-8, rtol=0)


@pytest.mark.parametrize("update", [StraightUpdate(CENTER), GroupUpdate(CENTER)], ids=["straight", "group"])
def test_graded_fractions_recover_the_hidden_transform_and_resume(update):
    hidden = Affine(LIE.draw(at(65, 1), generator=generator())[0]).about(CENTER)
    times = spaced_times(65, 8)
    whole = list(reverse(perfect(hidden), times, Graded(), update))
    assert_close(whole[-1].transform.matrix, hidden.matrix, rtol=0, atol=1e-8)
    for k in range(len(times) - 1):
        rest = list(reverse(perfect(hidden), times, Graded(), update, initial=whole[k].transform, first=k + 1))
        assert [step.index for step in rest] == list(range(k + 1, 8))
        for resumed, step in zip(rest, whole[k + 1 :], strict=True):
            assert torch.equal(resumed.transform.matrix, step.transform.matrix)


def test_a_shorter_list_of_times_gets_the_last_of_the_graded_fractions():
    assert [fraction.linear for fraction in Graded().fractions((9, 5, 1))] == list(GRADED[-3:])
    with pytest.raises(ValueError, match="fractions"):
        Graded((0.5, 1.0)).fractions((3, 2, 1))


def test_the_run_is_lazy_and_sees_the_state_and_time_of_each_step():
    seen = []

    def predict(current: Affine, time: int) -> Affine:
        seen.append((current.matrix[0, 3].item(), time))
        return Affine.translation([10.0, 0, 0])

    run = reverse(predict, (5, 2), Graded((0.5, 1.0)), GroupUpdate(CENTER))
    assert not seen
    next(run)
    assert seen == [(0.0, 5)]
    assert next(run).transform.matrix[0, 3].item() == pytest.approx(15.0)
    assert [time for _, time in seen] == [5, 2]


def test_a_share_of_a_rotation_is_a_rotation_in_the_group_and_not_along_the_line():
    turn = Affine.exponential([0.9, 0, 0.4, 0, 0, 0], CENTER)
    half = Graded((0.5,)).fractions((1,))[0]
    shares = [update(CENTER).partial(turn, half).matrix[:3, :3] for update in (GroupUpdate, StraightUpdate)]
    defects = [(share.mT @ share - torch.eye(3)).abs().max().item() for share in shares]
    assert defects[0] < 1e-10
    assert defects[1] > 0.05


def test_an_estimate_without_a_logarithm_is_taken_along_the_straight_line():
    mirror = Affine(torch.diag(torch.tensor([-0.5, 1.0, 1.0, 1.0], dtype=torch.float64)))
    fractions = Graded((0.25,)).fractions((1,))[0]
    partial = GroupUpdate(CENTER).partial(mirror, fractions)
    assert_close(partial.matrix, StraightUpdate(CENTER).partial(mirror, fractions).matrix)


@pytest.mark.parametrize("times", [(3, 3), (2, 5), (4, 0), (70, 1)])
def test_times_that_do_not_fall_or_leave_the_schedule_are_refused(times):
    schedule = CosineSchedule()
    with pytest.raises(ValueError, match=r"times|schedule"):
        next(reverse(perfect(Affine.identity()), times, StdRatio(schedule, schedule), GroupUpdate(CENTER)))


def test_spaced_times_start_at_the_last_time_and_fall_evenly():
    assert spaced_times(65, 65) == tuple(range(65, 0, -1))
    assert spaced_times(65, 8) == (65, 57, 49, 41, 33, 25, 17, 9)
    with pytest.raises(ValueError, match="count"):
        spaced_times(5, 6)


def test_the_correction_pass_repairs_what_the_first_pass_left():
    truth = Affine.exponential([0.3, 0.1, -0.2, 5, 6, 7, 0.1, 0, -0.1, 0, 0.02, 0], CENTER)
    first = Affine(truth.matrix @ Affine.exponential([0.05, 0, 0.02, 1, -2, 0.5], CENTER).matrix)
    # the swapped pass maps points of the moving image as `first` shows it to points of the fixed image
    swapped = Affine(torch.linalg.solve(truth.matrix, first.matrix))
    assert_close(corrected(first, swapped).matrix, truth.matrix)


def test_the_mean_both_ways_cancels_opposite_errors():
    truth = Affine.exponential([0.5, -0.3, 0.2, 12, -9, 4, 0.1, 0, -0.1, 0, 0.02, 0], CENTER)
    error = Affine.exponential([0.05, 0.1, -0.03, 2, 1, -3, 0.01, 0, 0.02, 0, 0, 0.01], CENTER)
    one_way = Affine(truth.matrix @ error.matrix)
    other_way = Affine(truth.matrix @ error.inverse().matrix).inverse()
    assert_close(mean([one_way, other_way.inverse()]).matrix, truth.matrix)


def test_the_mean_does_not_depend_on_order_origin_or_direction():
    drawn = [Affine(matrix) for matrix in LIE.draw(at(30, 5), generator=generator())]
    average = mean(drawn)
    assert_close(mean(drawn[::-1]).matrix, average.matrix, rtol=0, atol=1e-9)
    assert_close(mean([t.inverse() for t in drawn]).matrix, average.inverse().matrix, rtol=0, atol=1e-9)
    assert_close(mean([t.about(CENTER) for t in drawn]).matrix, average.about(CENTER).matrix, rtol=0, atol=1e-8)
