"""Whether the kernels for CUDA devices give what torch gives on the same device; any that differs is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from DiffusionCore.deformable.smoothing import diffused, divergence_damped, gaussian
from DiffusionCore.interpolation import Interpolation, moved_voxels, pull, pull_affine, pull_at
from DiffusionCore.losses import LocalCorrelation
from DiffusionCore.transforms.velocity import flow
from Testing.Benchmarks.race import Call
from Testing.Benchmarks.results import Check
from Testing.Benchmarks.suites.scene import backend

DEVICE = "cuda"
TOLERANCE = 1e-4  # of the largest value
ODD = (37, 50, 61)


def by(name: str, call: Call) -> object:
    with backend(name):
        return call()


def field(shape: tuple[int, ...], reach: float, batch: int = 1) -> Tensor:
    """Return a smooth field (B, 3, K, J, I) whose components deviate by ``reach`` voxels."""
    coarse = torch.randn(batch, 3, *(max(2, n // 16) for n in shape), generator=torch.Generator().manual_seed(0))
    shifts = interpolate(coarse, size=shape, mode="trilinear")
    return (reach / shifts.std() * shifts).to(DEVICE).contiguous()


def image(shape: tuple[int, ...], channels: int = 1, batch: int = 1, seed: int = 1) -> Tensor:
    return torch.rand(batch, channels, *shape, generator=torch.Generator().manual_seed(seed)).to(DEVICE)


def slopes(call: Callable[..., Tensor], *arguments: Tensor) -> Call:
    """Return a call that gives the value of ``call``, and the derivatives of a weighted sum of it by ``arguments``."""
    weights: dict[torch.Size, Tensor] = {}

    def both() -> object:
        learned = [each.detach().requires_grad_() for each in arguments]
        value = call(*learned)
        above = weights.get(value.shape)
        if above is None:
            generator = torch.Generator().manual_seed(3)
            above = weights[value.shape] = torch.rand(value.shape, generator=generator).to(value)
        return value.detach(), *torch.autograd.grad(value, learned, above)

    return both


def off_faces(shifts: Tensor) -> tuple[Tensor, Tensor]:
    """Return ``shifts``, and where they lead, moved off the faces between cells.

    There the slope of an image jumps, and rounding says in which cell a point is.
    """
    where = by("torch", lambda: moved_voxels(shifts, shifts.shape[2:]))
    moved = where.floor() + (where - where.floor()).clamp(0.02, 0.98)
    return shifts + (moved - where).movedim(-1, 1), moved


def questions() -> Iterator[tuple[str, Call, float]]:
    """Yield what is asked of kernels and of torch: name, call, tolerance."""
    for channels in (1, 3, 5):
        one, spacing = image(ODD, channels, 2), (1.0, 0.8, 3.0)
        for reach in (0.3, 30.0):
            shifts, where = off_faces(field(ODD, reach, 2))
            yield f"by a displacement, {channels} channels, {reach} voxels", slopes(pull_at, one, shifts), TOLERANCE
            for fill in (None, -1.0):
                call = slopes(lambda a, b, fill=fill: pull(a, b, fill=fill), one, where)
                yield f"at points, {channels} channels, {reach} voxels, fill {fill}", call, TOLERANCE
    for kind in (torch.float16, torch.bfloat16):
        half = one.to(kind)
        yield f"{kind}", lambda half=half: pull(half, where, fill=0.0).float(), 2 * torch.finfo(kind).eps
    labels = (200 * one).to(torch.uint8)
    yield "nearest labels", lambda: pull(labels, where, interpolation=Interpolation.NEAREST).float(), 0.0
    turned = torch.eye(3, 4, device=DEVICE)[None] + torch.tensor([0.1, -0.05, 0.02, 2.0], device=DEVICE)
    call = slopes(lambda a: pull_affine(a, turned, ODD, shifts, fill=None), one)
    yield "along a moved grid", call, TOLERANCE
    yield "flow", lambda: flow(shifts), TOLERANCE
    yield "flow and its derivative", slopes(flow, field(ODD, 2.0, 2)), 10 * TOLERANCE  # few points change their cells
    yield "finer grid", lambda: moved_voxels(shifts, tuple(2 * n for n in ODD)), TOLERANCE
    for window in (3, 5, 9):
        found = LocalCorrelation(one[:, :1], window=window)
        yield f"local correlation of {window}", lambda found=found: found.value_and_slope(one[:, 1:2]), TOLERANCE
    yield "smoothing", lambda: (gaussian(shifts, 2.0, spacing), diffused(shifts, 0.1, spacing)), TOLERANCE
    yield "divergence", lambda: divergence_damped(shifts[0], 0.2, spacing), TOLERANCE


def difference(found: object, expected: object) -> float:
    """Return the largest difference of two tensors, or of two series of them, over the largest value."""
    pairs = [(found, expected)] if isinstance(found, Tensor) else zip(found, expected, strict=True)
    return max(float((a - b).abs().max() / b.abs().max().clamp_min(1e-6)) for a, b in pairs)


def checks() -> Iterator[Check]:
    """Yield what was checked, what came, and whether that is right."""
    for name, call, tolerance in questions():
        found = difference(by("triton", call), by("torch", call))
        yield Check(name, f"{found:.1e}", found <= tolerance)
    yield from _of_order()
    yield from _of_device()


def _of_order() -> Iterator[Check]:
    one, shifts = image(ODD, 3, 2), field(ODD, 10.0, 2)
    torch.use_deterministic_algorithms(True)
    first, *others = (slopes(lambda a: pull_at(a, shifts), one)()[1] for _ in range(5))
    torch.use_deterministic_algorithms(False)
    same = all(torch.equal(first, other) for other in others)
    yield Check("deterministic mode, five times", "the same bits" if same else "other bits", same)
    plain = slopes(lambda a: pull_at(a, shifts), one)()[1]
    found = difference(first, plain)
    yield Check("deterministic mode against the other", f"{found:.1e}", found <= TOLERANCE)


def _of_device() -> Iterator[Check]:
    one, shifts = image(ODD, 3, 2), field(ODD, 10.0, 2)
    expected = pull_at(one, shifts)
    graph, other = torch.cuda.CUDAGraph(), torch.zeros_like(one)
    with torch.cuda.graph(graph):
        recorded = pull_at(other, shifts)
    other.copy_(one)
    graph.replay()
    found = difference(recorded, expected)
    yield Check("recorded in a CUDA graph", f"{found:.1e}", found == 0)
    with torch.cuda.stream(torch.cuda.Stream()):
        torch.cuda._sleep(10**8)  # what runs on another stream would be done long before
        late = one + 1
        moved = pull_at(late, shifts)
    torch.cuda.synchronize()
    found = difference(moved, expected + 1)
    yield Check("on the current stream", f"{found:.1e}", found <= TOLERANCE)
    size = 1300  # cubed it is more than 2**31
    if torch.cuda.mem_get_info()[0] > 3 * size**3:
        large = torch.zeros(1, 1, size, size, size, dtype=torch.uint8, device=DEVICE)
        large[..., -1] = torch.arange(size, device=DEVICE)[:, None] % 251
        where = torch.full((1, size, 1, 1, 3), size - 1.0, device=DEVICE)
        where[0, :, 0, 0, 2] = torch.arange(size, device=DEVICE)
        read = pull(large, where, interpolation=Interpolation.NEAREST)
        right = torch.equal(read.flatten(), large[0, 0, :, -1, -1])
        yield Check("more than 2**31 voxels", "read" if right else "not read", right)


def divide(warps: int | None, brick: tuple[int, int, int] | None) -> None:
    """Divide the work in another way than is built in; to be called before any kernel is."""
    import triton.language as tl

    from DiffusionCore.kernels.gpu import cells, launching

    if warps:
        launching.OPTIONS["num_warps"] = warps
    if brick:
        cells.BRICK_I, cells.BRICK_J, cells.BRICK_K = map(tl.constexpr, brick)
        cells.BRICK = tl.constexpr(brick[0] * brick[1] * brick[2])
