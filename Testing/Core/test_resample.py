"""Resampling: SimpleITK as the oracle, types that survive, slabs that do not show."""

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from strategies import oblique_grid, smooth_vectors, smooth_volume

from DiffusionCore.checks import VolumeError
from DiffusionCore.interpolation import Interpolation
from DiffusionCore.space import Frame, Grid, Volume
from DiffusionCore.transforms import Affine, Displacement, Velocity, resample

FIXED = oblique_grid()
MOVING = Grid((29, 17, 25), (0.8, 2.1, 1.4), tuple(FIXED.center - (14.0, 13.0, 20.0)))
AFFINE = Affine.exponential([0.2, -0.1, 0.3, 4, -3, 2, 0.1, -0.05, 0.08, 0.03, -0.06, 0.02], FIXED.center)
MIRROR = np.diag([-1.0, -1.0, 1.0])


def itk_image(values, grid):
    image = sitk.GetImageFromArray(values, isVector=values.ndim == 4)
    image.SetSpacing(grid.spacing)
    image.SetOrigin(MIRROR @ grid.origin)
    image.SetDirection((MIRROR @ np.array(grid.direction)).ravel())
    return image


def itk_affine(affine):
    transform = sitk.AffineTransform(3)
    matrix = affine.matrix.numpy()
    transform.SetMatrix((MIRROR @ matrix[:3, :3] @ MIRROR).ravel())
    transform.SetTranslation(MIRROR @ matrix[:3, 3])
    return transform


def itk_field(field):
    lps = np.ascontiguousarray(field.vectors.movedim(0, -1).double().numpy() @ MIRROR)
    return sitk.DisplacementFieldTransform(itk_image(lps, field.grid))


def itk_resample(moving, grid, transform, interpolator=sitk.sitkLinear, fill=0.0):
    reference = itk_image(np.zeros(grid.shape, np.uint8), grid)
    image = itk_image(moving.values, moving.grid)
    return sitk.GetArrayFromImage(sitk.Resample(image, reference, transform, interpolator, fill, image.GetPixelID()))


def clear_of_borders(grid, transform, source, margin=1e-3):
    """Return where rounding does not decide on which side of the border of ``source`` a point of ``grid`` falls."""
    index = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), -1)[..., ::-1]
    points = transform.map(torch.from_numpy(grid.map(index, Frame.VOXEL, Frame.RAS)))
    voxels = source.map(points.numpy(), Frame.RAS, Frame.VOXEL)
    return (abs(np.abs(voxels - (np.array(source.size) - 1) / 2) - np.array(source.size) / 2) > margin).all(-1)


FIELD = Displacement(smooth_vectors(FIXED, 6.0), FIXED)
WIDE_FIELD = Displacement(smooth_vectors(FIXED.padded(2), 6.0), FIXED.padded(2)).with_zero_ring()
CASES = {
    "affine": (AFFINE, lambda: itk_affine(AFFINE)),
    "field": (FIELD, lambda: itk_field(FIELD)),
    "field on another grid": (WIDE_FIELD, lambda: itk_field(WIDE_FIELD)),
    "affine after field": (AFFINE @ FIELD, lambda: sitk.CompositeTransform([itk_affine(AFFINE), itk_field(FIELD)])),
    "field after affine": (FIELD @ AFFINE, lambda: sitk.CompositeTransform([itk_field(FIELD), itk_affine(AFFINE)])),
}


@pytest.mark.parametrize("case", CASES)
def test_intensities_are_those_of_itk(case):
    transform, itk = CASES[case]
    moving = smooth_volume(MOVING)
    found = resample(moving, FIXED, transform, fill=-50.0)
    expected = itk_resample(moving, FIXED, itk(), fill=-50.0)
    clear = clear_of_borders(FIXED, transform, MOVING)
    assert found.grid == FIXED
    assert 0.05 < (expected == -50).mean() < 0.9
    assert clear.mean() > 0.99
    assert abs(found.values - expected)[clear].max() < 1e-4 * np.ptp(moving.values)


@pytest.mark.parametrize("case", CASES)
def test_labels_are_those_of_itk(case):
    transform, itk = CASES[case]
    labels = Volume(np.random.default_rng(0).integers(0, 40, MOVING.shape).astype(np.uint16) * 1000, MOVING)
    found = resample(labels, FIXED, transform, interpolation=Interpolation.NEAREST, fill=7)
    expected = itk_resample(labels, FIXED, itk(), sitk.sitkNearestNeighbor, fill=7)
    assert (found.values != expected).mean() < 1e-3  # rounding decides at the borders of cells
    assert set(np.unique(found.values)) <= {7, *np.unique(labels.values)}


