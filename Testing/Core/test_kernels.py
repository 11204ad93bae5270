"""Kernels: what torch gives, for any number of threads; and torch itself where they are missing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import oblique_grid, seeds, smooth_volume
from torch.testing import assert_close

from DiffusionCore.affine.sampling import Sampler
from DiffusionCore.affine.similarity import mutual_information_slope
from DiffusionCore.checks import ConfigError
from DiffusionCore.deformable.smoothing import diffused, divergence_damped, gaussian
from DiffusionCore.deformation.demons import demons
from DiffusionCore.interpolation import Interpolation, enlarged, moved_voxels, pull, pull_affine, pull_at
from DiffusionCore.kernels import VARIABLE, cpu, dispatch, kernel_for
from DiffusionCore.kernels.examples import EXAMPLES, hold
from DiffusionCore.losses import LocalCorrelation
from DiffusionCore.training.tissue_pool import painted
from DiffusionCore.transforms import Affine, Displacement, jacobian_determinant
from DiffusionCore.transforms.velocity import flow

ROOT = Path(__file__).resolve().parents[2]
SHAPE = (9, 12, 14)
FEW = settings(max_examples=8)


def random(*shape, seed=0, like=torch.float32):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=like)


def points(count, reach, seed=0, shape=SHAPE):
    """Return ``count`` points within ``reach`` voxels about an image of ``shape``."""
    size = torch.tensor(shape[::-1])
    return (random(2, 1, count, 1, 3, seed=seed) * (size + 2 * reach) - reach)[..., :, :]


def field(reach, shape=SHAPE, batch=2, seed=0):
    """Return a smooth field whose longest component has ``reach`` voxels."""
    coarse = 2 * random(batch, 3, 3, 4, 3, seed=seed) - 1
    fine = torch.nn.functional.interpolate(coarse, size=shape, mode="trilinear")
    return reach * fine / fine.abs().max()


def by(backend, function):
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = backend
    try:
        return function()
    finally:
        os.environ.pop(VARIABLE) if before is None else os.environ.update({VARIABLE: before})


def check(function):
    """Hold what the kernels make of a function of no arguments against what torch makes of it."""
    found, expected = by("numba", function), by("torch", function)
    scale = float(expected.abs().max())
    assert_close(found, expected, rtol=0, atol=1e-4 * scale + 1e-6)


def test_a_warp_learns_after_one_that_was_made_in_inference_mode():
    program = """
import torch
from DiffusionCore.interpolation import pull_at
image, shifts = torch.rand(1, 1, 9, 12, 14), torch.rand(1, 3, 9, 12, 14)
with torch.inference_mode():
    pull_at(image, shifts)
shifts.requires_grad_()
pull_at(image, shifts).sum().backward()
assert shifts.grad.abs().max() > 0
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("fill", [None, -1.0])
@FEW
@given(seed=seeds, reach=st.sampled_from([1.0, 30.0]))
def test_images_of_any_layout_are_read_as_torch_reads_them(channels, fill, seed, reach):
    where = points(300, reach, seed)
    plain = random(2, channels, *SHAPE, seed=seed)
    for image in (plain, plain.contiguous(memory_format=torch.channels_last_3d), plain.flip(2), plain.mT):
        check(lambda image=image: pull(image, where, fill=fill))


@pytest.mark.parametrize("shape", [(1, 5, 4), (3, 1, 6), (4, 5, 1), (1, 1, 1)])
def test_axes_of_one_voxel_are_read_as_torch_reads_them(shape):
    where = points(40, 3.0, shape=shape)
    for channels in (1, 4):
        check(lambda channels=channels: pull(random(2, channels, *shape), where, fill=None))
    check(lambda: pull_at(random(2, 3, *shape), field(2.0, shape)))
    check(lambda: flow(field(2.0, shape)))
    check(lambda: LocalCorrelation(random(2, 1, *shape)).value_and_slope(random(2, 1, *shape, seed=1))[1])


@FEW
@given(seeds, st.sampled_from([0.3, 4.0, 30.0]))
def test_flows_and_moved_images_are_those_of_torch(seed, reach):
    shifts = field(reach, seed=seed)
    check(lambda: pull_at(random(2, 3, *SHAPE, seed=seed), shifts))
    check(lambda: moved_voxels(shifts, (18, 24, 42)))
    check(lambda: flow(shifts))


