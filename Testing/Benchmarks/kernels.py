"""How fast the kernels are on this machine, beside torch and what others use for the same.

    python Testing/Benchmarks/kernels.py [--shape K J I] [--threads N] [--rounds N] [--output TABLE.md]

Every contestant computes once in each round, one after the other; a ratio is the median over the rounds of its time to
that of our kernel in the same round. With one thread times are CPU seconds, which a busy machine changes least. "torch"
are our own operations without kernels. MONAI takes part where it is installed. The field is smooth, of 3 voxels.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch
from scipy.ndimage import map_coordinates
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate

from DiffusionCore.interpolation import Interpolation, moved_voxels, pull, pull_at
from DiffusionCore.kernels import VARIABLE
from DiffusionCore.losses import LocalCorrelation
from DiffusionCore.transforms.velocity import flow

Call = Callable[[], object]
WINDOW = 9


def by_torch(call: Call) -> Call:
    """Return ``call`` without kernels."""

    def without() -> object:
        os.environ[VARIABLE] = "torch"
        try:
            return call()
        finally:
            del os.environ[VARIABLE]

    return without


def backward(call: Callable[[Tensor], Tensor], shifts: Tensor) -> Call:
    """Return ``call`` of ``shifts`` together with the derivative by them."""

    def both() -> object:
        learned = shifts.detach().requires_grad_()
        call(learned).sum().backward()
        return learned.grad

    return both


def operations(shape: tuple[int, int, int]) -> dict[str, dict[str, Call]]:
    """Return operation -> contestant -> call; the first one is our kernel."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(1, 3, *(max(2, n // 16) for n in shape), generator=generator)
    shifts = interpolate(coarse, size=shape, mode="trilinear")
    shifts = (3 / shifts.std() * shifts).contiguous()
    image = torch.rand(1, 1, *shape, generator=generator)
    other = torch.rand(1, 1, *shape, generator=generator)
    labels = (200 * image).to(torch.uint8)
    points = moved_voxels(shifts, shape)
    unit = 2 * (points + 0.5) / torch.tensor(shape[::-1]) - 1
    pixels = image.expand(-1, 4, -1, -1, -1).contiguous(memory_format=torch.channels_last_3d)
    settings = {"padding_mode": "border", "align_corners": False}

    def resampled() -> object:
        field = sitk.GetImageFromArray(shifts[0].movedim(0, -1).double().numpy(), isVector=True)
        moved = sitk.DisplacementFieldTransform(field)
        return sitk.Resample(sitk.GetImageFromArray(image[0, 0].numpy()), moved, sitk.sitkLinear)

    def mapped() -> object:
        return map_coordinates(image[0, 0].numpy(), points[0].movedim(-1, 0).flip(0).numpy(), order=1, mode="nearest")

    reads = {
        "by a displacement, one channel": lambda: pull_at(image, shifts),
        "at points, four channels": lambda: pull(pixels, points, fill=None),
        "nearest labels": lambda: pull(labels, points, interpolation=Interpolation.NEAREST, fill=None),
        "flow (scaling and squaring)": lambda: flow(shifts),
        "by a displacement, and its derivative": backward(lambda u: pull_at(image, u), shifts),
    }
    table = {name: {"ours": call, "torch": by_torch(call)} for name, call in reads.items()}
    table["by a displacement, one channel"] |= {
        "grid_sample": lambda: grid_sample(image, unit, **settings),
        "SimpleITK": resampled,
        "scipy": mapped,
    }
    table["at points, four channels"]["grid_sample"] = lambda: grid_sample(pixels.contiguous(), unit, **settings)
    found = LocalCorrelation(other, window=WINDOW)
    compare = {"ours": lambda: found.value_and_slope(image), "torch": by_torch(lambda: found.value_and_slope(image))}
    table[f"local correlation of {WINDOW} voxels, and its slope"] = compare
    if importlib.util.find_spec("monai") is not None:
        from monai.losses import LocalNormalizedCrossCorrelationLoss
        from monai.networks.blocks import DVF2DDF, Warp

        warp, squared = Warp(), DVF2DDF()
        loss = LocalNormalizedCrossCorrelationLoss(kernel_size=WINDOW)
        flipped = shifts.flip(1)  # MONAI has the components of k first
        table["by a displacement, one channel"]["MONAI"] = lambda: warp(image, flipped)
        table["by a displacement, and its derivative"]["MONAI"] = backward(lambda u: warp(image, u), flipped)
        table["flow (scaling and squaring)"]["MONAI"] = lambda: squared(flipped)
        compare["MONAI"] = backward(lambda x: loss(x, other), image)
    return table


def measure(calls: dict[str, Call], rounds: int, clock: Callable[[], float]) -> list[tuple[str, float, float, float]]:
    """Return (contestant, median ms, median ratio to the first one, spread of the ratio) of ``calls``."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(rounds + 1):
        for name, call in calls.items():
            begun = clock()
            call()
            if number:  # the first round compiles
                times[name].append(clock() - begun)
    first = next(iter(times.values()))
    rows = []
    for name, taken in times.items():
        ratios = [t / own for t, own in zip(taken, first, strict=True)]
        low, *_, high = statistics.quantiles(ratios, n=4)
        rows.append((name, 1000 * statistics.median(taken), statistics.median(ratios), high - low))
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", type=int, nargs=3, default=[82, 104, 84], metavar=("K", "J", "I"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(options.threads)
    clock = time.process_time if options.threads == 1 else time.perf_counter
    k, j, i = options.shape
    lines = ["| operation | contestant | ms | times our kernel | spread |", "| --- | --- | --- | --- | --- |"]
    for name, calls in operations((k, j, i)).items():
        for contestant, ms, ratio, spread in measure(calls, options.rounds, clock):
            lines.append(f"| {name} | {contestant} | {ms:.1f} | {ratio:.2f} | {spread:.2f} |")
            sys.stdout.write(lines[-1] + "\n")
    if options.output:
        facts = f"{k} x {j} x {i} voxels, {options.threads} thread(s), {options.rounds} rounds, numpy {np.__version__}"
        options.output.write_text(f"{facts}, torch {torch.__version__}\n\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
