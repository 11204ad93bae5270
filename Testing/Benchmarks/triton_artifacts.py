"""What the Triton kernels compile to for some architectures; needs no GPU.

    python Testing/Benchmarks/triton_artifacts.py [--architectures 75 80 90] [--cases NAME ...] [--output TABLE.md]

The functions of `DiffusionCore.kernels.cuda` are called with small tensors; what they would start is compiled instead,
so that the specializations are those that they ask for. The table has the registers of a thread and the bytes that it
spills to memory, as `ptxas -v` counts them, and the share of its warps that a multiprocessor can hold with so many.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.pop("TRITON_INTERPRET", None)  # it would make kernels that cannot be compiled

import torch
import triton
from torch import Tensor
from triton.backends.compiler import GPUTarget
from triton.backends.nvidia.compiler import get_ptxas
from triton.compiler import ASTSource

from DiffusionCore.kernels import cuda
from DiffusionCore.kernels.gpu import launching

ARCHITECTURES = (75, 80, 90)
_REGISTERS, _WARP = 65536, 32  # of a multiprocessor, of all of these architectures
_WARPS = {75: 32, 80: 64, 86: 48, 89: 48, 90: 64, 100: 64, 120: 48}  # that a multiprocessor holds
_TYPES = {
    torch.float16: "fp16",
    torch.bfloat16: "bf16",
    torch.float32: "fp32",
    torch.float64: "fp64",
    torch.int8: "i8",
    torch.int16: "i16",
    torch.int32: "i32",
    torch.int64: "i64",
}


@dataclass(frozen=True)
class Artifact:
    """A kernel compiled for a ``case`` and an architecture; ``spilled`` are bytes of a thread."""

    case: str
    kernel: str
    architecture: int
    registers: int
    spilled: int

    @property
    def occupancy(self) -> float:
        """Return the share, 0..1, of the warps of a multiprocessor that its registers suffice for."""
        held = _REGISTERS // (_WARP * -(-self.registers // 8) * 8)
        return min(1.0, held / _WARPS[self.architecture])


def cases() -> dict[str, Callable[[], object]]:
    """Return the calls whose kernels are compiled: what registration and training ask for, and its variants."""
    shape = (4, 5, 6)
    image, three, many = (torch.zeros(2, channels, *shape) for channels in (1, 3, 16))
    shifts, points = torch.zeros(2, 3, *shape), torch.zeros(2, *shape, 3)
    learned = shifts.clone().requires_grad_()

    def correlation(window: int) -> Callable[[], object]:
        weights, share = torch.ones(1, 1, *shape), torch.ones(shape)
        return lambda: cuda.compare(image, image, image, image, weights, share, window, 1e-4, slope=True)

    def backward(source: Tensor, *, exact: bool = False) -> Callable[[], object]:
        def call() -> None:
            torch.use_deterministic_algorithms(exact)
            cuda.pull_at(source.clone().requires_grad_(), learned).sum().backward()
            torch.use_deterministic_algorithms(False)

        return call

    def along_a_grid() -> None:
        matrices = torch.zeros(2, 3, 4, dtype=torch.float64, requires_grad=True)
        cuda.pull_affine(image, matrices, learned, 0, 0.0).sum().backward()
        cuda.pull_nearest_affine(image.to(torch.uint8), matrices, shifts, 0, None)

    return {
        "one channel by a displacement": backward(image),
        "three channels by a displacement": backward(three),
        "16 channels by a displacement": backward(many),
        "bfloat16 by a displacement": backward(image.bfloat16()),
        "deterministic": backward(image, exact=True),
        "at points, filled": lambda: cuda.pull(image, points, 0.0),
        "at points of double precision": lambda: cuda.pull(image, points.double(), None),
        "nearest labels": lambda: cuda.pull_nearest(image.to(torch.uint8), points, None),
        "along a moved grid": along_a_grid,
        "flow": lambda: cuda.flow(learned, 1).sum().backward(),
        "finer grid": lambda: cuda.moved_voxels(shifts, (8, 10, 12)),
        "local correlation of 5": correlation(5),
        "local correlation of 9": correlation(9),
        "Gaussian": lambda: cuda.convolve(shifts[0], [(0.5, 0.25)] * 3),
        "diffusion": lambda: cuda.diffuse(shifts[0], (0.1, 0.1, 0.1)),
        "divergence": lambda: cuda.damp_divergence(shifts[0], 0.1, (0.5, 0.5, 0.5)),
        "Jacobian determinants": lambda: cuda.determinants(shifts[0], torch.eye(3, dtype=torch.float64)),
        "affine samples": lambda: cuda.read(image[0, 0], torch.zeros(2, 3, 4), torch.zeros(9, 3), torch.eye(3)),
        "affine histograms": lambda: cuda.look_up(*_samples(), cuda.count(*_samples(), 24)),
    }


def _samples() -> tuple[Tensor, Tensor, Tensor]:
    return torch.zeros(9, dtype=torch.int64), torch.ones(2, 9), torch.ones(2, 9)


def compiled(names: list[str], architectures: list[int]) -> Iterator[Artifact]:
    """Yield what the cases of ``names`` compile to for each of ``architectures``."""
    known = cases()
    started: list[tuple[Any, tuple, dict]] = []
    start, done = launching.start, set()
    for name in names:
        try:
            launching.start = lambda kernel, _, *arguments, **constants: started.append((kernel, arguments, constants))
            known[name]()
        finally:
            launching.start = start
        while started:
            source = _source(*started.pop(0))
            for architecture in architectures:
                key = architecture, source.hash()
                if key not in done:
                    done.add(key)
                    yield _compile(name, source, architecture)


def _source(kernel: Any, arguments: tuple, constants: dict) -> ASTSource:
    names = [each.name for each in kernel.params]
    signature = {name: _type(value) for name, value in zip(names, arguments, strict=False)}
    signature |= dict.fromkeys(constants, "constexpr")
    if missing := set(names) ^ set(signature):
        raise TypeError(f"{kernel.__name__} and its call differ in {sorted(missing)}")
    places = {(names.index(name),): value for name, value in constants.items()}
    return ASTSource(kernel, {name: signature[name] for name in names}, places)


def _type(value: object) -> str:
    match value:
        case Tensor():
            return f"*{_TYPES[value.dtype]}"
        case float():
            return "fp32"
        case int():
            return "i32" if abs(value) < 2**31 else "i64"
    raise TypeError(f"Kernels take tensors and numbers, got {value!r}")


def _compile(case: str, source: ASTSource, architecture: int) -> Artifact:
    found = triton.compile(source, target=GPUTarget("cuda", architecture, _WARP), options=launching.OPTIONS)
    name = re.search(r"\.target (\w+)", found.asm["ptx"])[1]
    command = [get_ptxas(architecture).path, "-v", f"--gpu-name={name}", "-", "-o", os.devnull]
    told = subprocess.run(command, input=found.asm["ptx"], capture_output=True, text=True, check=True).stderr
    registers, spilled = int(re.search(r"Used (\d+) registers", told)[1]), re.findall(r"(\d+) bytes spill", told)
    return Artifact(case, source.fn.__name__, architecture, registers, sum(map(int, spilled)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architectures", type=int, nargs="+", choices=_WARPS, default=list(ARCHITECTURES))
    parser.add_argument("--cases", nargs="+", choices=list(cases()), default=list(cases()), metavar="NAME")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    lines = ["| case | kernel | sm | registers | spilled bytes | warps held |", "| --- | --- | --- | --- | --- | --- |"]
    for each in compiled(options.cases, options.architectures):
        facts = (each.case, each.kernel, each.architecture, each.registers, each.spilled, f"{each.occupancy:.0%}")
        lines.append(f"| {' | '.join(map(str, facts))} |")
        sys.stdout.write(lines[-1] + "\n")
    if options.output:
        options.output.write_text(f"Triton {triton.__version__}\n\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