@pytest.mark.parametrize("shape", [SHAPE, (1, 5, 4), (3, 1, 6), (4, 5, 1)])
def test_what_training_images_are_made_of_is_that_of_torch(shape):
    check(lambda: enlarged(random(2, 3, 4, 3, 2), shape))
    check(lambda: enlarged(random(1, 1, *shape), SHAPE))
    shares, chosen = (255 * random(5, 4, *shape)).to(torch.uint8), torch.tensor([3, 0, 3])
    check(lambda: painted(shares, chosen, random(3, 2, 4)))
    if min(shape) > 1:
        fixed, moving = (enlarged(random(2, 1, 4, 4, 4, seed=seed), (12, 16, 20)) for seed in (1, 2))
        check(lambda: demons(fixed, moving))


@pytest.mark.parametrize("window", [3, 5, 9])
def test_local_correlations_are_those_of_torch(window):
    reference, image = random(2, 1, *SHAPE, seed=1), random(2, 1, *SHAPE, seed=2)
    weights = random(1, 1, *SHAPE, seed=3)

    def compared():
        return LocalCorrelation(reference, window=window, weights=weights)

    check(lambda: compared().value(image))
    check(lambda: compared().value_and_slope(image)[0])
    check(lambda: compared().value_and_slope(image)[1])


@pytest.mark.parametrize("kind", [torch.bool, torch.uint8, torch.int16, torch.int32, torch.float64])
def test_the_nearest_voxels_are_those_of_torch_bit_for_bit(kind):
    image, where = (random(2, 2, *SHAPE) * 200).to(kind), points(300, 4.0).double()
    where[0, 0, 0] = torch.nan
    where[0, 0, 1] = torch.inf
    for fill in (None, 1.0):
        by_torch, by_numba = (
            by(name, lambda fill=fill: pull(image, where, interpolation=Interpolation.NEAREST, fill=fill))
            for name in ("torch", "numba")
        )
        assert torch.equal(by_numba, by_torch)


@pytest.mark.parametrize(
    ("reach", "shape"), [(0.3, SHAPE), (4.0, SHAPE), (30.0, SHAPE), (2.0, (1, 5, 4)), (2.0, (4, 5, 1))]
)
def test_derivatives_of_a_flow_are_those_of_torch(reach, shape):
    def slope():
        shifts = field(reach, shape).requires_grad_()
        (flow(shifts) * random(2, 3, *shape, seed=5)).sum().backward()
        return shifts.grad

    check(slope)


@pytest.mark.parametrize("reach", [1.3, 29.3])  # no point lies on the border, where the slope is another on each side
def test_derivatives_by_image_and_points_are_those_of_torch(reach):
    shape = (20, 34, 37)

    def slope(number, read):
        # single precision may put a point near a voxel into the cell on its other side, where the slope is another
        inputs = random(2, 3, *shape).double().requires_grad_(), field(reach, shape).double().requires_grad_()
        (read(*inputs) * random(2, 3, *shape, seed=5)).sum().backward()
        return inputs[number].grad

    for read in (pull_at, lambda x, u: pull(x, moved_voxels(u, shape))):
        for number in (0, 1):
            check(lambda number=number, read=read: slope(number, read))


def test_derivatives_of_a_flow_are_those_of_small_steps():
    shifts = (3 * random(1, 3, 3, 4, 5, seed=3, like=torch.float64) - 1.5).requires_grad_()
    assert torch.autograd.gradcheck(flow, (shifts,), eps=1e-7, atol=1e-4)


@pytest.mark.parametrize("reach", [1.0, 30.0])
def test_the_number_of_threads_changes_no_bit(reach, threads):
    shape = (30, 34, 37)
    image, shifts = random(2, 4, *shape), field(reach, shape)

    def everything():
        learned, where = image[:, :3].clone().requires_grad_(), moved_voxels(shifts, shape).requires_grad_()
        pull(learned, where).square().sum().backward()
        followed, matrices = shifts.clone().requires_grad_(), affine_matrices().requires_grad_()
        pull_affine(learned.detach(), matrices, shape, flow(followed)).square().sum().backward()
        comparison = LocalCorrelation(image[:, :1])
        yield from (learned.grad, where.grad, followed.grad, matrices.grad)
        yield from (flow(shifts), pull(image, where.detach(), fill=None))
        yield from comparison.value_and_slope(image[:, 1:2])

    threads(1)
    alone = list(everything())
    for count in (2, 4):
        threads(count)
        assert all(torch.equal(one, other) for one, other in zip(everything(), alone, strict=True))


