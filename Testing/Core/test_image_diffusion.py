"""The diffusion of images: the frame they share, guidance in one pass, and what a perfect denoiser finds."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from DiffusionCore.checks import VolumeError
from DiffusionCore.config import from_json, to_json
from DiffusionCore.diffusion.denoising import Sampler
from DiffusionCore.diffusion.gaussian import NoiseSource
from DiffusionCore.diffusion.reverse import spaced_times
from DiffusionCore.diffusion.schedules import CosineBetas
from DiffusionCore.images.diffusion import (
    PUBLISHED_BETAS,
    Conditions,
    Guidance,
    ImageDiffusion,
    sample_images,
    sample_source,
)
from DiffusionCore.images.frame import ImageFrame, Intensities, middle, placed_image, placed_labels
from DiffusionCore.space import Frame, Grid, Volume
from DiffusionCore.transforms.affine import Affine
from DiffusionCore.transforms.base import voxel_centers

FRAME = ImageFrame((6, 8, 5), 4.0, Intensities(0.4, 0.5, 2.0), labels=(0, 3, 40), classes=("t1", "t2"))
PUBLISHED = ImageDiffusion(PUBLISHED_BETAS, "noise")
KINDS = [ImageDiffusion(), PUBLISHED, ImageDiffusion(CosineBetas(300), "clean")]


def generator(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def hidden_images(batch: int = 2) -> torch.Tensor:
    return FRAME.intensities.standardized(2 * torch.rand(batch, 1, *FRAME.grid.shape, generator=generator()))


def oracle(hidden, diffusion):
    """Return the network that knows the ``hidden`` images."""

    def estimate(state, position, labels, classes, times):
        kept = diffusion.schedule.alpha_bar(times).view(-1, 1, 1, 1, 1)
        noise = (state - kept.sqrt() * hidden) / (1 - kept).sqrt()
        return diffusion.estimated.of(hidden.double(), noise, kept.flatten())

    return estimate


def run(network, diffusion=KINDS[0], seeds=(5, 6), count=7, **options):
    conditions = Conditions.none(FRAME, len(seeds))
    times = spaced_times(diffusion.schedule.steps, count)
    given = {"guidance": Guidance(), "sampler": Sampler(0.0), **options}
    return list(sample_images(network, diffusion, FRAME, conditions, times, noise=NoiseSource(seeds), **given))


@pytest.mark.parametrize("eta", [0.0, 1.0], ids=["ddim", "ddpm"])
@pytest.mark.parametrize("diffusion", KINDS, ids=["velocity-cosine", "noise-linear", "clean-cosine"])
def test_a_perfect_denoiser_recovers_the_hidden_images(diffusion, eta):
    hidden = hidden_images()
    last = run(oracle(hidden, diffusion), diffusion, sampler=Sampler(eta))[-1]
    assert last.time == 0
    assert_close(last.state, hidden, atol=1e-4, rtol=0)


def blurry(state, position, labels, classes, times):
    return torch.tanh(state) * 0.3 + position[:, :1]


@pytest.mark.parametrize("eta", [0.0, 1.0], ids=["ddim", "ddpm"])
def test_a_sample_is_the_same_alone_and_with_others(eta):
    both = run(blurry, seeds=(5, 6), sampler=Sampler(eta))[-1].state
    alone = [run(blurry, seeds=(seed,), sampler=Sampler(eta))[-1].state for seed in (5, 6)]
    assert_close(both, torch.cat(alone), atol=1e-6, rtol=0)
    assert not torch.equal(both[0], both[1])


def test_the_noise_of_a_sample_does_not_depend_on_how_many_are_asked_for():
    whole = sample_source(7, *range(20))
    assert sample_source(7, 13).seeds == whole.seeds[13:14]
    assert len({*whole.seeds, *sample_source(8, *range(20)).seeds}) == 40


def test_a_run_resumed_after_any_step_is_the_rest_of_the_whole_run():
    whole = run(blurry, sampler=Sampler(1.0))
    for step in whole[:-1]:
        rest = run(blurry, sampler=Sampler(1.0), state=step.state, first=step.index + 1)
        assert torch.equal(rest[-1].state, whole[-1].state)


def test_no_estimate_leaves_the_intensities_of_the_frame():
    low, high = FRAME.intensities.limits
    for step in run(lambda state, *rest: 9 * state):
        assert low <= step.clean.min() < step.clean.max() <= high


def test_guidance_takes_one_pass_and_goes_beyond_what_the_conditions_bring():
    calls = []

    def network(state, position, labels, classes, times):
        calls.append(len(state))
        known = (labels != FRAME.unknown_label).float()[:, None]
        return known + 10.0 * classes.view(-1, 1, 1, 1, 1)

    state, times = torch.zeros(2, 1, *FRAME.grid.shape), torch.tensor([4, 4])
    known = Conditions(FRAME.positions().expand(2, -1, -1, -1, -1), torch.ones(2, 5, 8, 6).long(), torch.tensor([0, 2]))
    for scale, expected in ((0.0, (0.0, 0.0)), (1.0, (1.0, 21.0)), (3.0, (3.0, 63.0))):
        calls.clear()
        estimate = Guidance(scale).estimate(network, state, known, FRAME.unknown_label, times)
        assert_close(estimate.mean((1, 2, 3, 4)), torch.tensor(expected))
        assert calls == [2 if scale == 1 else 4]


def test_a_negative_guidance_is_refused():
    with pytest.raises(ValueError, match="scale"):
        Guidance(-0.5)


def test_labels_have_their_numbers_and_others_are_named():
    assert FRAME.label_numbers(np.array([[40, 0], [3, 3]])).tolist() == [[2, 0], [1, 1]]
    assert FRAME.unknown_label == 3
    for value in (41, 2, -1):
        with pytest.raises(VolumeError, match=rf"label {value}; the model knows: 0, 3, 40"):
            FRAME.label_numbers(np.array([0, value]))
    blind = ImageFrame((4, 4, 4), 4.0, FRAME.intensities)
    with pytest.raises(VolumeError, match="without label maps"):
        blind.label_numbers(np.array([0]))


def test_positions_are_those_of_the_frame():
    positions = FRAME.positions()
    assert positions.shape == (1, 3, *FRAME.grid.shape)
    for voxel in ((0, 0, 0), (5, 2, 4)):
        i, j, k = voxel
        expected = FRAME.grid.map(voxel, Frame.VOXEL, Frame.UNIT)
        assert_close(positions[0, :, k, j, i].double(), torch.from_numpy(expected), atol=1e-6, rtol=0)


def oblique_ball() -> tuple[Volume, Volume]:
    """Return an image on an oblique grid, and labels on another one, of a ball with a bright side (right)."""
    volumes = []
    for size, angle in (((40, 36, 30), 0.5), ((44, 40, 36), -0.3)):
        axes = Affine.exponential([0.3 * angle, angle, -0.5 * angle, 0, 0, 0]).matrix[:3, :3].numpy()
        spacing = np.array([2.0, 2.4, 3.0])
        origin = np.array([150, -80, 40]) - axes @ ((np.array(size) - 1) / 2 * spacing)
        grid = Grid.from_matrix(np.block([[axes * spacing, origin[:, None]], [np.zeros((1, 3)), 1]]), size)
        points = voxel_centers(grid).numpy() - [150, -80, 40]
        inside = (points**2).sum(-1) < 20**2
        right = points[..., 0] > 0
        volumes.append(Volume(np.where(inside, 100 + 50 * right, 0).astype(np.float32), grid))
        labels = Volume(np.where(inside, np.where(right, 40, 3), 0).astype(np.uint8), grid)
    return volumes[0], labels


def test_images_and_labels_come_to_the_middle_and_to_the_axes_of_the_body():
    image, labels = oblique_ball()
    center = middle(image, labels)
    assert np.abs(center - [150, -80, 40]).max() < 0.7
    frame = ImageFrame((14, 12, 13), 4.0, FRAME.intensities, labels=(0, 3, 40))
    placed = placed_image(image, frame.grid, center)[0, 0]
    numbers = placed_labels(labels, frame.grid, center)
    x = frame.grid.map(np.stack([np.arange(14), np.zeros(14), np.zeros(14)], -1), Frame.VOXEL, Frame.RAS)[:, 0]
    row, label_row = placed[6, 5].numpy(), numbers[6, 5]
    assert (label_row == np.where(abs(x) > 19, 0, np.where(x > 0, 40, 3)))[abs(abs(x) - 20) > 2].all()
    assert row[(x > 4) & (x < 15)].min() > 1.3 * row[(x < -4) & (x > -15)].max()
    assert placed[:, :, [0, -1]].max() < 0.02
    assert placed[placed > 0.5].mean().item() == pytest.approx(1.0, abs=0.2)


def test_a_frame_and_a_diffusion_survive_as_text():
    assert from_json(ImageFrame, to_json(FRAME)) == FRAME
    for diffusion in KINDS:
        assert from_json(ImageDiffusion, to_json(diffusion)) == diffusion


@pytest.mark.parametrize(("change", "named"), [({"labels": (3, 0)}, "labels"), ({"classes": ("a", "a")}, "classes")])
def test_a_frame_that_contradicts_itself_is_refused(change, named):
    with pytest.raises(ValueError, match=named):
        ImageFrame((4, 4, 4), 4.0, FRAME.intensities, **change)
