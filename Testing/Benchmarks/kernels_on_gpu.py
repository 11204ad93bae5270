"""Whether the kernels for CUDA devices are right on this machine, and how fast they are beside torch and MONAI.

    python Testing/Benchmarks/kernels_on_gpu.py [--shape K J I] [--rounds N] [--output TABLE.md]
                                                [--warps N] [--brick I J K]

First every operation is held against what torch gives on the same device; any that differs ends in exit code 1. Then
all contestants compute in turn, in each round ten times between two events of the device; a ratio is the median over
the rounds of a contestant's time to that of ours in the same round. "recorded" is ours in a CUDA graph, without the
time that Python takes to start it; "torch" are our own operations without kernels. The share is that of the bandwidth
of a copy, if each number were read or written once. The field is smooth, of 3 voxels. It takes two or three minutes.
`--warps` and `--brick` try other divisions of the work than those that are built in.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import sys
import time
from pathlib import Path

import torch
from gpu_kernel_checks import DEVICE, Call, by, checks, field, image, slopes
from torch import Tensor
from torch.nn.functional import grid_sample

from DiffusionCore.interpolation import Interpolation, moved_voxels, pull, pull_at
from DiffusionCore.kernels import kernels_for
from DiffusionCore.losses import LocalCorrelation

WINDOW = 9
CALLS = 10  # between two events


def operations(shape: tuple[int, int, int]) -> dict[str, tuple[float, dict[str, Call]]]:
    """Return operation -> least bytes, and contestant -> call; the first one is ours."""
    count, shifts = shape[0] * shape[1] * shape[2], field(shape, 3.0)
    one, three, other, half = image(shape), image(shape, 3), image(shape, seed=2), image(shape).bfloat16()
    points = moved_voxels(shifts, shape)
    unit = (2 * (points + 0.5) / torch.tensor(shape[::-1], device=DEVICE) - 1).contiguous()
    labels, velocity, found = (200 * one).to(torch.uint8), shifts / 4, LocalCorrelation(other, window=WINDOW)
    settings = {"padding_mode": "border", "align_corners": False}
    nearest = {"interpolation": Interpolation.NEAREST, "fill": None}

    def sampled(source: Tensor, at: Tensor) -> Tensor:
        return grid_sample(source, at, **settings)

    def ours(call: Call) -> dict[str, Call]:
        return {"ours": call, "torch": lambda: by("torch", call)}

    kernels = kernels_for(shifts)
    table = {
        "by a displacement": (20, ours(lambda: pull_at(one, shifts))),
        "by a displacement, bfloat16": (16, ours(lambda: pull_at(half, shifts))),
        "by a displacement, three channels": (36, ours(lambda: pull_at(three, shifts))),
        "and its derivative by the field": (52, ours(slopes(lambda u: pull_at(one, u), shifts))),
        "and those by field and image": (76, ours(slopes(pull_at, one, shifts))),
        "nearest labels": (14, ours(lambda: pull(labels, points, **nearest))),
        "composition": (36, ours(lambda: kernels.flow(shifts, 0))),
        "flow of 7 squarings": (8 * 24, ours(lambda: kernels.flow(velocity, 7))),
        "flow of 7 squarings, and its derivative": (8 * 76, ours(slopes(lambda v: kernels.flow(v, 7), velocity))),
        f"local correlation of {WINDOW}, and its slope": (44, ours(lambda: found.value_and_slope(one))),
    }
    table["by a displacement"][1]["grid_sample"] = lambda: sampled(one, unit)
    table["by a displacement, three channels"][1]["grid_sample"] = lambda: sampled(three, unit)
    table["and its derivative by the field"][1]["grid_sample"] = slopes(lambda at: sampled(one, at), unit)
    table["and those by field and image"][1]["grid_sample"] = slopes(sampled, one, unit)
    for name in ("composition", "flow of 7 squarings", "flow of 7 squarings, and its derivative"):
        del table[name][1]["torch"]  # it is the kernel itself
    if importlib.util.find_spec("monai") is not None:
        from monai.losses import LocalNormalizedCrossCorrelationLoss
        from monai.networks.blocks import DVF2DDF, Warp

        warp, squared, loss = Warp(), DVF2DDF(), LocalNormalizedCrossCorrelationLoss(kernel_size=WINDOW).to(DEVICE)
        flipped, slow = shifts.flip(1), velocity.flip(1)  # MONAI has the components of k first
        table["by a displacement"][1]["MONAI"] = lambda: warp(one, flipped)
        table["and its derivative by the field"][1]["MONAI"] = slopes(lambda u: warp(one, u), flipped)
        table["flow of 7 squarings"][1]["MONAI"] = lambda: squared(slow)
        table["flow of 7 squarings, and its derivative"][1]["MONAI"] = slopes(squared, slow)
        table[f"local correlation of {WINDOW}, and its slope"][1]["MONAI"] = slopes(lambda x: loss(x, other), one)
    return {name: (least * count, calls) for name, (least, calls) in table.items()}


def recorded(call: Call) -> Call:
    """Return the replay of ``call`` in a CUDA graph."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    return graph.replay


