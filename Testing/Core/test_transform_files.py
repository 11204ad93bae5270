import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
import torch

from DiffusionCore.space import Frame, Grid
from DiffusionCore.storage.transforms import read_transform, write_transform
from DiffusionCore.transforms import Affine, Chain, Displacement, Transform, Velocity

FLIP = np.array([-1.0, -1.0, 1.0])


def oblique_grid(size=(9, 7, 8), origin=(-31.0, 12.5, 40.0), seed=0):
    axes = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    return Grid(size, (1.5, 2.0, 3.1), origin, tuple(map(tuple, axes)))


def random_affine(seed=1):
    parameters = torch.randn(12, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return Affine.exponential(parameters * torch.tensor([0.3] * 3 + [9.0] * 3 + [0.1] * 6))


def random_vectors(grid, scale=2.0, seed=2):
    return scale * torch.randn((3, *grid.shape), generator=torch.Generator().manual_seed(seed))


def displacement(grid=None, seed=2):
    grid = grid or oblique_grid()
    return Displacement(random_vectors(grid, seed=seed), grid)


def points_in(grid, margin=0.0, count=400, seed=3):
    """Return RAS points between the outer voxel centers of ``grid``, or up to ``margin`` voxels beyond them."""
    share = np.random.default_rng(seed).random((count, 3))
    voxels = share * (np.array(grid.size) - 1 + 2 * margin) - margin
    return torch.from_numpy(grid.map(voxels, Frame.VOXEL, Frame.RAS))


def mapped_by_itk(transform, points):
    lps = points.numpy() * FLIP
    return torch.from_numpy(np.array([transform.TransformPoint(point) for point in lps.tolist()]) * FLIP)


def assert_itk_agrees(path, transform, points, tolerance=1e-4):
    theirs = mapped_by_itk(sitk.ReadTransform(str(path)), points)
    assert (theirs - points).abs().max() > 0.1
    assert (theirs - transform.map(points)).abs().max() < tolerance


def field_as_image(transform, grid):
    vectors = transform.displacement_on(grid).movedim(0, -1).double().numpy() * FLIP
    image = sitk.GetImageFromArray(vectors, isVector=True)
    image.SetSpacing(grid.spacing)
    image.SetOrigin(grid.map((0, 0, 0), Frame.VOXEL, Frame.LPS).tolist())
    image.SetDirection((np.array(grid.direction) * FLIP[:, None]).ravel())
    return image


@pytest.mark.parametrize("suffix", [".h5", ".tfm"])
def test_itk_maps_points_by_a_written_affine_as_we_do(tmp_path, suffix):
    affine = random_affine()
    write_transform(tmp_path / f"affine{suffix}", affine)
    assert_itk_agrees(tmp_path / f"affine{suffix}", affine, points_in(oblique_grid(), 50), 1e-10)
    again = read_transform(tmp_path / f"affine{suffix}")
    assert isinstance(again, Affine)
    assert torch.allclose(again.matrix, affine.matrix, atol=1e-12)


@pytest.mark.parametrize("suffix", [".h5", ".tfm"])
@pytest.mark.parametrize("margin", [0.0, 12.0])
def test_itk_maps_points_by_a_written_displacement_as_we_do(tmp_path, suffix, margin):
    field = displacement().with_zero_ring()
    write_transform(tmp_path / f"field{suffix}", field)
    assert_itk_agrees(tmp_path / f"field{suffix}", field, points_in(field.grid, margin))
    again = read_transform(tmp_path / f"field{suffix}")
    assert isinstance(again, Displacement)
    assert torch.equal(again.vectors, field.vectors)
    assert again.grid.is_close(field.grid, tolerance=1e-9)


@pytest.mark.parametrize("suffix", [".h5", ".tfm"])
def test_a_field_gets_a_ring_of_zeros_and_only_one(tmp_path, suffix):
    field = displacement()
    write_transform(tmp_path / f"once{suffix}", field)
    once = read_transform(tmp_path / f"once{suffix}")
    assert torch.equal(once.vectors, field.with_zero_ring().vectors)
    write_transform(tmp_path / f"twice{suffix}", once)
    assert read_transform(tmp_path / f"twice{suffix}").grid == once.grid
    points = points_in(field.grid)
    assert (once.map(points) - field.map(points)).abs().max() < 1e-5


@pytest.mark.parametrize("suffix", [".h5", ".tfm"])
def test_a_velocity_is_written_as_its_exponential(tmp_path, suffix):
    grid = oblique_grid()
    velocity = Velocity(random_vectors(grid, 0.8), grid)
    write_transform(tmp_path / f"flow{suffix}", velocity)
    assert_itk_agrees(tmp_path / f"flow{suffix}", velocity, points_in(grid))


@pytest.mark.parametrize("suffix", [".h5", ".tfm"])
@pytest.mark.parametrize("order", ["affine first", "field first", "nested"])
def test_a_composite_acts_in_our_order_in_itk(tmp_path, suffix, order):
    field = displacement(oblique_grid((14, 13, 12), (-40.0, 5.0, 20.0))).with_zero_ring()
    affine, other = random_affine(4), displacement(oblique_grid(seed=5), 6).with_zero_ring()
    parts = {
        "affine first": (field, affine),
        "field first": (affine, field),
        "nested": (Chain.of(affine, field), other),
    }
    chain = Chain(parts[order])
    write_transform(tmp_path / f"chain{suffix}", chain)
    points = points_in(field.grid, 3)
    assert_itk_agrees(tmp_path / f"chain{suffix}", chain, points)
    again = read_transform(tmp_path / f"chain{suffix}")
    assert isinstance(again, Chain)
    assert (again.map(points) - chain.map(points)).abs().max() < 1e-5


def test_a_chain_of_affines_comes_back_as_one_affine(tmp_path):
    chain = Chain((random_affine(7), random_affine(8)))
    write_transform(tmp_path / "two.h5", chain)
    again = read_transform(tmp_path / "two.h5")
    assert isinstance(again, Affine)
    assert torch.allclose(again.matrix, chain.parts[0].matrix @ chain.parts[1].matrix, atol=1e-10)


def test_a_baked_field_is_the_whole_transform_on_the_grid_and_nothing_beyond(tmp_path):
    grid = oblique_grid(origin=(-30.0, 11.0, 38.0), seed=9)
    chain = Chain.of(random_affine(10), displacement(oblique_grid((14, 13, 12))))
    write_transform(tmp_path / "baked.nrrd", chain, grid)
    image = sitk.ReadImage(tmp_path / "baked.nrrd", sitk.sitkVectorFloat64)
    assert image.GetSize() == grid.padded(1).size
    theirs = sitk.DisplacementFieldTransform(image)
    centers = torch.from_numpy(grid.map(np.argwhere(np.ones(grid.size)), Frame.VOXEL, Frame.RAS))
    assert (mapped_by_itk(theirs, centers) - chain.map(centers)).abs().max() < 1e-4
    outside = points_in(grid) + torch.tensor(grid.extent).max() * 2
    assert torch.equal(mapped_by_itk(theirs, outside), outside)
    ours = read_transform(tmp_path / "baked.nrrd")
    between = points_in(grid, 4)
    assert (mapped_by_itk(theirs, between) - ours.map(between)).abs().max() < 1e-4


def test_resampling_by_itk_with_our_file_pulls_from_the_moving_points(tmp_path):
    affine = Affine.translation((10.0, 0.0, 0.0))
    write_transform(tmp_path / "shift.h5", affine)
    moving = sitk.Image(30, 20, 10, sitk.sitkFloat32)
    moving[12, 5, 5] = 1.0  # LPS x = 12, RAS x = -12
    warped = sitk.GetArrayFromImage(sitk.Resample(moving, moving, sitk.ReadTransform(str(tmp_path / "shift.h5"))))
    assert np.argwhere(warped).tolist() == [[5, 5, 22]]  # RAS x = -22 is the fixed point that -12 answers to


def linear_transforms():
    center, shift = (10.0, -20.0, 30.0), (4.0, 5.0, -6.0)
    affine = sitk.AffineTransform(3)
    affine.SetCenter(center)
    affine.SetTranslation(shift)
    affine.SetMatrix((1.1, 0.2, 0.0, -0.1, 0.9, 0.3, 0.0, 0.1, 1.2))
    euler = sitk.Euler3DTransform(center, 0.1, -0.2, 0.3, shift)
    versor = sitk.VersorRigid3DTransform((0.1, 0.2, 0.3), 0.4, shift, center)
    similarity = sitk.Similarity3DTransform(1.3, (0.3, 0.2, 0.1), 0.5, shift, center)
    scale_versor = sitk.ScaleVersor3DTransform((1.1, 0.9, 1.2), (0.1, 0.2, 0.3), 0.6, shift, center)
    scale_skew = sitk.ScaleSkewVersor3DTransform((1.1, 0.9, 1.2), (0.1,) * 6, (0.1, 0.2, 0.3), 0.6, shift, center)
    return [
        affine, euler, versor, similarity, scale_versor, scale_skew,
        sitk.TranslationTransform(3, shift), sitk.ScaleTransform(3, (1.1, 0.8, 1.3)),
        sitk.CompositeTransform([euler, affine]),
    ]  # fmt: skip


@pytest.mark.parametrize("theirs", linear_transforms(), ids=lambda transform: transform.GetName())
@pytest.mark.parametrize("suffix", [".h5", ".tfm", ".txt", ".mat"])
def test_every_linear_transform_of_itk_is_read_as_an_affine(tmp_path, theirs, suffix):
    if suffix == ".mat" and theirs.GetName() == "CompositeTransform":
        suffix = ".tfm"  # ITK writes no composites to .mat
    sitk.WriteTransform(theirs, str(tmp_path / f"linear{suffix}"))
    ours = read_transform(tmp_path / f"linear{suffix}")
    points = points_in(oblique_grid(), 20)
    assert isinstance(ours, Affine)
    assert (ours.map(points) - mapped_by_itk(theirs, points)).abs().max() < 1e-9


def test_the_identity_of_itk_is_read(tmp_path):
    sitk.WriteTransform(sitk.Transform(3, sitk.sitkIdentity), str(tmp_path / "nothing.tfm"))
    assert torch.equal(read_transform(tmp_path / "nothing.tfm").matrix, Affine.identity().matrix)


@pytest.mark.parametrize("suffix", [".nrrd", ".nhdr", ".mha", ".mhd", ".nii", ".nii.gz"])
@pytest.mark.parametrize("kind", [sitk.sitkVectorFloat32, sitk.sitkVectorFloat64])
def test_a_field_in_an_image_file_is_read_as_itk_reads_it(tmp_path, suffix, kind):
    field = displacement()
    sitk.WriteImage(sitk.Cast(field_as_image(field, field.grid), kind), tmp_path / f"field{suffix}")
    again = read_transform(tmp_path / f"field{suffix}")
    assert torch.allclose(again.vectors, field.vectors, atol=1e-6)
    assert again.grid.is_close(field.grid, tolerance=1e-4)
    assert (again.map(points_in(field.grid)) - field.map(points_in(field.grid))).abs().max() < 1e-3


def test_a_nifti_field_with_the_intent_of_displacements_holds_ras(tmp_path):
    field = displacement()
    image = nib.Nifti1Image(field.vectors.numpy().T[:, :, :, None], field.grid.matrix(Frame.VOXEL, Frame.RAS))
    image.header.set_intent("displacement vector")
    nib.save(image, tmp_path / "field.nii.gz")
    theirs = sitk.DisplacementFieldTransform(sitk.ReadImage(tmp_path / "field.nii.gz", sitk.sitkVectorFloat64))
    points = points_in(field.grid)
    assert torch.equal(read_transform(tmp_path / "field.nii.gz").vectors, field.vectors)
    assert (mapped_by_itk(theirs, points) - field.map(points)).abs().max() < 1e-3


class Bend(Transform):
    """A transform of no kind that the files know."""

    def map(self, points):
        return points + torch.sin(points.roll(1, -1) / 9)

    def inverse(self):
        raise NotImplementedError


def test_a_transform_of_another_kind_is_baked_on_the_grid_that_is_given(tmp_path):
    grid = oblique_grid()
    write_transform(tmp_path / "bend.h5", Bend(), grid)
    centers = torch.from_numpy(grid.map(np.argwhere(np.ones(grid.size)), Frame.VOXEL, Frame.RAS))
    assert_itk_agrees(tmp_path / "bend.h5", Bend(), centers)
    with pytest.raises(ValueError, match="'grid' must be given"):
        write_transform(tmp_path / "bend.h5", Bend())
    with pytest.raises(ValueError, match="'grid' must be given"):
        write_transform(tmp_path / "bend.nrrd", Bend())
    assert [file.name for file in tmp_path.iterdir()] == ["bend.h5"]
