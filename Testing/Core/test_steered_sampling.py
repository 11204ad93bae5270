"""Steering inside the sampling: what guides a deformation moves the estimate at every step, in both forms.

The network is a small one that errs: it knows a part of the hidden deformation, and adds waves of its own.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_diffusereg_method import CENTER, FIXED_GRID, HIDDEN, aligned, drawn, saved
from test_diffusereg_method import CONFIG as PUBLISHED
from test_sampled_field import CONFIG, SETTINGS
from test_sampled_field import saved as saved_velocity

from DiffusionCore.deformable import diffusereg_pipeline, sampled
from DiffusionCore.deformable.diffusereg_pipeline import PublishedDiffuseRegSettings
from DiffusionCore.deformable.guidance import Guidance, LandmarkPair, Landmarks, PreferredDirection, TargetSegment
from DiffusionCore.deformable.learned import seen_grid, seen_spacing, velocity_grid
from DiffusionCore.deformable.pipeline import DeformableSettings
from DiffusionCore.interpolation import Interpolation
from DiffusionCore.metrics import dice, jacobian_statistics, local_correlation
from DiffusionCore.networks.loop_denoiser import LoopDenoiserConfig, LoopEstimate
from DiffusionCore.registration import register
from DiffusionCore.space import Volume
from DiffusionCore.storage.volumes import write_volume
from DiffusionCore.transforms import Affine, resample, voxel_centers
from DiffusionCore.transforms.displacement import voxel_vectors
from DiffusionCore.transforms.velocity import Velocity

FORMS = ("ours", "published")
FAR = torch.from_numpy(CENTER + 18 * np.random.default_rng(5).normal(size=(300, 3)))


class Erring(torch.nn.Module):
    """Knows ``share`` of a field (3, K, J, I), in voxels, and adds ``waves`` of so many voxels; in both forms."""

    stride = 2

    def __init__(self, field, share, waves):
        super().__init__()
        k, j, i = (torch.arange(n).float() for n in field.shape[1:])
        rough = torch.sin(1.3 * k)[:, None, None] * torch.cos(1.7 * j)[:, None] * torch.sin(1.1 * i)
        self.field = (share * field + waves * rough)[None]
        self.config = LoopDenoiserConfig()

    def forward(self, images, state, estimate, times):
        velocity = (self.field / CONFIG.measured).expand_as(state)
        return LoopEstimate(velocity, torch.zeros_like(velocity[:, :1]))

    def encode(self, images):
        return images

    def denoise(self, condition, field, times):
        kept = PUBLISHED.schedule.alpha_bar(times[0])
        return (field - kept.sqrt().float() * PUBLISHED.measured.standardized(self.field)) / (1 - kept).sqrt().float()


@pytest.fixture(params=FORMS)
def sample(request, tmp_path, monkeypatch):
    """Return what registers ``drawn`` by sampling alone: (guidance, share, waves, after=...) -> Registration."""

    def run(guidance=None, share=0.4, waves=0.0, after=None, **changes):
        def network(_):
            grid = seen_grid(drawn()[0], seen_spacing(drawn()[0], 6.0))
            grid = velocity_grid(grid, 2) if request.param == "ours" else grid
            rest = aligned().inverse() @ HIDDEN
            field = Velocity.of(rest, grid).vectors if request.param == "ours" else rest.displacement_on(grid)
            return Erring(voxel_vectors(field, grid), share, waves)

        if request.param == "ours":
            monkeypatch.setattr(sampled, "build_network", network)
            model = saved_velocity(tmp_path / "ours.safetensors", pairs={"spacing": 6.0})
            learned = replace(SETTINGS, model=model, samples=1, **{"passes": 3, **changes})
            settings = DeformableSettings(affine=None, refinement=None, learned=learned, guidance=guidance)
        else:
            monkeypatch.setattr(diffusereg_pipeline, "build_network", network)
            model = saved(tmp_path / "published.safetensors")
            more = {"count": changes.pop("passes", 3), "eta": 0.0, "affine": None}
            settings = PublishedDiffuseRegSettings(model, guidance=guidance, **more, **changes)
        return register(*drawn(), settings, initial_transform=aligned(), after=after, device="cpu")

    run.form = request.param
    return run


def landmarks(**more):
    """Return five pairs of the hidden transform, and their points."""
    points = torch.from_numpy(CENTER) + 14 * torch.tensor(
        [[1.0, 1, 1], [-1, 1, -1], [1, -1, -1], [-1, -1, 1], [0, 0, 0]]
    )
    pairs = zip(points.tolist(), HIDDEN.map(points).tolist(), strict=True)
    return points, Landmarks(tuple(LandmarkPair(tuple(f), tuple(m)) for f, m in pairs), **more)


def distance(transform, points):
    return float((transform.map(points) - HIDDEN.map(points)).norm(dim=-1).mean())


def alike(found):
    fixed = drawn()[0].values
    return local_correlation(fixed, found.warped.values, fixed > 0.3)


def test_five_landmarks_halve_their_error_and_the_images_stay_alike(sample):
    points, pairs = landmarks()
    plain, found = sample(), sample(Guidance(pairs))
    assert distance(plain.transform, points) > 1.5
    assert distance(found.transform, points) < 0.5 * distance(plain.transform, points)
    assert alike(found) > 0.98 * alike(plain)
    errors = [distance(sample(Guidance(replace(pairs, strength=s))).transform, points) for s in (0.3, 3.0)]
    assert errors == sorted(errors, reverse=True)


def test_the_similarity_of_the_images_brings_the_rest_of_the_deformation(sample):
    errors = [distance(sample(Guidance(similarity=s)).transform, FAR) for s in (0.0, 1.0, 4.0)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.9 * errors[0]


def test_smoothness_moves_the_regularity_one_way(sample):
    inside = drawn()[0].values > 0.3
    deviations = []
    for smoothness in (0.1, 1.0, 10.0):
        found = sample(Guidance(smoothness=smoothness, similarity=0.0), waves=0.3).transform
        deviations.append(jacobian_statistics(found, FIXED_GRID, inside).log_deviation)
    assert deviations == sorted(deviations, reverse=True)
    assert deviations[-1] < 0.6 * deviations[0]


def test_a_preferred_direction_holds_back_what_is_across_it(sample):
    axis = torch.tensor((1.0, -2.0, 0.5), dtype=torch.float64)
    shares = []
    for strength in (0.0, 3.0):
        preferred = PreferredDirection(tuple(axis.tolist()), strength)
        found = sample(Guidance(direction=preferred, similarity=0.0), share=1.0).transform
        moved = aligned().inverse().map(found.map(FAR)) - FAR
        shares.append(float((moved @ (axis / axis.norm())).square().sum() / moved.square().sum()))
    assert shares[1] > shares[0] + 0.1


def test_a_target_segment_comes_to_cover_itself(sample, tmp_path):
    center = torch.from_numpy(CENTER) + torch.tensor([6.0, -8.0, 5.0])
    moving_grid = drawn()[1].grid
    fixed = ((voxel_centers(FIXED_GRID) - center).norm(dim=-1) < 16).numpy().astype(np.uint8) * 3
    back = HIDDEN.inverse().map(voxel_centers(moving_grid))
    moving = Volume(((back - center).norm(dim=-1) < 16).numpy().astype(np.uint8) * 3, moving_grid)
    write_volume(tmp_path / "fixed.nii.gz", Volume(fixed, FIXED_GRID))
    write_volume(tmp_path / "moving.nii.gz", moving)
    target = TargetSegment(tmp_path / "fixed.nii.gz", tmp_path / "moving.nii.gz", 3)

    def overlap(found):
        return dice(fixed, resample(moving, FIXED_GRID, found.transform, interpolation=Interpolation.NEAREST).values)[3]

    plain, found = (overlap(sample(guidance)) for guidance in (None, Guidance(segment=target, similarity=0.0)))
    assert found > 1 - 0.75 * (1 - plain)


def test_a_sampling_is_resumed_from_any_of_its_steps_with_other_guidance(sample):
    points, pairs = landmarks()
    whole = sample().steps
    for number in (1, 2):
        rest = sample(Guidance(pairs), after=whole[number]).steps
        assert [step.index for step in rest] == list(range(number + 1, len(whole)))
        assert [step.time for step in rest] == [step.time for step in whole[number + 1 :]]
        assert {step.phase for step in rest} == {whole[number].phase}
        assert distance(rest[-1].transform, points) < 0.5 * distance(whole[-1].transform, points)


def test_a_sampling_ends_early_where_nothing_is_gained(sample):
    whole = sample(passes=12).steps
    short = sample(passes=12, patience=2).steps
    assert len(short) < len(whole)
    assert short[-1].time == 0
    assert distance(short[-1].transform, FAR) == pytest.approx(distance(whole[-1].transform, FAR), rel=0.05)


def test_without_guidance_images_are_never_less_alike_than_at_the_start(sample):
    found = sample(share=-0.6)
    assert isinstance(found.steps[-1].transform, Affine)
    assert found.steps[-1].time == 0
    guided = sample(Guidance(landmarks()[1], similarity=0.0), share=-0.6)
    assert not isinstance(guided.steps[-1].transform, Affine)
