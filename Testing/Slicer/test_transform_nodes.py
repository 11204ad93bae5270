import numpy as np
import pytest
import SimpleITK as sitk
import slicer
import torch
import vtk
from nodes import (
    LEFT_HANDED,
    OBLIQUE,
    add_transform,
    add_volume,
    array_of,
    blobs,
    from_world,
    resample_to_node,
    resliced,
    smooth_field,
    to_sitk,
    to_sitk_field,
    transform_to_node,
    watch,
)

from DiffusionCore.mrml.transforms import (
    interpolate_linearly,
    plain_from_node,
    plain_to_node,
    put_under,
    set_provenance,
    without_ring,
)
from DiffusionCore.mrml.volumes import volume_from_node
from DiffusionCore.space import Frame
from DiffusionCore.transforms.affine import Affine
from DiffusionCore.transforms.displacement import Displacement
from DiffusionCore.transforms.plain import from_plain, to_plain
from DiffusionCore.transforms.resample import resample
from DiffusionCore.transforms.velocity import Velocity

POSE = Affine.exponential((0.2, -0.1, 0.15, 3, -2, 4, 0.05, -0.1, 0.02, 0.03, 0, -0.02), OBLIQUE.center)
GRIDS = pytest.mark.parametrize("grid", [OBLIQUE, LEFT_HANDED], ids=["oblique", "left-handed"])


def points_in(grid, rng, count=200, voxels=1.0):
    """Return random points (count, 3), RAS mm, that stay ``voxels`` away from the outer voxel centers."""
    indices = rng.uniform(voxels, np.array(grid.size) - 1 - voxels, (count, 3))
    return grid.map(indices, Frame.VOXEL, Frame.RAS)


def points_around(grid, rng, count=400):
    return grid.map(rng.uniform(-2, 2, (count, 3)), Frame.UNIT, Frame.RAS)


def mapped(transform, points):
    return transform.map(torch.from_numpy(points)).numpy()


def test_an_affine_is_a_matrix_from_parent(scene, rng):
    node = add_transform(scene)
    transform_to_node(POSE, node)
    assert node.IsLinear()
    points = points_around(OBLIQUE, rng)
    assert np.allclose(from_world(node, points), mapped(POSE, points), atol=1e-9)
    assert np.allclose(plain_from_node(node).values, POSE.matrix)


@GRIDS
def test_a_field_takes_world_points_where_the_transform_takes_them(scene, rng, grid):
    node, field = add_transform(scene), smooth_field(grid)
    transform_to_node(field, node)
    points = points_in(grid, rng, voxels=0)
    assert np.allclose(from_world(node, points), mapped(field, points), atol=2e-5)
    assert abs(mapped(field, points) - points).max() > 2


@GRIDS
def test_vectors_are_those_that_slicer_reads(scene, grid):
    node, field = add_transform(scene), smooth_field(grid)
    transform_to_node(field, node)
    inside = slicer.util.arrayFromGridTransform(node)[1:-1, 1:-1, 1:-1]
    assert np.array_equal(inside, field.vectors.movedim(0, -1).numpy())


@pytest.mark.parametrize("kind", ["affine", "field", "velocity", "chain"])
def test_our_resampling_shows_what_slicer_and_itk_show(scene, kind):
    field = smooth_field(OBLIQUE, 2.0)
    transform = {
        "affine": POSE,
        "field": field,
        "velocity": Velocity(field.vectors, OBLIQUE),
        "chain": POSE @ field,
    }[kind]
    fixed, moving = add_volume(scene, blobs(OBLIQUE)), add_volume(scene, blobs(LEFT_HANDED))
    output, node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "output"), add_transform(scene)
    resample_to_node(moving, fixed, transform, output)
    transform_to_node(transform, node, grid=OBLIQUE)
    ours, core = array_of(output), (slice(2, -2),) * 3
    assert abs(ours - blobs(OBLIQUE).values).max() > 20
    # where the slice views fall off the moving volume they go to black at once, ITK's rule half a voxel later
    seen = resliced(moving, fixed, node)
    assert abs(ours - seen)[core][seen[core] > 0].max() < 1e-2
    baked = Displacement.of(transform, OBLIQUE)
    image = to_sitk(blobs(LEFT_HANDED))
    by_itk = sitk.Resample(image, to_sitk(blobs(OBLIQUE)), to_sitk_field(baked), sitk.sitkLinear, 0.0)
    assert abs(ours - sitk.GetArrayFromImage(by_itk)).max() < 1e-2


