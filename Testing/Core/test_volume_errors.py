import gzip
import os
import shutil
import struct
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from full_disk import full_disk

from DiffusionCore.checks import StorageError
from DiffusionCore.space import Grid, Volume
from DiffusionCore.storage.volumes import VOLUME_SUFFIXES, read_volume, write_volume

VOLUME = Volume(np.random.default_rng(0).normal(size=(20, 30, 25)).astype(np.float32), Grid((25, 30, 20), (1, 2, 3)))
SHEARED = np.array([[1.0, 0.5, 0, 7], [0, 1, 0, 8], [0, 0, 2, 9], [0, 0, 0, 1]])


def refusal(path, capfd):
    """Return the text of the refusal of ``path``; it names the file, and no library wrote to the console."""
    with pytest.raises(StorageError) as caught:
        read_volume(path)
    assert "".join(capfd.readouterr()) == ""
    assert str(path) in str(caught.value)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def save_nifti(path, values, affine=None, **header):
    image = nib.Nifti1Image(values, np.eye(4) if affine is None else affine)
    for key, value in header.items():
        image.header[key] = value
    nib.save(image, path)
    return path


@pytest.mark.parametrize("suffix", VOLUME_SUFFIXES)
def test_a_missing_file_is_named(tmp_path, capfd, suffix):
    assert "there is no file" in refusal(tmp_path / f"nothing{suffix}", capfd)


@pytest.mark.parametrize("name", ["folder", "folder.nii", "folder.nrrd"])
def test_a_folder_is_called_a_folder(tmp_path, capfd, name):
    (tmp_path / name).mkdir()
    assert "is a folder" in refusal(tmp_path / name, capfd)


@pytest.mark.parametrize("suffix", VOLUME_SUFFIXES)
def test_an_empty_file_is_called_empty(tmp_path, capfd, suffix):
    (tmp_path / f"image{suffix}").touch()
    assert "is empty" in refusal(tmp_path / f"image{suffix}", capfd)


@pytest.mark.parametrize("suffix", VOLUME_SUFFIXES)
@pytest.mark.parametrize(
    "content",
    [b"Dear reader, this is no image.\n" * 40, bytes(400), b"\x89PNG\r\n\x1a\n" + bytes(90)],
    ids=["text", "zeros", "picture"],
)
def test_a_file_that_is_no_image_is_refused(tmp_path, capfd, suffix, content):
    path = tmp_path / f"letter{suffix}"
    path.write_bytes(content)
    assert "cannot be read" in refusal(path, capfd)


def test_a_damaged_header_is_not_remarked_on_in_the_log(tmp_path, caplog):
    save_nifti(tmp_path / "odd.nii", np.ones((6, 7, 8), np.float32))
    content = bytearray((tmp_path / "odd.nii").read_bytes())
    content[70:72] = struct.pack("<h", 999)
    (tmp_path / "odd.nii").write_bytes(content)
    with pytest.raises(StorageError, match="data code 999"):
        read_volume(tmp_path / "odd.nii")
    assert caplog.records == []


def test_compressed_rubbish_is_refused(tmp_path, capfd):
    path = tmp_path / "rubbish.nii.gz"
    path.write_bytes(gzip.compress(b"no image" * 200))
    assert "cannot be read as NIfTI" in refusal(path, capfd)


@pytest.mark.parametrize("name", ["scan.dcm", "scan", "scan.png", "scan.img", "scan.gz"])
def test_an_unknown_ending_lists_the_known_ones(tmp_path, capfd, name):
    (tmp_path / name).write_bytes(b"1234")
    text = refusal(tmp_path / name, capfd)
    assert all(suffix in text for suffix in VOLUME_SUFFIXES)
    with pytest.raises(StorageError, match=r"\.nrrd"):
        write_volume(tmp_path / name, VOLUME)