def test_what_numbers_are_not_ends_nowhere():
    where = torch.tensor([torch.nan, torch.inf, -torch.inf]).view(1, 3, 1, 1, 1).expand(-1, -1, -1, -1, 3)
    for channels in (1, 4):
        values = pull(torch.ones(1, channels, *SHAPE), where, fill=None)
        assert torch.equal(values, torch.ones_like(values))


def test_an_unknown_backend_is_refused_and_torch_needs_none(monkeypatch):
    monkeypatch.setenv(VARIABLE, "fortran")
    with pytest.raises(ConfigError, match="'torch', 'numba', 'triton'"):
        kernel_for("pull", torch.ones(1))
    monkeypatch.setenv(VARIABLE, "torch")
    assert kernel_for("pull", torch.ones(1)) is None
    monkeypatch.delenv(VARIABLE)
    assert kernel_for("pull", torch.ones(999)) is cpu.pull
    assert kernel_for("pull", torch.ones(999, dtype=torch.int16)) is None


def test_a_few_elements_are_left_to_torch_unless_the_variable_insists(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert kernel_for("pull", torch.ones(9), torch.ones(9)) is None
    assert kernel_for("pull", torch.ones(9), torch.ones(999)) is cpu.pull
    monkeypatch.setenv(VARIABLE, "numba")
    assert kernel_for("pull", torch.ones(9)) is cpu.pull


LEARNED = [("pull", (True, True)), ("pull_at", (True, True)), ("pull_affine", (True, True, True)), ("flow", (True,))]


@pytest.mark.parametrize(("name", "learned"), [*((name, ()) for name in EXAMPLES), *LEARNED])
def test_a_kernel_answers_its_example(name, learned):
    hold(getattr(cpu, name), name, "cpu", learned)


def test_every_kernel_has_an_example():
    assert set(cpu.__all__) == set(EXAMPLES)


def test_kernels_that_are_wrong_are_not_used_and_the_log_says_so_once(monkeypatch, caplog):
    field = random(1, 1, 9, 12, 14)
    expected = by("torch", lambda: enlarged(field, (18, 24, 28)))
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(cpu, "enlarged", lambda fields, shape: fields.new_zeros(*fields.shape[:2], *shape))
    dispatch._loaded.cache_clear()
    with caplog.at_level("INFO"):
        assert torch.equal(enlarged(field, (18, 24, 28)), expected)
        assert kernel_for("pull", field) is None
    (told,) = caplog.messages
    assert told.startswith("Without the faster kernels of numba on cpu: 'enlarged' gives")
    with pytest.raises(ConfigError, match="'enlarged' gives"):
        by("numba", lambda: enlarged(field, (18, 24, 28)))
    dispatch._loaded.cache_clear()


READ = (
    "import logging, sys, torch; logging.basicConfig(level='INFO');{before}"
    "from DiffusionCore.interpolation import pull;"
    "image = torch.arange(384.0).view(1, 1, 6, 8, 8);"
    "values = [round(float(pull(image, torch.full((1, 1, 1, 1, 3), 0.5))), 3) for _ in range(2)];"
    "print(values, 'numba' in sys.modules)"
)


def read(folder=ROOT, before=""):
    environment = {key: value for key, value in os.environ.items() if key not in (VARIABLE, "NUMBA_CACHE_DIR")}
    environment |= {"PYTHONPATH": str(folder), "HOME": "/nowhere", "XDG_CACHE_HOME": "/nowhere"}
    command = [sys.executable, "-B", "-c", READ.format(before=before)]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=True)


def test_without_numba_torch_does_it_and_the_log_says_so_once():
    done = read(before="sys.modules['numba'] = None;")
    assert done.stdout.split("]")[0] == "[36.5, 36.5"
    assert done.stderr.count("Without the faster kernels of numba") == 1


def test_where_nothing_can_be_written_kernels_are_compiled_all_the_same(tmp_path):
    ignored = shutil.ignore_patterns("__pycache__", "weights")
    shutil.copytree(ROOT / "DiffusionCore", tmp_path / "DiffusionCore", ignore=ignored)
    (tmp_path / "DiffusionCore" / "kernels" / "__pycache__").touch()  # a file, so that no folder can be made
    done = read(tmp_path)
    assert done.stdout.strip() == "[36.5, 36.5] True"
    assert "Without" not in done.stderr
    assert not list(tmp_path.rglob("*.nbc"))