def microseconds(call: Call) -> float:
    begun, ended = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    begun.record()
    for _ in range(CALLS):
        call()
    ended.record()
    ended.synchronize()
    return 1000 * begun.elapsed_time(ended) / CALLS


def bandwidth_of_a_copy() -> float:
    """Return the bytes that a copy of 1 GiB reads and writes in a microsecond."""
    block = torch.empty(2**28, device=DEVICE)
    return 2 * block.nbytes / statistics.median(microseconds(block.clone) for _ in range(5))


def measure(calls: dict[str, Call], rounds: int) -> dict[str, tuple[float, float, float]]:
    """Return contestant -> median microseconds, median ratio to the first one, spread of the ratio."""
    for call in calls.values():
        call()
    calls |= {"recorded": recorded(next(iter(calls.values())))}
    turns = [{name: microseconds(call) for name, call in calls.items()} for _ in range(rounds + 1)][1:]
    first, rows = next(iter(calls)), {}
    for name in calls:
        low, *_, high = statistics.quantiles(ratios := [turn[name] / turn[first] for turn in turns], n=4)
        rows[name] = statistics.median(turn[name] for turn in turns), statistics.median(ratios), high - low
    return rows


def say(lines: list[str], text: str) -> None:
    lines.append(text)
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def divide(warps: int | None, brick: list[int] | None) -> None:
    """Divide the work in another way than is built in; to be called before any kernel is."""
    import triton.language as tl

    from DiffusionCore.kernels.gpu import cells, launching

    if warps:
        launching.OPTIONS["num_warps"] = warps
    if brick:
        cells.BRICK_I, cells.BRICK_J, cells.BRICK_K = map(tl.constexpr, brick)
        cells.BRICK = tl.constexpr(brick[0] * brick[1] * brick[2])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", type=int, nargs=3, default=[160, 192, 224], metavar=("K", "J", "I"))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--warps", type=int)
    parser.add_argument("--brick", type=int, nargs=3, metavar=("I", "J", "K"), help="powers of 2")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        sys.stdout.write("There is no CUDA device on this machine: nothing was checked, nothing was measured.\n")
        return 2
    divide(options.warps, options.brick)
    lines: list[str] = []
    k, j, i = options.shape
    begun = time.perf_counter()
    by("triton", lambda: kernels_for(torch.ones(1, device=DEVICE)))
    about = (
        f"{torch.cuda.get_device_name()}, torch {torch.__version__}, {k} x {j} x {i} voxels, {options.rounds} rounds"
    )
    say(lines, f"{about}; started and tested itself in {time.perf_counter() - begun:.1f} s\n")
    say(lines, "| checked | found | |\n| --- | --- | --- |")
    wrong = 0
    for name, found, right in checks():
        wrong += not right
        say(lines, f"| {name} | {found} | {'right' if right else 'WRONG'} |")
    bandwidth = bandwidth_of_a_copy()
    say(lines, f"\nA copy of 1 GiB: {bandwidth / 1e6:.2f} TB/s\n")
    say(lines, "| operation | contestant | microseconds | times ours | spread | share of a copy |")
    say(lines, "| --- | --- | --- | --- | --- | --- |")
    for name, (least, calls) in operations((k, j, i)).items():
        for contestant, (taken, ratio, spread) in measure(calls, options.rounds).items():
            share = f"{least / taken / bandwidth:.0%}"
            say(lines, f"| {name} | {contestant} | {taken:.0f} | {ratio:.2f} | {spread:.2f} | {share} |")
    if options.output:
        options.output.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
