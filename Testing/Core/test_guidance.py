"""Guidance of a deformation: each term does what it says, measurably, and travels with the settings."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from test_deformable import FIXED, REFINEMENT, SETTINGS, SHIFT, Doubtful, apart, pair

from DiffusionCore.affine.pipeline import CAUTION, AffineSettings
from DiffusionCore.affine.steps import Step
from DiffusionCore.cautions import NO_SAFE_POSE, cautions
from DiffusionCore.checks import ConfigError, StorageError, VolumeError
from DiffusionCore.config import from_json, to_json
from DiffusionCore.deformable.guidance import Guidance, LandmarkPair, Landmarks, PreferredDirection, TargetSegment
from DiffusionCore.deformable.landmarks import followed
from DiffusionCore.deformable.pipeline import DeformablePipeline, DeformableSettings
from DiffusionCore.deformable.start import split
from DiffusionCore.interpolation import Interpolation
from DiffusionCore.metrics import dice, jacobian_statistics, local_correlation
from DiffusionCore.registration import register
from DiffusionCore.space import Volume
from DiffusionCore.storage.volumes import write_volume
from DiffusionCore.transforms import Chain, Velocity, resample, voxel_centers
from DiffusionCore.transforms.folding import folded_share


def guided(guidance, **changes):
    fixed, moving, _, _ = pair()
    settings = replace(SETTINGS, refinement=replace(REFINEMENT, **changes), guidance=guidance)
    return register(fixed, moving, settings, initial_transform=SHIFT)


@cache
def plainly():
    return guided(Guidance())


def alike(found):
    fixed = pair()[0]
    return local_correlation(fixed.values, found.warped.values, fixed.values > 0.3)


def worst_five():
    """Return five pairs of the hidden transform, far from each other, at which the plain energy errs most."""
    _, _, truth, inside = pair()
    errors, chosen = apart(plainly().transform, truth), []
    for index in errors.argsort(descending=True).tolist():
        if all((inside[index] - inside[other]).norm() > 12 for other in chosen):
            chosen.append(index)
        if len(chosen) == 5:
            break
    points = inside[chosen]
    return points, truth.map(points)


def landmarks(points, images, **more):
    pairs = zip(points.tolist(), images.tolist(), strict=True)
    return Landmarks(tuple(LandmarkPair(tuple(f), tuple(m)) for f, m in pairs), **more)


def test_without_guidance_the_energy_finds_what_the_force_finds():
    truth = pair()[2]
    assert float(apart(plainly().transform, truth).mean()) < 0.4 * float(apart(SHIFT, truth).mean())
    assert folded_share(plainly().transform.parts[-1].displacement) == 0


def test_five_landmarks_halve_their_error_and_the_images_stay_alike():
    points, images = worst_five()
    before = (plainly().transform.map(points) - images).norm(dim=-1).mean()
    found = guided(Guidance(landmarks=landmarks(points, images)))
    after = (found.transform.map(points) - images).norm(dim=-1).mean()
    assert after < 0.5 * before
    assert alike(found) > 0.98 * alike(plainly())


def test_more_strength_brings_landmarks_nearer_until_they_meet():
    points, images = worst_five()
    errors = []
    for strength in (0.0, 0.3, 3.0, 1000.0):
        found = guided(Guidance(landmarks=landmarks(points, images, strength=strength)))
        errors.append(float((found.transform.map(points) - images).norm(dim=-1).mean()))
        assert folded_share(split(found.transform, FIXED)[1].displacement) == 0
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.3
    assert alike(found) > 0.98 * alike(plainly())


def test_a_point_is_drawn_along_its_whole_way():
    points = torch.from_numpy(FIXED.center)[None] + torch.tensor([[-8.0, 3.0, 2.0]])
    images = SHIFT.map(points + torch.tensor([[18.0, 0.0, 0.0]]))  # farther than the reach of a pull
    found = guided(Guidance(landmarks=landmarks(points, images, strength=100.0), similarity=0.0)).transform
    assert float((found.map(points) - images).norm()) < 1.0


def test_landmarks_that_contradict_each_other_are_met_half_way():
    points = torch.from_numpy(FIXED.center)[None].repeat(2, 1)
    images = SHIFT.map(points + torch.tensor([[5.0, 0.0, 0.0], [-5.0, 0.0, 0.0]]))
    found = guided(Guidance(landmarks=landmarks(points, images, strength=1000.0), similarity=0.0)).transform
    assert float((found.map(points)[0] - SHIFT.map(points)[0]).norm()) < 0.5


def test_landmarks_outside_the_fixed_image_are_told_and_disturb_nothing():
    center = torch.from_numpy(FIXED.center)
    points = center + torch.tensor([[0.0, 0.0, 0.0], [300.0, 0.0, 0.0], [0.0, 20.0, 0.0]])
    images = SHIFT.map(points + torch.tensor([[0.0, 0.0, 0.0], [-4.0, 0.0, 0.0], [0.0, 300.0, 0.0]]))
    some, all_ = (Guidance(landmarks=landmarks(points[:n], images[:n], strength=5.0)) for n in (1, 3))
    assert followed(all_.landmarks, FIXED, SHIFT).tolist() == [True, False, False]
    found = [guided(guidance, iterations=(4, 4)).transform for guidance in (some, all_)]
    torch.testing.assert_close(*(split(transform, FIXED)[1].vectors for transform in found))
    settings = [replace(SETTINGS, guidance=guidance) for guidance in (None, some, all_)]
    for silent in settings[:2]:
        assert cautions(silent, ["start", "refine"], found[1], FIXED) == ()
    (told,) = cautions(settings[2], ["start", "refine"], found[1], FIXED)
    assert told.endswith("not followed: 2 of 3.")
    assert cautions(settings[2], ["start"], SHIFT, FIXED) == ()  # stopped before it deformed


def test_smoothness_moves_the_regularity_one_way():
    deviations = []
    for smoothness in (0.3, 1.0, 4.0):
        found = guided(Guidance(smoothness=smoothness)).transform
        deviations.append(jacobian_statistics(found, FIXED, pair()[0].values > 0.3).log_deviation)
    assert deviations == sorted(deviations, reverse=True)
    assert deviations[-1] < 0.8 * deviations[0]


def test_a_preferred_direction_holds_back_what_is_across_it():
    direction = (1.0, -2.0, 0.5)
    unit = torch.tensor(direction) / torch.tensor(direction).norm()
    shares = []
    for guidance in (Guidance(), Guidance(direction=PreferredDirection(direction, 5.0))):
        velocity = split(guided(guidance).transform, FIXED)[1].vectors
        along = torch.einsum("a,akji->kji", unit, velocity)
        shares.append(float(along.square().sum() / velocity.square().sum()))
    assert shares[0] < 0.6
    assert shares[1] > 0.8


@pytest.mark.parametrize("length", [1e-200, 1e300])
def test_the_length_of_a_direction_does_not_matter(length):
    found = [
        split(guided(Guidance(direction=PreferredDirection((x, -2 * x, 2 * x))), iterations=(3,)).transform, FIXED)[1]
        for x in (1.0, length)
    ]
    torch.testing.assert_close(found[0].vectors, found[1].vectors)


def segment(folder, bad=False):
    """Write a ball of the fixed image, and what the hidden transform makes of it, and return the target."""
    _, moving, truth, _ = pair()
    center = torch.from_numpy(FIXED.center) + torch.tensor([6.0, -8.0, 5.0])
    fixed = ((voxel_centers(FIXED) - center).norm(dim=-1) < 12).numpy().astype(np.uint8) * 3
    back = truth.inverse().map(voxel_centers(moving.grid))
    other = ((back - center).norm(dim=-1) < 12).numpy().astype(np.uint8) * 3
    write_volume(folder / "fixed.nii.gz", Volume(fixed, FIXED))
    write_volume(folder / "moving.nii.gz", Volume(other * (not bad), moving.grid))
    return TargetSegment(folder / "fixed.nii.gz", folder / "moving.nii.gz", 3), fixed, Volume(other, moving.grid)


def test_a_target_segment_comes_to_cover_itself_with_the_images_out_of_account(tmp_path):
    target, fixed, other = segment(tmp_path)

    def overlap(transform):
        return dice(fixed, resample(other, FIXED, transform, interpolation=Interpolation.NEAREST).values)[3]

    found = guided(Guidance(segment=target, similarity=0.0)).transform
    assert overlap(found) > 1 - 0.6 * (1 - overlap(SHIFT))


def test_a_segment_that_is_not_there_is_refused_before_any_step(tmp_path):
    fixed, moving, _, _ = pair()
    absent, nowhere = segment(tmp_path, bad=True)[0], Path("nowhere.nii.gz")
    for target, error, text in (
        (absent, VolumeError, "The moving segmentation holds no label 3"),
        (TargetSegment(nowhere, nowhere, 1), StorageError, "nowhere"),
    ):
        pipeline = DeformablePipeline(replace(SETTINGS, guidance=Guidance(segment=target)), device="cpu")
        with pytest.raises(error, match=text):
            next(pipeline.steps(fixed, moving, generator=torch.Generator().manual_seed(0)))


def test_where_the_images_are_not_believed_landmarks_alone_count():
    fixed, moving, _, inside = pair()
    points = inside[:: len(inside) // 4][:4]
    images = points + torch.tensor([2.0, 1.0, -2.0])
    settings = DeformableSettings(
        AffineSettings(None), REFINEMENT, guidance=Guidance(landmarks=landmarks(points, images))
    )
    pipeline = DeformablePipeline(settings, device="cpu")
    pipeline._alignment = Doubtful()
    first, *_, last = pipeline.steps(fixed, moving, generator=torch.Generator().manual_seed(0))
    assert (first.phase, last.phase) == (CAUTION, "guide")
    assert isinstance(last.transform, Chain)
    assert float((last.transform.map(points) - images).norm(dim=-1).mean()) < 1.0
    assert cautions(settings, [CAUTION, "guide"], last.transform, FIXED) == (NO_SAFE_POSE,)


def test_where_the_images_are_not_believed_a_run_that_goes_on_leaves_them_out_of_account():
    fixed, moving, _, _ = pair()
    points, images = worst_five()
    step = Step(4, "guide", 0.5, plainly().steps[0].transform @ Velocity(torch.zeros(3, *FIXED.shape), FIXED))
    wishes = Guidance(landmarks=landmarks(points, images))
    found = [
        register(fixed, moving, replace(SETTINGS, guidance=guidance), after=step)
        for guidance in (wishes, replace(wishes, similarity=0.0))
    ]
    assert {made.phase for made in found[0].steps} == {"guide"}
    torch.testing.assert_close(*(split(one.transform, FIXED)[1].vectors for one in found), rtol=0, atol=0)
    for nothing in (None, Guidance(smoothness=2.0)):
        with pytest.raises(ConfigError, match="only landmarks or a target segment"):
            register(fixed, moving, replace(SETTINGS, guidance=nothing), after=step)


def test_guidance_goes_on_from_a_step():
    points, images = worst_five()
    fixed, moving, _, _ = pair()
    settings = replace(SETTINGS, guidance=Guidance(landmarks=landmarks(points, images)))
    step = plainly().steps[-1]
    found = register(fixed, moving, settings, after=step).transform
    before, after = ((t.map(points) - images).norm(dim=-1).mean() for t in (step.transform, found))
    assert after < 0.6 * before


def test_guidance_survives_json():
    points, images = worst_five()
    whole = Guidance(
        landmarks(points, images, strength=2.0),
        TargetSegment(Path("/a/fixed.nii.gz"), Path("/a/moving.nii.gz"), 7, 0.5),
        PreferredDirection((0.0, 0.0, 2.0)),
        smoothness=2.0,
        similarity=0.5,
    )
    settings = DeformableSettings(guidance=whole)
    assert from_json(DeformableSettings, to_json(settings)) == settings


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: Landmarks(()), "at least one pair"),
        (lambda: Landmarks((LandmarkPair((0, 0, 0), (0, 0, float("nan"))),)), "finite"),
        (lambda: Landmarks((LandmarkPair((0, 0, 0), (0, 0, 0)),), strength=-1.0), "strength"),
        (lambda: PreferredDirection((0.0, 0.0, 0.0)), "not zero"),
        (lambda: TargetSegment(Path("a"), Path("b"), 0), "label"),
        (lambda: Guidance(smoothness=0.0), "smoothness"),
        (lambda: Guidance(similarity=float("inf")), "similarity"),
        (lambda: DeformableSettings(AffineSettings(), None, guidance=Guidance()), "needs a 'refinement'"),
    ],
)
def test_guidance_without_sense_is_refused(make, word):
    with pytest.raises(ValueError, match=word):
        make()