@GRIDS
def test_the_ring_of_zeros_makes_vtk_and_itk_agree_inside_and_outside(scene, rng, grid):
    node, field = add_transform(scene), smooth_field(grid)
    transform_to_node(field, node)
    points = points_around(grid, rng)
    flip = np.diag([-1, -1, 1])
    itk = to_sitk_field(field.with_zero_ring())
    by_itk = np.array([itk.TransformPoint((flip @ point).tolist()) for point in points]) @ flip
    assert np.allclose(from_world(node, points), by_itk, atol=5e-5)
    far = grid.map(np.sign(rng.normal(size=(20, 3))) * 1.6, Frame.UNIT, Frame.RAS)
    assert np.array_equal(from_world(node, far), far)


def test_every_update_is_a_new_object_and_one_event(scene):
    node = add_transform(scene)
    fired, seen = watch(node), []
    for transform in (POSE, smooth_field(OBLIQUE, 1), smooth_field(OBLIQUE, 2), POSE.inverse()):
        transform_to_node(transform, node)
        seen.append(node.GetTransformFromParent())
        assert len(fired) == len(seen)
    assert len(set(map(id, seen))) == 4


def test_editing_a_field_in_place_fires_nothing(scene):
    node = add_transform(scene)
    transform_to_node(smooth_field(OBLIQUE), node)
    fired = watch(node)
    node.GetTransformFromParent().GetDisplacementGrid().Modified()
    assert not fired  # the reason why every update is a new object


def test_what_is_put_under_a_transform_keeps_the_transforms_that_it_had(scene):
    volume, start, result = add_volume(scene, blobs(OBLIQUE)), add_transform(scene, "start"), add_transform(scene)
    volume.SetAndObserveTransformNodeID(start.GetID())
    for _ in range(2):
        put_under(volume, result)
        assert volume.GetParentTransformNode() is start
        assert start.GetParentTransformNode() is result
        assert result.GetParentTransformNode() is None


@pytest.mark.parametrize("class_name", ["vtkMRMLLinearTransformNode", "vtkMRMLGridTransformNode"])
def test_the_old_classes_of_transform_nodes_are_refused(scene, class_name):
    with pytest.raises(ValueError, match=f"must be a vtkMRMLTransformNode, got a {class_name}"):
        plain_to_node(to_plain(POSE, OBLIQUE), add_transform(scene, class_name=class_name))


@GRIDS
def test_a_field_comes_back_as_it_is(scene, rng, grid):
    node, field = add_transform(scene), smooth_field(grid)
    transform_to_node(field, node)
    result = plain_from_node(node)
    points = points_around(grid, rng)
    assert np.allclose(mapped(from_plain(result), points), from_world(node, points), atol=2e-5)
    original = without_ring(result)
    assert np.array_equal(original.vectors, field.vectors.movedim(0, -1))
    assert original.grid.is_close(grid, tolerance=1e-9)


def test_a_chain_of_nodes_is_sampled(scene, rng):
    upper, lower = add_transform(scene, "field"), add_transform(scene, "affine")
    transform_to_node(smooth_field(OBLIQUE), upper)
    transform_to_node(POSE, lower)
    lower.SetAndObserveTransformNodeID(upper.GetID())
    expected = POSE @ smooth_field(OBLIQUE)
    result = plain_from_node(lower, grid=OBLIQUE)
    assert np.allclose(result.vectors, expected.displacement_on(OBLIQUE).movedim(0, -1), atol=1e-4)
    with pytest.raises(ValueError, match="'grid' must be given"):
        plain_from_node(lower)


