import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from DiffusionCore.checks import StorageError
from DiffusionCore.space import Grid
from DiffusionCore.storage.transforms import read_transform, write_transform
from DiffusionCore.transforms import Affine, Displacement

GRID = Grid((20, 18, 16), (1.0, 2.0, 3.0))
FIELD = Displacement(torch.randn((3, *GRID.shape), generator=torch.Generator().manual_seed(0)), GRID)
SUFFIXES = (".h5", ".hdf5", ".tfm", ".txt", ".mat", ".nrrd", ".nhdr", ".mha", ".mhd", ".nii", ".nii.gz")


def refusal(path, capfd):
    """Return the text of the refusal of ``path``; it names the file, and no library wrote to the console."""
    with pytest.raises(StorageError) as caught:
        read_transform(path)
    assert "".join(capfd.readouterr()) == ""
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_missing_files_folders_and_empty_files_are_named(tmp_path, capfd, suffix):
    path = tmp_path / f"transform{suffix}"
    assert "there is no file" in refusal(path, capfd)
    path.touch()
    assert "is empty" in refusal(path, capfd)
    path.unlink()
    path.mkdir()
    assert "is a folder" in refusal(path, capfd)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("content", [b"Dear reader, this is nothing.\n" * 40, bytes(700)], ids=["text", "zeros"])
def test_a_file_of_something_else_is_refused(tmp_path, capfd, suffix, content):
    path = tmp_path / f"letter{suffix}"
    path.write_bytes(content)
    assert "damaged" in refusal(path, capfd)


def test_an_unknown_ending_lists_the_known_ones(tmp_path, capfd):
    (tmp_path / "transform.xfm").write_bytes(b"1234")
    text = refusal(tmp_path / "transform.xfm", capfd)
    assert all(suffix in text for suffix in SUFFIXES)
    with pytest.raises(StorageError, match=r"\.h5, \.tfm, \.nrrd"):
        write_transform(tmp_path / "transform.nii.gz", FIELD, GRID)


@pytest.mark.parametrize("suffix", [".h5", ".tfm", ".nrrd"])
@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_a_truncated_file_is_refused(tmp_path, capfd, suffix, share):
    path = tmp_path / f"field{suffix}"
    write_transform(path, FIELD, GRID)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    assert "damaged" in refusal(path, capfd)


def test_a_text_file_cut_off_anywhere_is_never_another_transform(tmp_path):
    path = tmp_path / "affine.tfm"
    transform = sitk.AffineTransform(3)
    transform.SetCenter((11.5, 22.5, 33.25))
    transform.SetMatrix((1.1, 0.2, 0.0, -0.1, 0.9, 0.3, 0.0, 0.1, 1.2))
    sitk.WriteTransform(transform, str(path))
    whole, content = read_transform(path), path.read_bytes()
    read = 0
    for length in range(len(content)):
        path.write_bytes(content[:length])
        try:
            assert torch.equal(read_transform(path).matrix, whole.matrix)
            read += 1
        except StorageError:
            pass
    assert read <= 1


@pytest.mark.parametrize("suffix", [".h5", ".tfm"])
def test_kinds_without_a_counterpart_say_how_to_convert_them(tmp_path, capfd, suffix):
    path = tmp_path / f"spline{suffix}"
    sitk.WriteTransform(sitk.BSplineTransformInitializer(sitk.Image(9, 8, 7, sitk.sitkFloat32), [3, 3, 3]), str(path))
    assert "BSplineTransform" in refusal(path, capfd)
    assert "displacement field" in refusal(path, capfd)
    sitk.WriteTransform(sitk.Euler2DTransform(), str(path))
    assert "2D" in refusal(path, capfd)


def test_an_inverse_field_of_slicer_says_how_to_convert_it(tmp_path, capfd):
    path = tmp_path / "inverse.tfm"
    write_transform(path, Affine.identity())
    path.write_text(path.read_text().replace("AffineTransform", "InverseDisplacementFieldTransform"))
    assert "3D Slicer" in refusal(path, capfd)


def test_a_field_in_the_other_direction_is_not_taken_for_ours(tmp_path, capfd):
    path = tmp_path / "modeling.nrrd"
    write_transform(path, FIELD, GRID)
    path.write_bytes(path.read_bytes().replace(b"kinds:", b"displacement field type:=modeling\nkinds:", 1))
    assert "Invert it" in refusal(path, capfd)


@pytest.mark.parametrize("suffix", [".nrrd", ".nii.gz", ".mha"])
@pytest.mark.parametrize("components", [1, 2])
def test_an_image_is_not_taken_for_a_displacement_field(tmp_path, capfd, suffix, components):
    path = tmp_path / f"image{suffix}"
    values = np.ones((5, 6, 7, components), np.float32)
    sitk.WriteImage(sitk.GetImageFromArray(values if components > 1 else values[..., 0], isVector=components > 1), path)
    assert "a displacement field has 3" in refusal(path, capfd)


@pytest.mark.parametrize("suffix", [".nrrd", ".nii.gz", ".mha"])
def test_a_field_with_nan_is_refused(tmp_path, capfd, suffix):
    values = np.ones((5, 6, 7, 3), np.float32)
    values[1, 2, 3, 0] = np.nan
    sitk.WriteImage(sitk.GetImageFromArray(values, isVector=True), tmp_path / f"field{suffix}")
    assert "finite" in refusal(tmp_path / f"field{suffix}", capfd)


def test_a_singular_affine_is_refused(tmp_path, capfd):
    path = tmp_path / "singular.tfm"
    write_transform(path, Affine.identity())
    path.write_text(path.read_text().replace("1 0 0 0 1 0 0 0 1", "1 0 0 0 1 0 0 0 0"))
    assert "invertible" in refusal(path, capfd)


WRITE_ON_A_FULL_DISK = """
import os, sys, pytest
sys.path.append("Testing/Core")
from full_disk import full_disk
from test_transform_file_errors import FIELD, GRID, Displacement, StorageError, write_transform
with full_disk(20000), pytest.raises(StorageError, match="the disk has space"):
    write_transform(sys.argv[1], Displacement(-FIELD.vectors, GRID), GRID)
os._exit(0)
"""


@pytest.mark.parametrize("suffix", [".h5", ".tfm", ".nrrd"])
def test_a_full_disk_is_an_error_that_leaves_the_old_file_and_nothing_else(tmp_path, suffix):
    """In a process of its own: HDF5 keeps the file that it could not finish, and crashes over it when Python ends."""
    path = tmp_path / f"field{suffix}"
    write_transform(path, FIELD, GRID)
    before = path.read_bytes()
    command = [sys.executable, "-c", WRITE_ON_A_FULL_DISK, str(path)]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == before


@pytest.mark.parametrize("suffix", [".h5", ".tfm", ".nrrd"])
def test_a_missing_folder_is_named(tmp_path, suffix):
    with pytest.raises(StorageError, match="does not exist"):
        write_transform(tmp_path / "missing" / f"field{suffix}", FIELD, GRID)
