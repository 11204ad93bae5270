"""The Triton kernels in Triton's interpreter, on the CPU: what torch gives.

    TRITON_INTERPRET=1 python -m pytest Testing/Core/interpreted_kernels.py

Triton decides when it is imported whether it interprets or compiles, so this is no file that pytest finds by itself:
`test_triton_kernels.py` runs it in a process of its own. The interpreter takes milliseconds for each program, hence the
small images.
"""

import pytest
import torch
from strategies import oblique_grid, smooth_volume
from test_kernels import affine_matrices, by, field, points, random
from torch.testing import assert_close

from DiffusionCore.affine.sampling import Sampler
from DiffusionCore.affine.similarity import mutual_information_slope
from DiffusionCore.deformable.smoothing import diffused, divergence_damped, gaussian
from DiffusionCore.interpolation import Interpolation, moved_voxels, pull, pull_affine, pull_at
from DiffusionCore.kernels import cuda, kernel_for
from DiffusionCore.kernels.examples import hold
from DiffusionCore.kernels.gpu import launching
from DiffusionCore.losses import LocalCorrelation
from DiffusionCore.transforms import Affine, Displacement, jacobian_determinant
from DiffusionCore.transforms.velocity import flow

SHAPE = (3, 5, 34)  # more than a brick of voxels along each axis, and no whole number of them
SMALL = (3, 4, 9)  # for what takes many programs


def check(function, tolerance=1e-4):
    """Hold tensors that the kernels make, for a function of no arguments, against what torch makes of it."""
    assert by("triton", lambda: kernel_for("pull", torch.ones(1))) is cuda.pull
    for found, expected in zip(by("triton", function), by("torch", function), strict=True):
        assert found.dtype == expected.dtype
        scale = float(expected.abs().max())
        assert_close(found, expected, rtol=0, atol=tolerance * scale + 1e-6)


@pytest.mark.parametrize("name", cuda.__all__)
def test_a_kernel_answers_its_example(name):
    learned = {"pull": 2, "pull_at": 2, "pull_affine": 3, "flow": 1}.get(name, 0)
    hold(getattr(cuda, name), name, "cpu", [True] * learned)


def with_slopes(function, *arguments):
    """Return the value of ``function``, and the derivatives by its arguments of a weighted sum of it."""
    learned = [each.detach().clone().requires_grad_() for each in arguments]
    value = function(*learned)
    weights = random(*value.shape, seed=9).to(value.dtype)
    return value.detach(), *torch.autograd.grad((value * weights).sum(), learned)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("fill", [None, -1.0])
def test_images_are_read_and_differentiated_as_by_torch(channels, fill):
    image, where = random(2, channels, *SHAPE), points(300, 30.0, shape=SHAPE)
    check(lambda: with_slopes(lambda one, at: pull(one, at, fill=fill), image, where))


@pytest.mark.parametrize("reach", [0.3, 30.0])
def test_images_are_moved_and_differentiated_as_by_torch(reach):
    image, shifts = random(2, 3, *SHAPE), field(reach, SHAPE)
    check(lambda: with_slopes(pull_at, image, shifts))


@pytest.mark.parametrize(("batch", "fill"), [(1, None), (2, -1.0)])
def test_images_are_read_along_a_moved_grid_and_differentiated_as_by_torch(batch, fill):
    image, shifts, shape = random(2, 2, *SHAPE), field(3.0, SMALL), SMALL
    learned = image, affine_matrices(batch), shifts
    check(lambda: with_slopes(lambda x, m, u: pull_affine(x, m, shape, u, first=2, fill=fill), *learned))
    check(lambda: [pull_affine(image, affine_matrices(batch, torch.float64), shape, fill=fill)])
    nearest = {"interpolation": Interpolation.NEAREST, "fill": fill}
    check(lambda: [pull_affine((100 * image).short(), affine_matrices(batch), shape, shifts, **nearest)], 0)


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_images_of_half_precision_are_moved_by_fields_of_single_precision(kind):
    image, shifts = random(2, 3, *SHAPE).to(kind), field(3.0, SHAPE)
    where = by("torch", lambda: moved_voxels(shifts, SHAPE))
    tolerance = 2 * torch.finfo(kind).eps
    check(lambda: with_slopes(lambda one, at: pull(one, at, fill=None), image, where), tolerance)
    check(lambda: [pull(image, where, fill=0.0)], tolerance)


def test_offsets_of_64_bits_lead_to_the_same_voxels(monkeypatch):
    monkeypatch.setattr(launching, "_REACHED", 0)
    image, shifts = random(2, 2, *SMALL), field(3.0, SMALL)
    check(lambda: with_slopes(pull_at, image, shifts))
    check(lambda: [pull(image, points(300, 3.0, shape=SMALL)), flow(shifts), moved_voxels(shifts, (4, 7, 10))])
    check(lambda: LocalCorrelation(image[:, :1], window=3).value_and_slope(image[:, 1:]))
    check(lambda: [gaussian(shifts, 0.9, (1.0, 0.8, 3.0)), divergence_damped(shifts[0], 0.2, (1.0, 0.8, 3.0))])


@pytest.mark.parametrize("shape", [(1, 3, 4), (2, 1, 1)])
def test_axes_of_one_voxel_are_read_as_by_torch(shape):
    image, shifts = random(2, 3, *shape), field(2.0, shape)
    check(lambda: with_slopes(pull_at, image, shifts))
    check(lambda: [moved_voxels(shifts, (2, 3, 4)), flow(shifts), gaussian(image, 2.0, (1.0, 0.8, 3.0))])
    check(lambda: LocalCorrelation(image[:, :1]).value_and_slope(image[:, 1:2]))