@pytest.mark.parametrize("suffix", VOLUME_SUFFIXES)
@pytest.mark.parametrize("share", [0.001, 0.05, 0.6, 0.999])
def test_a_truncated_file_is_refused(tmp_path, capfd, suffix, share):
    path = tmp_path / f"image{suffix}"
    write_volume(path, VOLUME)
    data = max(tmp_path.iterdir(), key=lambda file: file.stat().st_size)
    data.write_bytes(data.read_bytes()[: max(1, int(share * data.stat().st_size))])
    text = refusal(path, capfd)
    assert "truncated" in text or "damaged" in text


@pytest.mark.parametrize("suffix", [".mhd", ".nhdr"])
def test_a_header_whose_data_file_is_missing_is_refused(tmp_path, capfd, suffix):
    write_volume(tmp_path / f"image{suffix}", VOLUME)
    max(tmp_path.iterdir(), key=lambda file: file.stat().st_size).unlink()
    text = refusal(tmp_path / f"image{suffix}", capfd)
    assert "data file is missing" in text or "damaged" in text


def test_a_wrong_checksum_in_a_compressed_nifti_is_refused(tmp_path, capfd):
    write_volume(tmp_path / "image.nii.gz", VOLUME)
    data = bytearray((tmp_path / "image.nii.gz").read_bytes())
    data[len(data) // 2] ^= 0xFF
    (tmp_path / "image.nii.gz").write_bytes(data)
    assert "damaged" in refusal(tmp_path / "image.nii.gz", capfd)


@pytest.mark.parametrize("suffix", VOLUME_SUFFIXES)
@pytest.mark.parametrize(("shape", "name"), [((7, 8), "2D image|single slice"), ((1, 7, 8), "single slice")])
def test_flat_images_are_refused(tmp_path, capfd, suffix, shape, name):
    path = tmp_path / f"flat{suffix}"
    sitk.WriteImage(sitk.GetImageFromArray(np.ones(shape, np.float32)), path)
    assert any(word in refusal(path, capfd) for word in name.split("|"))


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
def test_a_time_series_is_refused(tmp_path, capfd, suffix):
    path = tmp_path / f"series{suffix}"
    sitk.WriteImage(sitk.GetImageFromArray(np.ones((3, 6, 7, 8), np.float32), isVector=False), path)
    assert "time series" in refusal(path, capfd)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_colors_and_vectors_are_refused(tmp_path, capfd, suffix, kind):
    path = tmp_path / f"colors{suffix}"
    sitk.WriteImage(sitk.GetImageFromArray(np.ones((6, 7, 8, 3), kind), isVector=True), path)
    assert "several values at each voxel" in refusal(path, capfd)


@pytest.mark.parametrize("kind", [np.complex64, np.complex128])
def test_complex_values_are_refused(tmp_path, capfd, kind):
    assert "magnitude" in refusal(save_nifti(tmp_path / "complex.nii", np.ones((6, 7, 8), kind)), capfd)
    with pytest.raises(StorageError, match="magnitude"):
        write_volume(tmp_path / "complex.nrrd", Volume(np.ones((6, 7, 8), kind), Grid((8, 7, 6))))


@pytest.mark.parametrize("spacing", [(0.0, 1.0, 1.0), (1.0, 1.0, 0.0), (1.0, float("nan"), 1.0)])
def test_a_nifti_spacing_of_zero_is_refused(tmp_path, capfd, spacing):
    path = save_nifti(tmp_path / "zero.nii", np.ones((6, 7, 8), np.float32))
    content = bytearray(path.read_bytes())
    content[80:92] = struct.pack("<3f", *spacing)
    path.write_bytes(content)
    assert "spacing" in refusal(path, capfd)


@pytest.mark.parametrize(
    ("suffix", "old", "new"), [(".nrrd", b"(0,0,3)", b"(0,0,0)"), (".mha", b"= 1 2 3\n", b"= 1 2 0\n")]
)
def test_a_spacing_of_zero_is_refused(tmp_path, capfd, suffix, old, new):
    write_volume(tmp_path / f"zero{suffix}", VOLUME)
    path = tmp_path / f"zero{suffix}"
    assert old in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(old, new))
    assert "spacing" in refusal(path, capfd)