@pytest.mark.parametrize("shape", [SHAPE, (1, 7, 5), (6, 1, 8), (5, 9, 1), (2, 2, 2)])
def test_fields_are_smoothed_as_torch_smoothes_them(shape):
    spacing = (1.0, 0.8, 3.0)
    vectors = random(3, *shape)
    for sigma in (0.2, 0.9, 4.0):
        check(lambda sigma=sigma: gaussian(vectors, sigma, spacing))
    check(lambda: gaussian(vectors[:1, None], 1.0, spacing))
    check(lambda: diffused(vectors, 0.1, spacing))
    check(lambda: divergence_damped(vectors, 0.2, spacing))


def test_samples_of_an_affine_registration_are_those_of_torch():
    grid = oblique_grid(size=(11, 9, 12))
    sampler = Sampler(smooth_volume(grid))
    spots = torch.from_numpy(grid.center).float() + 30 * random(200, 3) - 15
    matrices = torch.stack([Affine.identity().matrix, Affine.translation([2.0, 3.0, -1.0]).matrix])
    for name in ("positions", "gradient", "inside"):
        check(lambda name=name: getattr(sampler.read(matrices, spots), name))
    fixed, moving, counted = (random(200) * 24).long(), random(2, 200) * 21 + 1, random(2, 200, seed=1)
    for part in (0, 1):
        check(lambda part=part: mutual_information_slope(fixed, moving, counted)[part])


def affine_matrices(batch=2, like=torch.float32):
    """Return matrices (B, 3, 4) near the identity: oblique, with scales that differ."""
    turn = torch.eye(3) + 0.3 * (random(batch, 3, 3, seed=8) - 0.5)
    return torch.cat([turn, 4 * (random(batch, 3, 1, seed=9) - 0.5)], 2).to(like)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("fill", [None, -1.0])
@FEW
@given(seed=seeds, reach=st.sampled_from([0.0, 1.0, 30.0]))
def test_images_are_read_along_a_moved_grid_as_torch_reads_them(channels, fill, seed, reach):
    image, shape = random(2, channels, *SHAPE, seed=seed), (7, 13, 11)
    shifts = field(reach, shape, seed=seed) if reach else None
    for matrices in (affine_matrices(), affine_matrices(1)):
        for each in (image, image.mT.contiguous().mT, image[:1].expand(2, -1, -1, -1, -1)):
            check(lambda m=matrices, x=each: pull_affine(x, m, shape, shifts, fill=fill))


def test_one_pass_reads_what_two_read_at_the_points():
    image, shifts, matrices = random(2, 1, *SHAPE), field(4.0), affine_matrices(like=torch.float64)
    points = torch.einsum("bad,bdkji->bkjia", matrices[:, :, :3], moved_voxels(shifts, SHAPE).movedim(-1, 1).double())
    points = points + matrices[:, None, None, None, :, 3]
    assert_close(pull_affine(image, matrices, SHAPE, shifts), pull(image, points), rtol=0, atol=2e-5)
    labels = (100 * image).to(torch.int16)
    nearest = {"interpolation": Interpolation.NEAREST, "fill": -3.0}
    assert torch.equal(pull_affine(labels, matrices, SHAPE, shifts, **nearest), pull(labels, points, **nearest))


@pytest.mark.parametrize("shape", [(2, 3, 4), (3, 2, 1)])
def test_derivatives_by_image_shifts_and_matrix_are_those_of_small_steps(shape):
    def numbers(*size, seed):
        return random(*size, seed=seed, like=torch.float64).requires_grad_()

    matrices = affine_matrices(2, torch.float64).requires_grad_()
    shifts = (0.8 * numbers(2, 3, 2, 3, 10, seed=2) - 0.4).detach().requires_grad_()
    for fill in (None, 2.0):
        for one in (matrices, matrices[:1].detach().requires_grad_()):
            inputs = numbers(2, 2, *shape, seed=1), one, shifts
            call = lambda x, m, u, fill=fill: pull_affine(x, m, (2, 3, 10), u, fill=fill)  # noqa: E731
            assert torch.autograd.gradcheck(call, inputs, eps=1e-7, atol=1e-4)


@pytest.mark.parametrize("shape", [SHAPE, (1, 7, 5), (6, 1, 8), (5, 9, 1)])
def test_jacobian_determinants_are_those_of_torch(shape):
    grid = oblique_grid(size=shape[::-1])
    transform = Displacement(8 * field(1.0, shape, batch=1)[0], grid)
    check(lambda: jacobian_determinant(transform, grid))
