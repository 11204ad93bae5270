"""The deformable registration: what it must find, what it must leave alone, and that it can be left and taken up."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation
from strategies import oblique_grid, smooth_vectors

from DiffusionCore.affine.pipeline import CAUTION
from DiffusionCore.affine.steps import Step
from DiffusionCore.checks import ConfigError, VolumeError
from DiffusionCore.config import from_dict, to_dict
from DiffusionCore.deformable.levels import make_levels
from DiffusionCore.deformable.measures import CorrelationMeasure
from DiffusionCore.deformable.pipeline import DeformablePipeline, DeformableSettings
from DiffusionCore.deformable.refinement import refine
from DiffusionCore.deformable.settings import Preset, RefinementSettings
from DiffusionCore.deformable.start import split
from DiffusionCore.metrics import jacobian_statistics, point_error
from DiffusionCore.registration import METHODS, AffineSettings, register
from DiffusionCore.space import Frame, Grid, Volume
from DiffusionCore.transforms import Affine, Chain, Displacement, Velocity, resample, voxel_centers
from DiffusionCore.transforms.folding import folded_share
from DiffusionCore.transforms.plain import from_plain, to_plain

FIXED = oblique_grid(size=(36, 42, 25), spacing=(2.0, 1.8, 3.4))
AXES = Rotation.from_euler("xyz", [-15, 25, 10], degrees=True).as_matrix()
MOVING = Grid.from_matrix(np.diag([2.1, 2.1, 2.1, 1.0]), (48, 50, 54))
MOVING = replace(MOVING, direction=tuple(map(tuple, AXES))).with_center(tuple(FIXED.center))
SHIFT = Affine.exponential([0.05, -0.1, 0.08, 3.0, -2.0, 4.0, 0.03, -0.02, 0.04, 0.0, 0.02, 0.0], FIXED.center)
REFINEMENT = RefinementSettings(iterations=(12, 12, 8), show_every=4)
SETTINGS = DeformableSettings(affine=None, refinement=REFINEMENT)


def body(grid, seed=0):
    """An egg of random texture on a dark background, the same in space whatever the grid."""
    fine = Grid.from_matrix(np.diag([2.0, 2.0, 2.0, 1.0]), (64, 64, 64)).with_center(tuple(FIXED.center))
    points = voxel_centers(fine).numpy() - FIXED.center
    texture = gaussian_filter(np.random.default_rng(seed).normal(size=fine.shape), 2.0)
    texture = 1 + 0.45 * texture / texture.std()
    inside = ((points / (28.0, 32.0, 34.0)) ** 2).sum(-1) < 1
    return resample(Volume((inside * texture.clip(0.2)).astype(np.float32), fine), grid, Affine.identity())


@cache
def pair():
    """Return fixed, moving, the hidden transform and points inside: fixed(x) is moving(truth(x))."""
    moving = body(MOVING)
    bend = Velocity(smooth_vectors(FIXED, 6.0, seed=3, width=5.0), FIXED)
    truth = Chain.of(SHIFT, bend)
    fixed = resample(moving, FIXED, truth)
    inside = voxel_centers(FIXED)[torch.from_numpy(fixed.values > 0.3)]
    return fixed, moving, truth, inside


@cache
def registered():
    fixed, moving, _, _ = pair()
    return register(fixed, moving, SETTINGS, initial_transform=SHIFT)


def after(step):
    fixed, moving, _, _ = pair()
    return register(fixed, moving, SETTINGS, after=step)


def apart(first, second):
    return point_error(first, second, pair()[3])


def alike(transform, fixed, moving, affine=SHIFT):
    """Return the local correlation, by which a refinement measures itself, on its finest level."""
    spacing, device = REFINEMENT.spacing, torch.device("cpu")
    level = make_levels(fixed, moving, affine, spacing=spacing, count=3, measure=CorrelationMeasure(), device=device)[
        -1
    ]
    return level.similarity_under(affine.inverse() @ transform)


def test_a_smooth_deformation_between_oblique_anisotropic_grids_is_found():
    truth = pair()[2]
    before, now = apart(SHIFT, truth), apart(registered().transform, truth)
    assert float(before.mean()) > 2.0
    assert float(now.mean()) < 0.35 * float(before.mean())  # the damping of the change of volume keeps the rest
    assert float(now.quantile(0.95)) < 0.4 * float(before.quantile(0.95))


def test_the_steps_tell_how_alike_and_how_regular_they_are():
    steps = registered().steps
    assert [step.index for step in steps] == list(range(len(steps)))
    assert [step.phase for step in steps] == ["start"] + ["refine"] * (len(steps) - 1)
    assert len(steps) <= SETTINGS.expected_steps()
    times = [step.time for step in steps[1:]]
    assert times == sorted(times, reverse=True)
    assert times[-1] == 0
    metrics = [step.metrics for step in steps[1:]]
    assert all(set(m) == {"mutual_information", "overlap", "local_correlation", "folding"} for m in metrics)
    assert metrics[-1]["local_correlation"] > metrics[0]["local_correlation"]
    assert metrics[-1]["mutual_information"] > steps[0].metrics["mutual_information"]
    assert metrics[-1]["folding"] == 0


def test_swapped_images_give_the_inverse_velocity():
    fixed, moving, _, _ = pair()
    other = resample(moving, FIXED, SHIFT)  # on one grid, so that there is one lattice for both ways
    there, back = (
        register(one, two, SETTINGS, initial_transform=Affine.identity()).transform
        for one, two in ((fixed, other), (other, fixed))
    )
    (velocity, inverse) = (split(found, FIXED)[1] for found in (there, back))
    assert velocity.vectors.abs().max() > 2
    torch.testing.assert_close(inverse.vectors, -velocity.vectors, atol=0.02, rtol=0)


def test_an_image_and_itself_stay_as_they_are():
    moving = pair()[1]
    found = register(moving, moving, SETTINGS, initial_transform=Affine.identity()).transform
    assert isinstance(found, Affine)
    torch.testing.assert_close(found.matrix, torch.eye(4, dtype=torch.float64), atol=0, rtol=0)


@pytest.mark.parametrize("seed", [5, 6])
def test_unlike_images_driven_hard_do_not_fold_and_get_no_worse(seed):
    fixed, other = pair()[0], body(MOVING, seed)
    wild = replace(REFINEMENT, fluid=0.3, elastic=0.0, divergence=0.0, step=1.0, iterations=(8, 8, 12))
    found = register(fixed, other, replace(SETTINGS, refinement=wild), initial_transform=SHIFT).transform
    assert isinstance(found, Chain)
    assert folded_share(found.parts[-1].displacement) == 0
    assert jacobian_statistics(found, FIXED).percent_folded == 0
    assert alike(found, fixed, other) > alike(SHIFT, fixed, other)


def test_more_damping_of_the_change_of_volume_gives_a_more_regular_field():
    fixed, moving, _, _ = pair()
    deviations = []
    for divergence in (0.0, 0.25, 1.0):
        settings = replace(SETTINGS, refinement=replace(REFINEMENT, divergence=divergence))
        found = register(fixed, moving, settings, initial_transform=SHIFT).transform
        deviations.append(jacobian_statistics(found, FIXED, fixed.values > 0.3).log_deviation)
    assert deviations == sorted(deviations, reverse=True)
    assert deviations[-1] < 0.9 * deviations[0]


@pytest.mark.parametrize("index", [1, 4, -2, -1])
def test_a_run_that_goes_on_after_a_step_ends_where_the_whole_run_does(index):
    step = registered().steps[index]
    resumed = after(step)
    assert [s.index for s in resumed.steps] == list(range(step.index + 1, step.index + 1 + len(resumed.steps)))
    assert resumed.steps
    assert float(apart(resumed.transform, registered().transform).mean()) < 0.3


@pytest.mark.parametrize("index", [4, -1])
def test_it_goes_on_from_the_displacement_that_another_process_was_sent(index):
    step = registered().steps[index]
    plain = from_plain(to_plain(step.transform, FIXED))
    assert isinstance(plain.parts[-1], Displacement)
    assert float(apart(plain, step.transform).max()) < 1e-3
    resumed = after(Step(step.index, step.phase, step.time, plain))
    assert float(apart(resumed.transform, registered().transform).mean()) < 0.4


def test_a_field_of_another_method_is_a_start_and_never_gets_worse():
    fixed, moving, truth, _ = pair()
    given = Step(7, "field", 0.0, Displacement.of(truth, FIXED))
    resumed = after(given)
    assert float(apart(resumed.transform, truth).mean()) < 0.35 * float(apart(SHIFT, truth).mean())
    affine, _ = split(given.transform, FIXED)
    now, before = (alike(found, fixed, moving, affine) for found in (resumed.transform, given.transform))
    assert now >= before - 1e-6


def test_stopped_early_the_last_step_is_the_result():
    fixed, moving, _, _ = pair()
    found = register(fixed, moving, SETTINGS, initial_transform=SHIFT, should_stop=lambda: True)
    assert (found.stopped, len(found.steps), found.transform) == (True, 1, found.steps[0].transform)


@pytest.mark.parametrize(("slices", "spacing", "count"), [(25, 40.0, 3), (5, 2.0, 6)])
def test_no_velocity_is_longer_than_its_updates_together_where_an_image_is_small_or_thin(slices, spacing, count):
    fixed, moving, _, _ = pair()
    thin = Volume(fixed.values[:slices] + fixed.values[12], FIXED.resized((36, 42, slices)))
    levels = make_levels(
        thin, moving, SHIFT, spacing=spacing, count=count, measure=CorrelationMeasure(), device=torch.device("cpu")
    )
    settings, longest = RefinementSettings(iterations=(10,) * count), 0.0
    for state in refine(levels, torch.zeros(3, *levels[0].flow_grid.shape), settings):
        longest += settings.step * levels[state.level].nominal
        assert float(state.velocity.norm(dim=0).max()) <= longest
    assert all(level.nominal < 1.1 * max(level.spacing) for level in levels)


def levels_of(**wanted):
    fixed, moving, _, _ = pair()
    return make_levels(fixed, moving, SHIFT, measure=CorrelationMeasure(), device=torch.device("cpu"), **wanted)


def test_levels_that_no_detail_of_the_images_is_left_for_are_left_out():
    assert len(levels_of(spacing=3.0, count=3)) == 3
    finer = levels_of(spacing=3.0 / 4, count=5)
    assert len(finer) == 3
    assert min(finer[-1].grid.spacing) > min(FIXED.spacing)


class Doubtful:
    """An affine registration that does not believe its result."""

    def steps(self, *_):
        yield Step(0, CAUTION, 0.0, Affine.identity())


def test_what_the_affine_registration_does_not_believe_is_not_refined():
    fixed, moving, _, _ = pair()
    pipeline = DeformablePipeline(DeformableSettings(AffineSettings(None)), device="cpu")
    pipeline._alignment = Doubtful()
    (step,) = pipeline.steps(fixed, moving, generator=torch.Generator().manual_seed(0))
    assert step.phase == CAUTION


def test_without_a_refinement_it_is_the_affine_registration():
    fixed, moving, _, _ = pair()
    affine = AffineSettings(None)
    whole = register(fixed, moving, affine)
    same = register(fixed, moving, DeformableSettings(affine, refinement=None))
    torch.testing.assert_close(same.transform.matrix, whole.transform.matrix)
    assert DeformableSettings(affine, refinement=None).expected_steps() == affine.expected_steps()
    with pytest.raises(ConfigError, match="displacement field"):
        register(fixed, moving, DeformableSettings(affine, refinement=None), after=registered().steps[-1])


def test_presets_take_more_time_for_more_detail():
    fast, default, accurate = map(RefinementSettings.of, Preset)
    assert sum(fast.iterations) < sum(default.iterations) < sum(accurate.iterations)
    assert (default.spacing, accurate.spacing) == (2.0, 1.0)
    assert default == RefinementSettings()
    for preset in Preset:
        settings = DeformableSettings.of(preset)
        assert from_dict(METHODS["deformable"], to_dict(settings)) == settings


@pytest.mark.parametrize(
    "wrong",
    [
        {"spacing": 0.0},
        {"iterations": ()},
        {"iterations": (8, 0)},
        {"divergence": -0.1},
        {"divergence": float("nan")},
        {"step": 0.0},
        {"elastic": 2.0},
        {"show_every": 0},
    ],
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RefinementSettings(**wrong)


def test_a_spacing_that_shows_nothing_of_the_object_is_refused_before_any_step():
    fixed, moving, _, _ = pair()
    settings = replace(SETTINGS, refinement=replace(REFINEMENT, spacing=30.0))
    steps = []
    with pytest.raises(ConfigError, match=r"30 mm shows too little of an object of \d+ mm in radius.* at most 6\.2 mm"):
        register(fixed, moving, settings, initial_transform=SHIFT, on_step=steps.append)
    assert steps == []


def test_settings_with_nothing_to_do_are_refused():
    with pytest.raises(ValueError, match="nothing is left to do"):
        DeformableSettings(None, refinement=None)


def test_an_empty_image_is_refused():
    fixed, moving, _, _ = pair()
    with pytest.raises(VolumeError, match="fixed image is constant"):
        register(Volume(np.zeros_like(fixed.values), FIXED), moving, SETTINGS)


def test_thin_images_are_refined():
    thin = Grid((40, 36, 5), (2.0, 2.2, 9.0), FIXED.origin, FIXED.direction).with_center(tuple(FIXED.center))
    fixed, moving = body(thin), pair()[1]
    found = register(fixed, moving, SETTINGS, initial_transform=Affine.translation([3.0, -2.0, 1.0]))
    middle = voxel_centers(thin)[torch.from_numpy(fixed.values > 0.3)]
    error = point_error(found.transform, Affine.identity(), middle)
    assert float(error.mean()) < 0.6 * 14**0.5


def test_the_grids_are_nested_and_hold_the_fixed_voxels_between_their_centers():
    fixed, moving, _, _ = pair()
    levels = make_levels(
        fixed, moving, SHIFT, spacing=2.0, count=3, measure=CorrelationMeasure(), device=torch.device("cpu")
    )
    corners = FIXED.map([(0, 0, 0), tuple(n - 1 for n in FIXED.size)], Frame.VOXEL, Frame.RAS)
    for level in levels:
        assert all(n % m == 0 for n, m in zip(level.grid.size, level.flow_grid.size, strict=True))
        np.testing.assert_allclose(level.grid.corners(), level.flow_grid.corners(), atol=1e-6)
        ratios = np.array(level.flow_grid.spacing) / level.nominal
        assert ((ratios > 0.5) & (ratios < 2**0.5 + 1e-6)).all()
    finest = levels[-1].flow_grid
    voxels = finest.map(corners, Frame.RAS, Frame.VOXEL)
    assert (voxels >= -1e-6).all()
    assert (voxels <= np.array(finest.size) - 1 + 1e-6).all()
