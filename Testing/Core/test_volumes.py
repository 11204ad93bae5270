import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from DiffusionCore.space import Frame, Grid, Volume
from DiffusionCore.storage.volumes import VOLUME_SUFFIXES, read_volume, write_volume

KINDS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"]


def turned(seed=0, *, mirrored=False):
    axes = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    axes[:, 0] *= np.sign(np.linalg.det(axes)) * (-1 if mirrored else 1)
    return axes


def oblique_grid(*, mirrored=False):
    axes = tuple(map(tuple, turned(mirrored=mirrored)))
    return Grid(size=(7, 6, 5), spacing=(0.7, 1 / 3, 2.5), origin=(-81.3, 12.7, 1003.1), direction=axes)


def volume_of(kind, grid=None):
    grid = grid or oblique_grid()
    values = np.random.default_rng(1).normal(scale=30, size=grid.shape)
    return Volume(abs(values).astype(kind) if kind.startswith("u") else values.astype(kind), grid)


def matrix_seen_by_itk(path):
    image = sitk.ReadImage(str(path))
    points = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]
    lps = np.array([image.TransformIndexToPhysicalPoint(point) for point in points])
    return np.column_stack([*(lps[1:] - lps[0]), lps[0]]) * np.array([[-1], [-1], [1]])


@pytest.mark.parametrize("suffix", VOLUME_SUFFIXES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_format_keeps_the_values_the_type_and_the_place(tmp_path, suffix, kind):
    volume = volume_of(kind)
    write_volume(tmp_path / f"image{suffix}", volume)
    again = read_volume(tmp_path / f"image{suffix}")
    assert again.values.dtype == kind
    assert np.array_equal(again.values, volume.values)
    assert again.grid.is_close(volume.grid, tolerance=1e-4)


@pytest.mark.parametrize("suffix", VOLUME_SUFFIXES)
@pytest.mark.parametrize("mirrored", [False, True])
def test_simpleitk_sees_what_was_written_at_the_same_place(tmp_path, suffix, mirrored):
    volume = volume_of("float32", oblique_grid(mirrored=mirrored))
    write_volume(tmp_path / f"image{suffix}", volume)
    assert np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage(tmp_path / f"image{suffix}")), volume.values)
    expected = volume.grid.matrix(Frame.VOXEL, Frame.RAS)[:3]
    assert np.allclose(matrix_seen_by_itk(tmp_path / f"image{suffix}"), expected, atol=1e-4)


@pytest.mark.parametrize("suffix", VOLUME_SUFFIXES)
@pytest.mark.parametrize("mirrored", [False, True])
def test_what_simpleitk_writes_is_read_at_the_same_place(tmp_path, suffix, mirrored):
    image = sitk.GetImageFromArray(np.random.default_rng(2).normal(size=(5, 6, 7)).astype(np.float32))
    image.SetSpacing((0.9, 1.7, 3.1))
    image.SetOrigin((11.0, -70.25, 1 / 3))
    image.SetDirection(turned(3, mirrored=mirrored).ravel())
    sitk.WriteImage(image, tmp_path / f"image{suffix}")
    volume = read_volume(tmp_path / f"image{suffix}")
    assert np.array_equal(volume.values, sitk.GetArrayFromImage(image))
    lps = np.array(image.TransformContinuousIndexToPhysicalPoint((2.5, 4.0, 1.0)))
    assert np.allclose(volume.grid.map((2.5, 4.0, 1.0), Frame.VOXEL, Frame.LPS), lps, atol=1e-4)


@pytest.mark.parametrize("orientation", ["RAS", "LAS", "LPS", "PIR", "SAL"])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_nibabel_and_we_agree_for_every_orientation(tmp_path, orientation, suffix):
    tilt = np.eye(4)
    tilt[:3, :3] = turned(4)
    start = nib.Nifti1Image(
        np.random.default_rng(5).integers(-99, 99, (9, 8, 7), dtype=np.int16), np.diag([1, 2, 3, 1])
    )
    image = start.as_reoriented(nib.orientations.axcodes2ornt(orientation))
    image = nib.Nifti1Image(image.dataobj, tilt @ image.affine)
    nib.save(image, tmp_path / f"theirs{suffix}")
    volume = read_volume(tmp_path / f"theirs{suffix}")
    assert np.array_equal(volume.values.T, image.dataobj)
    assert np.allclose(volume.grid.matrix(Frame.VOXEL, Frame.RAS), image.affine, atol=1e-5)
    write_volume(tmp_path / f"ours{suffix}", volume)
    ours = nib.load(tmp_path / f"ours{suffix}")
    assert np.allclose(ours.affine, image.affine, atol=1e-5)
    assert np.allclose(ours.get_qform(), image.affine, atol=1e-5)
    assert np.array_equal(ours.dataobj, image.dataobj)


