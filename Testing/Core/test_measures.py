"""What a refinement makes alike: the measure for other contrasts finds what the correlation misses; which is chosen."""

from dataclasses import replace
from functools import cache

import pytest
import torch
from test_deformable import FIXED, REFINEMENT, SETTINGS, SHIFT, pair

from DiffusionCore.config import from_dict, to_dict
from DiffusionCore.deformable.contrast import linearity
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


def test_the_measure_is_chosen_by_the_contrasts_of_the_pair():
    fixed, moving, _, _ = pair()

    def chosen(image):
        places = {"spacing": 2.0, "count": 1, "device": torch.device("cpu")}
        return {level.measure for level in make_levels(fixed, image, SHIFT, measure=AutomaticMeasure(), **places)}

    assert chosen(moving) == {CorrelationMeasure()}
    assert chosen(remapped(moving)) == {SelfSimilarityMeasure()}
    assert chosen(replace(moving, values=(2.0 - moving.values).clip(0.1) * (moving.values > 0.1))) == {
        CorrelationMeasure()
    }


def test_a_line_explains_all_of_an_inverted_image_and_little_of_a_remapped_one():
    image = torch.rand(1, *FIXED.shape, generator=torch.Generator().manual_seed(0)) + 0.5
    image[:, :5] = 0
    there = image > 0
    noisy = image + 0.1 * torch.rand(image.shape, generator=torch.Generator().manual_seed(1)) * there
    assert linearity(torch.stack([noisy, 2 * image])) == pytest.approx(1, abs=0.03)
    assert linearity(torch.stack([torch.where(there, 3 - 2 * noisy, 0), image])) == pytest.approx(1, abs=0.03)
    assert linearity(torch.stack([torch.where(there, 1.1 - (noisy - 1).abs(), 0), image])) < 0.1
    assert linearity(torch.stack([image, torch.ones_like(image)])) == 0
    assert linearity(torch.stack([image, torch.zeros_like(image)])) == 0


@pytest.mark.parametrize("measure", [AutomaticMeasure(0.2), CorrelationMeasure(7), SelfSimilarityMeasure(5)])
def test_the_measure_travels_with_the_settings(measure):
    settings = replace(SETTINGS, refinement=replace(REFINEMENT, measure=measure))
    assert from_dict(METHODS["deformable"], to_dict(settings)) == settings


def test_measures_out_of_range_are_refused():
    for name, refused in (("window", CorrelationMeasure), ("patch", SelfSimilarityMeasure)):
        for count in (1, 4):
            with pytest.raises(ValueError, match=name):
                refused(count)
    with pytest.raises(ValueError, match="least"):
        AutomaticMeasure(1.5)
