"""The published procedures as the benchmarks re-state them: they sample what ours sample."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from published_deformations import composed_fields

from DiffusionCore.deformation.published import NOISE, draw_velocity
from DiffusionCore.diffusion.denoising import Sampler, denoise
from DiffusionCore.diffusion.gaussian import TARGETS
from DiffusionCore.diffusion.reverse import StdRatio, StraightUpdate, reverse, spaced_times
from DiffusionCore.diffusion.schedules import CosineSchedule, LinearBetas
from DiffusionCore.transforms import Affine
from Testing.Benchmarks.suites import published_generation, published_sampling
from Testing.Benchmarks.suites.elastic import gaussian_maker, spline_maker
from Testing.Benchmarks.suites.made_head import made_head

ESTIMATE = torch.tensor([[1.1, 0.05, 0.0, 0.2], [-0.03, 0.95, 0.1, -0.4], [0.02, 0.0, 1.0, 0.1], [0, 0, 0, 1.0]])


class NoNoise:
    """Zeros in the place of fresh noise."""

    def at(self, time, shape):
        return torch.zeros(1, *shape)


def halved(state, times):
    """A network that takes half of what it sees for noise."""
    return 0.5 * state


@pytest.mark.parametrize("count", [1, 4, 65])
def test_the_affine_steps_are_those_of_the_published_ratios(count):
    times = spaced_times(65, 65)[-count:]
    images = torch.rand(2, 1, 1, 8, 8, 8)
    found = published_sampling.affine(lambda seen, time: ESTIMATE[None], *images, times)
    truth = ESTIMATE.double().clone()
    truth[:3, 3] /= 4  # voxels; half a window has four
    weights = StdRatio(CosineSchedule(65, 0.01, 0.07), CosineSchedule(65, 0.5, 4.0))
    *_, last = reverse(lambda current, time: Affine(truth), times, weights, StraightUpdate((0.0, 0.0, 0.0)))
    torch.testing.assert_close(found[0].double(), last.transform.matrix, rtol=1e-4, atol=1e-5)


def test_a_second_pass_that_finds_the_same_takes_the_first_one_back():
    images = torch.rand(2, 1, 1, 8, 8, 8)
    found = published_sampling.affine_both_ways(lambda seen, time: ESTIMATE[None], *images, (9, 1))
    torch.testing.assert_close(found[0], torch.eye(4), atol=1e-5, rtol=0)


def test_ddim_makes_the_images_that_our_sampler_makes():
    noise, times = torch.randn(1, 1, 4, 5, 6), spaced_times(1000, 7)
    found = published_sampling.ddim(halved, halved, times, noise)
    *_, last = denoise(
        halved,
        noise,
        times,
        LinearBetas(1000, 1e-4, 2e-2),
        TARGETS["noise"],
        noise=NoNoise(),
        sampler=Sampler(0.0),
    )
    torch.testing.assert_close(found, last.state, rtol=1e-3, atol=1e-4)


def test_the_last_ancestral_step_leaves_the_clean_field():
    clean, noise = torch.randn(2, 1, 3, 4, 5, 6)
    schedule = LinearBetas(2000, 1e-6, 1e-2)
    kept = schedule.alpha_bar(torch.tensor(40)).item()
    state = kept**0.5 * clean + (1 - kept) ** 0.5 * noise
    found = published_sampling.diffusereg(lambda images, field, times: noise, torch.zeros(1, 2, 4, 5, 6), (40,), state)
    torch.testing.assert_close(found, clean, rtol=1e-3, atol=1e-3)


def test_deformations_are_those_of_the_published_compositions():
    generator = torch.Generator().manual_seed(0)
    velocity, noise = draw_velocity(1, generator=generator), draw_velocity(1, share=NOISE, generator=generator)
    expected = composed_fields(velocity, noise, 3, 16).deformation
    torch.testing.assert_close(published_generation.deformation(velocity, noise, 3, 16), expected, rtol=0, atol=1e-3)


@pytest.fixture(scope="module")
def head():
    return made_head((24, 28, 26))


@pytest.mark.parametrize("make", [gaussian_maker, spline_maker])
def test_others_deform_image_and_labels_of_a_made_head_alike(make, head):
    image, labels = head.images[0].values.astype(np.float32), head.segmentations[0].volume.values
    assert len(np.unique(labels)) == 21
    moved = [
        each if isinstance(each, np.ndarray) else sitk.GetArrayFromImage(each) for each in make(image, labels, 8.0)()
    ]
    assert moved[0].shape == moved[1].shape == image.shape
    assert set(np.unique(moved[1])) <= set(np.unique(labels))
    changed = abs(moved[0] - image).mean() / image.mean()
    assert 0.05 < changed < 1
    white = np.isin(moved[1], (5, 15))
    assert moved[0][white].mean() > 1.2 * moved[0][moved[1] == 10].mean()
