"""Gaussian diffusion of fields: the published numbers, the targets, and what a perfect denoiser finds."""

import itertools

import pytest
import torch
from torch.testing import assert_close

from DiffusionCore.diffusion.denoising import ANCESTRAL, Sampler, denoise
from DiffusionCore.diffusion.gaussian import TARGETS, NoiseSource, draw_times, noised
from DiffusionCore.diffusion.reverse import spaced_times
from DiffusionCore.diffusion.schedules import CosineBetas, LinearBetas

PUBLISHED = LinearBetas()
SHORT = LinearBetas(12, 1e-3, 0.4)
SHAPE = (3, 4, 6, 5)  # channels (x, y, z), then k, j, i


def generator(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def field(batch: int = 1, seed: int = 3) -> torch.Tensor:
    return torch.randn(batch, *SHAPE, generator=generator(seed), dtype=torch.float64)


@pytest.mark.parametrize(
    ("time", "share", "digits"),
    [
        (200, 0.905, 3),
        (400, 0.670, 3),
        (600, 0.406, 3),
        (800, 0.202, 3),
        (1000, 0.082, 3),
        (1200, 0.027, 3),
        (1600, 0.0016, 4),
        (2000, 4.4e-5, 6),
    ],
)
def test_the_published_shares_of_the_clean_field(time, share, digits):
    assert PUBLISHED.alpha_bar(torch.tensor(time)).item() == pytest.approx(share, abs=0.51 * 10**-digits)


def test_nothing_is_lost_at_time_zero_and_more_at_every_later_time():
    shares = PUBLISHED.alpha_bar(torch.arange(2001))
    assert shares[0] == 1
    assert (shares.diff() < 0).all()
    assert shares[-1].sqrt().item() == pytest.approx(0.0066, abs=5e-5)
    assert_close(1 - shares[1:] / shares[:-1], torch.linspace(1e-6, 1e-2, 2000, dtype=torch.float64))


@pytest.mark.parametrize("arguments", [(0, 1e-6, 1e-2), (5, 0.0, 0.1), (5, 0.2, 0.1), (5, 0.1, 1.0)])
def test_betas_that_are_no_schedule_are_refused(arguments):
    with pytest.raises(ValueError, match=r"schedule|smallest"):
        LinearBetas(*arguments)


@pytest.mark.parametrize("arguments", [(0, 0.008), (5, 0.0), (5, 1.0)])
def test_cosines_that_are_no_schedule_are_refused(arguments):
    with pytest.raises(ValueError, match=r"schedule|offset"):
        CosineBetas(*arguments)


def test_the_published_shares_of_an_image():
    """The linear schedule of 1000 steps leaves 4.0e-5 of the variance, the cosine next to nothing."""
    linear, cosine = LinearBetas(1000, 1e-4, 2e-2), CosineBetas()
    assert linear.alpha_bar(torch.tensor(1000)).item() == pytest.approx(4.0e-5, abs=5e-7)
    assert cosine.alpha_bar(torch.tensor(1000)).item() < 1e-8
    middle = (1 + 2 * 0.008) / (1 + 0.008) * torch.pi / 4
    expected = torch.tensor(middle).cos().square() / torch.tensor(0.008 / 1.008 * torch.pi / 2).cos().square()
    assert cosine.alpha_bar(torch.tensor(500)).item() == pytest.approx(expected.item(), abs=1e-6)


def test_the_cosine_falls_at_every_time_and_its_betas_stay_below_one():
    cosine = CosineBetas(300)
    assert (cosine.alpha_bar(torch.arange(301)).diff() < 0).all()
    assert cosine.betas().max() == 0.999


@pytest.mark.parametrize("time", [-1, 13])
def test_times_outside_of_the_schedule_are_refused(time):
    with pytest.raises(ValueError, match="0 to 12"):
        SHORT.alpha_bar(torch.tensor([3, time]))


@pytest.mark.parametrize("time", [1, 300, 800, 2000])
def test_a_noised_field_keeps_its_variance_and_loses_its_likeness(time):
    clean, noise = (torch.randn(500, 40, generator=generator(seed)) for seed in (1, 2))
    kept = PUBLISHED.alpha_bar(torch.full((500,), time))
    state = noised(clean, noise, kept)
    assert state.var().item() == pytest.approx(1.0, abs=0.03)
    likeness = torch.corrcoef(torch.stack([state.flatten(), clean.flatten()]))[0, 1]
    assert likeness.item() == pytest.approx(kept[0].sqrt().item(), abs=0.02)


@pytest.mark.parametrize("name", TARGETS)
def test_the_right_answer_gives_back_the_clean_field(name):
    target, clean, noise = TARGETS[name], field(4, 1), field(4, 2)
    kept = SHORT.alpha_bar(torch.tensor([1, 5, 9, 12]))
    state = noised(clean, noise, kept)
    assert_close(target.clean(target.of(clean, noise, kept), state, kept), clean)


@pytest.mark.parametrize("name", TARGETS)
def test_min_snr_weighs_the_same_error_of_the_clean_field_alike_for_every_target(name):
    target, kept = TARGETS[name], SHORT.alpha_bar(torch.arange(1, 13))
    clean, state, error = field(12, 1), field(12, 2), field(12, 5)
    answer, wrong = (target.clean(x, state, kept) for x in (clean, clean + error))
    squared = (wrong - answer).square().flatten(1).sum(1) / error.square().flatten(1).sum(1)
    ratio = kept / (1 - kept)
    assert_close(target.min_snr(kept) / squared, ratio.clamp(max=5.0))


def test_times_are_uniform_and_follow_the_generator():
    times = draw_times(SHORT, 6000, generator=generator())
    assert torch.bincount(times, minlength=13)[1:].div(500).sub(1).abs().max() < 0.15
    assert times.min() == 1
    assert torch.equal(times, draw_times(SHORT, 6000, generator=generator()))


def perfect(hidden, schedule, target):
    """Return the denoiser that knows the ``hidden`` field."""

    def estimate(state, time):
        kept = schedule.alpha_bar(torch.tensor(time))
        return target.of(hidden, (state - kept.sqrt() * hidden) / (1 - kept).sqrt(), kept)

    return estimate


LISTS = [spaced_times(2000, 15), (2000,), (1700, 400, 399, 3), (1,), spaced_times(2000, 2000)]


@pytest.mark.parametrize("times", LISTS, ids=len)
@pytest.mark.parametrize("eta", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("name", TARGETS)
def test_a_perfect_denoiser_recovers_the_hidden_field(times, eta, name):
    hidden, source = field(2), NoiseSource.drawn(2, generator=generator())
    target = TARGETS[name]
    start = noised(hidden, source.at(times[0], SHAPE).double(), PUBLISHED.alpha_bar(torch.tensor(times[0])))
    run = denoise(
        perfect(hidden, PUBLISHED, target), start, times, PUBLISHED, target, noise=source, sampler=Sampler(eta)
    )
    reached = []
    for step in run:
        reached.append(step.time)
        assert_close(step.clean, hidden, atol=1e-8, rtol=0)
    assert reached == [*times[1:], 0]
    assert_close(step.state, hidden, atol=1e-8, rtol=0)


@pytest.mark.parametrize("eta", [0.0, 1.0])
@pytest.mark.parametrize("name", TARGETS)
def test_a_perfect_denoiser_recovers_the_hidden_image_from_pure_noise_of_the_cosine(eta, name):
    cosine, hidden, target = CosineBetas(200), field(2), TARGETS[name]
    source = NoiseSource((1, 2))
    start = noised(hidden, source.at(200, SHAPE).double(), cosine.alpha_bar(torch.tensor(200)))
    times = spaced_times(200, 12)
    estimate = perfect(hidden, cosine, target)
    *_, last = denoise(estimate, start, times, cosine, target, noise=source, sampler=Sampler(eta))
    assert_close(last.state, hidden, atol=1e-6, rtol=0)


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_the_states_of_a_perfect_denoiser_are_as_noisy_as_their_time(eta):
    hidden = torch.zeros(400, 30)
    source = NoiseSource.drawn(400, generator=generator())
    estimate = perfect(hidden, PUBLISHED, TARGETS["noise"])
    start = source.at(2000, (30,))
    times = (2000, 1200, 700, 300)
    run = denoise(estimate, start, times, PUBLISHED, TARGETS["noise"], noise=source, sampler=Sampler(eta))
    for step in itertools.islice(run, 3):
        expected = (1 - PUBLISHED.alpha_bar(torch.tensor(step.time))).item()
        assert step.state.var().item() == pytest.approx(expected, rel=0.04)


@pytest.mark.parametrize("sampler", [Sampler(0.0), ANCESTRAL])
def test_a_run_resumed_after_any_step_is_the_rest_of_the_whole_run(sampler):
    times, source, target = (12, 9, 8, 4, 1), NoiseSource((5, 6)), TARGETS["velocity"]

    def estimate(state, time):
        return torch.tanh(state) * time / 12

    start = source.at(12, SHAPE)
    whole = list(denoise(estimate, start, times, SHORT, target, noise=source, sampler=sampler))
    for step in whole[:-1]:
        rest = denoise(estimate, step.state, times, SHORT, target, noise=source, sampler=sampler, first=step.index + 1)
        for again, expected in zip(rest, whole[step.index + 1 :], strict=True):
            assert again.index == expected.index
            assert torch.equal(again.state, expected.state)


def test_a_batch_gives_what_its_items_give_one_by_one():
    times, target = (12, 7, 2), TARGETS["noise"]

    def run(seeds):
        source = NoiseSource(seeds)
        start = source.at(12, SHAPE)
        return list(denoise(lambda state, time: state.sin(), start, times, SHORT, target, noise=source))[-1].state

    both = run((11, 12))
    assert_close(both, torch.cat([run((11,)), run((12,))]))
    assert not torch.equal(both[0], both[1])


def test_the_ancestral_step_has_the_mean_and_the_variance_of_the_posterior():
    clean, state, fresh = field(1, 1), field(1, 2), field(1, 4)
    now, after = (SHORT.alpha_bar(torch.tensor(time)).item() for time in (9, 8))
    beta = 1 - now / after
    mean = after**0.5 * beta / (1 - now) * clean + (1 - beta) ** 0.5 * (1 - after) / (1 - now) * state
    expected = mean + ((1 - after) / (1 - now) * beta) ** 0.5 * fresh
    assert_close(ANCESTRAL.step(state, clean, fresh, now, after), expected)


def test_the_run_is_lazy():
    calls = []

    def estimate(state, time):
        calls.append(time)
        return state

    source = NoiseSource((1,))
    run = denoise(estimate, source.at(12, SHAPE), (12, 6), SHORT, TARGETS["noise"], noise=source)
    assert not calls
    next(run)
    assert calls == [12]


@pytest.mark.parametrize("times", [(3, 3), (2, 5), (4, 0), (70, 1)])
def test_times_that_do_not_fall_or_leave_the_schedule_are_refused(times):
    source = NoiseSource((1,))
    with pytest.raises(ValueError, match=r"times"):
        next(denoise(lambda x, t: x, source.at(1, SHAPE), times, SHORT, TARGETS["noise"], noise=source))


def test_an_eta_outside_of_its_range_is_refused():
    with pytest.raises(ValueError, match="eta"):
        Sampler(1.5)