@pytest.mark.parametrize(("kind", "stored"), [("bool", "uint8"), ("float16", "float32"), (">f4", "float32")])
@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_types_that_no_format_has_become_the_next_wider_one(tmp_path, kind, stored, suffix):
    grid = oblique_grid()
    values = (np.random.default_rng(6).normal(size=grid.shape) > 0).astype(kind)
    write_volume(tmp_path / f"mask{suffix}", Volume(values, grid))
    again = read_volume(tmp_path / f"mask{suffix}").values
    assert again.dtype == stored
    assert np.array_equal(again, values)


def test_a_slope_in_a_nifti_header_is_applied_as_simpleitk_does(tmp_path):
    header = nib.Nifti1Header()
    header.set_data_dtype(np.int16)
    image = nib.Nifti1Image(np.random.default_rng(7).normal(size=(4, 5, 6)) * 7, np.eye(4), header)
    nib.save(image, tmp_path / "scaled.nii")
    volume = read_volume(tmp_path / "scaled.nii")
    theirs = sitk.GetArrayFromImage(sitk.ReadImage(tmp_path / "scaled.nii"))
    assert volume.values.dtype == theirs.dtype == np.float32
    assert np.allclose(volume.values, theirs, atol=1e-5)
    assert len(np.unique(volume.values)) > 50


@pytest.mark.parametrize(("sform_code", "qform_code"), [(0, 0), (0, 1), (2, 0), (1, 1), (2, 1), (1, 2), (4, 1)])
def test_of_two_nifti_geometries_the_one_is_taken_that_itk_takes(tmp_path, sform_code, qform_code):
    image = nib.Nifti1Image(np.random.default_rng(8).normal(size=(4, 5, 6)).astype(np.float32), np.eye(4))
    forms = []
    for seed in (9, 10):
        form = np.diag([1.5, 2.5, 3.5, 1.0])
        form[:3, :3] = turned(seed) @ form[:3, :3]
        form[:3, 3] = seed
        forms.append(form)
    image.header.set_zooms((1.5, 2.5, 3.5))
    image.set_qform(forms[0], qform_code)
    image.set_sform(forms[1], sform_code)
    nib.save(image, tmp_path / "two.nii")
    ours = read_volume(tmp_path / "two.nii").grid.matrix(Frame.VOXEL, Frame.RAS)[:3]
    assert np.allclose(ours, matrix_seen_by_itk(tmp_path / "two.nii"), atol=1e-5)


def test_a_nifti_file_is_not_confused_with_its_uncompressed_neighbor(tmp_path):
    first, second = volume_of("int16"), volume_of("int16", oblique_grid(mirrored=True))
    write_volume(tmp_path / "x.nii.gz", first)
    write_volume(tmp_path / "x.nii", Volume(-second.values, second.grid))
    assert np.array_equal(read_volume(tmp_path / "x.nii.gz").values, first.values)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_axes_bent_by_rounding_are_made_exactly_orthogonal(tmp_path, suffix):
    bent = turned(11) @ (np.eye(3) + np.array([[0, 4e-4, 0], [0, 0, -3e-4], [0, 0, 0]]))
    values = np.random.default_rng(12).normal(size=(4, 5, 6)).astype(np.float32)
    if suffix == ".nii.gz":
        affine = np.eye(4)
        affine[:3, :3] = bent
        nib.save(nib.Nifti1Image(values, affine), tmp_path / f"bent{suffix}")
    else:
        image = sitk.GetImageFromArray(values)
        image.SetDirection((bent * [[-1], [-1], [1]]).ravel())
        sitk.WriteImage(image, tmp_path / f"bent{suffix}")
    axes = np.array(read_volume(tmp_path / f"bent{suffix}").grid.direction)
    assert abs(axes.T @ axes - np.eye(3)).max() < 1e-12
    assert abs(axes - bent).max() < 5e-4


def test_a_time_axis_of_one_point_is_only_a_way_of_writing(tmp_path):
    values = np.random.default_rng(13).normal(size=(4, 5, 6, 1)).astype(np.float32)
    nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / "one.nii.gz")
    assert np.array_equal(read_volume(tmp_path / "one.nii.gz").values.T, values[..., 0])


def test_nifti_2_and_lengths_in_meters_are_read(tmp_path):
    image = nib.Nifti2Image(np.ones((4, 5, 6), np.int16), np.diag([0.001, 0.002, 0.003, 1]))
    image.header.set_xyzt_units("meter")
    nib.save(image, tmp_path / "two.nii")
    assert np.allclose(read_volume(tmp_path / "two.nii").grid.spacing, (1, 2, 3))


def test_an_existing_file_is_replaced(tmp_path):
    write_volume(tmp_path / "image.mhd", volume_of("int16"))
    write_volume(tmp_path / "image.mhd", volume_of("float32"))
    assert read_volume(tmp_path / "image.mhd").values.dtype == np.float32
    assert [file.name for file in sorted(tmp_path.iterdir())] == ["image.mhd", "image.zraw"]
