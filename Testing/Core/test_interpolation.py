"""Pull: exact on ramps, ITK's rule at the borders, the same for any number of threads."""

import pytest
import SimpleITK as sitk
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import seeds
from torch.testing import assert_close

from DiffusionCore.interpolation import Interpolation, inside, pull

SIZE = (7, 4, 5)  # i, j, k
SHAPE = SIZE[::-1]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def coordinates(count, low, high, seed=0):
    span = torch.tensor(high, dtype=torch.float64) - low
    return (torch.rand(1, count, 1, 1, 3, dtype=torch.float64, generator=generator(seed)) * span + low).contiguous()


@given(seeds, st.tuples(*[st.floats(-2, 2)] * 4))
def test_a_ramp_is_read_exactly_between_its_voxels(seed, ramp):
    k, j, i = torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in SHAPE), indexing="ij")
    image = ramp[0] + ramp[1] * i + ramp[2] * j + ramp[3] * k
    where = coordinates(50, 0.0, [n - 1 for n in SIZE], seed)
    expected = ramp[0] + (where * torch.tensor(ramp[1:], dtype=torch.float64)).sum(-1)
    assert_close(pull(image[None, None], where)[:, 0], expected, atol=1e-9, rtol=0)


@pytest.mark.parametrize("interpolation", Interpolation)
def test_the_voxels_themselves_come_back(interpolation):
    image = torch.rand(2, 3, *SHAPE, generator=generator())
    k, j, i = torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in SHAPE), indexing="ij")
    identity = torch.stack([i, j, k], -1).expand(2, -1, -1, -1, -1)
    assert_close(pull(image, identity, interpolation=interpolation), image, atol=1e-6, rtol=0)


@pytest.mark.parametrize("interpolation", Interpolation)
def test_borders_follow_itk(interpolation):
    image = torch.rand(1, 1, *SHAPE, generator=generator()) + 1
    edges = [(axis, edge) for axis in range(3) for edge in (-0.5, SIZE[axis] - 0.5)]
    borders = [(axis, edge + nudge) for axis, edge in edges for nudge in (-1e-6, 0, 1e-6)]
    inner = [(axis, index + 0.5) for axis in range(3) for index in range(SIZE[axis] - 1)]
    where = torch.full((len(borders + inner), 3), 1.3, dtype=torch.float64)
    for row, (axis, value) in enumerate(borders + inner):
        where[row, axis] = value
    itk_image = sitk.GetImageFromArray(image[0, 0].numpy())
    itk = sitk.sitkLinear if interpolation is Interpolation.LINEAR else sitk.sitkNearestNeighbor
    one = sitk.Image([1, 1, 1], sitk.sitkFloat32)
    expected = [
        sitk.Resample(itk_image, one, sitk.TranslationTransform(3, row), itk, -9.0)[0, 0, 0] for row in where.tolist()
    ]
    values = pull(image, where[None, :, None, None], interpolation=interpolation, fill=-9.0).flatten()
    assert_close(values, torch.tensor(expected), atol=1e-5, rtol=0)
    assert 0 < (values == -9).sum() < len(borders)


def test_inside_is_the_half_open_cell_of_every_voxel():
    where = torch.tensor([[-0.5, 0, 0], [-0.51, 0, 0], [6.49, 3.49, 4.49], [6.5, 0, 0], [0, 0, 4.5], [0, torch.nan, 0]])
    assert inside(where, SIZE).tolist() == [True, False, True, False, False, False]


@pytest.mark.parametrize("interpolation", Interpolation)
def test_without_fill_the_outer_voxels_go_on_for_ever(interpolation):
    image = torch.rand(1, 2, *SHAPE, generator=generator())
    where = coordinates(60, -9.0, [n + 9.0 for n in SIZE])
    clamped = where.clamp(min=torch.zeros(3), max=torch.tensor(SIZE) - 1.0)
    values = pull(image, where, interpolation=interpolation, fill=None)
    assert_close(values, pull(image, clamped, interpolation=interpolation), atol=1e-5, rtol=0)


@pytest.mark.parametrize("interpolation", Interpolation)
def test_points_that_are_no_numbers_are_outside(interpolation):
    where = torch.tensor([torch.nan, torch.inf, -torch.inf]).view(1, 3, 1, 1, 1).expand(-1, -1, -1, -1, 3)
    image = torch.ones(1, 1, *SHAPE)
    assert pull(image, where, interpolation=interpolation, fill=5.0).flatten().tolist() == [5.0] * 3


@pytest.mark.parametrize("rows", [(1, 1), (1, 3), (5, 7), (6, 2)])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_number_of_threads_changes_no_bit(threads, rows, channels):
    image = torch.rand(1, channels, *SHAPE, generator=generator())
    where = torch.rand(1, *rows, 4, 3, generator=generator(1)) * 8 - 1
    threads(1)
    alone = pull(image, where)
    threads(4)
    assert torch.equal(pull(image, where), alone)


def test_no_points_give_no_values(threads):
    for count in (1, 4):
        threads(count)
        assert pull(torch.ones(1, 2, *SHAPE), torch.zeros(1, 0, 1, 1, 3)).shape == (1, 2, 0, 1, 1)


def test_a_half_precision_image_is_read_at_full_precision():
    image = torch.rand(1, 1, *SHAPE, generator=generator()).half()
    where = coordinates(40, 0.0, [n - 1 for n in SIZE])
    assert torch.equal(pull(image, where), pull(image.float(), where).half())


def test_nearest_moves_large_labels_bit_for_bit():
    image = torch.randint(2**60, 2**62, (1, 1, *SHAPE), generator=generator())
    where = coordinates(40, -0.4, [n - 0.6 for n in SIZE])
    i, j, k = where.add(0.5).floor().long().flatten(0, 3).unbind(-1)
    values = pull(image, where, interpolation=Interpolation.NEAREST)
    assert torch.equal(values.flatten(), image[0, 0, k, j, i])


@pytest.mark.parametrize("fill", [0.0, None])
@pytest.mark.parametrize("count", [1, 4])
def test_gradients_are_those_of_differences(threads, fill, count):
    threads(count)
    image = torch.rand(1, 2, *SHAPE, dtype=torch.float64, generator=generator(), requires_grad=True)
    where = (coordinates(12, 0.0, [n - 1 for n in SIZE]).floor() + 0.37).requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: pull(a, b, fill=fill), (image, where))
    assert torch.autograd.gradcheck(lambda b: pull(image.detach(), b, fill=fill), (where,))


def test_linear_refuses_integers():
    with pytest.raises(TypeError, match="NEAREST"):
        pull(torch.ones(1, 1, *SHAPE, dtype=torch.int16), torch.zeros(1, 1, 1, 1, 3))


def test_shapes_are_named_when_they_do_not_fit():
    with pytest.raises(ValueError, match="'coordinates' must have the shape"):
        pull(torch.ones(2, 1, *SHAPE), torch.zeros(1, 1, 1, 1, 3))
    with pytest.raises(ValueError, match="'image' must have the shape"):
        pull(torch.ones(1, *SHAPE), torch.zeros(1, 1, 1, 1, 3))