def test_a_field_under_another_transform_is_sampled_with_it(scene):
    upper, lower = add_transform(scene, "affine"), add_transform(scene, "field")
    transform_to_node(POSE, upper)
    transform_to_node(smooth_field(OBLIQUE), lower)
    lower.SetAndObserveTransformNodeID(upper.GetID())
    expected = (smooth_field(OBLIQUE).with_zero_ring() @ POSE).displacement_on(OBLIQUE)
    assert np.allclose(plain_from_node(lower, grid=OBLIQUE).vectors, expected.movedim(0, -1), atol=1e-4)


@GRIDS
def test_a_composite_turns_also_what_lies_outside_of_its_field(scene, rng, grid):
    node, whole = add_transform(scene), POSE @ smooth_field(grid)
    transform_to_node(whole, node)
    directions = rng.normal(size=(20, 3))
    outside = grid.center + 2 * max(grid.extent) * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    assert np.allclose(from_world(node, outside), mapped(POSE, outside), atol=1e-4)
    inside = points_in(grid, rng)
    assert np.allclose(from_world(node, inside), mapped(whole, inside), atol=2e-5)


@GRIDS
def test_a_composite_comes_apart_as_it_was_put_together(scene, grid):
    node, field = add_transform(scene), smooth_field(grid)
    transform_to_node(POSE @ field, node)
    result = without_ring(plain_from_node(node))
    assert np.array_equal(result.matrix.values, POSE.matrix.numpy())
    assert np.array_equal(result.field.vectors, field.vectors.movedim(0, -1))


def test_a_composite_survives_as_an_item_of_a_sequence_and_in_a_file(scene, rng, tmp_path):
    node, loaded, whole = add_transform(scene), add_transform(scene), POSE @ smooth_field(OBLIQUE)
    transform_to_node(whole, node)
    sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode")
    kept = sequence.SetDataNodeAtValue(node, "0")
    storage = slicer.vtkMRMLTransformStorageNode()
    storage.SetFileName(str(tmp_path / "composite.h5"))
    assert storage.WriteData(node)
    assert storage.ReadData(loaded)
    interpolate_linearly(loaded)
    points = points_in(OBLIQUE, rng)
    for each in (kept, loaded):
        assert np.allclose(
            mapped(from_plain(without_ring(plain_from_node(each))), points), mapped(whole, points), atol=1e-4
        )


def test_a_hardened_composite_maps_as_its_parts_did(scene):
    upper, lower = add_transform(scene, "field"), add_transform(scene, "affine")
    transform_to_node(smooth_field(OBLIQUE), upper)
    transform_to_node(POSE, lower)
    lower.SetAndObserveTransformNodeID(upper.GetID())
    lower.HardenTransform()
    assert lower.IsComposite()
    expected = POSE @ smooth_field(OBLIQUE)
    points = points_in(OBLIQUE, np.random.default_rng(3))
    found = from_plain(plain_from_node(lower, grid=OBLIQUE))
    assert np.allclose(mapped(found, points), mapped(expected, points), atol=1e-4)


def test_a_field_that_is_stored_the_other_way_is_inverted(scene):
    node, other, field = add_transform(scene), add_transform(scene), smooth_field(OBLIQUE, 1.0)
    transform_to_node(field, other)
    node.SetAndObserveTransformToParent(other.GetTransformFromParent())
    with pytest.raises(ValueError, match="'grid' must be given"):
        plain_from_node(node)
    inverse = from_plain(plain_from_node(node, grid=OBLIQUE))
    centers = points_in(OBLIQUE, np.random.default_rng(3), voxels=3)
    assert abs(mapped(field, mapped(inverse, centers)) - centers).max() < 0.15


