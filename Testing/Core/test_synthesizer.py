"""Variants of a case: one field for everything in it, one resampling, checked, and the same for ever."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from synthesis_world import GRID, LANDMARKS, NAMES, case

from DiffusionCore.checks import CheckpointError, GeometryError, VolumeError
from DiffusionCore.config import to_dict
from DiffusionCore.deformation.recovery import centered_grid, seen_on
from DiffusionCore.interpolation import Interpolation
from DiffusionCore.networks.recovery import RecoveryConfig, RecoveryNetwork
from DiffusionCore.space import Frame, Grid, Volume
from DiffusionCore.storage.checkpoint import Checkpoint, save_checkpoint
from DiffusionCore.synthesis.labels import LabelStatistics, largest_factor
from DiffusionCore.synthesis.plausibility import VolumeReference
from DiffusionCore.synthesis.settings import Limits, SynthesisSettings
from DiffusionCore.synthesis.subject import Segmentation, Subject
from DiffusionCore.synthesis.synthesizer import SampleRefusedError, Synthesizer, sample_generator
from DiffusionCore.transforms import Velocity, resample

PLAIN = SynthesisSettings(symmetry="off")


@pytest.fixture(scope="module")
def synthesizer():
    return Synthesizer(case(), PLAIN)


@pytest.fixture(scope="module")
def variant(synthesizer):
    return synthesizer.variant(3, seed=7)


def test_image_and_labels_are_the_case_seen_once_through_the_field(synthesizer, variant):
    image, labels = synthesizer.subject.images[0], synthesizer.subject.segmentations[0].volume
    made = variant.subject
    np.testing.assert_array_equal(made.images[0].values, resample(image, GRID, variant.field).values)
    expected = resample(labels, GRID, variant.field, interpolation=Interpolation.NEAREST)
    np.testing.assert_array_equal(made.segmentations[0].volume.values, expected.values)
    difference = variant.field.vectors - variant.transform.displacement_on(GRID)
    assert float(difference.abs().max()) < 1e-4


def test_grid_types_values_names_and_colors_survive(variant):
    image, segmentation = variant.subject.images[0], variant.subject.segmentations[0]
    assert image.grid == segmentation.volume.grid == GRID
    assert image.values.dtype == np.int16
    assert segmentation.volume.values.dtype == np.uint8
    assert set(np.unique(segmentation.volume.values)) == {0, 3, 200}
    assert segmentation.names == NAMES


def test_landmarks_lie_where_their_tissue_went(variant):
    back = variant.transform.map(torch.from_numpy(variant.subject.landmarks)).numpy()
    assert np.linalg.norm(back - LANDMARKS, axis=1).max() < 0.05
    assert np.linalg.norm(variant.subject.landmarks - LANDMARKS, axis=1).max() > 0.3


@pytest.mark.parametrize("strength", [0.3, 1.0])
def test_the_mean_displacement_is_the_asked_share_of_the_extent(strength):
    made = Synthesizer(case(), replace(PLAIN, strength=strength))
    extent = made.anatomy.extent
    i, j, k = (n * s for n, s in zip(GRID.size, GRID.spacing, strict=True))
    assert 0.6 * max(i, j, k) < extent < max(i, j, k)
    for index in range(3):
        checks = made.variant(index).checks
        assert checks.mean_displacement_mm == pytest.approx(0.03 * strength * extent, rel=0.05)
        assert checks.folding_percent == 0


def test_the_same_seed_and_number_give_the_same_variant_alone_or_later(synthesizer, variant):
    again = Synthesizer(case(), PLAIN).variant(3, seed=7)
    assert torch.equal(again.field.vectors, variant.field.vectors)
    for other in (synthesizer.variant(4, seed=7), synthesizer.variant(3, seed=8)):
        assert not torch.allclose(other.field.vectors, variant.field.vectors, atol=0.1)


def test_the_first_numbers_of_a_sample_never_change():
    """What a seed means is a promise: these numbers stay."""
    drawn = torch.randn(2, generator=sample_generator(5, 17))
    assert drawn.tolist() == pytest.approx([0.359585, -0.519218], abs=1e-5)


def test_an_affine_map_and_intensities_come_in_when_asked(variant):
    settings = replace(PLAIN, rotation=4.0, scale=0.04, translation=2.0, intensity=1.0)
    moved = Synthesizer(case(), settings).variant(3, seed=7)
    inner = moved.transform.parts[-1]
    assert isinstance(inner, Velocity)
    matrix = moved.transform.parts[0].matrix
    assert 0 < (matrix[:3, :3] - torch.eye(3)).abs().max() < 0.3
    assert moved.checks.mean_displacement_mm == pytest.approx(moved.checks.wanted_displacement_mm, rel=0.05)
    warped = resample(case().images[0], GRID, moved.field)
    made = moved.subject.images[0]
    assert made.values.dtype == np.int16
    assert 20 < np.abs(made.values.astype(float) - warped.values).mean() < 300
    np.testing.assert_allclose(
        moved.transform.map(torch.from_numpy(moved.subject.landmarks)).numpy(), LANDMARKS, atol=0.05
    )


def test_tissue_that_leaves_the_view_is_redrawn_and_said():
    far = Synthesizer(case(), replace(PLAIN, translation=14.0, limits=Limits(attempts=30)))
    made = [far.variant(index) for index in range(2)]
    reasons = [reason for each in made for reason in each.redrawn]
    assert any("left the field of view" in reason for reason in reasons)
    assert all(each.checks.outside_percent <= 0.1 for each in made)


def test_a_sample_that_never_passes_says_why():
    strict = Synthesizer(case(), replace(PLAIN, limits=Limits(volume_change=1.0, attempts=3)))
    with pytest.raises(SampleRefusedError, match=r"Sample 2 of 'anna' was drawn 3 times.*factor of"):
        strict.variant(2)


def test_both_sides_deform_alike_where_they_look_alike():
    """A body that is its own mirror image keeps being one, where a plain field spoils it."""
    grid = Grid((40, 44, 36), (3.0, 3.2, 3.4)).with_center((0.0, 0.0, 0.0))
    x, y, z = np.moveaxis(
        grid.map(np.stack(np.meshgrid(*map(range, grid.shape), indexing="ij")[::-1], -1), Frame.VOXEL, Frame.RAS), -1, 0
    )
    values = ((abs(x) / 45) ** 2 + (y / 55) ** 2 + (z / 50) ** 2 < 1) * (200 + 2 * abs(x) + y).clip(0)
    subject = Subject("head", (Volume(values.astype(np.float32), grid),))
    kept = {}
    for symmetry in ("auto", "off"):
        made = Synthesizer(subject, SynthesisSettings(strength=1.0, symmetry=symmetry)).variant(1).subject.images[0]
        kept[symmetry] = np.abs(made.values - made.values[..., ::-1]).mean()
    assert kept["auto"] < 0.6 * kept["off"]
    lopsided = Volume((values * (1 + x / 60).clip(0)).astype(np.float32), grid)
    assert Synthesizer(Subject("heart", (lopsided,)), SynthesisSettings()).anatomy.plane is None


def test_statistics_of_labels_count_volumes_and_parts():
    labels = np.zeros((8, 9, 10), np.uint16)
    labels[1:4, 1:4, 1:5] = 500  # 36 voxels
    labels[5:8, 5:9, :] = 500  # 120 voxels
    labels[0, 0, 9] = 2
    labels[6, 0, 0:9] = 500  # 9 voxels: a crumb
    statistics = LabelStatistics.of(labels, counted=5)
    assert statistics.volumes == {2: 1, 500: 165}
    assert statistics.parts == {500: (120, 36)}
    cut = labels.copy()
    cut[5:8, 5:9, 5] = 0
    other = LabelStatistics.of(cut, counted=5)
    assert statistics.changes(other, 5) == {500: pytest.approx(153 / 165)}
    assert largest_factor({1: 0.5, 2: 1.2}) == pytest.approx(2)
    assert largest_factor({1: 0.0}) == math.inf
    cut[0, 0, 9] = 0
    assert statistics.lost(LabelStatistics.of(cut, counted=5)) == [2]


@pytest.mark.parametrize(("gap", "broken"), [(1, []), (2, []), (3, [7])])
def test_a_label_may_come_apart_by_two_voxels_but_not_by_more(gap, broken):
    labels = np.zeros((6, 9, 20), np.uint16)
    labels[1:4, 3:6, 1:19] = 7
    cut = labels.copy()
    cut[:, :, 9 : 9 + gap] = 0
    whole, other = (LabelStatistics.of(each, counted=5) for each in (labels, cut))
    assert whole.recounted(other) == {7: (1, 2)}
    assert whole.broken(other) == other.broken(whole) == broken


def test_a_label_that_shrinks_below_the_size_that_counts_is_not_taken_for_broken():
    """Its size lies just at the limit, so that about half of the draws make it smaller."""
    labels = case().segmentations[0].volume.values
    counted = LabelStatistics.of(labels, 1).volumes[200]
    made = Synthesizer(case(), replace(PLAIN, strength=1.0, limits=Limits(counted=counted)))
    variants = [made.variant(index) for index in range(4)]
    sizes = [LabelStatistics.of(each.subject.segmentations[0].volume.values, 1).volumes[200] for each in variants]
    assert min(sizes) < counted
    assert not any(each.redrawn for each in variants)


def test_large_label_values_are_counted_like_small_ones():
    labels = case().segmentations[0].volume.values
    small, large = (LabelStatistics.of(np.where(labels == 200, v, labels.astype(np.int32)), 1) for v in (7, 2**24 - 1))
    assert small.volumes == {3: small.volumes[3], 7: large.volumes[2**24 - 1]}
    assert small.parts[7] == large.parts[2**24 - 1]
    assert len(small.parts[7]) == 2


def test_volumes_are_judged_against_those_of_real_cases():
    real = [{1: 100 + 5 * n, 2: 100 + 5 * n + d, 3: 400} for n, d in enumerate((3, -2, 4, -5, 1))]
    reference = VolumeReference.of(real, [(1, 2), (1, 7)])
    assert reference.pairs == ((1, 2),)
    assert reference.scores(real[2]).asymmetry < 1.5
    assert reference.scores({1: 150, 2: 100, 3: 400}).asymmetry > 5
    assert reference.scores({1: 300, 2: 300, 3: 400}).volume > 5
    assert reference.scores({1: 100, 3: 400}) == (math.inf, math.inf)
    with pytest.raises(ValueError, match="at least 3"):
        VolumeReference.of(real[:2], [])


def test_a_variant_of_unusual_volumes_is_drawn_again():
    volumes = LabelStatistics.of(case().segmentations[0].volume.values, 1).volumes
    real = [{value: round(count * (1 + n / 500)) for value, count in volumes.items()} for n in range(4)]
    reference = VolumeReference.of([*real, {**real[0], 200: real[0][200] + 3}], [])
    strict = replace(PLAIN, strength=1.0, reference=reference, limits=Limits(shares=0.1, attempts=2))
    with pytest.raises(SampleRefusedError, match="volumes of the labels are unusual"):
        Synthesizer(case(), strict).variant(0)


def test_a_network_that_sees_nothing_leaves_random_fields_as_strong_as_asked(tmp_path):
    network = RecoveryNetwork(RecoveryConfig(size=(24, 24, 24), channels=8, blocks=1, embedding=8))
    network.template[:] = seen_on(case().images[0], centered_grid(case().images[0], (24, 24, 24), 4.0))
    path = tmp_path / "blind.safetensors"
    save_checkpoint(path, Checkpoint("drdm", {"network": to_dict(network.config)}, network.state_dict(), {}))
    made = Synthesizer(case(), replace(PLAIN, model=str(path))).variant(1)
    assert made.checks.mean_displacement_mm == pytest.approx(made.checks.wanted_displacement_mm, rel=0.15)
    assert made.checks.folding_percent == 0
    with pytest.raises(CheckpointError, match="no model"):
        Synthesizer(case(), replace(PLAIN, model="nobody"))


def test_what_does_not_lie_on_the_grid_of_the_image_is_refused():
    image = case().images[0]
    labels = Segmentation(Volume(np.zeros((4, 4, 4), np.uint8), Grid((4, 4, 4))))
    with pytest.raises(GeometryError, match="segmentation does not lie on the grid"):
        Subject("x", (image,), (labels,))
    with pytest.raises(VolumeError, match="fractions"):
        Segmentation(Volume(np.full((4, 4, 4), 0.5), Grid((4, 4, 4))))
    with pytest.raises(VolumeError, match="no image"):
        Subject("x", ())


@pytest.mark.parametrize(
    "wrong", [{"strength": 1.5}, {"strength": math.nan}, {"displacement": -1.0}, {"rotation": 200.0}, {"intensity": 2}]
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SynthesisSettings(**wrong)
