"""The images and fields that kernels and losses are raced on, and the ways to call what is raced."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from DiffusionCore.interpolation import moved_voxels
from DiffusionCore.kernels import VARIABLE
from Testing.Benchmarks.options import Options, Shape, in_words
from Testing.Benchmarks.race import Call, Contest, Point


class Scene:
    """Images and fields of one ``shape`` (K, J, I) on a ``device``.

    Attributes:
        image, other: two of noise in [0, 1], (1, 1, K, J, I).
        shifts: a smooth field (1, 3, K, J, I) along (i, j, k), whose components deviate by 3 voxels.
        flipped: the same along (k, j, i), as MONAI has it.
        points: where the shifts lead, voxels (1, K, J, I, 3) along (i, j, k); unit: the same for ``grid_sample``.
    """

    def __init__(self, shape: Shape, device: str) -> None:
        generator = torch.Generator().manual_seed(0)
        coarse = torch.randn(1, 3, *(max(2, n // 16) for n in shape), generator=generator)
        shifts = interpolate(coarse, size=shape, mode="trilinear")
        self.shape, self.device = shape, device
        self.shifts = (3 / shifts.std() * shifts).to(device).contiguous()
        self.image, self.other = torch.rand(2, 1, 1, *shape, generator=generator).to(device)
        self.flipped = self.shifts.flip(1)
        self.size = torch.tensor(shape[::-1], device=device)
        self.points = moved_voxels(self.shifts, shape)
        self.unit = (2 * (self.points + 0.5) / self.size - 1).contiguous()

    @property
    def on_cpu(self) -> bool:
        return self.device == "cpu"

    def contest(
        self,
        benchmark: str,
        ours: Call,
        others: Mapping[str, Call] | None = None,
        *,
        kernels: bool = True,
        least: int = 0,
        recordable: Call | None = None,
    ) -> Contest:
        """Return the contest of ``ours``, ``others``, and those that ``kernels`` and a device bring; along the voxels.

        Args:
            benchmark: what is computed.
            ours: our call.
            others: contestant -> call.
            kernels: whether ours uses some; "torch" is then ours without them.
            least: bytes for each voxel that have to be read or written. Then, on a device, "copy" copies as many: its
                ratio is the share of that bandwidth that ours reaches.
            recordable: on a device "recorded" replays it, or ours, in a CUDA graph.
        """
        voxels = self.shape[0] * self.shape[1] * self.shape[2]
        calls: dict[str, Call] = {"ours": ours}
        if kernels:
            calls["torch"] = by_torch(ours)
        calls |= others or {}
        if not self.on_cpu:
            calls["recorded"] = recorded(recordable or ours)
            if least:
                calls["copy"] = copying(least * voxels, self.device)
        return Contest(benchmark, in_words(self.shape), calls, point=Point("voxels", voxels))


def scenes(options: Options) -> Iterator[Scene]:
    """Yield the scene of each size that is asked for."""
    for shape in options.sizes:
        yield Scene(shape, options.device)


def by_torch(call: Call) -> Call:
    """Return ``call`` without kernels."""

    def without() -> object:
        with backend("torch"):
            return call()

    return without


@contextmanager
def backend(name: str) -> Iterator[None]:
    """Within it, the kernels called ``name`` compute; "torch": none."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = name
    try:
        yield
    finally:
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before


def backward(call: Callable[..., Tensor], *inputs: Tensor) -> Call:
    """Return ``call`` of ``inputs`` together with the derivatives of its sum by them."""

    def both() -> object:
        learned = [each.detach().requires_grad_() for each in inputs]
        return torch.autograd.grad(call(*learned).sum(), learned)

    return both


def recorded(call: Call) -> Call:
    """Return the replay of ``call`` in a CUDA graph, which the first call records."""
    graphs: list[torch.cuda.CUDAGraph] = []

    def replay() -> None:
        if not graphs:
            call()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                call()
            graphs.append(graph)
        graphs[0].replay()

    return replay


def copying(count: int, device: str) -> Call:
    """Return a call that reads and writes ``count`` bytes, all in all."""
    source = torch.zeros(count // 2, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return lambda: target.copy_(source)