def test_a_double_image_keeps_double_precision():
    moving = smooth_volume(MOVING, dtype=np.float64)
    found = resample(moving, FIXED, AFFINE)
    expected = itk_resample(moving, FIXED, itk_affine(AFFINE))
    clear = clear_of_borders(FIXED, AFFINE, MOVING, margin=1e-6)
    assert found.values.dtype == np.float64
    assert abs(found.values - expected)[clear].max() < 1e-9 * np.ptp(moving.values)


@pytest.mark.parametrize("interpolation", Interpolation)
@pytest.mark.parametrize("transform", [AFFINE, FIELD, AFFINE @ Velocity(FIELD.vectors, FIXED)])
def test_slabs_and_threads_do_not_show(interpolation, transform, threads):
    moving = smooth_volume(MOVING)
    threads(1)
    whole = resample(moving, FIXED, transform, interpolation=interpolation, slab_voxels=10**9).values
    for count, voxels in ((1, 1), (2, 2000), (3, 5000)):
        threads(count)
        parts = resample(moving, FIXED, transform, interpolation=interpolation, slab_voxels=voxels).values
        assert np.array_equal(parts, whole)


TYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8", "?", ">i2", ">f4"]


@pytest.mark.parametrize("interpolation", Interpolation)
@pytest.mark.parametrize("kind", TYPES)
def test_every_numeric_type_survives_the_identity(kind, interpolation):
    dtype = np.dtype(kind)
    values = np.random.default_rng(0).integers(0, 2 if dtype.kind == "b" else 100, MOVING.shape).astype(dtype)
    same = resample(Volume(values, MOVING), MOVING, Affine.identity(), interpolation=interpolation)
    assert same.values.dtype == dtype.newbyteorder("=")
    assert abs(same.values.astype(float) - values.astype(float)).max() < 1e-2


@pytest.mark.parametrize("kind", ["u1", "i2", "u4", "i8", "u8"])
def test_integers_are_clipped_and_rounded_never_wrapped(kind):
    limits = np.iinfo(kind)
    extremes = np.full(MOVING.shape, limits.max, kind)
    extremes[:, :, ::2] = limits.min
    shifted = resample(Volume(extremes, MOVING), MOVING, Affine.translation((0.4, 0.0, 0.0)), fill=1e30).values
    inner, outer = shifted[2:-2, 2:-2, 2:-2].astype(float), shifted[:, :, -1]
    middle = limits.min / 2 + limits.max / 2
    assert abs(inner - middle).max() < 1e-3 * (limits.max - float(limits.min)) + 1
    assert resample(Volume(extremes, MOVING), FIXED, AFFINE, fill=-1e30).values.min() == limits.min
    assert float(outer.max()) <= limits.max


def test_values_between_integers_are_rounded():
    ramp = np.broadcast_to(np.arange(MOVING.size[0], dtype=np.int16) * 10, MOVING.shape)
    shifted = resample(Volume(ramp, MOVING), MOVING, Affine.translation((0.8 * 0.47, 0, 0))).values
    assert shifted[3, 4, 5:8].tolist() == [55, 65, 75]  # 54.7 and so on


def test_large_labels_survive_nearest():
    labels = np.random.default_rng(0).integers(2**53, 2**62, MOVING.shape)
    found = resample(Volume(labels, MOVING), FIXED, AFFINE, interpolation=Interpolation.NEAREST).values
    assert set(np.unique(found)) <= {0, *np.unique(labels).tolist()}
    assert found.max() > 2**53


def test_a_shift_by_a_voxel_moves_the_values_by_a_voxel_towards_lower_index():
    moving = smooth_volume(FIXED)
    step = np.array(FIXED.direction)[:, 0] * FIXED.spacing[0]
    found = resample(moving, FIXED, Affine.translation(step)).values
    np.testing.assert_allclose(found[:, :, :-1], moving.values[:, :, 1:], atol=0.05)


def test_without_overlap_all_is_fill():
    far = resample(smooth_volume(MOVING), FIXED, Affine.translation((1e4, 0, 0)), fill=-3.0)
    assert (far.values == -3).all()


def test_one_slice_is_resampled_too():
    flat = Grid((29, 17, 1), MOVING.spacing, MOVING.origin)
    moving = smooth_volume(flat)
    np.testing.assert_allclose(resample(moving, flat, Affine.identity()).values, moving.values, rtol=1e-4)
    assert resample(smooth_volume(MOVING), flat, AFFINE).values.shape == (1, 17, 29)


def test_the_moving_image_is_not_touched_and_may_be_a_view():
    values = smooth_volume(MOVING).values
    kept = values.copy()
    flipped = Volume(values[:, ::-1], MOVING)
    expected = resample(Volume(values[:, ::-1].copy(), MOVING), FIXED, AFFINE)
    assert np.array_equal(resample(flipped, FIXED, AFFINE).values, expected.values)
    assert np.array_equal(values, kept)


def test_complex_images_are_refused():
    with pytest.raises(VolumeError, match="complex"):
        resample(Volume(np.ones(MOVING.shape, complex), MOVING), FIXED, AFFINE)
