"""What a run of the benchmarks is asked for."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

Shape = tuple[int, int, int]

SIZES, ROUNDS = ((32, 32, 32), (64, 64, 64), (128, 128, 128), (160, 192, 224)), 7
QUICK_SIZES, QUICK_ROUNDS = ((32, 32, 32),), 2


@dataclass(frozen=True)
class Options:
    """What the suites are asked for.

    Attributes:
        sizes: voxels of the images, (K, J, I), from small to large.
        threads: numbers of threads to compute with, one after the other; a call that starts a process asks torch how
            many there are now.
        rounds: how often each contestant computes.
        device: where ours and all that torch computes runs.
        data: folder of real pairs, in the layout of ``DiffusionCore benchmark``; None uses what is made or shipped.
        peers_python: interpreter whose environment holds greedy, ANTs, elastix and ConvexAdam; None tries our own.
        only: words that the name of a benchmark begins with; all of them if there are none.
        without: contestants to leave out.
        quick: to see that all of it works, in minutes; its figures say nothing.
        warps, brick: how Triton divides the work on a device, warps of a program and its voxels along (i, j, k), powers
            of 2; None takes what is built in.
    """

    sizes: tuple[Shape, ...] = SIZES
    threads: tuple[int, ...] = (1,)
    rounds: int = ROUNDS
    device: str = "cpu"
    data: Path | None = None
    peers_python: Path | None = None
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    quick: bool = False
    warps: int | None = None
    brick: tuple[int, int, int] | None = None

    def wants(self, benchmark: str) -> bool:
        """Return whether ``benchmark`` is among those that are asked for; a suite may ask before it makes one."""
        return not self.only or benchmark.startswith(self.only)


def in_words(shape: Shape) -> str:
    """Return ``shape`` (K, J, I) as the rows name a size: "160x192x224"."""
    return "x".join(map(str, shape))


def read_options(
    arguments: Sequence[str] | None, about: str, known: Collection[str]
) -> tuple[Options, list[str], Path]:
    """Return what the command line asks for, which of the ``known`` suites, and the folder of the results.

    Ends the process, with a sentence and exit code 2, if the command line names what there is not.
    """
    parser = argparse.ArgumentParser(
        prog="python -m Testing.Benchmarks.run",
        description=about,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"of {', '.join(known)}; default: all")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="an empty or new folder")
    parser.add_argument("--device", default="cpu", help="cpu (default) or cuda")
    parser.add_argument(
        "--sizes", type=_shape, nargs="+", metavar="SIZE", help="voxels: 64 for a cube, or 160x192x224 along k, j, i"
    )
    parser.add_argument("--threads", type=_positive, nargs="+", default=[1], metavar="N")
    parser.add_argument("--rounds", type=_positive, metavar="N", help=f"two or more; default: {ROUNDS}")
    parser.add_argument("--only", nargs="+", default=[], metavar="WORD", help="what a benchmark's name begins with")
    parser.add_argument("--without", nargs="+", default=[], metavar="PEER", help="contestants to leave out")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="of real pairs, as `benchmark` reads them")
    parser.add_argument(
        "--peers-python", type=Path, metavar="PYTHON", help="an interpreter that has greedy, ANTs, elastix, ConvexAdam"
    )
    parser.add_argument("--quick", action="store_true", help="smallest sizes, two rounds: only to see that it works")
    parser.add_argument("--warps", type=_positive, metavar="N", help="with cuda: other than those that are built in")
    parser.add_argument("--brick", type=_positive, nargs=3, metavar=("I", "J", "K"), help="with cuda: the same")
    given = parser.parse_args(arguments)
    if unknown := [name for name in given.suites if name not in known]:
        parser.error(f"there is no suite {', '.join(unknown)}; there are: {', '.join(known)}")
    devices = ["cpu", *(f"cuda:{n}" for n in range(torch.cuda.device_count()))]
    if given.device not in devices and not (given.device == "cuda" and len(devices) > 1):
        parser.error(f"there is no device '{given.device}' here; there are: {', '.join(devices)}")
    if (given.warps or given.brick) and given.device == "cpu":
        parser.error("--warps and --brick divide the work of a CUDA device; say --device cuda, or leave them out")
    if given.rounds == 1:
        parser.error("--rounds: one round has no spread; ask for two or more")
    for path, kind in ((given.data, Path.is_dir), (given.peers_python, Path.is_file)):
        if path and not kind(path):
            parser.error(f"there is no '{path}'")
    if given.output.exists() and not (given.output.is_dir() and not any(given.output.iterdir())):
        parser.error(f"'{given.output}' is there already, and not an empty folder; choose another one")
    sizes, rounds = (QUICK_SIZES, QUICK_ROUNDS) if given.quick else (SIZES, ROUNDS)
    options = Options(
        tuple(sorted(given.sizes or sizes, key=lambda shape: shape[0] * shape[1] * shape[2])),
        tuple(given.threads),
        given.rounds or rounds,
        given.device,
        given.data,
        given.peers_python,
        tuple(given.only),
        tuple(given.without),
        given.quick,
        given.warps,
        tuple(given.brick) if given.brick else None,
    )
    return options, given.suites or list(known), given.output


def _shape(text: str) -> Shape:
    numbers = [_positive(part) for part in text.split("x")]
    if len(numbers) not in (1, 3):
        raise argparse.ArgumentTypeError(f"expected 64 or 160x192x224, got '{text}'")
    k, j, i = numbers if len(numbers) == 3 else 3 * numbers
    return k, j, i


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, got '{text}'")
    return int(text)
