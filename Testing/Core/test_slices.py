"""Single slices and 2D images: deformed within their plane, checked and written like volumes."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
import torch
from nnunet_rules import violations
from strategies import oblique_grid

from DiffusionCore.__main__ import main
from DiffusionCore.checks import GeometryError, StorageError, VolumeError
from DiffusionCore.deformation.symmetry import MidPlane
from DiffusionCore.space import Frame, Grid, Volume
from DiffusionCore.storage.volumes import read_volume
from DiffusionCore.synthesis.settings import SynthesisSettings
from DiffusionCore.synthesis.subject import Segmentation, Subject
from DiffusionCore.synthesis.synthesizer import Synthesizer
from DiffusionCore.transforms import Displacement
from DiffusionCore.transforms.folding import folded_cells

PLAIN = SynthesisSettings(symmetry="off", strength=1.0)


def slice_of(axis):
    """Return a labeled slice of one voxel along ``axis``, on an oblique grid."""
    size = [48, 40, 44]
    size[axis] = 1
    grid = oblique_grid(tuple(size), (1.5, 1.8, 2.1))
    points = np.stack(np.meshgrid(*map(range, grid.shape), indexing="ij")[::-1], -1)
    unit = (points - (np.array(size) - 1) / 2) / (np.array(size) / 2)
    body, organ = (unit**2).sum(-1) < 0.7, ((unit - 0.2) ** 2).sum(-1) < 0.12
    values = (body * (300 + 100 * unit[..., 0]) + organ * 200).astype(np.int16)
    return Subject("slice", (Volume(values, grid),), (Segmentation(Volume((organ & body).astype(np.uint8), grid)),))


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize(
    "settings", [PLAIN, SynthesisSettings(symmetry="off", rotation=5, scale=0.03, translation=1, intensity=1.0)]
)
def test_a_slice_is_deformed_within_its_plane_as_strongly_as_asked(axis, settings):
    case = slice_of(axis)
    grid = case.images[0].grid
    variant = Synthesizer(case, settings).variant(1, seed=3)
    across = torch.tensor(grid.direction)[:, axis]
    assert torch.einsum("c,ckji->kji", across, variant.field.vectors).abs().max() < 1e-4
    checks = variant.checks
    assert checks.mean_displacement_mm == pytest.approx(checks.wanted_displacement_mm, rel=0.05)
    assert checks.wanted_displacement_mm > 0.5
    assert checks.folding_percent == 0
    assert checks.volume_changes[0][1] == pytest.approx(1, abs=0.5)
    made = variant.subject.images[0]
    assert made.grid == grid
    assert 5 < np.abs(made.values.astype(float) - case.images[0].values).mean() < 150


def test_a_fold_within_a_slice_is_seen():
    grid = Grid((12, 10, 1), (2.0, 2.0, 5.0))
    vectors = torch.zeros(3, 1, 10, 12)
    assert not folded_cells(Displacement(vectors, grid)).any()
    vectors[0, 0, 4, 5] = 6.0
    assert folded_cells(Displacement(vectors, grid)).shape == (1, 9, 11)
    assert folded_cells(Displacement(vectors, grid)).sum() == 2


def test_a_mid_plane_counts_in_a_slice_that_it_crosses():
    grid = Grid((12, 10, 1))
    plane = MidPlane((0.0, 0.0, 0.0), (0.96, 0.0, 0.28)).within(grid)
    assert plane is not None
    assert plane.normal == pytest.approx((1, 0, 0))
    assert MidPlane((0.0, 0.0, 0.0), (1.0, 0.0, 0.0)).within(Grid((1, 12, 10))) is None


def test_2d_images_are_made_into_slices_that_nnunet_accepts(tmp_path, capsys):
    case = slice_of(2)
    for name, volume in (("anna", case.images[0]), ("anna_seg", case.segmentations[0].volume)):
        image = sitk.GetImageFromArray(volume.values[0])
        image.SetSpacing((1.5, 1.8))
        sitk.WriteImage(image, str(tmp_path / f"{name}.nrrd"))
    command = ["synthesize", "--input", tmp_path, "--output", tmp_path / "out", "--count", 2, "--workers", 1]
    assert main([*map(str, command), "--symmetry", "off"]) == 0
    assert "2 variants made" in capsys.readouterr().out
    assert violations(tmp_path / "out") == []
    made = read_volume(tmp_path / "out" / "imagesTr" / "anna_0001_0000.nii.gz", slices=1)
    assert made.grid.size == (48, 40, 1)
    assert made.grid.spacing == pytest.approx((1.5, 1.8, 1.0))


def test_a_2d_nifti_file_is_a_slice_only_where_one_is_asked_for(tmp_path):
    path = tmp_path / "flat.nii.gz"
    nib.save(nib.Nifti1Image(np.arange(30, dtype=np.int16).reshape(6, 5), np.diag([2.0, 3.0, 1.0, 1.0])), path)
    volume = read_volume(path, slices=1)
    assert volume.values.shape == (1, 5, 6)
    assert volume.grid.matrix(Frame.VOXEL, Frame.RAS)[1, 1] == 3
    with pytest.raises(StorageError, match="2D image"):
        read_volume(path)


def test_what_is_no_slice_and_no_volume_is_refused_and_so_is_recovery():
    with pytest.raises(VolumeError, match="at least 4 voxels"):
        Subject("rod", (Volume(np.arange(20).reshape(1, 1, 20), Grid((20, 1, 1))),))
    with pytest.raises(VolumeError, match="at least 4 voxels"):
        Subject("slab", (Volume(np.arange(200).reshape(2, 10, 10), Grid((10, 10, 2))),))
    with pytest.raises(GeometryError, match="single slice"):
        Synthesizer(slice_of(1), SynthesisSettings(model="pose"))  # a slice is refused before the kind of the model is
