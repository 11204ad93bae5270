"""What a refinement makes alike: the measure for other contrasts finds what the correlation misses; which is chosen."""

from dataclasses import replace
from functools import cache, reduce

import numpy
import pytest
import torch
from test_deformable import FIXED, MOVING, REFINEMENT, SETTINGS, SHIFT, body, pair

from DiffusionCore.config import from_dict, to_dict
from DiffusionCore.deformable.contrast import relation
from DiffusionCore.deformable.guidance import Guidance
from DiffusionCore.deformable.levels import make_levels
from DiffusionCore.deformable.measures import AutomaticMeasure, CorrelationMeasure, SelfSimilarityMeasure
from DiffusionCore.deformable.settings import RefinementSettings
from DiffusionCore.metrics import point_error
from DiffusionCore.registration import METHODS, register

QUICK = RefinementSettings(spacing=4.0, iterations=(12, 8), show_every=4)


def remapped(volume):
    """Return ``volume`` with its middle intensities as the brightest, on a dark background."""
    values = volume.values
    shown = 1.4 - 1.6 * abs(values - 1.0)
    return replace(volume, values=(shown.clip(0.1) * (values > 0.1)).astype("float32"))


@cache
def registered(measure, guidance=None):
    fixed, moving, _, _ = pair()
    settings = replace(SETTINGS, refinement=replace(QUICK, measure=measure), guidance=guidance)
    return register(fixed, remapped(moving), settings, initial_transform=SHIFT)


def error(registration):
    _, _, truth, points = pair()
    return float(point_error(registration.transform, truth, points).mean())


def test_a_deformation_between_two_contrasts_is_found_which_the_correlation_misses():
    before = float(point_error(SHIFT, pair()[2], pair()[3]).mean())
    found = registered(SelfSimilarityMeasure())
    assert error(found) < 0.7 * before
    assert error(found) < 0.7 * error(registered(CorrelationMeasure()))
    assert found.steps[-1].metrics["folding"] == 0


def test_the_energy_goes_down_by_it_too():
    before = float(point_error(SHIFT, pair()[2], pair()[3]).mean())
    assert error(registered(SelfSimilarityMeasure(), Guidance())) < 0.6 * before


def test_the_steps_tell_how_alike_by_the_measure():
    metrics = [step.metrics for step in registered(SelfSimilarityMeasure()).steps[1:]]
    assert all("self_similarity" in each and "local_correlation" not in each for each in metrics)
    assert metrics[-1]["self_similarity"] > metrics[0]["self_similarity"]


def shown(curve):
    """Return the change of a volume that shows its foreground by ``curve`` of its intensities, never as background."""

    def change(volume):
        values = volume.values
        return replace(volume, values=(curve(values).clip(0.1) * (values > 0.1)).astype("float32"))

    return change


def biased(volume):
    """Return ``volume`` with a smooth bias field of 25 %: the exponential of a slow wave along every axis."""
    waves = (torch.linspace(0.0, 3.0, n).sin() for n in volume.values.shape)
    field = torch.cartesian_prod(*waves).sum(1).view(volume.values.shape).sub(1.5).mul(0.17).exp()
    return replace(volume, values=volume.values * field.numpy())


def noised(volume):
    noise = 0.12 * torch.randn(volume.values.shape, generator=torch.Generator().manual_seed(2)).numpy()
    return replace(volume, values=((volume.values + noise).clip(0.1) * (volume.values > 0.1)).astype("float32"))


def cut(volume):
    values = volume.values.copy()
    values[: len(values) // 3] = 0
    return replace(volume, values=values)


def both(*changes):
    return lambda volume: reduce(lambda image, change: change(image), changes, volume)


def peak(place):
    return shown(lambda values: 1.4 - 1.6 * abs(values - place))


ONE_CONTRAST = {
    "as it is": shown(lambda values: values),
    "gamma 0.6": shown(lambda values: values**0.6),
    "gamma 2": shown(lambda values: values**2),
    "bias": biased,
    "gamma and bias": both(shown(lambda values: values**1.5), biased),
    "gamma, bias and noise": both(shown(lambda values: values**0.7), biased, noised),
    "noise": noised,
    "ten levels of gray": shown(lambda values: (5 * values).round() / 5),
    "a third cut away": cut,
    "inverted": shown(lambda values: 2.0 - values),
    "inverted, gamma and bias": both(shown(lambda values: (2.2 - values).clip(0) ** 1.4), biased),
}
OTHER_CONTRAST = {
    "the middle brightest": remapped,
    "the middle brightest, bias": both(remapped, biased),
    "the middle brightest, noise": both(remapped, noised),
    "the middle brightest, a third cut away": both(remapped, cut),
    "the darker brightest": peak(0.8),
    "the brighter brightest": peak(1.2),
    "the middle darkest": shown(lambda values: 0.3 + 1.6 * abs(values - 1.0)),
    "waves": shown(lambda values: 1 + 0.6 * numpy.sin(5 * values)),
    "another body": lambda volume: body(MOVING, seed=5),
}


def chosen(image):
    places = {"spacing": 2.0, "count": 1, "device": torch.device("cpu")}
    return {type(each.measure) for each in make_levels(pair()[0], image, SHIFT, measure=AutomaticMeasure(), **places)}


@pytest.mark.parametrize("change", ONE_CONTRAST.values(), ids=ONE_CONTRAST)
def test_one_contrast_is_refined_by_the_correlation_however_it_was_scanned(change):
    assert chosen(change(pair()[1])) == {CorrelationMeasure}


@pytest.mark.parametrize("change", OTHER_CONTRAST.values(), ids=OTHER_CONTRAST)
def test_another_contrast_is_never_refined_by_the_correlation(change):
    assert chosen(change(pair()[1])) == {SelfSimilarityMeasure}


def test_monotone_curves_relate_images_as_one_contrast_and_others_do_not():
    image = torch.rand(1, *FIXED.shape, generator=torch.Generator().manual_seed(0)) + 0.5
    image[:, :5] = 0
    there = image > 0
    noisy = image + 0.1 * torch.rand(image.shape, generator=torch.Generator().manual_seed(1)) * there
    for curve in (2 * image, torch.where(there, 3 - 2 * image, 0), image**1.5):
        assert relation(torch.stack([noisy, curve])) == pytest.approx((1, 1), abs=0.03)
        assert relation(torch.stack([curve, noisy])) == pytest.approx(relation(torch.stack([noisy, curve])), abs=1e-5)
    assert max(relation(torch.stack([torch.where(there, 1.1 - (noisy - 1).abs(), 0), image]))) < 0.6
    for nothing in (torch.ones_like(image), torch.zeros_like(image)):
        assert min(relation(torch.stack([image, nothing]))) == 0


@pytest.mark.parametrize("measure", [AutomaticMeasure(0.2, 0.3), CorrelationMeasure(7), SelfSimilarityMeasure(5)])
def test_the_measure_travels_with_the_settings(measure):
    settings = replace(SETTINGS, refinement=replace(REFINEMENT, measure=measure))
    assert from_dict(METHODS["deformable"], to_dict(settings)) == settings


def test_a_measure_that_an_older_version_wrote_is_read():
    assert from_dict(AutomaticMeasure, {"least": 0.85}) == AutomaticMeasure()


def test_measures_out_of_range_are_refused():
    for name, refused in (("window", CorrelationMeasure), ("patch", SelfSimilarityMeasure)):
        for count in (1, 4):
            with pytest.raises(ValueError, match=name):
                refused(count)
    with pytest.raises(ValueError, match="local"):
        AutomaticMeasure(local=1.5)