def test_points_under_the_node_move_by_the_inverse(scene):
    node, pose = add_transform(scene), Affine.translation((5, 0, 0))
    transform_to_node(pose, node)
    markups = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "points")
    markups.AddControlPoint(vtk.vtkVector3d(1, 2, 3))
    markups.SetAndObserveTransformNodeID(node.GetID())
    world = [0.0, 0.0, 0.0]
    markups.GetNthControlPointPositionWorld(0, world)
    assert np.allclose(world, (-4, 2, 3))


@pytest.mark.parametrize("suffix", [".h5", ".nrrd"])
def test_a_field_is_linear_again_after_it_was_loaded(scene, rng, tmp_path, suffix):
    node, loaded, field = add_transform(scene), add_transform(scene), smooth_field(OBLIQUE)
    transform_to_node(field, node)
    storage = slicer.vtkMRMLTransformStorageNode()
    storage.SetFileName(str(tmp_path / f"field{suffix}"))
    assert storage.WriteData(node)
    assert storage.ReadData(loaded)
    points = points_in(OBLIQUE, rng)
    cubic = abs(from_world(loaded, points) - from_world(node, points)).max()
    fired = watch(loaded)
    interpolate_linearly(loaded)
    assert fired
    assert abs(from_world(loaded, points) - from_world(node, points)).max() < 1e-5 < cubic
    assert np.allclose(mapped(from_plain(plain_from_node(loaded)), points), mapped(field, points), atol=1e-5)


@pytest.mark.parametrize("kind", ["affine", "field"])
def test_simpleitk_reads_what_slicer_saves_from_our_node(scene, rng, tmp_path, kind):
    node, transform = add_transform(scene), POSE if kind == "affine" else smooth_field(OBLIQUE)
    transform_to_node(transform, node)
    storage = slicer.vtkMRMLTransformStorageNode()
    storage.SetFileName(str(tmp_path / "saved.h5"))
    assert storage.WriteData(node)
    saved, flip = sitk.ReadTransform(str(tmp_path / "saved.h5")), np.diag([-1, -1, 1])
    points = points_in(OBLIQUE, rng)
    by_itk = np.array([saved.TransformPoint((flip @ point).tolist()) for point in points]) @ flip
    assert np.allclose(by_itk, mapped(transform, points), atol=2e-5)


def test_hardening_leaves_the_fixed_grid_which_resampling_keeps(scene):
    fixed, moving, node = add_volume(scene, blobs(OBLIQUE)), add_volume(scene, blobs(OBLIQUE)), add_transform(scene)
    output = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "output")
    transform_to_node(smooth_field(OBLIQUE, 0.8), node)
    resample_to_node(moving, fixed, smooth_field(OBLIQUE, 0.8), output)
    moving.SetAndObserveTransformNodeID(node.GetID())
    moving.HardenTransform()
    assert not volume_from_node(moving).grid.is_close(OBLIQUE)  # the reason why outputs are resampled
    assert volume_from_node(output).grid.is_close(OBLIQUE)


def test_moving_under_the_node_shows_what_resampling_gives(scene):
    fixed, moving, node = add_volume(scene, blobs(OBLIQUE)), add_volume(scene, blobs(LEFT_HANDED)), add_transform(scene)
    transform_to_node(POSE, node)
    moving.SetAndObserveTransformNodeID(node.GetID())
    ours = resample(blobs(LEFT_HANDED), OBLIQUE, POSE).values
    seen = resliced(moving, fixed, moving.GetParentTransformNode())
    assert abs(ours - seen)[seen > 0].max() < 1e-2


def test_provenance_names_fixed_and_moving_once(scene):
    fixed, moving, node = add_volume(scene, blobs(OBLIQUE)), add_volume(scene, blobs(LEFT_HANDED)), add_transform(scene)
    for _ in range(2):
        set_provenance(node, fixed=fixed, moving=moving)
    assert node.GetNodeReference("spatialRegistrationFixed") is fixed
    assert node.GetNodeReference("spatialRegistrationMoving") is moving
    assert node.GetNumberOfNodeReferences("spatialRegistrationMoving") == 1