def test_points_of_any_layout_and_precision_are_read():
    image, where = random(2, 1, *SHAPE), points(40, 4.0, shape=SHAPE)
    for same in (where.double(), where.movedim(-1, 1).contiguous().movedim(1, -1), where.expand(2, 2, 40, 1, 3)):
        check(lambda same=same: [pull(image, same, fill=None)])
    check(lambda: [pull(image.mT, where, fill=None), pull(image.double(), where.double(), fill=0.1)])


@pytest.mark.parametrize("kind", [torch.bool, torch.bfloat16, torch.float64])
def test_the_nearest_voxels_are_those_of_torch_bit_for_bit(kind):
    image, where = (random(2, 2, *SHAPE) * 200).to(kind), points(300, 4.0, shape=SHAPE).double()
    where[0, 0, 0] = torch.nan
    where[0, 0, 1] = torch.inf
    for fill in (None, 1.0):
        by_torch, by_triton = (
            by(name, lambda fill=fill: pull(image, where, interpolation=Interpolation.NEAREST, fill=fill))
            for name in ("torch", "triton")
        )
        assert torch.equal(by_triton, by_torch)


def test_what_numbers_are_not_ends_nowhere():
    where = torch.tensor([torch.nan, torch.inf, -torch.inf]).view(1, 3, 1, 1, 1).expand(-1, -1, -1, -1, 3)
    values = by("triton", lambda: pull(torch.ones(1, 1, *SHAPE), where, fill=None))
    assert torch.equal(values, torch.ones_like(values))


@pytest.mark.parametrize("reach", [0.3, 1.2])
def test_flows_and_moved_voxels_are_those_of_torch(reach):
    shifts = field(reach, SMALL)
    check(lambda: [*with_slopes(flow, shifts), moved_voxels(shifts, (5, 6, 34))])


@pytest.mark.parametrize(("window", "weighed"), [(3, 1), (9, 2)])
def test_local_correlations_and_their_slopes_are_those_of_torch(window, weighed):
    reference, image = random(2, 1, *SMALL, seed=1), random(2, 1, *SMALL, seed=2)
    found = LocalCorrelation(reference, window=window, weights=random(weighed, 1, *SMALL, seed=3))
    check(lambda: [found.value(image), *found.value_and_slope(image)])


def test_fields_are_smoothed_as_by_torch():
    vectors, spacing = random(3, *SMALL), (1.0, 0.8, 3.0)
    check(lambda: [gaussian(vectors, sigma, spacing) for sigma in (0.2, 0.9)])
    check(lambda: [diffused(vectors, 0.1, spacing), divergence_damped(vectors, 0.2, spacing)])


@pytest.mark.parametrize("shape", [SMALL, (1, 3, 4), (3, 1, 1)])
def test_jacobian_determinants_are_those_of_torch(shape):
    grid = oblique_grid(size=shape[::-1])
    transform = Displacement(8 * field(1.0, shape, batch=1)[0], grid)
    check(lambda: [jacobian_determinant(transform, grid)])


def test_samples_of_an_affine_registration_are_those_of_torch():
    grid = oblique_grid(size=(11, 9, 12))
    sampler = Sampler(smooth_volume(grid))
    spots = torch.from_numpy(grid.center).float() + 30 * random(300, 3) - 15
    matrices = torch.stack([Affine.identity().matrix, Affine.translation([2.0, 3.0, -1.0]).matrix])
    check(lambda: vars(sampler.read(matrices, spots)).values())
    fixed, moving, counted = (random(1100) * 24).long(), random(2, 1100) * 21 + 1, random(2, 1100, seed=1)
    check(lambda: mutual_information_slope(fixed, moving, counted))


@pytest.fixture
def deterministic():
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.usefixtures("deterministic")
def test_in_deterministic_mode_the_order_of_points_changes_no_bit_of_the_derivative_by_the_image():
    image, where, above = random(2, 2, *SHAPE), points(700, 2.0, shape=SHAPE), random(2, 2, 1, 700, 1, seed=3) - 0.5
    order = torch.randperm(700, generator=torch.Generator().manual_seed(4))

    def slope(chosen):
        learned = image.clone().requires_grad_()
        (pull(learned, where[:, :, chosen]) * above[:, :, :, chosen]).sum().backward()
        return learned.grad

    one, other = (by("triton", lambda chosen=chosen: slope(chosen)) for chosen in (torch.arange(700), order))
    assert torch.equal(one, other)
    assert_close(one, by("torch", lambda: slope(order)), rtol=0, atol=1e-5)
    check(lambda: with_slopes(flow, field(0.9, SMALL)))


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # numpy computes, and warns of what is infinite
@pytest.mark.usefixtures("deterministic")
def test_in_deterministic_mode_no_gradient_is_too_large_or_too_small_or_hidden():
    image, where = random(1, 1, *SHAPE), points(300, 0.0, shape=SHAPE)[:1]
    for size in (0.0, 1e-30, 1e30):
        check(lambda size=size: with_slopes(lambda one: size * pull(one, where), image))
    for wrong in (torch.nan, torch.inf):
        lost = by("triton", lambda wrong=wrong: with_slopes(lambda one: wrong * pull(one, where), image)[1])
        assert lost.isnan().all()


def test_derivatives_are_the_limits_of_differences():
    image, where = random(1, 1, 2, 2, 2, like=torch.float64), random(1, 1, 2, 1, 3, like=torch.float64) + 0.1
    learned = image.requires_grad_(), where.requires_grad_()
    assert by("triton", lambda: torch.autograd.gradcheck(lambda one, at: pull(one, at, fill=None), learned))
