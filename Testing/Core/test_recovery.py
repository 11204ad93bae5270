"""Recovery: a perfect network leads back; the networks have their sizes; the losses mean what they say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from strategies import oblique_grid, smooth_volume

from DiffusionCore.build import build_network
from DiffusionCore.checks import StorageError
from DiffusionCore.config import to_dict
from DiffusionCore.deformation.demons import demons, registered
from DiffusionCore.deformation.published import compositions
from DiffusionCore.deformation.published_recovery import (
    angle_loss,
    displaced,
    distance_loss,
    published_loss,
    published_steps,
    recurrent,
    regularity_loss,
)
from DiffusionCore.deformation.random_fields import MultiScale, sealed
from DiffusionCore.deformation.recovery import Recovery, centered_grid, posed_grid, seen_on, template_volume
from DiffusionCore.interpolation import pull_at
from DiffusionCore.networks.published_recovery import PublishedRecovery, PublishedRecoveryConfig
from DiffusionCore.networks.recovery import RecoveryConfig, RecoveryNetwork, mirrored_field
from DiffusionCore.space import Frame, Grid
from DiffusionCore.storage.checkpoint import Checkpoint
from DiffusionCore.storage.volumes import write_volume
from DiffusionCore.training.recipes import configure
from DiffusionCore.training.recovery import RecoveryRecipe, RecoveryRecipeConfig
from DiffusionCore.transforms import Affine, resample
from DiffusionCore.transforms.velocity import flow

GRID = Grid((16, 24, 20), (4.0, 4.0, 4.0)).with_center((5.0, -3.0, 8.0))
SMALL = RecoveryConfig(size=(16, 24, 20), channels=16, blocks=1, embedding=16)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def unit():
    return sealed(MultiScale((32.0, 64.0)).draw(GRID, generator=seeded(2)), GRID, 16.0)


def anatomy(seed=3):
    """Return an image (K, J, I) on GRID: smooth blobs in an ellipsoid, background 0."""
    k, j, i = torch.meshgrid(*(torch.linspace(-1, 1, n) for n in GRID.shape), indexing="ij")
    inside = torch.sigmoid((0.75 - (i**2 + j**2 + k**2).sqrt()) * 20)
    texture = 1 + 0.4 * MultiScale((24.0,)).draw(GRID, generator=seeded(seed))[0].clamp(-2, 2)
    return inside * texture * (inside > 0.05)


@pytest.mark.parametrize("count", [1, 5, 20])
def test_a_perfect_network_leads_back_from_any_level_in_any_number_of_steps(count):
    velocity = unit()
    recovery = Recovery(lambda images, levels: velocity[None], torch.rand(1, 1, *GRID.shape), GRID, 2.0)
    states = list(recovery.steps(velocity, 6.0, count))
    assert len(states) == count + 1
    inner = (slice(None), *[slice(3, -3)] * 3)
    start, end = (float(states[n].vectors[inner].norm(dim=0).mean()) for n in (0, -1))
    assert start > 4
    assert end < 0.05 * start


def test_a_network_that_sees_nothing_changes_nothing_and_the_level_falls():
    told = []

    def blind(images, levels):
        told.append(float(levels))
        return torch.zeros(1, 3, 5, 6, 4)

    states = list(Recovery(blind, torch.rand(1, 1, *GRID.shape), GRID, 2.0).steps(unit(), 6.0, 4))
    torch.testing.assert_close(states[-1].vectors, states[0].vectors)
    assert told == [6.0, 4.5, 3.0, 2.0]  # never below what it was trained on


def test_the_network_sees_any_image_about_its_own_center_with_the_axes_of_the_body():
    grid = oblique_grid((40, 44, 36), (2.5, 2.2, 2.8))
    image = smooth_volume(grid, seed=1)
    canonical = centered_grid(image, (16, 24, 20), 4.0)
    seen = seen_on(image, canonical)
    assert seen.shape == (1, 1, 20, 24, 16)
    assert float(seen[seen > 0].mean()) == pytest.approx(1, abs=0.3)
    assert canonical.direction == ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    voxel = grid.map(canonical.center, Frame.RAS, Frame.VOXEL)
    assert abs(voxel - (19.5, 21.5, 17.5)).max() < 4


def test_an_image_is_seen_in_the_pose_of_the_template():
    template = template_volume(anatomy()[None, None], 4.0)
    turn = Affine.exponential([0.1, -0.15, 0.12, 20.0, -30.0, 10.0])
    grid = oblique_grid((40, 44, 42), (3.0, 2.9, 2.8)).with_center((20.0, -30.0, 10.0))
    image = resample(template, grid, turn.inverse())
    posed = posed_grid(image, template)
    expected = turn.map(torch.from_numpy(template.grid.corners()))
    assert np.abs(posed.corners() - expected.numpy()).max() < 3


def test_demons_undo_a_smooth_displacement_and_respect_the_mirror():
    template = anatomy()[None, None]
    shifts = MultiScale((48.0,)).draw(GRID, generator=seeded(4))[None]  # about one voxel
    images = pull_at(template, shifts)
    found = demons(images, template)
    fine = 2 * torch.nn.functional.interpolate(found, images.shape[2:], mode="trilinear")
    inner = template > 0.5
    left, before = ((pull_at(images, u) - template).square()[inner].mean() for u in (fine, 0 * fine))
    assert left < 0.25 * before
    mirrored = demons(images.flip(-1), template.flip(-1))
    torch.testing.assert_close(mirrored, mirrored_field(found), atol=1e-4, rtol=1e-3)


def test_the_recovery_network_comes_back_from_a_checkpoint_with_its_template():
    network = RecoveryNetwork(SMALL)
    network.template.uniform_(generator=seeded(1))
    images, levels = torch.rand(2, 1, 20, 24, 16, generator=seeded(2)), torch.tensor([2.0, 9.0])
    looked = (images, *registered(images, network.template))
    assert network(*looked, levels).shape == (2, 3, 5, 6, 4)
    assert not network(*looked, levels).any()  # it starts as one that sees nothing
    for layer in (network.leave, network.blocks[0].film):
        torch.nn.init.normal_(layer.weight)
    again = build_network(Checkpoint("drdm", {"network": to_dict(SMALL)}, network.state_dict(), {}))
    torch.testing.assert_close(again(*looked, levels), network(*looked, levels))
    assert not torch.allclose(again(*looked, levels)[0], again(*looked, levels * 2)[0])


@pytest.fixture(scope="module")
def recipe():
    images = torch.stack([anatomy(seed)[None] for seed in (3, 4, 5)])
    config = RecoveryRecipeConfig(network=SMALL)
    return RecoveryRecipe(config, images=images)


def test_the_recipe_draws_the_same_batch_for_the_same_generator(recipe):
    first, again, other = (recipe.draw(seeded(n)) for n in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first.images, other.images)
    assert first.images.shape == (4, 1, 20, 24, 16)
    assert first.units.shape == (4, 3, 5, 6, 4)
    assert all(2 <= level <= 16 for level in first.levels.tolist())


def test_an_anatomy_is_mixed_with_others_and_the_mixture_of_one_is_itself(recipe):
    _, shifts = recipe._anatomies(seeded(1))
    assert 0.2 < float(shifts.abs().mean()) < 3  # voxels
    lonely = RecoveryRecipe(recipe.config, images=recipe.images[:1])
    assert float(lonely._anatomies(seeded(1))[1].abs().mean()) < 1e-3


def test_half_of_the_velocities_are_nearly_alike_on_both_sides():
    config = RecoveryRecipeConfig(batch=8, network=SMALL)
    units = RecoveryRecipe(config, images=torch.zeros(1, 1, *GRID.shape))._velocities(seeded(1))
    other = mirrored_field(units)
    likeness = (units * other).mean((1, 2, 3, 4)) / units.square().mean((1, 2, 3, 4))
    alike = likeness > 0.6  # 0.8 of those, 0 of the others, but for chance
    assert 1 <= int(alike.sum()) <= 7
    assert likeness[alike].min() > likeness[~alike].max() + 0.1


def test_the_loss_is_least_for_the_velocity_that_was_drawn(recipe):
    batch = recipe.draw(seeded(1))
    loss, metrics = recipe.loss(lambda *looked: batch.units, *batch)
    assert (loss.item(), metrics["found"]) == (0.0, 1.0)
    loss, metrics = recipe.loss(lambda *looked: 0 * batch.units, *batch)
    assert loss > 0.3
    assert metrics["found"] == pytest.approx(0, abs=1e-6)


def test_a_few_steps_of_training_fall(recipe):
    network = recipe.network()
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    batch, losses = recipe.draw(seeded(5)), []
    for _ in range(30):
        loss, _ = recipe.loss(network, *batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_the_recipe_needs_a_folder_of_images_and_keeps_some_back(tmp_path):
    recipe, _, card = configure("drdm", [])
    with pytest.raises(StorageError, match="--data FOLDER"):
        recipe.network()
    assert "Apache" not in card["license"]
    (tmp_path / "others").mkdir()
    for name in ("a", "others/b", "a_seg"):
        write_volume(tmp_path / f"{name}.nii.gz", smooth_volume(oblique_grid((30, 34, 28), (2.0, 2.0, 2.0)), seed=1))
    recipe, _, _ = configure("drdm", [f"data={tmp_path}", "held_out=1", "network.size=[16,16,16]"])
    assert recipe.images.shape == (1, 1, 16, 16, 16)
    recipe, _, _ = configure("drdm", [f"data={tmp_path}", "held_out=2"])
    with pytest.raises(StorageError, match="none is left"):
        recipe.network()


def test_the_published_network_has_its_parameters_in_2d_and_3d():
    counts = {
        n: sum(p.numel() for p in PublishedRecovery(PublishedRecoveryConfig(dimensions=n)).parameters()) for n in (2, 3)
    }
    assert counts == {2: 443_435, 3: 1_313_646}


@pytest.mark.parametrize("size", [(16, 24), (8, 16, 24)])
def test_the_published_network_looks_twice_at_images_of_any_multiple_of_8(size):
    network = PublishedRecovery(PublishedRecoveryConfig(dimensions=len(size)))
    images, calls = torch.rand(2, 1, *size), []

    def looked(seen, times):
        calls.append(seen)
        return network(seen, times)

    found = recurrent(looked, images, torch.tensor([3, 70]))
    assert found.shape == (2, len(size), *size)
    assert len(calls) == 2
    torch.testing.assert_close(calls[1], displaced(images, network(images, torch.tensor([3, 70])), fill=0.0))


def test_the_published_steps_lead_back_with_a_perfect_network_and_always_read_the_original():
    velocity = MultiScale((10.0,)).draw(Grid((16, 16, 16)), generator=seeded(2))[None] / 15  # voxels per composition
    images = torch.rand(1, 1, 16, 16, 16, generator=seeded(3))
    time, left, seen = 12, 25, []  # compositions of the start

    def perfect(looked, times):
        nonlocal left
        seen.append(looked)
        if len(seen) % 2 == 0:  # the second look finds nothing more
            return 0 * velocity
        last = min(compositions(int(times))[1], left)
        left -= last
        return flow(-last * velocity)

    start = flow(left * velocity)
    states = list(published_steps(perfect, images, start, time))
    assert (len(states), len(seen), left) == (time, 2 * time, 0)
    inner = (..., *[slice(3, -3)] * 3)
    assert start[inner].abs().mean() > 1
    assert states[-1][inner].abs().mean() < 0.05 * start[inner].abs().mean()
    torch.testing.assert_close(seen[2], displaced(images, states[0], fill=0.0))
    with pytest.raises(ValueError, match="time"):
        next(published_steps(perfect, images, start, -1))


@pytest.mark.parametrize("dimensions", [2, 3])
def test_the_published_losses_are_least_where_the_increment_is_undone(dimensions):
    size = (16, 16) if dimensions == 2 else (12, 12, 12)
    increment = torch.full((1, dimensions, *size), 0.8)
    assert distance_loss(-increment, increment) == pytest.approx(0, abs=1e-5)
    assert distance_loss(0 * increment, increment) == pytest.approx(1, rel=1e-2)
    assert angle_loss(-increment, increment) == pytest.approx(-1, abs=1e-4)
    assert angle_loss(increment, increment) == pytest.approx(1, abs=1e-4)
    assert published_loss(-increment, increment) < published_loss(0 * increment, increment)


def test_the_determinant_counts_folds_in_every_direction():
    for axis, component in ((-1, 0), (-2, 1), (-3, 2)):
        ramp = torch.zeros(1, 3, 8, 8, 8)
        shape = [1, 1, 1]
        shape[axis] = 8
        ramp[0, component] = (-1.5 * torch.arange(8.0)).view(shape)
        smooth = 1.5 / 8 - 1e-4  # the ramp of one component along one of three axes
        assert regularity_loss(ramp) == pytest.approx(smooth / 9 + 2 * 0.5, rel=1e-3)
        assert regularity_loss(-ramp) == pytest.approx(smooth / 9, rel=1e-3)
