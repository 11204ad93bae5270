"""The suite of kernels: reading images between their voxels, fields, and what else is made of both.

"torch" are our own operations without kernels. The field is smooth, of 3 voxels; ``grid_sample`` gets its grid for
nothing. On a device "recorded" is ours in a CUDA graph, without the time that Python takes to start it, and "copy" a
copy of what has to be read and written at least.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import SimpleITK as sitk
import torch
from scipy.ndimage import map_coordinates
from torch import Tensor
from torch.nn.functional import grid_sample

from DiffusionCore.interpolation import Interpolation, pull, pull_affine, pull_at
from DiffusionCore.kernels import kernel_for
from DiffusionCore.space import Grid
from DiffusionCore.transforms import Displacement, jacobian_determinant
from DiffusionCore.transforms.velocity import flow
from Testing.Benchmarks.options import Options
from Testing.Benchmarks.race import Call, Contest, Point
from Testing.Benchmarks.suites.monai_peers import invited, monai_kernels
from Testing.Benchmarks.suites.scene import Scene, backward, by_torch, scenes

CHANNELS, MOST = (1, 2, 4, 8, 16), 2**21  # voxels of the curve along the channels
_SETTINGS = {"padding_mode": "border", "align_corners": False}


def contests(options: Options) -> Iterator[Contest]:
    """Yield the contests of all sizes, and along the channels those of the largest size up to MOST voxels."""
    largest = None
    for scene in scenes(options):
        for contests_of in (warps, derivatives, other_reads, compositions, jacobians):
            yield from invited(contests_of(scene), monai_kernels(scene))
        if largest is None or scene.image.numel() <= MOST:
            largest = scene
    if largest is not None:
        yield from channels(largest)


def warps(scene: Scene) -> Iterator[Contest]:
    """An image, of one or three channels, by a displacement."""
    image, shifts, unit = scene.image, scene.shifts, scene.unit
    three = image.expand(-1, 3, -1, -1, -1).contiguous()

    def given() -> Tensor:
        return grid_sample(image, unit, **_SETTINGS)

    others = {"grid_sample": given, **on_the_cpu(scene)}
    yield scene.contest("warp", lambda: pull_at(image, shifts), others, least=20)
    yield scene.contest(
        "warp without kernels",
        by_torch(lambda: pull(image, scene.points, fill=None)),
        {"grid_sample": given},
        kernels=False,
    )
    yield scene.contest(
        "warp of three channels",
        lambda: pull_at(three, shifts),
        {"grid_sample": lambda: grid_sample(three, unit, **_SETTINGS)},
        least=36,
    )
    if not scene.on_cpu:  # the processor has no kernels for half precision
        half = image.bfloat16()
        yield scene.contest("warp in bfloat16", lambda: pull_at(half, shifts), least=16)


def on_the_cpu(scene: Scene) -> dict[str, Call]:
    """Return SimpleITK and scipy, which know no device."""
    if not scene.on_cpu:
        return {}
    array = scene.image[0, 0].numpy()
    field = sitk.GetImageFromArray(scene.shifts[0].movedim(0, -1).double().numpy(), isVector=True)
    moved, moving = sitk.DisplacementFieldTransform(field), sitk.GetImageFromArray(array)
    places = scene.points[0].movedim(-1, 0).flip(0).contiguous().numpy()
    return {
        "SimpleITK": lambda: sitk.Resample(moving, moved, sitk.sitkLinear),
        "scipy": lambda: map_coordinates(array, places, order=1, mode="nearest"),
    }


def derivatives(scene: Scene) -> Iterator[Contest]:
    """A warp and its derivatives."""
    image, shifts, unit = scene.image, scene.shifts, scene.unit
    zero = torch.zeros_like(shifts)

    def at(x: Tensor, grid: Tensor) -> Tensor:
        return grid_sample(x, grid, **_SETTINGS)

    def moved(x: Tensor, u: Tensor) -> Tensor:
        return at(x, unit + 2 * u.movedim(1, -1) / scene.size)

    yield scene.contest(
        "warp, derivative by the field",
        backward(lambda u: pull_at(image, u), shifts),
        {"grid_sample": backward(lambda grid: at(image, grid), unit)},
        least=52,
    )
    yield scene.contest(
        "warp, derivative by field and image",
        backward(pull_at, image, shifts),
        {"grid_sample": backward(moved, image, zero)},
        least=76,
    )


def other_reads(scene: Scene) -> Iterator[Contest]:
    """Labels; along a grid that is turned, too; several channels."""
    image, shifts = scene.image, scene.shifts
    labels, nearest = (200 * image).to(torch.uint8), {"interpolation": Interpolation.NEAREST, "fill": None}
    still = torch.eye(3, 4, device=scene.device)[None]
    turn = still + 0.02 * torch.randn(1, 3, 4, generator=torch.Generator().manual_seed(1)).to(still)

    def rounded() -> Tensor:
        return grid_sample(labels.float(), scene.unit, mode="nearest", **_SETTINGS).to(torch.uint8)

    yield scene.contest(
        "nearest labels",
        lambda: pull_affine(labels, still, scene.shape, shifts, **nearest),
        {"grid_sample": rounded},
        least=14,
    )
    yield scene.contest(
        "affine and displacement", lambda: pull_affine(image, turn, scene.shape, shifts, fill=None), least=20
    )
    yield at_points("four channels", scene, 4)


def compositions(scene: Scene) -> Iterator[Contest]:
    """Fields along each other, and the flow of a velocity."""
    shifts = scene.shifts
    squarings = math.ceil(math.log2(2 * float(shifts.square().sum(1).max().sqrt())))

    def composed() -> Tensor:
        return shifts + pull_at(shifts, shifts)

    def followed(velocity: Tensor) -> Tensor:
        """Do what ``flow`` does, which waits for the device to know how many ``squarings`` it takes."""
        return kernel_for("flow", velocity)(velocity / 2**squarings, squarings)

    yield scene.contest("composition", composed, least=36)
    yield scene.contest(
        "flow",
        lambda: flow(shifts),
        least=(squarings + 1) * 24,
        recordable=lambda: followed(shifts),
    )
    yield scene.contest(
        "flow, derivative",
        backward(flow, shifts),
        least=(squarings + 1) * 76,
        recordable=backward(followed, shifts),
    )


def jacobians(scene: Scene) -> Iterator[Contest]:
    """The Jacobian determinant of a displacement."""
    shifts, grid = scene.shifts, Grid(scene.shape[::-1], (1.0, 1.0, 1.0))
    transform = Displacement(shifts[0], grid)
    others: dict[str, Call] = {"torch.gradient": lambda: determinants(shifts[0])}
    if scene.on_cpu:
        image = sitk.GetImageFromArray(shifts[0].movedim(0, -1).double().numpy(), isVector=True)
        others["SimpleITK"] = lambda: sitk.DisplacementFieldJacobianDeterminant(image)
    yield scene.contest("Jacobian determinant", lambda: jacobian_determinant(transform, grid), others, least=16)


def determinants(shifts: Tensor) -> Tensor:
    """Return the Jacobian determinants of ``shifts`` (3, K, J, I), voxels along (i, j, k), by ``torch.gradient``."""
    rows = torch.stack([torch.stack(torch.gradient(component, dim=(2, 1, 0)), -1) for component in shifts])
    (a, b, c), (d, e, f), (g, h, i) = (
        each.unbind(-1) for each in rows + torch.eye(3, device=shifts.device)[:, None, None, None]
    )
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)


def channels(scene: Scene) -> Iterator[Contest]:
    """Images of more and more channels at points that are given."""
    for count in CHANNELS:
        contest = at_points("reading at points", scene, count)
        yield replace(contest, size=f"{contest.size}, {count} channel(s)", point=Point("channels", count))


def at_points(benchmark: str, scene: Scene, count: int) -> Contest:
    """``count`` channels at points; ours has the channels of a voxel side by side, ``grid_sample`` one by one."""
    plain = scene.image.expand(-1, count, -1, -1, -1).contiguous()
    pixels = plain.contiguous(memory_format=torch.channels_last_3d)
    return scene.contest(
        benchmark,
        lambda: pull(pixels, scene.points, fill=None),
        {"grid_sample": lambda: grid_sample(plain, scene.unit, **_SETTINGS)},
        least=12 + 8 * count,
    )