@pytest.mark.parametrize(("sform_code", "qform_code"), [(1, 0), (2, 0), (1, 1)])
def test_a_sheared_nifti_is_refused_and_never_straightened(tmp_path, capfd, sform_code, qform_code):
    image = nib.Nifti1Image(np.ones((6, 7, 8), np.float32), SHEARED)
    image.set_qform(SHEARED, qform_code)
    image.set_sform(SHEARED, sform_code)
    nib.save(image, tmp_path / "tilted.nii.gz")
    assert "gantry tilt" in refusal(tmp_path / "tilted.nii.gz", capfd)


def test_a_singular_nifti_is_refused(tmp_path, capfd):
    image = nib.Nifti1Image(np.ones((6, 7, 8), np.float32), np.eye(4))
    image.header["srow_x"], image.header["srow_y"], image.header["srow_z"] = 0, 0, 0
    image.header["sform_code"] = 1
    nib.save(image, tmp_path / "flat.nii")
    path = tmp_path / "flat.nii"
    content = bytearray(path.read_bytes())
    content[280:328] = bytes(48)
    path.write_bytes(content)
    assert "singular" in refusal(path, capfd)


@pytest.mark.parametrize(
    ("suffix", "old", "new"),
    [(".nrrd", b"(0,2,0)", b"(1,2,0)"), (".mha", b"TransformMatrix = 1 0 0 0 1", b"TransformMatrix = 1 0 0 1 1")],
)
def test_sheared_axes_are_refused(tmp_path, capfd, suffix, old, new):
    path = tmp_path / f"sheared{suffix}"
    image = sitk.GetImageFromArray(VOLUME.values)
    image.SetSpacing((1, 2, 3))
    sitk.WriteImage(image, path)
    assert old in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(old, new))
    assert "orthogonal" in refusal(path, capfd)


@pytest.mark.parametrize("suffix", VOLUME_SUFFIXES)
def test_a_full_disk_is_an_error_that_leaves_the_old_file_and_nothing_else(tmp_path, capfd, suffix):
    path = tmp_path / f"image{suffix}"
    write_volume(path, Volume(VOLUME.values * 0, VOLUME.grid))
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    with (
        full_disk(9000),
        pytest.raises(StorageError, match="Check that the folder may be written and the disk has space"),
    ):
        write_volume(path, VOLUME)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
    assert "".join(capfd.readouterr()) == ""


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd"])
def test_a_place_that_cannot_be_written_is_an_error(tmp_path, suffix):
    with pytest.raises(StorageError, match="does not exist"):
        write_volume(tmp_path / "missing" / f"image{suffix}", VOLUME)
    (tmp_path / f"folder{suffix}").mkdir()
    with pytest.raises(StorageError, match="is a folder"):
        write_volume(tmp_path / f"folder{suffix}", VOLUME)
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="does not exist"):
        write_volume(tmp_path / "file" / f"image{suffix}", VOLUME)


def test_a_folder_that_may_not_be_written_is_an_error(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "mkdir", refuse)
    with pytest.raises(StorageError, match="Permission denied"):
        write_volume(tmp_path / "image.nrrd", VOLUME)
    assert list(tmp_path.iterdir()) == []


def test_a_move_that_fails_at_the_last_moment_leaves_nothing(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(StorageError, match="No space left"):
        write_volume(tmp_path / "image.nii.gz", VOLUME)
    assert list(tmp_path.iterdir()) == []


def test_the_console_works_again_after_a_refusal(tmp_path, capfd):
    (tmp_path / "bad.mha").write_bytes(b"nothing")
    with pytest.raises(StorageError):
        read_volume(tmp_path / "bad.mha")
    os.write(2, b"still here")
    assert capfd.readouterr().err == "still here"


def test_names_with_spaces_and_accents_are_only_names(tmp_path):
    folder = tmp_path / "Élan 東京 (1)"
    folder.mkdir()
    for suffix in VOLUME_SUFFIXES:
        write_volume(folder / f"tête a{suffix}", VOLUME)
        assert np.array_equal(read_volume(str(folder / f"tête a{suffix}")).values, VOLUME.values)
    shutil.rmtree(folder)
    assert list(Path(tmp_path).iterdir()) == []
